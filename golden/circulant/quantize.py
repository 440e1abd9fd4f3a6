"""Weights rounded to fixed point: first columns, or their spectra, in steps that are powers of two.

    w = step * n,  n an integer of ``bits`` bits, -2**(bits-1) .. 2**(bits-1) - 1,  step = 2**e

One step for an array (with an axis of gates: one for all gates, whose sums meet in one adder). It is the one
of least squared error among the one that covers the greatest magnitude and the ``TRIED`` - 1 below it.

W x and R y' of a cell meet in one adder, too, where hardware adds them up as integers: then

    exponent(W) + exponent(x) = exponent(R) + exponent(y')

and the steps of W and R are tied: their exponents differ by ``offset`` = exponent(x) - exponent(y').
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

__all__ = ["Domain", "Rounding", "exponent", "round_to_grid", "tied_exponents"]

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
    return tied_exponents([values], [0], bits)[0]


def tied_exponents(arrays, offsets, bits):
    """e + offset for each of ``arrays`` and ``offsets``, of least squared error of all together.

    Tried are the least e with which every array is covered, and those below it; of equals the greatest is
    taken, and 0 where all arrays are 0.
    """
    # The least e with greatest <= 2**e * (2**(bits-1) - 1).
    covering = [int(np.ceil(np.log2(greatest / ((1 << bits - 1) - 1)))) - offset
                for greatest, offset in zip((float(np.abs(values).max(initial=0.0)) for values in arrays),
                                            offsets, strict=True) if greatest]

    def error(e):
        return sum(float(np.sum((round_to_grid(values, e + offset, bits) - values) ** 2, dtype=np.float64))
                   for values, offset in zip(arrays, offsets, strict=True))

    most = max(covering, default=0)
    e = min(range(most, most - TRIED, -1), key=error) if covering else 0
    return [e + offset for offset in offsets]


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """The function of first columns (..., k) to the rounded ones: the nearest in the sense of Frobenius.

    Bins 0 and k / 2 count once and the others twice in the norm of w, and each real and imaginary part is a
    coordinate of its own: so rounding spectra part by part is the projection of w, too, for a given step.
    ``offset`` ties a cell's two arrays: exponent of "recurrent" - exponent of "input"; None: each has the
    step that suits it best.
    """

    bits: int = 12
    domain: Domain = Domain.TIME
    offset: int | None = None

    def __post_init__(self):
        if not (type(self.bits) is int and 2 <= self.bits <= 24):
            raise ValueError(f"bits must be an integer from 2 to 24, not {self.bits!r}")
        if self.domain not in list(Domain):
            raise ValueError(f"domain must be one of {', '.join(Domain)}, not {self.domain!r}")
        if not (self.offset is None or type(self.offset) is int):
            raise ValueError(f"offset must be None or an integer, not {self.offset!r}")
        object.__setattr__(self, "domain", Domain(self.domain))

    def __call__(self, columns):
        """``columns`` rounded, with the step that suits them best."""
        return self._rounded(columns, self.exponents(columns)[0])

    def cell(self, input, recurrent):
        """A cell's first columns, both rounded: (input, recurrent)."""
        return tuple(map(self._rounded, (input, recurrent), self.exponents(input, recurrent)))

    def exponents(self, *columns):
        """The exponents of the steps: of one array, or of a cell's "input" and "recurrent".

        Of rounded arrays, exponents of which they are multiples.
        """
        parts = [self._parts(array) for array in columns]
        if self.offset is None:
            return [exponent(values, self.bits) for values in parts]
        return tied_exponents(parts, (0, self.offset)[:len(parts)], self.bits)

    def _parts(self, columns):
        """What is rounded of them: themselves, or [real, imaginary] of their spectra."""
        if self.domain is Domain.TIME:
            return columns
        spectra = np.fft.rfft(columns)
        return np.stack([spectra.real, spectra.imag])

    def _rounded(self, columns, exponent):
        parts = round_to_grid(self._parts(columns), exponent, self.bits)
        if self.domain is Domain.SPECTRUM:
            parts = np.fft.irfft(parts[0] + 1j * parts[1], columns.shape[-1])
        return parts.astype(columns.dtype)
