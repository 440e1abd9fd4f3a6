"""Engines of several column arrays: values, order of the streams; docs/engines/ternary-arrays.md."""

import dataclasses

import numpy as np
import pytest
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.golden.ternary.encode import EncodeError, Order, encode
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.layers import DenseLayer, TernaryNetwork
from shiftwork.golden.ternary.model import forward
from shiftwork.golden.ternary.program import ErrorCode, Program, ProgramError

from .networks import CONFIGS, conv_layer, random_input, random_network

ONE = CONFIGS["tiny"]
N, D = ONE.drain_cycles, ONE.drain_width
ARRAYS = [2, 3, 5]
LAYERS = [(1, 0), (2, 0), (1, 1), (2, 2), (0, 1), (0, 3)]


def ran(network, config, x, order=Order.ASCENDING, images=None):
    """Program, machine and output beats of one batch, in memories full of whatever was there before."""
    program, machine = encode(network, config, order=order, images=images), Machine(config)
    for n, array in enumerate(machine.arrays):
        array.rows[:] = 7 + n
        array.vector[:], array.vector_bits[:] = 9 + n, True
    machine.load(program.to_words())
    return program, machine, machine.run(program.pack_input(x))


def several(arrays, config=ONE, **change):
    return dataclasses.replace(config, arrays=arrays, **change)


def dense(weights, name="d", low=-32768, high=32767):
    count = len(weights)
    return DenseLayer(name=name, weights=np.asarray(weights, np.int8), bias=np.zeros(count, int),
                      scale=np.full(count, 256), shift=np.full(count, 8), low=low, high=high,
                      input_signed=False)


def network(*layers, shape):
    return TernaryNetwork(input_shape=shape, input_scale=1.0, output_scale=1.0, layers=layers)


@pytest.mark.parametrize("layers", LAYERS, ids=lambda v: f"{v[0]}conv{v[1]}dense")
@pytest.mark.parametrize("name", ["tiny", "default", "icebreaker", "grid8x8"])
@pytest.mark.parametrize("arrays", ARRAYS)
def test_machine_is_forward(arrays, name, layers):
    config, done = several(arrays, CONFIGS[name]), 0
    for seed in range(3):
        rng = np.random.default_rng([seed, arrays, *layers])
        some = random_network(rng, *layers)
        x = random_input(rng, some, config.batch)
        try:
            program, _, beats = ran(some, config, x, list(Order)[seed % 2])
        except EncodeError as error:
            assert "memory must have" in str(error).lower()
            continue
        np.testing.assert_array_equal(program.unpack_output(beats), forward(some, x))
        done += 1
    assert done >= 2


@pytest.mark.parametrize("change", [dict(activation_width=16, acc_width=32), dict(skip_zeros=False)])
def test_machine_of_other_engines(change):
    for layers in ((2, 1), (0, 2)):
        rng = np.random.default_rng(8)
        some, config = random_network(rng, *layers), several(32, **change)
        x = random_input(rng, some, config.batch)
        program, _, beats = ran(some, config, x)
        np.testing.assert_array_equal(program.unpack_output(beats), forward(some, x))


@pytest.mark.parametrize("arrays, images", [(2, 2), (2, 6), (3, 3), (3, 9), (5, 5)])
def test_dense_only_runs_any_multiple_of_the_arrays(arrays, images):
    rng = np.random.default_rng(images)
    some = random_network(rng, 0, 2)
    x = random_input(rng, some, images)
    program, machine, beats = ran(some, several(arrays), x, images=images)
    assert machine.layers[1].descriptor.m_count == images // arrays
    np.testing.assert_array_equal(program.unpack_output(beats), forward(some, x))


@pytest.mark.parametrize("given", [1, 4])
def test_missing_images_are_zeros(given):
    for layers in ((1, 1), (0, 2)):
        rng = np.random.default_rng(given)
        some, config = random_network(rng, *layers), several(3)
        x = random_input(rng, some, config.batch)
        x[given:] = 0
        program, _, beats = ran(some, config, x[:given])
        np.testing.assert_array_equal(program.unpack_output(beats), forward(some, x))


@pytest.mark.parametrize("layers", LAYERS, ids=lambda v: f"{v[0]}conv{v[1]}dense")
@pytest.mark.parametrize("arrays", ARRAYS)
def test_streams_are_those_of_the_arrays_by_turns(arrays, layers):
    """Rows of N beats in, vectors of one beat out; the program's sections are those of one array."""
    rng = np.random.default_rng([arrays, *layers])
    some = random_network(rng, *layers)
    x = random_input(rng, some, arrays * ONE.batch)
    program, _, beats = ran(some, several(arrays), x)
    ins, outs = [], []
    for n in range(arrays):
        alone, _, out = ran(some, ONE, x[n * ONE.batch:(n + 1) * ONE.batch])
        np.testing.assert_array_equal(program.to_words()[2:-1], alone.to_words()[2:-1])
        ins.append(alone.pack_input(x[n * ONE.batch:(n + 1) * ONE.batch]))
        outs.append(out)
    expected = [beat for row in range(len(ins[0]) // N) for stream in ins for beat in stream[row * N:][:N]]
    np.testing.assert_array_equal(program.pack_input(x), expected)
    np.testing.assert_array_equal(beats, [stream[n] for n in range(len(outs[0])) for stream in outs])


def test_streams_of_one_array_first():
    """Hand-made: which image's value stands where."""
    config = several(2, lanes=8, grid_rows=2, grid_columns=2)
    eye = conv_layer(np.ones((1, 1, 1, 1)))
    x = np.arange(16).reshape(4, 1, 2, 2)
    program, _, beats = ran(network(eye, shape=(1, 2, 2)), config, x)
    assert program.pack_input(x).tolist() == [[n, n + 1] for n in range(0, 16, 2)]
    assert beats.tolist() == [[n, n + 1] for start in range(0, 8, 2) for n in (start, start + 8)]
    program, _, beats = ran(network(dense(np.eye(4)), shape=(4,)), config, x.reshape(4, 4))
    assert program.pack_input(x.reshape(4, 4)).tolist() == [[n, n + 1] for n in range(0, 16, 2)]
    assert beats.tolist() == [[n, n + 1] for start in range(0, 8, 2) for n in (start, start + 8)]
    # Images of 12 values: an array's row of 8 lanes ends amid its first image, and the last row is padded.
    x = np.arange(1, 25).reshape(2, 12)
    packed = encode(network(dense(np.ones((1, 12))), shape=(12,)), config, images=2).pack_input(x)
    rows = [x[0, :8], x[1, :8], [*x[0, 8:], 0, 0, 0, 0], [*x[1, 8:], 0, 0, 0, 0]]
    assert packed.reshape(-1, 8).tolist() == [list(row) for row in rows]


def test_bitmap_is_the_union():
    rng = np.random.default_rng(4)
    x = rng.integers(1, 9, (6, 20)) * (rng.random((6, 20)) < 0.3)
    config = several(3)
    some = network(dense(rng.integers(-1, 2, (5, 20))), shape=(20,))
    program, machine, beats = ran(some, config, x)
    union = (x.reshape(3, 2, 20) != 0).any(axis=0)
    assert (union.sum(axis=1) > (x.reshape(3, 2, 20) != 0).sum(axis=2)).all()
    layer = machine.layers[1]
    np.testing.assert_array_equal(layer.bitmaps.reshape(2, 20), union)
    np.testing.assert_array_equal(layer.signs.reshape(2, 20), union)
    np.testing.assert_array_equal(program.unpack_output(beats), forward(some, x))
    (about,) = machine.statistics(program)
    assert (about.non_zeros, about.adds, about.work) == (union.sum(),) * 3
    assert about.drain == -(-5 * 6 // (3 * D))
    _, visits, _ = ran(some, dataclasses.replace(config, skip_zeros=False), x)
    assert visits.layers[1].bitmaps.all()
    np.testing.assert_array_equal(visits.layers[1].signs, layer.signs)


def test_statistics_count_all_lanes():
    rng, config = np.random.default_rng(0), several(3, CONFIGS["default"])
    weights = rng.integers(-1, 2, (8, 2, 3, 3))
    some = network(conv_layer(weights, pads=(1, 1, 1, 1)), shape=(2, 8, 8))
    program, machine, _ = ran(some, config, rng.integers(0, 256, (12, 2, 8, 8)))
    (about,) = machine.statistics(program)
    # 8 x 8 positions of 12 images are 4 tiles of 3 * 64 lanes.
    assert about.work == about.adds == 4 * np.count_nonzero(weights)
    assert about.drain == 8 * 64 * 12 // (3 * 4)


@pytest.mark.parametrize("images", [-3, 0, 1, 4])
def test_images_must_be_a_multiple_of_the_arrays(images):
    wanted = ("Images must be at least 3 and a multiple of it, the same number for each of the arrays, "
              f"not {images}")
    with pytest.raises(EncodeError, match=wanted):
        encode(network(dense(np.ones((1, 4))), shape=(4,)), several(3), images=images)


def test_images_of_a_network_with_convolutions():
    some = network(conv_layer(np.ones((1, 1, 1, 1))), shape=(1, 2, 2))
    with pytest.raises(EncodeError, match="Images must be 6, the batch, for a network with conv.*, not 3"):
        encode(some, several(3), images=3)


def test_streams_of_another_length():
    config = several(3)
    some = network(conv_layer(np.ones((1, 1, 1, 1))), shape=(1, 2, 2))
    program, machine, beats = ran(some, config, np.ones((6, 1, 2, 2), int))
    for change, code in ((-N, ErrorCode.INPUT_SHORT), (1, ErrorCode.INPUT_LONG)):
        wrong = np.zeros((3 * N + change, D))
        with pytest.raises(ProgramError, match=f"Input must have {3 * N} beats, not {len(wrong)}") as raised:
            machine.run(wrong)
        assert raised.value.code is code
    with pytest.raises(ValueError, match=f"Output must have {3 * N * D} values, not {N * D}"):
        program.unpack_output(beats[:N])


def test_programs_are_for_a_number_of_arrays(tmp_path):
    program = encode(network(dense(np.ones((1, 4))), shape=(4,)), several(3))
    with pytest.raises(ProgramError, match="Fingerprint must be"):
        Program.from_words(program.to_words(), ONE)
    program.save(tmp_path / "program.npz")
    assert Program.load(tmp_path / "program.npz").config == several(3)
    assert isinstance(program.config, TernaryConfig)
