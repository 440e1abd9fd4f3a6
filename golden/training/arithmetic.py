"""Rounding, root and reciprocal on integers, exact to the last bit."""

import math

import numpy as np

__all__ = ["MANTISSA_BITS", "bit_length", "divide_round", "reciprocal", "root_with_sticky", "saturate",
           "shift_round", "wrap"]

MANTISSA_BITS = 16
"""A reciprocal's mantissa is at least 2 ** 15 and at most 2 ** 16: 17 bits."""


def bit_length(values):
    """Bits of the magnitudes of ``values`` (below 2 ** 62), int64: 0 of 0, n of 2**(n-1) .. 2**n - 1.

    In hardware a priority encoder.
    """
    left = np.abs(np.asarray(values, np.int64))
    bits = np.zeros(left.shape, np.int64)
    for step in (32, 16, 8, 4, 2, 1):
        great = left >> step > 0
        bits += np.where(great, step, 0)
        left = np.where(great, left >> step, left)
    return bits + (left > 0)


def shift_round(values, shift):
    """``values / 2 ** shift`` rounded to the nearest integer, halves to the even one; int64.

        (v + 2 ** (s - 1) - 1 + bit s of v) >> s    for s >= 1,    v << -s    for s <= 0

    An adder with a carry in. ``values`` are integers of at most 2 ** 61 in magnitude, also after a shift to
    the left; ``shift`` is one integer or an array that broadcasts.
    """
    values, shift = np.asarray(values, np.int64), np.asarray(shift, np.int64)
    right = np.clip(shift, 0, 62)
    half = (np.int64(1) << right >> 1) - (right > 0)
    rounded = values >> right & (right > 0)
    # In place: most of the model's time goes here.
    rounded += values
    rounded += half
    rounded >>= right
    rounded <<= np.maximum(-shift, 0)
    return rounded


def saturate(values, bits):
    """``values`` clipped to -m .. m, m = 2 ** (bits - 1) - 1: symmetric, so that -v always fits."""
    most = (1 << bits - 1) - 1
    return np.clip(values, -most, most)


def wrap(values, bits):
    """``values`` modulo 2 ** bits, as two's complement of ``bits`` bits; int64 or Python integers."""
    half = 1 << bits - 1
    return (values + half & (1 << bits) - 1) - half


def divide_round(numerator, denominator):
    """The integer nearest to ``numerator / denominator`` (Python's, denominator > 0), halves to even.

    In hardware a divider of one quotient bit a cycle, whose remainder is compared with half the denominator.
    """
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or 2 * rest == denominator and quotient & 1)


def root_with_sticky(square):
    """2 floor(sqrt(square)), plus 1 if ``square`` is no square; a Python integer, at least 0.

    Compares with every even integer as 2 sqrt(square) does, so whatever is rounded from it is rounded as from
    the exact root. In hardware a root of one bit a cycle; sticky is "rest not 0".
    """
    root = math.isqrt(square)
    return 2 * root + (root * root != square)


def reciprocal(value):
    """(m, L) with m = 2 ** (L + 15) / value rounded to the nearest integer, L the bit length of value >= 1.

        2 ** 15 <= m <= 2 ** 16,    1 / value = m * 2 ** -(L + 15) / (1 + d),    |d| < 2 ** -16

    Proof: 2 ** (L - 1) <= value < 2 ** L, so the quotient is above 2 ** 15 and at most 2 ** 16; rounding
    changes it by at most 1/2, which is less than 2 ** -16 of it.
    """
    length = int(value).bit_length()
    return divide_round(1 << length + MANTISSA_BITS - 1, int(value)), length
