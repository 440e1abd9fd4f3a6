"""Bounds of spectral sums for all vectors of V bits: accumulators proved, not guessed."""

from functools import cache

import numpy as np

from .transform import error_bound, pack

__all__ = ["block_products", "error_of_sums", "least_shift", "sum_bound"]


@cache
def _forms(config):
    """Forward transforms of unit vectors, exact, (k, h, 2), and bounds (h, 2) of the integer ones' errors."""
    exact = pack(np.fft.rfft(np.eye(config.size))) / 2 ** sum(config.shifts)
    return exact, error_bound(config)


def block_products(spectra, weights, sign=-1):
    """Products (..., h, 2) of slots of vectors and of weights, (..., h, 2) each, i * i being ``sign``."""
    (x, y), (c, d) = np.moveaxis(spectra, -1, 0), np.moveaxis(weights, -1, 0)
    found = np.stack([x * c + sign * y * d, x * d + y * c], axis=-1)
    found[..., 0, :] = spectra[..., 0, :] * weights[..., 0, :]
    return found


def error_of_sums(weights, errors):
    """What the spectra's ``errors`` (h, 2) make of accumulators at most, (..., h, 2); see `sum_bound`."""
    return block_products(errors, np.abs(weights).sum(axis=-3), sign=1)


def sum_bound(weights, config):
    """Greatest magnitudes (..., h, 2) of accumulators, for any vectors of V bits.

    ``weights`` are integers (..., columns, h, 2). A product of a block's spectrum is a linear form of its k
    numbers, whose greatest value is 2 ** (V - 1) times the sum of its coefficients' magnitudes; the
    transform's error is added, times the weights' magnitudes.
    """
    forms, errors = _forms(config.forward)
    found = sum(np.abs(block_products(form, weights)) for form in forms)
    exact = 2.0 ** (config.vector_width - 1) * found.sum(axis=-3)
    # Floats add up to less than this share of error.
    return (exact + error_of_sums(weights, errors)) * (1 + 1e-9)


def least_shift(bound, width):
    """Least shift, rounding, after which integers of magnitudes up to ``bound`` have ``width`` bits."""
    shift, most = 0, int(np.ceil(bound))
    while most + (1 << shift >> 1) >> shift >= 1 << width - 1:
        shift += 1
    return shift
