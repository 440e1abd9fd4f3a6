"""Predicted cycles against sums done by hand from the rules of docs/engines/smartexchange-machine.md."""

import dataclasses

import numpy as np
import pytest
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.golden.smartexchange.encode import EncodeError, encode
from shiftwork.golden.smartexchange.interpreter import Machine
from shiftwork.golden.smartexchange.layers import SmartExchangeNetwork
from shiftwork.golden.smartexchange.program import Program
from shiftwork.golden.smartexchange.timing import COMBINE, DRAIN, DRAIN_LATENCY, FREE, GAP, START, predict

from .smartexchange_networks import (
    CONFIGS,
    conv_layer,
    dense_layer,
    point_layer,
    random_input,
    random_network,
)

CONFIG = SmartExchangeConfig(lanes=16, grid_rows=4, grid_columns=1, drain_width=4, scatter_width=4,
                             combine_width=4, row_depth=4096, table_depth=512)
N, K, P = CONFIG.drain_cycles, CONFIG.combine_cycles, CONFIG.lanes
DESCRIPTOR, BEAT = 18, 2    # from a layer's end to the next one's start; from a vector's arrival to its beat
OUT = DRAIN_LATENCY + N - 1 + BEAT + 1    # from a last row's first drain step to the end of its layer


def one_layer(layer, shape):
    return SmartExchangeNetwork(input_shape=shape, input_scale=1.0, output_scale=1.0, layers=(layer,))


def timing(network, config=CONFIG):
    program, machine = encode(network, config), Machine(config)
    machine.load(program.to_words())
    machine.run(program.pack_input(np.zeros((1, *network.input_shape), int)))
    return predict(machine)


def cycles(layer, shape, config=CONFIG):
    """Cycles of a network's only layer, the fetch of its descriptor not counted."""
    return timing(one_layer(layer, shape), config).layers[1] - DESCRIPTOR


def test_constants_of_the_tests():
    assert (N, K, P) == (4, 4, 16) and max(3 * K, GAP) == 12


@pytest.mark.parametrize("channels", [4, 7])
def test_long_lists_take_a_cycle_an_item(channels):
    """Lists of 12 and more items; combining 3 taps of 4 lanes a cycle takes 12 cycles."""
    layer, shape = conv_layer(3, channels, pads=(1, 1, 1, 1)), (channels, 4, 6)
    # A row of 6 columns a cell, 3 lists of 3 * channels items, 3 filters.
    items = 3 * 3 * 6 * 3 * channels
    # With the last column the last two sums are complete, by its first and its second tap.
    first = START + items - 1 + COMBINE + DRAIN
    assert cycles(layer, shape) == max(first + K, first + N) + OUT


def test_gaps_between_levels_are_items():
    exponents = np.zeros((1, 12, 3), np.int8)
    layer, shape = conv_layer(1, 4, pads=(1, 1, 1, 1)), (4, 4, 6)
    before = cycles(dataclasses.replace(layer, exponents=exponents), shape)
    exponents[0, 0] = 5
    assert cycles(dataclasses.replace(layer, exponents=exponents), shape) == before + 6 * 3 * 4


def test_short_lists_wait_for_the_combination():
    """Lists of 3 items: a dot product of a column of t taps is t * 4 cycles from the next one, at least 6."""
    layer, taken = conv_layer(2, 1, pads=(1, 1, 1, 1)), []
    for columns in (6, 10):
        taken.append(cycles(layer, (1, 4, columns)))
    # Four columns more, inside the map, in 2 filters and 3 lists.
    assert taken[1] - taken[0] == 4 * 2 * 3 * 3 * K
    # The first and the last column have two taps.
    row = 3 * (2 * 2 * K + 4 * 3 * K)
    last = START + 3 - 1 + 2 * row - 2 * K
    assert taken[0] == last + COMBINE + DRAIN + max(K, N) + OUT


def pooled(filters, channels, columns):
    """One sum of one tap a column, and of all of them one row."""
    return point_layer(filters, channels, 1, pool=(1, columns), pool_stride=(1, columns))


def test_least_gap_of_last_items():
    """One tap, 4 cycles of combining: last items are 6 cycles apart, or as many as a list has items."""
    for items, distance in ((2, GAP), (6, GAP), (7, 7), (20, 20)):
        layer = point_layer(2, 5 * items, 1, bounds=tuple(range(0, 5 * items + 1, items)))
        assert cycles(layer, (5 * items, 4, 1)) \
            == START + items - 1 + 9 * distance + COMBINE + DRAIN + OUT, items


@pytest.mark.parametrize("width, steps", [(4, 4), (2, 8)])
def test_sums_wait_for_the_drain(width, steps):
    """With a sum in every column, a third one needs the place of the first.

    Its last item is taken FREE after the first one's last drain step, and drained COMBINE + DRAIN later.
    """
    config, first = dataclasses.replace(CONFIG, drain_width=width), START + 2 - 1 + COMBINE + DRAIN
    for columns in (1, 3, 5, 7):
        drained = first + columns // 2 * (steps - 1 + FREE + COMBINE + DRAIN)
        assert cycles(pooled(1, 2, columns), (2, 4, columns), config) \
            == drained + DRAIN_LATENCY + steps - 1 + BEAT + 1


@pytest.mark.parametrize("arrays", [1, 2, 3])
def test_output_makes_sums_wait(arrays):
    """A row is drained when the one two before it has left, so two rows take 14 + N cycles, or 16 + A*N.

    From a drain step to its beat: 12 cycles and 2, of several arrays 4.
    """
    config, taken = dataclasses.replace(CONFIG, arrays=arrays), []
    for filters in (10, 20):
        taken.append(cycles(point_layer(filters, 2, 1), (2, 4, 1), config))
    period = DRAIN_LATENCY + 2 + 2 * (arrays > 1) + arrays * N
    assert taken[1] - taken[0] == 5 * max(period, 2 * arrays * N)


def test_room_for_complete_sums():
    """The third sum's last item is taken FREE after the first one's last drain step, if the drain is slow.

    Seen by a fourth list, which is long: had the third one come earlier, the layer would be shorter.
    """
    config = dataclasses.replace(CONFIG, drain_width=1, combine_width=8)
    signs = np.ones((4, 60, 1), np.int8)
    signs[:3, 2:] = 0
    layer = point_layer(4, 60, 1, signs=signs)
    first = START + 2 - 1                                  # its last item
    drained = first + COMBINE + DRAIN + 16 - 1             # its last drain step
    third = max(first + 2 * GAP, drained + FREE)
    fourth = third + 60
    assert fourth > drained + 16 + FREE and third == drained + FREE
    assert cycles(layer, (60, 4, 1), config) == fourth + COMBINE + DRAIN + DRAIN_LATENCY + 16 - 1 + BEAT + 1


def test_two_sums_at_once_wait_for_both_places():
    """F = 2: all four columns contribute; the second filter's two sums need the places of the first one's."""
    config = dataclasses.replace(CONFIG, drain_width=1, combine_width=8)
    layer = conv_layer(2, 1, pads=(1, 1, 1, 1))
    # 2 columns of 2 taps each, 2 cycles a tap; last items are 6 cycles apart, the last of 3 lists completes.
    complete = START + 3 - 1 + 5 * GAP
    first = complete + COMBINE + DRAIN
    second_drained = first + 2 * 16 - 1
    again = max(complete + 6 * GAP, second_drained + FREE)
    assert again > complete + 6 * GAP
    assert cycles(layer, (1, 4, 2), config) \
        == again + COMBINE + DRAIN + 16 + DRAIN_LATENCY + 16 - 1 + BEAT + 1


def test_rows_wait_for_the_scatter_unit():
    """Each row of results stands at 3 places of 4 groups: 12 operations and the cycle that loads it."""
    first = point_layer(8, 2, 1, low=0, high=255)
    second = conv_layer(1, 8, (3, 1), pads=(1, 0, 1, 0), name="second")
    network = dataclasses.replace(one_layer(first, (2, 4, 1)), layers=(first, second))
    found = timing(network)
    arrival = START + 2 - 1 + COMBINE + DRAIN + DRAIN_LATENCY
    assert found.layers[1] - DESCRIPTOR == arrival + N + 8 * 13
    # INPUT has 2 rows, each at one place: 4 operations; the first one begins in cycle 1.
    assert found.load_cycles == found.layers[0] == DESCRIPTOR + 2 + N + 2 * 5
    assert found.run_cycles == sum(found.layers[1:]) + 3


@pytest.mark.parametrize("arrays", [2, 3])
def test_several_arrays(arrays):
    """Of 3 filters far apart: only the beats of the last row, and those of the input, are more."""
    layer, shape = point_layer(3, 90, 3), (90, 4, 1)
    one = timing(one_layer(layer, shape))
    many = timing(one_layer(layer, shape), dataclasses.replace(CONFIG, arrays=arrays))
    assert many.layers[1] - one.layers[1] == (4 + arrays * N) - (2 + N)
    # A row is complete 2 cycles after its start and A*N beats, and one of 4 operations takes 5 cycles more.
    assert many.load_cycles == DESCRIPTOR + 2 + 90 * arrays * N + 5


def test_pooling_drains_every_sum_and_sends_one_of_four():
    layer, shape = conv_layer(1, 8, pads=(1, 1, 1, 1), pool=(2, 2), pool_stride=(2, 2)), (8, 8, 4)
    # 2 rows of the map a cell, 4 columns, 3 lists of 24 items; 1 row of 2 results.
    last = START + 2 * 4 * 3 * 24 - 1
    assert cycles(layer, shape) == last + COMBINE + DRAIN + max(K, N) + OUT


def test_fully_connected():
    """At one position an image; the last of 3 columns completes the sum with its only tap."""
    layer = dense_layer(5, 60)
    assert cycles(layer, (60,)) == START + 5 * 3 * 3 * 20 - 1 + COMBINE + DRAIN + OUT


@pytest.mark.parametrize("name", CONFIGS)
def test_bounds_that_hold_for_any_network(name):
    config, ran = CONFIGS[name], 0
    for seed in range(8):
        rng = np.random.default_rng([seed, 5])
        kinds = (("conv", "point", "dense"), ("depthwise", "conv"))[seed % 2]
        network = random_network(rng, kinds, config.taps)
        try:
            program, machine = encode(network, config), Machine(config)
        except EncodeError:
            continue
        ran += 1
        machine.load(program.to_words())
        machine.run(program.pack_input(random_input(rng, network, config.batch)))
        found = predict(machine)
        for about, taken, run in zip(machine.statistics(program), found.layers[1:], machine.layers[1:],
                                     strict=True):
            d = run.descriptor
            rows = d.m_count * d.i_count * d.pi_count
            sums = rows * d.j_count * d.pj_count * config.drain_cycles
            assert taken > max(about.adds, about.combines, about.dot_products * GAP - GAP, sums)
            # Last items are at least that far apart; the last one is not waited for.
            apart = [max(length, len(column) * config.combine_cycles, GAP) for m in run.lengths
                     for column in run.columns for length in m]
            assert taken > sum(apart) * d.i_count * d.pi_count * d.run_count - max(apart)
        assert len(found.layers) == len(network.layers) + 1
    assert ran >= 5


def test_no_layer():
    machine = Machine(CONFIG)
    machine.load(Program(CONFIG, ()).to_words())
    assert machine.run(np.zeros((0, CONFIG.drain_width))).size == 0
    found = predict(machine)
    assert (found.load_cycles, found.run_cycles, found.layers) == (3, 0, ())
