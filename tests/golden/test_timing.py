"""Predicted cycles against sums that can be done by hand from docs/engines/ternary-serial.md."""

import dataclasses

import numpy as np
import pytest
from shiftwork.golden.ternary.encode import EncodeError, Order, encode
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.layers import DenseLayer, TernaryNetwork
from shiftwork.golden.ternary.program import Program
from shiftwork.golden.ternary.serial import cycles, dense_operations, operations, sum_width
from shiftwork.golden.ternary.timing import predict

from .networks import CONFIGS, conv_layer, random_input, random_network

PARALLEL = CONFIGS["tiny"]
SERIAL = dataclasses.replace(PARALLEL, bit_serial=True)
MODES = {
    "latch": SERIAL,
    "write back": dataclasses.replace(SERIAL, carry_write_back=True),
    "zeros": dataclasses.replace(SERIAL, skip_zeros=False),
    "zeros, write back": dataclasses.replace(SERIAL, carry_write_back=True, skip_zeros=False),
}
N, Q = PARALLEL.drain_cycles, SERIAL.drain_step


def timing(network, config, x, order=Order.ASCENDING):
    program, machine = encode(network, config, order=order), Machine(config)
    machine.load(program.to_words())
    machine.run(program.pack_input(x))
    return predict(machine)


def one_layer(layer, shape):
    return TernaryNetwork(input_shape=shape, input_scale=1.0, output_scale=1.0, layers=(layer,))


def filters(rng, count, shape):
    """Filters of at least 16 terms, some without minus and some without plus: no drain holds them up."""
    weights = rng.choice([-1, 1, 1, 0], (count, *shape)).astype(np.int8)
    weights[0], weights[1] = np.abs(weights[0]), -np.abs(weights[1])
    assert (np.count_nonzero(weights.reshape(count, -1), axis=1) >= 16).all()
    return weights


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("mode", MODES)
def test_convolution_takes_the_sum_of_its_operations(mode, order):
    """As word-parallel, but an item is T cycles of operations, and the last drain is q times as long."""
    config, rng = MODES[mode], np.random.default_rng(1)
    weights = filters(rng, 6, (4, 3, 3))
    network = one_layer(conv_layer(weights, pads=(1, 1, 1, 1)), (4, 4, 4))
    x = rng.integers(0, 256, (2, 4, 4, 4))
    base = dataclasses.replace(PARALLEL, skip_zeros=config.skip_zeros)
    positions = 2 * 2 * len(weights)
    items = spent = 0
    for flat in weights.reshape(len(weights), -1).astype(int):
        signs = flat if not config.skip_zeros else flat[flat != 0]
        items += 4 * len(signs)
        spent += 4 * cycles(operations(signs, 8, False, config.acc_width), config.carry_write_back)
    before, after = (timing(network, c, x, order).layers[1] for c in (base, config))
    assert items > positions * (N + 6)
    assert after - before == (spent + Q * N + 13) - (items + N + 12)


@pytest.mark.parametrize("mode", MODES)
def test_fully_connected_takes_the_sum_of_its_operations(mode):
    config, rng = MODES[mode], np.random.default_rng(2)
    weights = rng.integers(-1, 2, (16, 40)).astype(np.int8)
    layer = DenseLayer(name="d", weights=weights, bias=np.zeros(16, int), scale=np.full(16, 256),
                       shift=np.full(16, 8), low=-32768, high=32767, input_signed=True)
    x = rng.integers(-128, 128, (2, 40)) * (rng.random((2, 40)) < 0.8)
    terms = [40, 40] if not config.skip_zeros else np.count_nonzero(x, axis=1).tolist()
    base = dataclasses.replace(PARALLEL, skip_zeros=config.skip_zeros)
    before, after = (timing(one_layer(layer, (40,)), c, x).layers[1] for c in (base, config))
    # Two passes of 8 outputs; word-parallel more than 8 terms, bit-serial more than 8 * q cycles a pass.
    spent = 2 * sum(cycles(dense_operations(n, 8, True, 20), config.carry_write_back) for n in terms)
    assert after - before == (spent + Q * 8 + 13) - (2 * sum(terms) + 8 + 12)


@pytest.mark.parametrize("weight, pool, write_back", [
    (1, 1, False), (-1, 1, False), (0, 1, False), (1, 2, False), (-1, 2, True), (0, 1, True)])
def test_short_dot_products_wait_for_the_drain(weight, pool, write_back):
    """A last item is taken q * N + 6 cycles after the end of the one before, in pooling windows, too."""
    config = dataclasses.replace(SERIAL, carry_write_back=write_back)
    layers, shape = [], (1, 4 * pool, 4 * pool)
    for count in (3, 8):
        layer = conv_layer(np.full((count, 1, 1, 1), weight), pool=(pool, pool), pool_stride=(pool, pool))
        layers.append(timing(one_layer(layer, shape), config, np.zeros((2, *shape), int)).layers[1])
    item = {1: 8, -1: 8 + 9, 0: 1}[weight] * (2 if write_back else 1)
    assert layers[1] - layers[0] == 5 * 4 * pool * pool * (item - 1 + 6 + Q * N)


def test_activation_bits_set_the_pace():
    rng = np.random.default_rng(3)
    weights = filters(rng, 3, (4, 3, 3))
    x = np.zeros((2, 4, 4, 4), int)
    config = dataclasses.replace(SERIAL, activation_width=16, acc_width=32, scale_width=16)
    spent, taken = [], []
    for bits in (1, 4, 8, 13, 16):
        network = dataclasses.replace(one_layer(conv_layer(weights), (4, 4, 4)), input_bits=bits)
        terms = [flat[flat != 0] for flat in weights.reshape(len(weights), -1)]
        # Blocks of 2 x 2 positions; a drain takes 8 * 4 cycles, which dot products of 1 bit are shorter than.
        spent.append([4 * cycles(operations(signs, bits, False)) for signs in terms])
        taken.append(timing(network, config, x).layers[1])
    assert min(map(min, spent[1:])) > 4 * (32 + 6)
    assert np.diff(taken[1:]).tolist() == np.diff([sum(each) for each in spent[1:]]).tolist()
    assert taken[0] < taken[1]


def test_scatter_operations_take_an_activations_bits():
    shape = (3, 4, 4)
    network = one_layer(conv_layer(np.ones((1, 3, 3, 3)), pads=(1, 1, 1, 1)), shape)
    x = np.zeros((2, *shape), int)
    for width in (8, 16):
        config = dataclasses.replace(SERIAL, activation_width=width)
        # Blocks of 2 x 2, windows of 4 x 4: each pixel of a block stands at 4 places, of 2 groups each.
        rows, operations_ = 3 * 2 * 2, 4 * 2
        # The first row is loaded N + 2 cycles after the start; the rest waits for the operations before it.
        loaded = 18 + 2 + N + rows * (width * operations_ + 1)
        assert timing(network, config, x).load_cycles == loaded


def test_rows_wait_for_the_scatter_unit():
    """Between two convolutions the scatter unit is the slowest, and sets the pace of dot products."""
    first = conv_layer(np.ones((8, 1, 1, 1)), low=0, high=255)
    second = conv_layer(np.ones((1, 8, 3, 3)), pads=(1, 1, 1, 1), name="second")
    network = TernaryNetwork(input_shape=(1, 4, 4), input_scale=1.0, output_scale=1.0, layers=(first, second))
    layers = timing(network, SERIAL, np.zeros((2, 1, 4, 4), int)).layers
    # From the first row's arrival on, 32 rows of 4 places and 2 groups, 8 cycles each and one to load.
    first_item = 9
    arrival = first_item + 8 - 1 + 6 + Q * N - 1 + 13
    assert layers[1] == 18 + arrival + 1 + 32 * (8 * 8 + 1)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("layers", [(2, 0), (1, 1), (0, 2)], ids=lambda v: f"{v[0]}conv{v[1]}dense")
def test_bounds_that_hold_for_any_network(name, layers):
    """Adding steps or terms never saves a cycle, and write back at most doubles the operations' share."""
    ran = 0
    for seed in range(4):
        rng = np.random.default_rng([seed, *layers])
        network = random_network(rng, *layers)
        x = random_input(rng, network, CONFIGS[name].batch)
        configs = [dataclasses.replace(CONFIGS[name], **change) for change in (
            dict(), dict(bit_serial=True), dict(bit_serial=True, carry_write_back=True),
            dict(bit_serial=True, carry_write_back=True, skip_zeros=False), dict(skip_zeros=False))]
        try:
            parallel, latch, back, zeros, dense = (timing(network, config, x) for config in configs)
        except EncodeError:
            continue
        ran += 1
        assert parallel.run_cycles < latch.run_cycles <= back.run_cycles <= 2 * latch.run_cycles
        assert back.run_cycles <= zeros.run_cycles and parallel.run_cycles <= dense.run_cycles
        assert parallel.load_cycles == dense.load_cycles <= latch.load_cycles == back.load_cycles
        assert len(latch.layers) == 1 + sum(layers)
    assert ran >= 2


def test_no_layer():
    """A program without sections on an engine that never had one: END is found at once."""
    machine = Machine(SERIAL)
    machine.load(Program(SERIAL, ()).to_words())
    assert machine.run(np.zeros((0, SERIAL.drain_width))).size == 0
    found = predict(machine)
    assert (found.load_cycles, found.run_cycles, found.layers) == (3, 0, ())


def test_word_lengths_of_the_tests_above():
    assert [sum_width(n, 8, False) for n in (1, 2)] == [8, 9] and (N, Q) == (4, 5)
