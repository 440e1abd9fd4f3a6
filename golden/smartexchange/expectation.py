"""Expected values of machines that skip random zeros, by formula: no random numbers.

A distribution is an array: element k is the probability of the value k.
"""

from functools import lru_cache
from math import erf, prod, sqrt

import numpy as np

__all__ = ["binomial", "groups_of", "longest", "longest_sum", "mean", "non_zero_parts", "pieces", "spread",
           "total"]


def pieces(whole, size):
    """``whole`` cut into pieces of ``size`` and one rest: [(size of a piece, how many)], none empty."""
    full, rest = divmod(whole, size)
    return [(n, count) for n, count in ((size, full), (rest, 1)) if n and count]


def spread(whole, parts):
    """``whole`` dealt out to ``parts`` as evenly as can be: [(size of a part, how many)], none empty."""
    low, more = divmod(whole, parts)
    return [(n, count) for n, count in ((low + 1, more), (low, parts - more)) if n and count]


@lru_cache(maxsize=4096)
def binomial(count, probability):
    """How many of ``count`` independent values are not zero, each with ``probability``."""
    if probability in (0, 1) or not count:
        found = np.zeros(count + 1)
        found[count if probability == 1 else 0] = 1
    else:
        k = np.arange(count + 1)
        logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
        choices = logs[count] - logs - logs[::-1]
        found = np.exp(choices + k * np.log(probability) + (count - k) * np.log1p(-probability))
        found /= found.sum()
    found.flags.writeable = False
    return found


def mean(distribution):
    return float(np.arange(len(distribution)) @ distribution)


def groups_of(size, distribution, least=0):
    """Distribution of max(least, ceil(x / size)): cycles for x values, ``size`` a cycle."""
    cycles = np.maximum(-(-np.arange(len(distribution)) // size), least)
    return np.bincount(cycles, weights=distribution)


def total(parts):
    """Distribution of a sum of independent values: of each (distribution, how often) in ``parts``."""
    length = 1 + sum(count * (len(part) - 1) for part, count in parts)
    padded = 1 << (length - 1).bit_length()     # transforms of a power of two are fast
    spectrum = np.ones(padded // 2 + 1, complex)
    for part, count in parts:
        spectrum = spectrum * np.fft.rfft(part, padded) ** count
    found = np.maximum(np.fft.irfft(spectrum, padded)[:length], 0)
    return found / found.sum()


def longest(parts, least=0):
    """E[max(least, x1, x2, ...)] of independent values: of each (distribution, how many) in ``parts``.

    The sum over k of P(max > k) = 1 - the product of the P(x <= k).
    """
    length = max(len(part) for part, _ in parts)
    below = np.ones(length)
    for part, count in parts:
        reached = np.minimum(np.cumsum(part), 1.0)
        below[:len(part)] *= reached ** count
    return least + float(np.sum(1 - below[least:]))


def longest_sum(parts, steps=200):
    """E[max(x1, x2, ...)] of independent sums, each of so many terms that it is normal.

    ``parts``: (mean, variance, how many such sums). The integral over v of 1 - the product of the P(x <= v),
    from 8 deviations below to 8 above the greatest mean, by the midpoints of ``steps``.
    """
    low, high = (max(mean + side * sqrt(variance) for mean, variance, _ in parts) for side in (-8, 8))
    reached = 0.0
    for step in range(steps):
        value = low + (step + 0.5) * (high - low) / steps
        reached += prod((0.5 + 0.5 * erf((value - mean) / sqrt(2 * variance)) if variance else value >= mean)
                        ** count for mean, variance, count in parts)
    return high - reached * (high - low) / steps


@lru_cache(maxsize=256)
def non_zero_parts(parts, average, zeros):
    """Distribution of the non-zero digits of a value of ``parts`` digits, ``average`` of them not zero.

    A value is 0 with probability ``zeros``; else each of its digits is not 0 with one probability q,
    independently, but not all are 0: a binomial distribution without its 0. q follows from the average.

    Raises ValueError where no q does.
    """
    if not 0 <= zeros <= 1 or not 1 - zeros <= average <= parts * (1 - zeros):
        raise ValueError(f"average of {parts} digits must be between {1 - zeros:g} and "
                         f"{parts * (1 - zeros):g} where {zeros:g} of the values are 0, not {average:g}")
    low, high = 0.0, 1.0
    for _ in range(60):
        q = (low + high) / 2
        found = binomial(parts, q)
        low, high = (q, high) if mean(found) * (1 - zeros) < average * (1 - found[0]) else (low, q)
    found = binomial(parts, low or q).copy()
    found[0] = 0
    found *= (1 - zeros) / found.sum()
    found[0] = zeros
    found.flags.writeable = False
    return found
