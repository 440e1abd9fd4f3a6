"""The bit-serial columns: sums bit by bit against integers, word lengths neither too short nor too long."""

import numpy as np
import pytest
from shiftwork.golden.common.intervals import dot_interval, signed_width
from shiftwork.golden.ternary.layers import input_range
from shiftwork.golden.ternary.serial import (
    Kind,
    Operation,
    cycles,
    dense_operations,
    item_cycles,
    operations,
    result_width,
    serial_dense,
    serial_dot,
    sum_width,
)

FORMATS = [(bits, signed) for signed in (False, True) for bits in (1, 2, 3, 7, 8, 11, 16)]
SIGNS = {
    "none": [], "one plus": [1], "one minus": [-1], "one zero": [0], "all plus": [1] * 17,
    "all minus": [-1] * 17, "plus last": [-1, -1, 0, 1], "minus last": [1, 1, 0, -1], "zeros": [0] * 5,
    "plus then minus": [1] * 9 + [-1] * 8, "a power of two": [1] * 16 + [-1] * 16,
}


def activations(rng, terms, bits, signed):
    """Columns of (terms, 8): all least, all greatest, each of both by turns, zeros, and random ones."""
    low, high = input_range(signed, bits)
    x = rng.integers(low, high + 1, (terms, 8))
    x[:, 0], x[:, 1], x[:, 4] = low, high, 0
    x[::2, 2], x[1::2, 2] = low, high
    x[::2, 3], x[1::2, 3] = high, low
    return x


@pytest.mark.parametrize("write_back", [False, True])
@pytest.mark.parametrize("bits, signed", FORMATS)
def test_columns_compute_dot_products(bits, signed, write_back):
    rng = np.random.default_rng(bits)
    low, high = input_range(signed, bits)
    for signs in [*SIGNS.values(), *(rng.integers(-1, 2, n) for n in (3, 20, 41))]:
        x, signs = activations(rng, len(signs), bits, signed), np.array(signs, int)
        # Two more columns: the greatest and the least result that there is.
        x[:, 5], x[:, 6] = np.where(signs > 0, high, low), np.where(signs > 0, low, high)
        values, spent = serial_dot(x, signs, bits, signed, write_back=write_back)
        np.testing.assert_array_equal(values, signs @ x)
        assert spent == cycles(operations(signs, bits, signed)) * (2 if write_back else 1)


@pytest.mark.parametrize("write_back", [False, True])
@pytest.mark.parametrize("bits, signed", FORMATS)
def test_columns_compute_dense_dot_products(bits, signed, write_back):
    rng = np.random.default_rng(bits)
    for terms in (0, 1, 2, 16, 37):
        weights = rng.integers(-1, 2, (terms, 6))
        weights[:, 0], weights[:, 1], weights[:, 2] = 1, -1, 0
        for x in activations(rng, terms, bits, signed).T:
            values, spent = serial_dense(x, weights, bits, signed, write_back=write_back)
            np.testing.assert_array_equal(values, x @ weights)
            assert spent == cycles(dense_operations(terms, bits, signed)) * (2 if write_back else 1)


@pytest.mark.parametrize("bits, signed", FORMATS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 16, 17, 31])
def test_one_bit_less_overflows(n, bits, signed):
    width, extremes = sum_width(n, bits, signed), np.array([input_range(signed, bits)] * n)
    assert (serial_dot(extremes, [1] * n, bits, signed, acc_width=width)[0] == extremes.sum(axis=0)).all()
    if width > 1:
        short, _ = serial_dot(extremes, [1] * n, bits, signed, acc_width=width - 1)
        assert (short != extremes.sum(axis=0)).any()


@pytest.mark.parametrize("bits, signed", FORMATS)
def test_result_width_is_enough(bits, signed):
    low, high = input_range(signed, bits)
    for plus in range(0, 20):
        for minus in range(1, 20):
            width = result_width(plus, minus, bits, signed)
            needed = signed_width(plus * low - minus * high, plus * high - minus * low)
            assert needed <= width <= needed + 1
            if not signed and bits > 1:
                assert width == needed


@pytest.mark.parametrize("n, bits, signed, wanted", [
    (0, 8, False, 0), (0, 8, True, 0), (1, 8, False, 8), (1, 8, True, 8), (2, 8, False, 9), (2, 8, True, 9),
    (3, 8, False, 10), (257, 8, False, 16), (258, 8, False, 17), (1, 1, False, 1), (1, 1, True, 1),
    (2, 1, False, 2), (2, 1, True, 2), (3, 2, True, 4), (10 ** 30, 16, False, 116)])
def test_sum_width(n, bits, signed, wanted):
    assert sum_width(n, bits, signed) == wanted


def test_operations_of_the_specification():
    plan = operations([1, -1, 0, 1, -1], 4, False)     # sums of up to 3 * 15 and 2 * 15
    assert plan == [
        Operation(Kind.PLUS, 4), Operation(Kind.MINUS, 4), Operation(Kind.ZERO, 5), Operation(Kind.PLUS, 6),
        Operation(Kind.MINUS, 5), Operation(Kind.DIFFERENCE, 7)]
    assert cycles(plan) == 31 and cycles(plan, write_back=True) == 62
    assert item_cycles(plan) == [4, 4, 5, 6, 12] and item_cycles(plan, write_back=True) == [8, 8, 10, 12, 24]
    assert item_cycles(operations([1, 1], 4, False)) == [4, 5]
    assert operations([], 4, True) == dense_operations(0, 4, True) == [Operation(Kind.CLEAR, 1)]
    assert item_cycles(operations([], 4, True), write_back=True) == [2]
    assert dense_operations(2, 4, True) == [Operation(Kind.WEIGHTED, 5), Operation(Kind.WEIGHTED, 6)]


def test_operations_are_no_longer_than_the_accumulator():
    plan = operations([1, -1, -1, -1], 8, False, acc_width=9)
    assert [width for _, width in plan] == [8, 8, 9, 9, 9]
    assert [width for _, width in dense_operations(4, 8, True, acc_width=10)] == [9, 10, 10, 10]


@pytest.mark.parametrize("signed", [False, True])
def test_sums_of_more_than_the_accumulator_are_exact_where_the_result_fits(signed):
    rng = np.random.default_rng(1)
    x = activations(rng, 300, 8, signed)
    half = x[:150]
    x[150:] = half + (rng.random(half.shape) < 0.3) * np.where(half > 0, -1, 1)
    signs = np.repeat([1, -1], 150)
    assert cycles(operations(signs, 8, signed, 12)) < cycles(operations(signs, 8, signed))
    np.testing.assert_array_equal(serial_dot(x, signs, 8, signed, acc_width=12)[0], signs @ x)
    weights = np.stack([signs, -signs], axis=1)
    for column in x.T:
        np.testing.assert_array_equal(
            serial_dense(column, weights, 8, signed, acc_width=12)[0], column @ weights)


@pytest.mark.parametrize("low, high, bits", [(0, 40, 6), (-33, 20, 7), (-3, 3, 3), (0, 1, 1)])
def test_accumulators_of_the_encoders_width(low, high, bits):
    """What the encoder demands, an interval of the layer's own range and terms, is enough for the columns."""
    rng, signed = np.random.default_rng(high), low < 0
    signs = rng.choice([-1, 0, 0, 1, 1], 700)
    x = rng.integers(low, high + 1, (700, 4))
    x[:, 0], x[:, 1] = np.where(signs > 0, high, low), np.where(signs > 0, low, high)
    width = signed_width(*dot_interval(signs[None], low, high))
    assert width < max(width for _, width in operations(signs, bits, signed))
    np.testing.assert_array_equal(serial_dot(x, signs, bits, signed, width)[0], signs @ x)
    assert (serial_dot(x, signs, bits, signed, width - 1)[0] != signs @ x).any()
    for column in x.T:
        values, _ = serial_dense(column, signs[:, None], bits, signed, width)
        assert values == signs @ column


@pytest.mark.parametrize("x, signed, message", [
    (256, False, r"Activations must be within 0 \.\. 255, 8 bits, not 256 \.\. 256"),
    (-129, True, r"Activations must be within -128 \.\. 127, 8 bits, not -129 \.\. -129")])
def test_refuses(x, signed, message):
    with pytest.raises(ValueError, match=message):
        serial_dot(np.full((1, 1), x), [1], 8, signed)
    with pytest.raises(ValueError, match=message):
        serial_dense([x], [[1]], 8, signed)
