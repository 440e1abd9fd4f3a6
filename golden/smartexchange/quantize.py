"""Coefficients to signed powers of two: normalized columns, the nearest power, a window of exponents."""

from dataclasses import dataclass

import numpy as np

from .options import Domain, Low, Normalization, Scope, Top

__all__ = ["Rounded", "column_factors", "nearest_power", "quantize"]


@dataclass(frozen=True, kw_only=True)
class Rounded:
    """signs * 2 ** (exponents + lowest): coefficients (filters, rows, S) in a window of exponents."""

    signs: np.ndarray       #: int8: -1, 0, 1
    exponents: np.ndarray   #: int8, from 0; 0 where the sign is 0
    lowest: np.ndarray      #: int64 (filters, 1, 1)

    def values(self):
        return np.ldexp(self.signs.astype(np.float64), self.exponents + self.lowest)


def nearest_power(magnitude, options):
    """Exponent p of the power of two that is nearest to each ``magnitude`` > 0 (of 0: meaningless), int64.

        2**p <= magnitude < 2**(p+1), and p + 1 instead if magnitude > 1.5 * 2**p (linear) or sqrt(2) * 2**p

    A magnitude of just 1.5 * 2**p goes down, or with ``ties_up`` up; no float is sqrt(2) * 2**p.
    """
    fraction, exponent = np.frexp(magnitude)     # fraction in 1/2 .. 1, exact
    border = 0.75 if options.domain is Domain.LINEAR else np.sqrt(0.5)
    up = fraction >= border if options.ties_up else fraction > border
    return exponent.astype(np.int64) - 1 + up


def column_factors(coefficients, layout, normalize):
    """What each column of each slice is multiplied by before rounding, (filters, rows, S); 1 for zeros."""
    starts = layout.bounds[:-1]
    if normalize is Normalization.NONE:
        return np.ones_like(coefficients)
    if normalize is Normalization.UNIT:
        norms = np.sqrt(np.add.reduceat(coefficients ** 2, starts, axis=1))
        factors = 1 / np.where(norms > 0, norms, 1)
    else:
        live = coefficients != 0
        logs = np.log2(np.abs(coefficients), where=live, out=np.zeros_like(coefficients))
        count = np.add.reduceat(live.astype(np.float64), starts, axis=1)
        factors = 2 ** (np.add.reduceat(np.round(logs) - logs, starts, axis=1) / np.maximum(count, 1))
    return np.repeat(factors, layout.heights, axis=1)


def _window(magnitude, power, top, options):
    """Exponents within top - (exponents - 1) .. top, and which coefficients are not flushed to 0."""
    lowest = top - (options.exponents - 1)
    if options.low is Low.FLUSH:
        kept = power >= lowest
    elif options.low is Low.CLAMP:
        kept = magnitude > 0
    else:
        kept = magnitude >= np.ldexp(0.5, lowest)
    return np.clip(power, lowest, top), kept & (magnitude > 0)


def quantize(coefficients, layout, options):
    """The Rounded of ``coefficients`` (filters, rows, S), each column normalized first.

    The window of exponents ends, for each filter or for the layer, at the exponent of the greatest
    coefficient; or at the one of it and the two below that gives the least squared error.
    """
    values = coefficients * column_factors(coefficients, layout, options.normalize)
    magnitude = np.abs(values)
    power = nearest_power(magnitude, options)
    axes = (1, 2) if options.scope is Scope.FILTER else (0, 1, 2)
    live = magnitude > 0
    greatest = np.max(power, axis=axes, keepdims=True, where=live, initial=-1000)
    greatest = np.broadcast_to(np.where(greatest > -1000, greatest, 0), (layout.filters, 1, 1))
    exponent, kept = _window(magnitude, power, greatest, options)
    top = greatest
    if options.top is Top.ERROR:
        def error(exponent, kept):
            apart = (np.where(kept, np.ldexp(1.0, exponent), 0) - magnitude) ** 2
            return np.broadcast_to(apart.sum(axis=axes, keepdims=True), greatest.shape)

        least = error(exponent, kept)
        for lower in (1, 2):
            candidate = _window(magnitude, power, greatest - lower, options)
            found = error(*candidate)
            better = found < least
            least, top = np.where(better, found, least), np.where(better, greatest - lower, top)
            exponent = np.where(better, candidate[0], exponent)
            kept = np.where(better, candidate[1], kept)
    lowest = top - (options.exponents - 1)
    return Rounded(signs=(np.sign(values) * kept).astype(np.int8), lowest=lowest,
                   exponents=np.where(kept, exponent - lowest, 0).astype(np.int8))
