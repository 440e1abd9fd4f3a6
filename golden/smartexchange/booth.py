"""Radix-4 Booth digits: what a bit-serial multiplier of the `rebuild` dataflow takes of an activation."""

import numpy as np

__all__ = ["booth_digits", "digit_count"]


def digit_count(width, signed):
    """Digits of an activation of ``width`` bits, an even number: width / 2, and one more if unsigned."""
    return width // 2 + (not signed)


def booth_digits(x, width, signed):
    """Digits d[k] of integers ``x`` of ``width`` bits, int64 (digits, *shape of x): sum of d[k] * 4**k is x.

    d[k] = x[2k-1] + x[2k] - 2 * x[2k+1], bits of x with x[-1] = 0, extended by its sign or by zeros: -2 .. 2.
    """
    doubled = np.asarray(x, np.int64) << 1     # bit n is x[n-1]
    triples = np.array([doubled >> 2 * k & 7 for k in range(digit_count(width, signed))])
    return (triples & 1) + (triples >> 1 & 1) - 2 * (triples >> 2)
