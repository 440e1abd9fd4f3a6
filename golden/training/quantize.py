"""WAGEUBN's quantization functions (arXiv:1909.02384) on integers: Q, CQ, SQ and the flagged 8-bit E2."""

import math
from dataclasses import dataclass

import numpy as np

from .arithmetic import saturate, shift_round
from .config import FRACTION_BITS, RANDOM_BITS

__all__ = ["CONSTANT_FRACTION", "Flagged", "Scaled", "constant", "direct",
           "flagged", "scale_exponent", "shifted"]

CONSTANT_FRACTION = 14
"""Bits behind the point of a weight's gradient: k_GC - 1."""

_COMPARE_BITS = 62
_ROOT = math.isqrt(1 << 2 * _COMPARE_BITS - 1) + 1     # sqrt(2) * 2 ** 61, rounded up


@dataclass(frozen=True, eq=False)
class Scaled:
    """A tensor of values ``integers * 2 ** exponent``: int64, one exponent for all."""

    integers: np.ndarray
    exponent: int

    @property
    def values(self):
        """The values in float64: exact for integers below 2 ** 53."""
        return np.ldexp(self.integers.astype(np.float64), self.exponent)


def scale_exponent(most):
    """r = round(log2 ``most``), R = 2 ** r, of the greatest magnitude ``most`` of a tensor's integers.

        r = L - 1  if  most < sqrt(2) * 2 ** (L - 1),   else L,    L the bit length of most

    Without a logarithm: ``most``, shifted so that its first bit is bit 61, is compared with the constant
    ceil(sqrt(2) * 2 ** 61). The constant's first 24 bits are enough for integers of up to 24 bits. There is
    no tie: sqrt(2) is irrational. A tensor of zeros has r = 0, as has most = 1.
    """
    most = int(most)
    if most == 0:
        return 0
    length = most.bit_length()
    return length - (most << _COMPARE_BITS - length < _ROOT)


def _scale_of(integers):
    return scale_exponent(np.abs(integers).max(initial=0))


def direct(values, fraction, bits):
    """Q(x, fraction + 1): ``values`` (Scaled) rounded to multiples of 2 ** -fraction, as Scaled.

        clip( round(x * 2 ** fraction), +-(2 ** (bits - 1) - 1) ) * 2 ** -fraction

    Halves to the even integer. The paper's Q does not clip: equal as long as ``bits`` are enough.
    """
    shift = -fraction - values.exponent
    # A number of more than `bits` is clipped in any case, so nothing is lost, and no shift to the left wraps.
    clipped = np.clip(values.integers, -1 << bits, 1 << bits) if shift < 0 else values.integers
    return Scaled(saturate(shift_round(clipped, max(shift, -bits)), bits), -fraction)


def shifted(values, bits):
    """SQ(x, bits): ``values`` (Scaled) divided by a power of two that brings the greatest near 1, as Scaled.

        R * clip( round(x / R * 2 ** (bits - 1)), +-(2 ** (bits - 1) - 1) ) * 2 ** -(bits - 1),
        R = 2 ** round(log2 max|x|)

    What is greater than R (at most by sqrt 2) is clipped, as in the paper's text.
    """
    shift = _scale_of(values.integers) - (bits - 1)
    return Scaled(saturate(shift_round(values.integers, shift), bits), values.exponent + shift)


def constant(values, levels, random):
    """CQ(x): ``values`` (Scaled) normalized, rounded at random, on the grid 2 ** -14, as Scaled.

        clip( Sr(levels * x / R), +-(levels - 1) ) * 2 ** -14,    R = 2 ** round(log2 max|x|)
        Sr(y) = sign(y) * ( floor|y| + [first 16 bits of |y|'s fraction > random] )

    R is not multiplied back: only the direction of the gradient counts. ``levels`` (the paper's dr) is a
    power of two, 2 .. 128; ``random`` are integers 0 .. 65535, one for each value (of any shape). If
    they are uniform, the mean of Sr(y) is y with its fraction cut to 16 bits.
    """
    magnitude = np.abs(values.integers)
    shift = _scale_of(values.integers) - (levels.bit_length() - 1)
    # One shift by `shift - 16`: what is above bit 16 is the integer, below it the fraction.
    fixed = magnitude >> max(shift - RANDOM_BITS, 0) << max(RANDOM_BITS - shift, 0)
    up = fixed & (1 << RANDOM_BITS) - 1 > random.reshape(fixed.shape)
    rounded = np.minimum((fixed >> RANDOM_BITS) + up, levels - 1)
    return Scaled(np.where(values.integers < 0, -rounded, rounded), -CONSTANT_FRACTION)


@dataclass(frozen=True, eq=False)
class Flagged:
    """A tensor of flagged 8-bit numbers: ``mantissa * 2 ** (7 * flag + exponent)``, |mantissa| <= 127.

    Nine bits are stored of each: flag, sign, seven bits of magnitude. A zero has flag 0 and sign 0.
    """

    mantissa: np.ndarray
    flag: np.ndarray
    exponent: int       #: of the small step, Sc / 128

    @property
    def scaled(self):
        """As integers of 15 bits on the grid of the small step."""
        return Scaled(self.mantissa << FRACTION_BITS * self.flag.astype(np.int64), self.exponent)

    @property
    def words(self):
        """What is stored: flag * 256 + sign * 128 + |mantissa|."""
        flag, sign = self.flag.astype(np.int64), (self.mantissa < 0).astype(np.int64)
        return (flag << 8) + (sign << 7) + np.abs(self.mantissa)

    @classmethod
    def of(cls, words, exponent):
        """From what is stored."""
        magnitude = words & 127
        return cls(np.where(words >> 7 & 1, -magnitude, magnitude), words >> 8 & 1 > 0, exponent)


def flagged(values, scale=None):
    """Flag-QE2 of ``values`` (Scaled), as Flagged: steps Sc and Sc / 128, Sc = R / 128, R = 2 ** ``scale``.

        |x| >= Sc:  Sc * clip( round(x / Sc), +-127 ),  flag 1
        |x| <  Sc:  Sc / 128 * round(128 x / Sc),       flag 0;  a magnitude of 128 is stored as flag 1, 1

    which is the same value; so the small numbers need no clip and none differs from the paper's code. Without
    a ``scale`` it is that of ``values``; `scale_exponent`.
    """
    unit = (_scale_of(values.integers) if scale is None else scale) - FRACTION_BITS
    magnitude = np.abs(values.integers)
    # |x| >= 2 ** unit: for unit < 0 every integer but 0 is.
    great = magnitude >= 1 << max(unit, 0)
    fine = shift_round(magnitude, unit - FRACTION_BITS)
    promoted = fine == 1 << FRACTION_BITS
    coarse = np.minimum(shift_round(magnitude, unit), (1 << FRACTION_BITS) - 1)
    mantissa = np.where(great, coarse, np.where(promoted, 1, fine))
    return Flagged(np.where(values.integers < 0, -mantissa, mantissa), great | promoted,
                   values.exponent + unit - FRACTION_BITS)
