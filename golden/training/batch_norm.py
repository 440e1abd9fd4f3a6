"""Batch normalization of integers, forward and backward: exact sums, a root and a reciprocal a channel."""

from dataclasses import dataclass

import numpy as np
from shiftwork.golden.common.layers import per_channel

from .arithmetic import (
    MANTISSA_BITS,
    bit_length,
    divide_round,
    reciprocal,
    root_with_sticky,
    saturate,
    shift_round,
)
from .config import DEVIATION_FRACTION, FACTOR_BITS, FRACTION, GUARD_BITS, WIDE_BITS
from .quantize import Scaled

__all__ = ["RUNNING_BITS", "Statistics", "error_sums", "input_error", "normalize", "scale_and_shift",
           "statistics"]

RUNNING_BITS = 8
"""Bits that running statistics have behind the last bit of a batch's."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Mean and deviation of each channel, int64 (C,) on the grid 2 ** -15; deviations are at least 1."""

    mean: np.ndarray
    deviation: np.ndarray

    @property
    def reciprocals(self):
        """(m, L), two int64 arrays: 1 / (deviation * 2 ** -15) is about m * 2 ** -L; `reciprocal`."""
        return np.array([reciprocal(value) for value in self.deviation], np.int64).reshape(-1, 2).T


def _count(x):
    return x[0].size


def statistics(x):
    """Statistics of a batch ``x`` (Scaled, channels first, |integer| < 2 ** 23, at most 2 ** 16 a channel).

        S1 = sum x,  S2 = sum x^2                                 exact: 40 and 62 bits
        mean = round( S1 * 2^(15 - f) / N )                       x on the grid 2^-f, f <= 15
        deviation = min( round( sqrt(N S2 - S1^2) * 2^(15 - f) / N ), 2^24 - 1 ) + 1

    Both rounded as from the exact value, halves to even. In the paper's words: Q(mean, 16) and
    Q(sqrt(var), 16) + 2^-15.
    """
    lift, count = DEVIATION_FRACTION + x.exponent, _count(x.integers)
    flat = x.integers.reshape(len(x.integers), -1)
    means, deviations = [], []
    for total, square in zip(flat.sum(axis=1).tolist(), (flat * flat).sum(axis=1).tolist(), strict=True):
        means.append(divide_round(total << lift, count))
        spread = count * square - total * total << 2 * lift
        # Four times: then every half is an even number, with which a root with sticky bit can be compared.
        deviation = divide_round(root_with_sticky(4 * spread), 4 * count)
        deviations.append(min(deviation, (1 << WIDE_BITS) - 1) + 1)
    return Statistics(np.array(means, np.int64), np.array(deviations, np.int64))


def normalize(x, found, config):
    """x_hat = (x - mean) / deviation of ``x`` (Scaled) with ``found`` (Statistics), Scaled.

        c = x * 2^(15 - f) - mean
        x_hat = clip( round( c * m / 2^(L + 15 - F) ), ..),    F = normal_fraction

    One product of 26 by 17 bits an element. Where nothing is clipped |x_hat - c / deviation| is at most
    1/2 + 2^(normal_bits - 17) of the last bit: 1/2 by rounding, and |c / deviation| < 2^(normal_bits - 1) of
    it has the reciprocal's error of 2^-16.
    """
    mantissa, length = (per_channel(part, x.integers) for part in found.reciprocals)
    centred = (x.integers << DEVIATION_FRACTION + x.exponent) - per_channel(found.mean, x.integers)
    shift = length + (MANTISSA_BITS - 1 - config.normal_fraction)
    integers = saturate(shift_round(centred * mantissa, shift), config.normal_bits)
    return Scaled(integers, -config.normal_fraction)


def scale_and_shift(normal, gamma, beta):
    """y = gamma * x_hat + beta, rounded to the grid 2 ** -7, Scaled; gamma, beta are 8-bit integers (C,)."""
    gamma, beta = (per_channel(part, normal.integers) for part in (gamma, beta))
    wide = gamma * normal.integers + (beta << -normal.exponent)
    return Scaled(shift_round(wide, -normal.exponent), -FRACTION)


def error_sums(error, normal):
    """(dbeta, dgamma), Scaled (C,): sum of e, and of e * x_hat, of each channel, exact."""
    channels = len(error.integers)
    plain = error.integers.reshape(channels, -1)
    weighted = plain * normal.integers.reshape(channels, -1)
    return (Scaled(plain.sum(axis=1), error.exponent),
            Scaled(weighted.sum(axis=1), error.exponent + normal.exponent))


def _factors(gamma, found):
    """(F, exponent): gamma / deviation of each channel, integers F of 18 bits that the greatest one fills."""
    mantissa, length = found.reciprocals
    product = gamma * mantissa
    top = int(np.max(bit_length(product) - length, initial=-64, where=product != 0))
    fill = FACTOR_BITS - 1
    return (saturate(shift_round(product, top + length - fill), FACTOR_BITS), top - fill - FRACTION)


def input_error(error, normal, sums, gamma, found):
    """dx = gamma / deviation * (e - mean(e) - x_hat * mean(e * x_hat)) of an 8-bit ``error`` (both Scaled).

        a = round( dbeta 2^8 / N ),    b = round( dgamma 2^8 / N )        dgamma in units of e: 2^-F each
        u = clip18( e 2^8 - a - round( x_hat * b / 2^F ) ),    dx = u * factor

    a and b are rounded divisions, one each a channel; the factor is gamma / deviation in 18 bits
    (`_factors`), so that an element takes one product of 16 by 18 and one of 18 by 18 bits. dx has 35 bits
    and one exponent.
    """
    dbeta, dgamma = sums
    count = _count(error.integers)

    def means(total, fraction):
        return np.array([divide_round(value << GUARD_BITS, count << fraction)
                         for value in total.integers.tolist()], np.int64)

    a = per_channel(means(dbeta, 0), error.integers)
    b = per_channel(means(dgamma, -normal.exponent), error.integers)
    inner = (error.integers << GUARD_BITS) - a - shift_round(normal.integers * b, -normal.exponent)
    factors, exponent = _factors(gamma, found)
    return Scaled(saturate(inner, FACTOR_BITS) * per_channel(factors, error.integers),
                  error.exponent - GUARD_BITS + exponent)
