"""Sigmoid and tanh of the circulant engine: linear between the values of one table, bit by bit.

    base[n] = round(2^14 (sig(w n) - w^2 / 16 sig''(w n))), n = 1 .. 8 / w;  base[0] = 2^13     halves upwards

w = 2 ** -segment_bits is a segment's width. A chord's error at its middle is w^2 / 8 sig''; the table lies
half of that away from the sigmoid, so that errors at the ends and in the middle are of one size. Inputs
are in units of 2^-12, results in units of 2^-14. Specification: docs/engines/circulant-machine.md.
"""

from functools import cache

import numpy as np

from . import cells
from .config import ACT_FRACTION, PRE_FRACTION, PRE_WIDTH

__all__ = ["base", "max_error", "sigmoid", "tanh"]

_ONE = 1 << ACT_FRACTION
_LAST = (1 << PRE_WIDTH - 1) - 1


@cache
def base(segment_bits):
    """The table, int64 (8 * 2 ** segment_bits + 1,)."""
    width = 2.0 ** -segment_bits
    s = cells.sigmoid(width * np.arange(8 << segment_bits | 1))
    bent = s * (1 - s) * (1 - 2 * s)
    found = np.floor(_ONE * (s - width ** 2 / 16 * bent) + 0.5).astype(np.int64)
    found[0] = _ONE >> 1
    found.setflags(write=False)
    return found


def _positive(u, segment_bits):
    """The sigmoid of u = 0 .. 2^15 - 1."""
    table, cut = base(segment_bits), PRE_FRACTION - segment_bits
    n = u >> cut
    return table[n] + ((table[n + 1] - table[n]) * (u & (1 << cut) - 1) + (1 << cut - 1) >> cut)


def sigmoid(x, segment_bits):
    """2^14 sig(x / 2^12), int64, 0 .. 2^14, of integers ``x`` of 16 bits; sigmoid(-x) = 2^14 - sigmoid(x)."""
    found = _positive(np.minimum(np.abs(x), _LAST), segment_bits)
    return np.where(x < 0, _ONE - found, found)


def tanh(x, segment_bits):
    """2^14 tanh(x / 2^12), int64, of integers ``x`` of 16 bits: 2 sigmoid(2 x) - 2^14, odd."""
    found = 2 * _positive(np.minimum(2 * np.abs(x), _LAST), segment_bits) - _ONE
    return np.where(x < 0, -found, found)


@cache
def max_error(segment_bits):
    """Greatest errors of the sigmoid and of tanh: of all 65,536 inputs, by looking at each of them.

    The first and the last input stand for all reals beyond them, too, up to the functions' limits.
    """
    x = np.arange(-_LAST - 1, _LAST + 1)
    real = x / 2.0 ** PRE_FRACTION
    errors = []
    for function, exact, least in ((sigmoid, cells.sigmoid, 0.0), (tanh, np.tanh, -1.0)):
        found = function(x, segment_bits) / _ONE
        ends = abs(found[0] - least), abs(found[-1] - 1.0)
        errors.append(float(max(np.abs(found - exact(real)).max(), *ends)))
    return tuple(errors)
