import math
from fractions import Fraction

import numpy as np
import pytest
from shiftwork.golden.training.arithmetic import (
    bit_length,
    divide_round,
    reciprocal,
    root_with_sticky,
    saturate,
    shift_round,
)


@pytest.mark.parametrize("shift", [-3, 0, 1, 2, 5, 9, 12])
def test_shift_round_is_round_half_even_of_all_numbers_of_10_bits(shift):
    values = np.arange(-512, 512)
    assert shift_round(values, shift).tolist() == [round(Fraction(v) / Fraction(2) ** shift)
                                                   for v in values.tolist()]


def test_shift_round_of_great_numbers_and_shifts():
    values = np.array([(1 << 61) - 1, -(1 << 61), 3 << 59, 1 << 60])
    assert shift_round(values, 60).tolist() == [2, -2, 2, 1]      # 3/2 goes to 2
    assert shift_round(values, 61).tolist() == [1, -1, 1, 0]      # 1/2 goes to 0
    assert shift_round(values, 100).tolist() == [0, 0, 0, 0]
    assert shift_round(np.array([5, 5, 5]), np.array([-1, 0, 1])).tolist() == [10, 5, 2]


def test_bit_length_is_pythons():
    values = sorted({sign * ((1 << n) + d) for n in range(62) for d in (-1, 0, 1) for sign in (1, -1)})
    assert bit_length(np.array(values)).tolist() == [abs(v).bit_length() for v in values]


def test_divide_round_is_that_of_fractions():
    for denominator in range(1, 20):
        for numerator in range(-60, 61):
            assert divide_round(numerator, denominator) == round(Fraction(numerator, denominator))


def test_root_with_sticky_compares_as_the_root_with_every_even_number():
    for square in range(3000):
        sticky = root_with_sticky(square)
        for even in range(2 * math.isqrt(square) - 4, 2 * math.isqrt(square) + 6, 2):
            exact = (4 * square > even * abs(even)) - (4 * square < even * abs(even))
            assert (sticky > even) - (sticky < even) == exact


def _check_reciprocals(values):
    for value in values:
        mantissa, length = reciprocal(value)
        assert length == value.bit_length() and 1 << 15 <= mantissa <= 1 << 16
        # |mantissa - 2 ** (length + 15) / value| <= 1/2, in integers
        error = abs(mantissa * value - (1 << length + 15))
        assert 2 * error <= value
        assert error << 16 < 1 << length + 15


def test_reciprocals_of_all_numbers_of_16_bits_and_some_of_25():
    _check_reciprocals(range(1, 1 << 16))
    _check_reciprocals([(1 << n) + d for n in range(16, 25) for d in (-2, -1, 0, 1, 2)])
    _check_reciprocals(np.random.default_rng(0).integers(1 << 16, 1 << 25, 5000).tolist())


def test_saturate_is_symmetric():
    assert saturate(np.array([-129, -128, -127, 127, 128]), 8).tolist() == [-127, -127, -127, 127, 127]
