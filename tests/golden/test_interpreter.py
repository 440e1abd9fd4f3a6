"""The interpreter of binary programs against the layer model, and what it counts."""

import dataclasses
import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shiftwork.golden.ternary.config import PRESETS
from shiftwork.golden.ternary.descriptor import Destination, Kind
from shiftwork.golden.ternary.encode import EncodeError, Order, encode
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.layers import ConvLayer, DenseLayer, TernaryNetwork
from shiftwork.golden.ternary.model import accumulate, forward, forward_layer

from .networks import CONFIGS, CONV_ONLY, conv_layer, random_input, random_network, scales


def run(network, config, x, order=Order.ASCENDING, images=None, rng=None):
    """The network through its binary program, in memories full of whatever was there before."""
    program = encode(network, config, order=order, images=images)
    machine = Machine(config)
    if rng is not None:
        for array in machine.arrays:
            array.rows[:] = rng.integers(0, 1 << config.activation_width, array.rows.shape)
            array.vector[:] = rng.integers(0, 1 << config.activation_width, array.vector.shape)
            array.vector_bits[:] = array.vector != 0
    machine.load(program.to_words())
    return program, machine, program.unpack_output(machine.run(program.pack_input(x)))


SHAPES = [(1, 0), (2, 0), (3, 0), (1, 1), (2, 2), (0, 1), (0, 3), (3, 1)]


@pytest.mark.parametrize("layers", SHAPES, ids=lambda v: f"{v[0]}conv{v[1]}dense")
@pytest.mark.parametrize("name", CONFIGS)
def test_machine_is_forward(name, layers):
    config, ran = CONFIGS[name], 0
    for seed in range(6):
        rng = np.random.default_rng([seed, *layers])
        network = random_network(rng, *layers)
        x = random_input(rng, network, config.batch)
        expected = forward(network, x)
        try:
            for order in Order:
                np.testing.assert_array_equal(run(network, config, x, order, rng=rng)[2], expected)
        except EncodeError as error:
            assert "memory must have" in str(error).lower()
            continue
        ran += 1
    assert ran >= 5


@pytest.mark.parametrize("seed", range(6))
def test_machine_without_transposed_mode(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 2, 0)
    x = random_input(rng, network, CONV_ONLY.batch)
    np.testing.assert_array_equal(run(network, CONV_ONLY, x, rng=rng)[2], forward(network, x))


def agrees(network, config, order, rng):
    """Asserts that the machine and the integer model agree on a batch; False if no memory can hold it."""
    x = random_input(rng, network, config.batch)
    try:
        y = run(network, config, x, order, rng=rng)[2]
    except EncodeError as error:
        assert "memory must have" in str(error).lower()
        return False
    np.testing.assert_array_equal(y, forward(network, x))
    return True


@pytest.mark.parametrize("bits", [1, 5, 8, 13, 16])
@pytest.mark.parametrize("layers", [(2, 0), (1, 1), (0, 2), (3, 1)], ids=lambda v: f"{v[0]}conv{v[1]}dense")
def test_machine_of_any_activations(bits, layers):
    """Engines of 8 and of 16 bits, with and without skipping of zeros, in both orders."""
    ran = 0
    for name, skip_zeros, order in itertools.product(("tiny", "grid1x4"), (False, True), Order):
        config = dataclasses.replace(CONFIGS[name], activation_width=8 if bits <= 8 else 16, acc_width=32,
                                     skip_zeros=skip_zeros)
        rng = np.random.default_rng([bits, *layers])
        network = random_network(rng, *layers, bits=bits)
        ran += agrees(network, config, order, rng)
    assert ran >= 4


@pytest.mark.parametrize("images", [1, 3, 7])
def test_machine_runs_any_number_of_vectors(images):
    config, rng = CONFIGS["tiny"], np.random.default_rng(images)
    network = random_network(rng, 0, 2)
    x = random_input(rng, network, images)
    np.testing.assert_array_equal(run(network, config, x, images=images, rng=rng)[2], forward(network, x))


@settings(deadline=None, max_examples=60, derandomize=True)
@given(seed=st.integers(0, 2 ** 32 - 1), name=st.sampled_from(sorted(CONFIGS)),
       order=st.sampled_from(list(Order)), layers=st.sampled_from(SHAPES))
def test_encoder_and_machine(seed, name, order, layers):
    config, rng = CONFIGS[name], np.random.default_rng(seed)
    agrees(random_network(rng, *layers), config, order, rng)


@pytest.mark.parametrize("pads", [(3, 2, 3, 2), (5, 0, 0, 5), (0, 4, 1, 0)])
@pytest.mark.parametrize("name", ["tiny", "default", "grid8x8"])
def test_padding_beyond_a_cell(name, pads):
    """Pads of more pixels than a cell's block: windows reach cells that are not neighbors, or none."""
    rng = np.random.default_rng(7)
    first = conv_layer(rng.integers(-1, 2, (2, 1, 3, 3)), low=0, high=255, pads=(1, 1, 1, 1))
    second = conv_layer(rng.integers(-1, 2, (3, 2, 6, 6)), pads=pads)
    network = TernaryNetwork(input_shape=(1, 6, 5), input_scale=1.0, output_scale=1.0, layers=(first, second))
    x = rng.integers(0, 256, (CONFIGS[name].batch, 1, 6, 5))
    np.testing.assert_array_equal(run(network, CONFIGS[name], x, rng=rng)[2], forward(network, x))


def digits(rng):
    """The shape of an 8 x 8 digits network."""
    def fields(name, weights, low, high):
        return dict(name=name, weights=weights, low=low, high=high, input_signed=False,
                    **scales(rng, len(weights), weights[0].size))
    shapes = (16, 1, 3, 3), (32, 16, 3, 3), (10, 512)
    weights = [rng.integers(-1, 2, shape).astype(np.int8) for shape in shapes]
    return TernaryNetwork(input_shape=(1, 8, 8), input_scale=1.0, output_scale=1.0, layers=(
        ConvLayer(**fields("conv1", weights[0], 0, 255), pads=(1, 1, 1, 1)),
        ConvLayer(**fields("conv2", weights[1], 0, 255), pads=(1, 1, 1, 1), pool=(2, 2), pool_stride=(2, 2)),
        DenseLayer(**fields("dense", weights[2], -32768, 32767))))


def test_statistics():
    rng, config = np.random.default_rng(0), PRESETS["ulx3s-85f"]
    network = digits(rng)
    x = random_input(rng, network, config.batch)
    program, machine, _ = run(network, config, x)
    conv1, conv2, dense = machine.statistics(program)
    nnz = [int(np.count_nonzero(layer.weights)) for layer in network.layers]
    assert (conv1.non_zeros, conv2.non_zeros) == tuple(nnz[:2])
    # 8 x 8 positions of 4 images are 4 tiles of 64 lanes.
    assert (conv1.work, conv1.adds, conv1.drain) == (4 * nnz[0], 4 * nnz[0], 16 * 256 // 4)
    assert (conv2.work, conv2.drain) == (4 * nnz[1], 32 * 256 // 4)
    # A kernel row of 48 channels and columns is one word, 3 rows are three.
    assert (conv1.words, conv2.words) == (16 * 4, 32 * 4 * 3)
    inner = forward_layer(network.layers[1], forward_layer(network.layers[0], x))
    assert dense.non_zeros == dense.work == dense.adds == np.count_nonzero(inner)
    assert (dense.words, dense.drain) == (512 // 16 * 4, 10)


def test_machine_takes_well_under_a_second():
    rng, config = np.random.default_rng(0), PRESETS["ulx3s-85f"]
    network = digits(rng)
    program, machine, _ = run(network, config, random_input(rng, network, config.batch))
    beats, start = program.pack_input(random_input(rng, network, config.batch)), time.perf_counter()
    machine.run(beats)
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize("order", Order)
def test_dot_products(order):
    """Order of the loops, sign passes, and every addition accounted for."""
    rng, config = np.random.default_rng(5), CONFIGS["tiny"]
    network = random_network(rng, 2, 1)
    program, machine, _ = run(network, config, random_input(rng, network, config.batch), order)
    expected = [(run_.number, *index) for run_ in machine.layers[1:] for index in np.ndindex(*run_.loops)]
    products = list(machine.dot_products())
    assert [product[:6] for product in products] == expected
    for number, about in enumerate(machine.statistics(program), 1):
        visited = sum(int(product[6].sum()) for product in products if product[0] == number)
        assert visited == about.adds
        assert sum(len(product[6]) for product in products if product[0] == number) == about.words
    for run_, layer in zip(machine.layers[1:3], network.layers[:2], strict=True):
        if order is Order.PLUS_MINUS:
            plus, minus = np.split(run_.bitmaps, 2, axis=1)
            ones = layer.weights.reshape(len(layer.weights), -1)
            assert plus.sum(axis=(1, 2)).tolist() == (ones > 0).sum(axis=1).tolist()
            assert minus.sum(axis=(1, 2)).tolist() == (ones < 0).sum(axis=1).tolist()


@pytest.mark.parametrize("order", Order)
def test_what_is_visited(order):
    """With skipping all non-zeros, without it all weights of a filter and all values of a vector's words."""
    rng, shapes = np.random.default_rng(6), [(3, 2, 3, 3), (2, 3, 2, 2)]
    weights = [rng.integers(-1, 2, shape) for shape in shapes]
    dense = DenseLayer(name="dense", weights=rng.integers(-1, 2, (3, 18)).astype(np.int8), low=0, high=9,
                       input_signed=False, **scales(rng, 3, 18))
    network = TernaryNetwork(input_shape=(2, 6, 6), input_scale=1.0, output_scale=1.0, layers=(
        conv_layer(weights[0], low=0, high=255), conv_layer(weights[1], low=0, high=255, name="b"), dense))
    x = rng.integers(0, 256, (2, 2, 6, 6))
    machines = []
    for skip_zeros in (True, False):
        config = dataclasses.replace(CONFIGS["tiny"], skip_zeros=skip_zeros)
        program, machine, _ = run(network, config, x, order)
        machines.append((program, machine))
        for number, filters in enumerate(weights, 1):
            layer = machine.layers[number]
            for flat, visited, signs in zip(filters.reshape(len(filters), -1), layer.bitmaps, layer.signs,
                                            strict=True):
                wanted = flat[flat != 0] if skip_zeros else flat
                found = signs[visited]
                assert sorted(found.tolist()) == sorted(wanted.tolist()) and not signs[~visited].any()
                if order is Order.PLUS_MINUS:
                    assert not visited[:len(visited) // 2][signs[:len(signs) // 2] < 0].any()
                    assert (signs[len(signs) // 2:][visited[len(visited) // 2:]] == -1).all()
        inner = machine.layers[3]
        assert inner.bitmaps.all() != skip_zeros
        assert np.array_equal(inner.signs != 0, inner.bitmaps) == skip_zeros
    (program, skips), (other, visits) = machines
    for about, all_ in zip(skips.statistics(program), visits.statistics(other), strict=True):
        assert (about.non_zeros, about.words, about.work) == (all_.non_zeros, all_.words, all_.work)
        assert about.adds < all_.adds
    # Blocks of 3 x 3, that 2 x 2 cells cover the input's 6 x 6 pixels.
    assert visits.statistics(other)[0].adds == weights[0].size * 9


def test_accumulator_reaches_its_bound():
    """The encoder's interval is exact: one more bit of range is refused, the extreme input is computed."""
    weights = np.ones((1, 257), np.int8)
    network = TernaryNetwork(input_shape=(257,), input_scale=1.0, output_scale=1.0, layers=(DenseLayer(
        name="wide", weights=weights, bias=np.zeros(1, int), scale=np.array([256]), shift=np.array([9]),
        low=0, high=32767, input_signed=False),))
    config = dataclasses.replace(CONFIGS["tiny"], acc_width=17)
    x = np.full((config.batch, 257), 255)
    assert accumulate(network.layers[0], x).max() == 65535
    assert (run(network, config, x)[2] == 32767).all()
    with pytest.raises(EncodeError, match="not 0 .. 65535"):
        encode(network, dataclasses.replace(CONFIGS["tiny"], acc_width=16))


@pytest.mark.parametrize("name", CONFIGS)
def test_descriptors_are_consistent(name):
    """Redundant fields, not read by the interpreter, follow from those it reads; regions do not overlap."""
    config = CONFIGS[name]
    for seed in range(4):
        network = random_network(np.random.default_rng([seed, 1]), 2, 2)
        program = encode(network, config)
        machine = Machine(config)
        machine.load(program.to_words())
        descriptors = [machine._descriptor(n) for n in range(6)]
        assert [d.kind for d in descriptors] == [
            Kind.INPUT, Kind.CONV, Kind.CONV, Kind.DENSE, Kind.DENSE, Kind.END]
        for d in descriptors[:2]:
            assert d.out_u_step == d.i_count * d.out_u_row and d.out_v_step == d.j_count * d.out_v_row
            assert d.out_v_row == d.m_count and d.out_u_row == d.out_v_count * d.m_count
        first, second = ((d.out_base, d.out_base + d.out_u_count * d.out_u_row) for d in descriptors[:2])
        assert first[1] <= second[0] or second[1] <= first[0]
        assert max(first[1], second[1]) <= config.row_depth
        step = config.scatter_width // config.drain_width
        assert [d.destination for d in descriptors[2:5]] == [
            Destination.VECTOR, Destination.VECTOR, Destination.STREAM]
        for d, reader in ((descriptors[2], descriptors[3]), (descriptors[3], descriptors[4])):
            assert d.out_base % step == 0 and reader.fetch_base == d.out_base // step
