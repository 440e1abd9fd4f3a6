"""Booth digits of every activation."""

import numpy as np
import pytest
from shiftwork.golden.smartexchange.booth import booth_digits, digit_count


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_every_value(width, signed):
    x = np.arange(1 << width) - (1 << width - 1) * signed
    digits = booth_digits(x, width, signed)
    assert digits.shape == (digit_count(width, signed), len(x)) == (width // 2 + (not signed), 1 << width)
    assert digits.min() == -2 and digits.max() == 2
    np.testing.assert_array_equal((digits << 2 * np.arange(len(digits))[:, None]).sum(axis=0), x)
    assert np.array_equal(digits.any(axis=0), x != 0)


@pytest.mark.parametrize("x, signed, digits", [
    (0, False, [0, 0, 0, 0, 0]), (1, False, [1, 0, 0, 0, 0]), (2, False, [-2, 1, 0, 0, 0]),
    (255, False, [-1, 0, 0, 0, 1]), (85, False, [1, 1, 1, 1, 0]), (-1, True, [-1, 0, 0, 0]),
    (-128, True, [0, 0, 0, -2]), (127, True, [-1, 0, 0, 2]), (-86, True, [-2, -1, -1, -1]),
])
def test_by_hand(x, signed, digits):
    assert booth_digits(x, 8, signed).tolist() == digits


def test_bytes_as_they_stand_in_memory():
    x = np.array([[0, 200], [255, 7]], np.uint8)
    assert booth_digits(x, 8, False).shape == (5, 2, 2)
    np.testing.assert_array_equal(booth_digits(x.view(np.int8), 8, True)[:, 1, 0], [-1, 0, 0, 0])
