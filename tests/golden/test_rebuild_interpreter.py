"""The `rebuild` dataflow gives the values of `factored`, whatever its shape."""

import dataclasses
from itertools import product

import numpy as np
import pytest
from shiftwork.golden.smartexchange.encode import EncodeError, encode
from shiftwork.golden.smartexchange.interpreter import Machine
from shiftwork.golden.smartexchange.layers import SmartExchangeNetwork
from shiftwork.golden.smartexchange.model import forward
from shiftwork.golden.smartexchange.rebuild_run import group_order, positions
from shiftwork.golden.smartexchange.timing import predict

from .smartexchange_networks import CONFIGS, conv_layer, random_input, random_network

SHAPES = [(1, 1), (2, 1), (1, 4), (2, 2), (4, 2), (4, 4)]
KINDS = [("conv",), ("point", "conv"), ("depthwise", "point"), ("conv", "depthwise", "dense"),
         ("dense", "dense")]


def run(network, config, x, rng):
    """The network through its binary program, in memories full of whatever was there before."""
    program, machine = encode(network, config), Machine(config)
    for array in machine.arrays:
        array.rows[:] = rng.integers(0, 1 << config.activation_width, array.rows.shape)
    machine.items[:] = rng.integers(0, 1 << 16, machine.items.shape)
    machine.load(program.to_words())
    return machine, program, program.unpack_output(machine.run(program.pack_input(x)))


@pytest.mark.parametrize("kinds", KINDS, ids="-".join)
@pytest.mark.parametrize("name", ["tiny", "one cell", "one column", "four taps"])
def test_both_dataflows_are_forward(name, kinds):
    factored = dataclasses.replace(CONFIGS[name], arrays=1)
    compared = 0
    for seed, (slices, lines) in enumerate(SHAPES):
        rng = np.random.default_rng([seed, len(kinds)])
        network = random_network(rng, kinds, factored.taps)
        x = random_input(rng, network, factored.batch)
        config = dataclasses.replace(factored, rebuild=True, slices=slices, lines=lines)
        try:
            machine, program, y = run(network, config, x, rng)
        except EncodeError as error:
            assert "must have a window" in str(error) or "must include 0" in str(error), error
            continue
        np.testing.assert_array_equal(y, forward(network, x))
        np.testing.assert_array_equal(y, run(network, factored, x, rng)[2])
        waiting = predict(machine)
        assert len(waiting.layers) == len(kinds) + 1 and waiting.run_cycles > 0
        for about in machine.statistics(program):
            assert about.rows <= about.candidates and about.rows <= about.steps
        compared += 1
    assert compared >= 4


@pytest.mark.parametrize("bits", [5, 16])
def test_activations_of_16_bits(bits):
    rng = np.random.default_rng(bits)
    config = dataclasses.replace(CONFIGS["one column"], activation_width=16, rebuild=True, slices=2, lines=2)
    compared = 0
    while compared < 4:
        network = random_network(rng, ("conv", "point"), bits=bits)
        x = random_input(rng, network, config.batch)
        try:
            values = run(network, config, x, rng)[2]
        except EncodeError:     # its pooling is of a kind that the engine does not have
            continue
        np.testing.assert_array_equal(values, forward(network, x))
        compared += 1


def test_pool_columns_and_the_width_of_T_mean_nothing():
    """32 outputs in a cell, pooled over two rows; sums of more than acc_width bits."""
    config = dataclasses.replace(CONFIGS["one column"], pool_columns=8, acc_width=16)
    layer = conv_layer(2, 3, pool=(2, 1), pool_stride=(1, 1), pads=(0, 1, 0, 1),
                       exponents=np.full((2, 9, 3), 7, np.int8))
    network = SmartExchangeNetwork(input_shape=(3, 6, 32), input_scale=1.0, output_scale=1.0, layers=(layer,))
    with pytest.raises(EncodeError, match="as pool_columns says"):
        encode(network, config)
    wide = dataclasses.replace(config, pool_columns=32)
    narrow = dataclasses.replace(network, layers=(dataclasses.replace(
        layer, exponents=layer.exponents - 7 * (np.arange(9) > 0)[:, None].astype(np.int8)),))
    with pytest.raises(EncodeError, match="Accumulator of layer 'layer' must stay within"):
        encode(narrow, wide)
    rng = np.random.default_rng(0)
    x, config = random_input(rng, narrow, 2), dataclasses.replace(config, rebuild=True, slices=2)
    for each in (network, narrow):
        np.testing.assert_array_equal(run(each, config, x, rng)[2], forward(each, x))


def test_order_of_rows():
    """Group, i, j, filter; the last group has the rest."""
    numbers = [m * 6 + i * 3 + j for group in ((0, 1), (2, 3), (4,))
               for i, j, m in product(range(2), range(3), group)]
    assert group_order(5, 2, 3, 2).tolist() == numbers
    assert group_order(3, 1, 2, 1).tolist() == list(range(6))


def test_raw_output_has_the_specified_order():
    """Of 3 filters in 2 slices, filter m of all weights zero but bias m, on 2 x 2 pixels a lane."""
    config = dataclasses.replace(CONFIGS["one cell"], rebuild=True, slices=2)
    signs = np.zeros((3, 1, 3), np.int8)
    layer = conv_layer(3, 1, (1, 3), signs=signs, scale=np.full(3, 2048), shift=np.full(3, 15),
                       bias=16 * (1 + np.arange(3)), pads=(0, 1, 0, 1))
    network = SmartExchangeNetwork(input_shape=(1, 2, 2), input_scale=1.0, output_scale=1.0, layers=(layer,))
    program, machine = encode(network, config), Machine(config)
    machine.load(program.to_words())
    beats = machine.run(program.pack_input(np.zeros((1, 1, 2, 2), int)))
    assert beats.reshape(-1, config.lanes)[:, 0].tolist() == [1, 2] * 4 + [3] * 4


def test_positions_and_walked_taps():
    """Rows of 4 columns between padding that is skipped: the first and the last column miss a tap."""
    config = dataclasses.replace(CONFIGS["one column"], rebuild=True)
    layer = conv_layer(1, 2, pads=(1, 1, 1, 1), pool=(2, 2), pool_stride=(2, 2))
    network = SmartExchangeNetwork(input_shape=(2, 4, 4), input_scale=1.0, output_scale=1.0, layers=(layer,))
    program, machine = encode(network, config), Machine(config)
    machine.load(program.to_words())
    machine.run(program.pack_input(np.ones((1, 2, 4, 4), int)))
    d = machine.layers[1].descriptor
    at = positions(d)
    assert at.base.shape == (1, 2, 2, 2) and (d.skip, d.column_count, d.run_outputs) == (1, 4, 4)
    # i, j, pi, pj: a row of the window has 4 columns of 2 channels
    assert (at.base - d.index_base).reshape(-1).tolist() == [-2, 0, 6, 8, 2, 4, 10, 12]
    assert at.walked[0, :, :, :, 0].reshape(-1).tolist() == [False, True] * 2 + [True] * 4
    assert at.walked[..., 1].all()
    assert at.walked[0, :, :, :, 2].reshape(-1).tolist() == [True] * 4 + [True, False] * 2
