"""The paper's own machine on layers small enough to count by hand."""

import pytest
from shiftwork.golden.smartexchange.rebuild import Rebuild, stored_weights
from shiftwork.golden.smartexchange.sparsity import Reading, Statistics, statistics

from .test_rivals import EMPTY, FULL, SMALL, conv, dense, depthwise

WIDE = conv(8, 2, 4)    # 24 rows of 3 coefficients in each of 2 filters, 16 positions, 4 rows of outputs


def zeros(share, reading=Reading.ROWS):
    """Zero coefficients; activations of four digits, so that a step takes 4 cycles."""
    return Statistics(coefficient_zeros=share, reading=reading, activation_zeros=0.0, average_bits=8.0,
                      average_digits=4.0)


@pytest.mark.parametrize("layer, statistics, bits", [
    (WIDE, zeros(0.5), 2 * (24 * (1 + 12 * 0.5) + 72)),     # by rows
    (WIDE, zeros(0.5, "elements"), 2 * (72 * (1 + 4 * 0.5) + 72)),  # by elements
    (WIDE, zeros(0.0), 2 * (24 * 13 + 72)),
    (SMALL, zeros(0.0), None),      # 6 * 13 + 72 = 150 bits for a filter, not less than 18 bytes
    (depthwise(40, 4), zeros(0.9), None),   # B alone is as large as the weights
    (conv(8, 2, 8, kernel=5), zeros(0.9), None),
    (dense(96, 200), zeros(0.0), 200 * (32 * 13 + 72)),
    (dense(9, 1), zeros(1.0), None),        # 3 rows: 3 bits and 72 for B
    (dense(960, 1), zeros(1.0), 320 + 2 * 72),      # 320 rows, in slices of at most 192
])
def test_stored_weights(layer, statistics, bits):
    expected = (8 * layer.weights, False) if bits is None else (pytest.approx(bits), True)
    assert stored_weights(layer, statistics) == expected


def test_weights_as_they_are():
    """4 rows of outputs, each one segment; a line has 1 channel of 3 rows of 3 weights of 4 cycles."""
    cost = Rebuild().cost(SMALL, FULL)
    assert (cost.compute, cost.macs, cost.products) == pytest.approx((4 * 9 * 4, 864, 864))
    # for each row of outputs 6 rows of 7 + 3 activations and 54 weights
    assert cost.buffer == pytest.approx(8 * (4 * 6 * 10 + 48) + 4 * 54 * 8 + 8 * 134)
    assert cost.register == pytest.approx(56 * 864 * 4)
    assert cost.energy == pytest.approx(
        864 * 4 * 0.05 + 134 * 100 + cost.buffer / 8 * 1.36 + cost.register / 8 * 0.019)


def test_rebuilt_weights():
    """Of 8 lines in 2 slices with 3 rows each, half of them zero, the slowest has 3 with 1 - (7/8)^16, ..."""
    cost = Rebuild().cost(WIDE, zeros(0.5))
    slowest = 3 - (7 / 8) ** 16 - (4 / 8) ** 16 - (1 / 8) ** 16
    assert cost.compute == pytest.approx(4 * slowest * 3 * 4)
    assert cost.products == pytest.approx(WIDE.macs / 2)
    assert cost.dram == pytest.approx(8 * (128 + 32) + 2 * (24 * 7 + 72))
    # a row is read unless both filters skip it; coefficients, and B for each of 8 lines
    reads, fetched = 4 * 24 * 0.75 * 10, 4 * 2 * (24 * 7 + 72 * 8)
    assert cost.buffer == pytest.approx(8 * (reads + 32) + fetched + cost.dram)
    rebuilt = 2 * 4 * 12 * 3
    assert cost.energy == pytest.approx(
        WIDE.macs / 2 * 4 * 0.05 + rebuilt * 3 * 0.019 + cost.dram / 8 * 100 + cost.buffer / 8 * 1.36
        + cost.register / 8 * 0.019)


def test_without_a_barrier_all_lines_take_the_average():
    assert Rebuild(barrier=False).cost(WIDE, zeros(0.5)).compute == pytest.approx(4 * 1.5 * 3 * 4)


def test_independent_zeros_leave_most_rows():
    """All of 3 coefficients are zero with 0.5^3."""
    cost = Rebuild(barrier=False).cost(WIDE, zeros(0.5, Reading.ELEMENTS))
    assert cost.compute == pytest.approx(4 * 3 * 7 / 8 * 3 * 4)


def test_zero_rows_of_activations_are_skipped():
    half = Statistics(activation_zeros=0.0, average_bits=8.0, average_digits=4.0, activation_row_zeros=0.5)
    cost = Rebuild(barrier=False).cost(SMALL, half)
    assert cost.compute == pytest.approx(4 * 9 * 4 / 2) and cost.products == 432


@pytest.mark.parametrize("changes, step", [({}, 3), (dict(shift_adds=2), 6)])
def test_a_step_waits_for_the_rebuilt_weight(changes, step):
    """Activations without digits would take a cycle; a weight is made in 3 shift-adds."""
    assert Rebuild(**changes).cost(WIDE, EMPTY).compute == pytest.approx(4 * 3 * 3 * step)
    assert Rebuild(**changes).cost(SMALL, EMPTY).compute == pytest.approx(4 * 3 * 3), "nothing is rebuilt"


def test_macs_of_a_line_wait_for_each_other():
    some = Statistics()
    alone = sum(1 - sum(some.digits[:k + 1]) for k in range(1, 4)) + 1
    among = sum(1 - sum(some.digits[:k + 1]) ** 8 for k in range(1, 4)) + 1
    assert Rebuild(together=False).cost(SMALL, some).compute == pytest.approx(36 * alone)
    assert Rebuild().cost(SMALL, some).compute == pytest.approx(36 * among)


def test_fully_connected():
    """32 rows of 3 inputs, 2 in each line; 200 filters, 128 at a time; 3 cycles for a weight."""
    assert Rebuild().cost(dense(96, 200), EMPTY).compute == pytest.approx(2 * 2 * 3 * 3)
    assert Rebuild(clusters=1).cost(dense(96, 200), EMPTY).compute == pytest.approx(4 * 2 * 3 * 3)


def test_one_by_one():
    """100 channels are 34 rows, at most 3 in a line; 9 columns are 2 segments; 65 filters are 2 blocks.

    The input buffer delivers 100 channels of 8 activations for each of the 2 * 9 * 2 times.
    """
    layer = conv(100, 65, 9, kernel=1)
    assert Rebuild().cost(layer, EMPTY).compute == pytest.approx(2 * 9 * 2 * 3 * 3 * 3)
    reads = 2 * 9 * 2 * 100 * 8
    assert Rebuild(input_width=8).cost(layer, EMPTY).compute == pytest.approx(reads)


def test_depthwise():
    """40 channels of 4 rows of outputs are on 160 of 1,024 lines: 9 weights of 4 cycles.

    With weights of a cycle it waits for 40 * 4 times 3 rows of 10 activations, 256 in a cycle.
    """
    assert Rebuild().cost(depthwise(40, 4), FULL).compute == pytest.approx(36)
    assert Rebuild().cost(depthwise(40, 4), EMPTY).compute == pytest.approx(40 * 4 * 3 * 10 / 256)


def test_statistics():
    found = statistics("VGG19", reading="elements")
    assert (found.weight_zeros, found.coefficient_zeros) == (0.928, 0.928)
    assert found.row_zeros(3) == pytest.approx(0.928 ** 3)
    assert statistics("VGG19").row_zeros(3) == 0.928


@pytest.mark.parametrize("make, message", [
    (lambda: statistics("LeNet"), "network must be one of VGG11, .*, not 'LeNet'"),
    (lambda: Statistics(weight_zeros=1.5), "weight_zeros must be between 0 and 1, not 1.5"),
    (lambda: Statistics(activation_row_zeros=-1), "activation_row_zeros must be between 0 and 1, not -1"),
    (lambda: Statistics(reading="columns"), "reading must be one of rows, elements, not 'columns'"),
    (lambda: Statistics(activation_zeros=0.9), "average of 8 digits must be between 0.1 and 0.8"),
    (lambda: Statistics(average_digits=0.5), "average of 4 digits must be between 0.55 and 2.2"),
])
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
