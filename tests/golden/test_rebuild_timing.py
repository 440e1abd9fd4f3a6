"""Predicted cycles of the `rebuild` dataflow: sums done by hand from its rules, and a machine that steps."""

import dataclasses

import numpy as np
import pytest
from shiftwork.golden.smartexchange.booth import booth_digits
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.golden.smartexchange.encode import EncodeError, encode
from shiftwork.golden.smartexchange.interpreter import Machine
from shiftwork.golden.smartexchange.layers import SmartExchangeNetwork
from shiftwork.golden.smartexchange.rebuild_timing import (
    CLEARED,
    DRAIN_LATENCY,
    FILLED,
    FREE,
    LIST,
    NEXT,
    PAIRS,
    REBUILT,
    SELECTED,
    START,
    TREE,
    rebuild_cycles,
)
from shiftwork.golden.smartexchange.timing import predict

from .rebuild_cycles import simulate
from .smartexchange_networks import (
    CONFIGS,
    conv_layer,
    dense_layer,
    point_layer,
    random_input,
    random_network,
)

CONFIG = SmartExchangeConfig(lanes=16, grid_rows=4, grid_columns=1, drain_width=4, scatter_width=4,
                             combine_width=4, row_depth=1024, table_depth=512, rebuild=True)
N, CLEAR = CONFIG.drain_cycles, CONFIG.row_depth // CLEARED
DESCRIPTOR, BEAT = 18, 2    # from a layer's end to the next one's start; from a vector's arrival to its beat
OUT = TREE + DRAIN_LATENCY + N - 1 + BEAT + 1   # from the last position's end, of one filter, to the layer's
DIGITS = [0, 1, 3, 11, 43, 171]     # the least values of 0 .. 5 non-zero digits


def test_constants_of_the_tests():
    assert (N, CLEAR) == (4, 32)
    assert np.count_nonzero(booth_digits(DIGITS, 8, False), axis=0).tolist() == [0, 1, 2, 3, 4, 5]


def cycles(layer, x, **changes):
    """Cycles of a network's only layer for one image, the fetch of its descriptor not counted."""
    config, x = dataclasses.replace(CONFIG, **changes), np.asarray(x)
    network = SmartExchangeNetwork(input_shape=x.shape, input_scale=1.0, output_scale=1.0, layers=(layer,))
    program, machine = encode(network, config), Machine(config)
    machine.load(program.to_words())
    machine.run(program.pack_input(x[None]))
    found = predict(machine).layers[1] - DESCRIPTOR
    assert found == simulate(machine.layers[1], config)
    return found


def filled(lists, items):
    """A layer's first selection."""
    return START + CLEAR + LIST * lists + items + FILLED


def column(*digits):
    """Channels of a map of 4 x 1 pixels, a pixel a lane: one pixel has so many digits, the others fewer."""
    return np.array([[[DIGITS[min(1, n)]], [DIGITS[n]], [0], [0]] for n in digits])


@pytest.mark.parametrize("digits", range(1, 6))
def test_one_row(digits):
    """Its steps are those of the greatest number of digits; the position ends in the cycle behind them."""
    start = filled(1, 1) + SELECTED + 1 + REBUILT
    assert cycles(point_layer(1, 1, 1), column(digits)) == start + digits + OUT


def test_no_row():
    """The mark alone, at once; or behind as many candidates as are looked at."""
    for channels in (1, 2, 7):
        assert cycles(point_layer(1, channels, 1), column(*[0] * channels)) \
            == filled(1, channels) + channels + SELECTED + 1 + REBUILT + OUT
    signs = np.zeros((1, 4, 1), np.int8)
    assert cycles(point_layer(1, 4, 1, signs=signs), column(1, 1, 1, 1)) \
        == filled(1, 0) + SELECTED + 1 + REBUILT + OUT      # the empty list is left out


def test_long_rows_hide_their_rebuilding():
    """Rows of 4 and 5 steps one behind the other; those without activations cost nothing."""
    digits = [4, 5, 0, 4, 4, 0, 0, 5]
    start = filled(1, 8) + SELECTED + 1 + REBUILT
    # candidates come backwards
    assert cycles(point_layer(1, 8, 1), column(*digits[::-1])) == start + sum(digits) + OUT


def test_short_rows_wait_for_a_rebuild_engine():
    """Of one step each, S = 1: an engine that has given its row makes the next one in 1 + 1 + REBUILT."""
    for pairs in (1, 2, 5):
        start = filled(1, 2 * pairs) + SELECTED + 1 + REBUILT
        last = start + (pairs - 1) * (2 + REBUILT) + 1
        # the mark behind it: its engine is that of the row before
        assert cycles(point_layer(1, 2 * pairs, 1), column(*[1] * 2 * pairs)) == last - 1 + 2 + REBUILT + OUT


def test_a_row_of_three_taps_takes_three_times_its_steps():
    """4 rows of 3 channels each, with 1 + 3 + 5 digits; the engines need 3 cycles a row."""
    x = column(*[1, 3, 5] * 4)
    start = filled(3, 12) + SELECTED + 3 + REBUILT
    assert cycles(point_layer(1, 12), x) == start + 4 * 9 + OUT
    # a zero among the taps costs a step
    x[1] = 0
    assert cycles(point_layer(1, 12), x) == start + 4 * 9 - 2 + OUT


def test_taps_that_are_not_walked():
    """A kernel of 3 columns on one column between padding: one tap of three, but all three are rebuilt."""
    start = filled(3, 4 * 3) + SELECTED + 3 + REBUILT
    layer = conv_layer(1, 4, (1, 3), pads=(0, 1, 0, 1))
    assert cycles(layer, column(5, 5, 5, 5)) == start + 4 * 5 + OUT
    # candidates come backwards, and those of zeros behind the others make the mark a little later
    assert cycles(layer, column(0, 0, 5, 5)) == start + 2 * 5 + OUT
    # rows of one step start at 0, 3 and, each in the engine of the second before it, 8 and 11
    mark = 8 + 1 + 1 + REBUILT
    assert 3 + REBUILT + 1 == 8 and mark > 11 + 1
    assert cycles(layer, column(1, 1, 1, 1)) == start + mark + OUT


def test_lines_share_the_rows():
    """Channel c belongs to line c mod 2; behind each other, or row by row together."""
    # of line 0 channels 6, 4, 2, 0, of line 1 channels 7, 5, 3, 1
    digits = {6: 5, 4: 3, 2: 5, 0: 3, 7: 3, 5: 4, 3: 3, 1: 4}
    layer, x = point_layer(1, 8, 1), column(*(digits[c] for c in range(8)))
    start = filled(1, 8) + SELECTED + 1 + REBUILT
    assert cycles(layer, x) == start + 30 + OUT
    assert cycles(layer, x, lines=2) == start + 16 + OUT
    assert cycles(layer, x, lines=2, synchronised=True) == start + 5 + 4 + 5 + 4 + OUT
    assert cycles(layer, x, lines=4) == start + 10 + OUT
    # line 3 has 7, 3; line 1 has 5, 1; line 0 4, 0; line 2 6, 2
    assert cycles(layer, x, lines=4, synchronised=True) == start + 5 + 5 + OUT


def test_lines_without_a_row_do_not_count():
    """Channels 0, 2 and 4 of line 0; line 1 has one row, and only that waits for its first one."""
    layer, x = point_layer(1, 6, 1), column(4, 5, 4, 0, 4, 0)
    start = filled(1, 6) + SELECTED + 1 + REBUILT
    # line 1 looks at channels 5 and 3 first
    assert cycles(layer, x, lines=2) == start + 12 + OUT
    assert cycles(layer, x, lines=2, synchronised=True) == start + 2 + 5 + 4 + 4 + OUT


def test_a_position_starts_behind_the_end_of_the_one_before():
    """Rows of 5 * 3 steps, selected and rebuilt ahead: a position costs its steps and one cycle."""
    x = np.full((6, 4, 5), DIGITS[5])
    layer = point_layer(1, 6, pool=(1, 5), pool_stride=(1, 5))
    start = filled(3, 6) + SELECTED + 3 + REBUILT
    assert cycles(layer, x) == start + 5 * 2 * 15 + 4 + OUT


def test_positions_wait_for_the_selection():
    """30 candidates of zeros: a position each 31 cycles and NEXT, the last cycle its mark's."""
    x = np.zeros((30, 4, 5), int)
    layer = point_layer(1, 30, 1, pool=(1, 5), pool_stride=(1, 5))
    assert cycles(layer, x) \
        == filled(1, 30) + 4 * (30 + NEXT) + 30 + SELECTED + 1 + REBUILT + OUT


@pytest.mark.parametrize("filters, slices", [(4, 4), (7, 4), (2, 2)])
def test_positions_wait_for_the_drain(filters, slices):
    """Sums of a position leave before the next one's come; the last group has the rest of the filters."""
    x = np.full((1, 4, 6), 1)
    layer = point_layer(filters, 1, 1, pool=(1, 6), pool_stride=(1, 6))
    taken = cycles(layer, x, slices=slices, drain_width=1)
    first, rest, drained = min(filters, slices), filters % slices, 16
    end = filled(first, first) + SELECTED + 1 + REBUILT + 1
    last = end + 5 * (TREE + first * drained - 1 + FREE) + TREE      # the last position's first drain step
    # only the last position's sums end rows; of the stream's room for rows of 16 vectors the first takes half
    if filters == 2:
        assert taken == last + 16 + DRAIN_LATENCY + 16 - 1 + BEAT + 1
    if rest:
        assert taken > last + (first - 1) * 16 + FREE + 5 * (TREE + rest * drained - 1 + FREE) + TREE


def test_groups_are_read_in_while_others_are_computed():
    """A fully connected layer has a position a group: all that counts is reading; and the other way round."""
    layer, period = dense_layer(9, 60), CLEAR + 3 * LIST + 60
    taken = cycles(layer, np.ones(60, int))
    start = filled(3, 60) + SELECTED + 3 + REBUILT
    engines = -(-(3 + REBUILT + 1) // 2)    # of a row of 3 steps
    assert engines * 20 < period
    alone = cycles(dense_layer(1, 60), np.ones(60, int))
    assert taken == alone + 8 * period
    # 20 rows of 15 steps: each group's last cycle is that of its position's end
    assert cycles(layer, np.full(60, DIGITS[5])) == start + 9 * 20 * 15 + 8 + OUT


def test_a_half_is_free_when_its_group_is_computed():
    """The third filter is read in behind the first one's 30 rows; the second one has a single row."""
    signs = np.ones((3, 30, 3), np.int8)
    signs[1, 1:] = 0
    taken = cycles(dense_layer(3, 90, signs=signs), np.full(90, DIGITS[5]))
    end = filled(3, 90) + SELECTED + 3 + REBUILT + 30 * 15
    assert end > START + 2 * (CLEAR + 3 * LIST) + 93 + FILLED    # the second one waits in the store
    third = end + FREE + CLEAR + 3 * LIST + 90
    assert taken == third + FILLED + SELECTED + 3 + REBUILT + 30 * 15 + OUT


@pytest.mark.parametrize("slices, lines, together", [(1, 1, 1), (1, 4, 1), (4, 1, 1), (2, 4, 2), (4, 4, 4)])
def test_depthwise_layers_stand_on_the_diagonal(slices, lines, together):
    """8 filters, as many together as there are slices and lines, each in its line: 3 rows of 5 steps."""
    layer = conv_layer(8, 8, (3, 1), depthwise=True, stride=(3, 1), signs=np.ones((8, 3, 1), np.int8),
                       pool=(1, 7), pool_stride=(1, 7))
    x = np.full((8, 12, 7), DIGITS[5])
    first = filled(together, 3 * together) + SELECTED + 1 + REBUILT
    taken = cycles(layer, x, slices=slices, lines=lines)
    last = first + 8 // together * 7 * (15 + 1) - 1
    waits = 7 * 8 // together * max(0, TREE + together * N - 1 + FREE - 16)
    assert last + OUT <= taken <= last + OUT + (together - 1) * N + waits + 40 * (together > 1)
    if together == 1:
        assert taken == last + OUT


def test_steps_of_a_layer():
    """Counted from the windows of the input: 8 filters of 3 x 3 kernels, zeros and digits as they come."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, 256, (2, 4, 5)) * (rng.random((2, 4, 5)) < 0.3)
    layer = conv_layer(1, 2, (1, 3), pads=(0, 1, 0, 1))
    network = SmartExchangeNetwork(input_shape=x.shape, input_scale=1.0, output_scale=1.0, layers=(layer,))
    program, machine = encode(network, CONFIG), Machine(CONFIG)
    machine.load(program.to_words())
    machine.run(program.pack_input(x[None]))
    run, = machine.layers[1:]
    digits = np.count_nonzero(booth_digits(x, 8, False), axis=0).max(axis=1)     # channel, column
    expected = np.zeros((5, 2), int)
    for j in range(5):
        for n, offset in enumerate(run.groups[0].candidates[0]):
            taps = digits[offset, max(0, j - 1):j + 2]
            expected[j, n] = np.maximum(taps, 1).sum() if taps.any() else 0
    np.testing.assert_array_equal(run.steps(run.groups[0], 0), expected)
    about = machine.statistics(program)[0]
    assert (about.candidates, about.rows, about.steps, about.items) \
        == (10, np.count_nonzero(expected), expected.sum(), 6)


@pytest.mark.parametrize("kinds", [("conv", "point"), ("depthwise", "conv"), ("conv", "dense", "dense")],
                         ids="-".join)
@pytest.mark.parametrize("slices, lines, together",
                         [(1, 1, False), (2, 2, True), (4, 2, False), (2, 4, True)])
def test_recurrences_are_the_machine_that_steps(kinds, slices, lines, together):
    """With few activations, so that rows are left out and lines run dry."""
    for seed, name in enumerate(("tiny", "one cell", "one column")):
        rng = np.random.default_rng([seed, slices, lines, len(kinds)])
        config = dataclasses.replace(CONFIGS[name], rebuild=True, slices=slices, lines=lines,
                                     synchronised=together)
        network = random_network(rng, kinds, config.taps)
        try:
            program, machine = encode(network, config), Machine(config)
        except EncodeError:
            continue
        x = random_input(rng, network, config.batch)
        x[rng.random(x.shape) < rng.choice([0, 0.7])] = 0
        machine.load(program.to_words())
        machine.run(program.pack_input(x))
        for run in machine.layers[1:]:
            predicted = rebuild_cycles(run, config)
            if predicted < 6000:
                assert predicted == simulate(run, config)


def test_queue_hides_zero_rows():
    """Between two rows of 5 steps 4 candidates of zeros cost nothing, each of the others a cycle."""
    for zeros in (PAIRS - 1, PAIRS, 40):
        signs = np.ones((1, zeros + 2, 1), np.int8)
        layer = point_layer(1, zeros + 2, 1, signs=signs)
        x = column(5, *[0] * zeros, 5)
        start = filled(1, zeros + 2) + SELECTED + 1 + REBUILT
        found = cycles(layer, x) - OUT
        assert found == start + max(5, zeros + 1) + 5, zeros
