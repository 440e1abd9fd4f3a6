"""Weights rounded to fixed point: first columns, or their spectra, in steps that are powers of two.

    w = step * n,  n an integer of ``bits`` bits, -2**(bits-1) .. 2**(bits-1) - 1,  step = 2**e

One step for an array (with an axis of gates: one for all gates, whose sums meet in one adder). It is the one
of least squared error among the one that covers the greatest magnitude and the ``TRIED`` - 1 below it.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

__all__ = ["Domain", "Rounding", "exponent", "round_to_grid"]

TRIED = 3


class Domain(StrEnum):
    """What is rounded."""

    TIME = "time"           #: first columns; their spectra are computed from the rounded ones
    SPECTRUM = "spectrum"   #: real and imaginary parts of FFT(w), as the hardware's memory has them


def round_to_grid(values, exponent, bits):
    """``values`` rounded to multiples of 2**exponent (ties to even), n clipped to ``bits`` bits."""
    limit = 1 << bits - 1
    return np.ldexp(np.clip(np.rint(np.ldexp(values, -exponent)), -limit, limit - 1), exponent)


def exponent(values, bits):
    """e of the step for ``values``: of least squared error, of equals the greatest; 0 where all are 0."""
    greatest = float(np.abs(values).max(initial=0.0))
    if not greatest:
        return 0
    # The least e with greatest <= 2**e * (2**(bits-1) - 1).
    covering = int(np.ceil(np.log2(greatest / ((1 << bits - 1) - 1))))
    errors = {e: float(np.sum((round_to_grid(values, e, bits) - values) ** 2, dtype=np.float64))
              for e in range(covering, covering - TRIED, -1)}
    return min(errors, key=errors.get)


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """The function of first columns (..., k) to the rounded ones: the nearest in the sense of Frobenius.

    Bins 0 and k / 2 count once and the others twice in the norm of w, and each real and imaginary part is a
    coordinate of its own: so rounding spectra part by part is the projection of w, too, for a given step.
    """

    bits: int = 12
    domain: Domain = Domain.TIME

    def __post_init__(self):
        if not (type(self.bits) is int and 2 <= self.bits <= 24):
            raise ValueError(f"bits must be an integer from 2 to 24, not {self.bits!r}")
        if self.domain not in list(Domain):
            raise ValueError(f"domain must be one of {', '.join(Domain)}, not {self.domain!r}")
        object.__setattr__(self, "domain", Domain(self.domain))

    def __call__(self, columns):
        if self.domain is Domain.TIME:
            return round_to_grid(columns, exponent(columns, self.bits), self.bits).astype(columns.dtype)
        spectra = np.fft.rfft(columns)
        parts = np.stack([spectra.real, spectra.imag])
        parts = round_to_grid(parts, exponent(parts, self.bits), self.bits)
        return np.fft.irfft(parts[0] + 1j * parts[1], columns.shape[-1]).astype(columns.dtype)
