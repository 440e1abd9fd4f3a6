"""Value intervals: accumulator widths proved, not guessed."""

import numpy as np

__all__ = ["dot_interval", "signed_width"]


def dot_interval(weights, low, high):
    """Interval that holds every partial sum, in any order, of each filter's dot product.

    For inputs x_i in low..high and a subset T of the terms, sum over T of w_i * x_i lies in

        [ sum_i min(0, w_i * low, w_i * high),  sum_i max(0, w_i * low, w_i * high) ]

    and both ends are reached (by the subset of the negative, of the positive terms). ``weights`` is an
    integer array (M, ...); returns two int64 arrays (M,). For ternary weights with p ones and n minus ones
    and x in 0..255 this is [-255 * n, 255 * p].
    """
    if low > high:
        raise ValueError(f"low must be at most high {high}, not {low}")
    terms = np.asarray(weights).astype(np.int64).reshape(len(weights), -1)
    at_low, at_high = terms * int(low), terms * int(high)
    least = np.minimum(0, np.minimum(at_low, at_high)).sum(axis=1)
    most = np.maximum(0, np.maximum(at_low, at_high)).sum(axis=1)
    return least, most


def signed_width(low, high):
    """Bits of the narrowest two's complement number that holds all of low..high; at least 1."""
    low, high = int(np.min(low)), int(np.max(high))
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1
