"""Bounds of spectral sums for all vectors of V bits: accumulators proved, not guessed."""

from functools import cache

import numpy as np

from .transform import error_bound, pack

__all__ = ["least_shift", "sum_bound"]


@cache
def _forms(config):
    """Forward transforms of unit vectors, exact, (k, h, 2), and bounds (h, 2) of the integer ones' errors."""
    exact = pack(np.fft.rfft(np.eye(config.size))) / 2 ** sum(config.shifts)
    return exact, error_bound(config)


def sum_bound(weights, config):
    """Greatest magnitudes (..., h, 2) of accumulators, for any vectors of V bits.

    ``weights`` are integers (..., columns, h, 2). A product of a block's spectrum is a linear form of its k
    numbers, whose greatest value is 2 ** (V - 1) times the sum of its coefficients' magnitudes; the
    transform's error is added, times the weights' magnitudes.
    """
    forms, errors = _forms(config.forward)
    c, d = weights[..., 0].astype(float), weights[..., 1].astype(float)
    found = np.zeros(weights.shape)
    for x, y in np.moveaxis(forms, -1, 1):
        real, imaginary = x * c - y * d, x * d + y * c
        real[..., 0], imaginary[..., 0] = (x * c)[..., 0], (y * d)[..., 0]
        found += np.abs(np.stack([real, imaginary], axis=-1))
    c, d = np.abs(c), np.abs(d)
    x, y = errors[:, 0], errors[:, 1]
    extra = np.stack([x * c + y * d, x * d + y * c], axis=-1)
    extra[..., 0, :] = np.stack([x[0] * c[..., 0], y[0] * d[..., 0]], axis=-1)
    # Floats add up to less than this share of error.
    return (2.0 ** (config.vector_width - 1) * found + extra).sum(axis=-3) * (1 + 1e-9)


def least_shift(bound, width):
    """Least shift, rounding, after which integers of magnitudes up to ``bound`` have ``width`` bits."""
    shift, most = 0, int(np.ceil(bound))
    while most + (1 << shift >> 1) >> shift >= 1 << width - 1:
        shift += 1
    return shift
