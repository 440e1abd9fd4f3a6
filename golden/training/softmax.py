"""The error of softmax cross entropy in integers: a table of powers of two, one reciprocal a sample."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from .arithmetic import bit_length, reciprocal, shift_round
from .config import PRODUCT_FRACTION
from .quantize import Scaled

__all__ = ["ERROR_FRACTION", "LOG2_E", "TABLE_BITS", "Loss", "error_bound", "power_table", "softmax_error"]

LOG2_E = 94548
"""log2(e) * 2 ** 16, rounded."""

TABLE_BITS = 8
"""The table of 2 ** -f has 2 ** TABLE_BITS entries of 16 bits."""

ERROR_FRACTION = 15
"""Bits behind the point of probabilities and errors."""

_EXPONENT_FRACTION = PRODUCT_FRACTION + 16
_UNIT = 16


@cache
def power_table():
    """T[j] = round(2 ** (16 - (j + 1/2) / 256)), j = 0 .. 255: 2 ** -f in the middle of a segment, int64."""
    middle = (np.arange(1 << TABLE_BITS) + 0.5) / (1 << TABLE_BITS)
    return np.rint(2.0 ** (_UNIT - middle)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Loss:
    """``error``: (K, N), Scaled; ``miss``: 1 - the label's probability, summed, on the grid 2 ** -15."""

    error: Scaled
    miss: int


def softmax_error(logits, labels):
    """(softmax(z) - onehot) / B of ``logits`` (Scaled on the grid 2 ** -14, (K, N)), as a Loss.

    B is the least power of two of at least N. For each sample, k over the classes:

        v_k = (max z - z_k) * 94548                      (max z - z) / ln 2 on the grid 2 ** -30
        p_k = T[ 8 bits of v_k behind the point ] >> floor(v_k)
        S = sum p,   (m, L) = reciprocal(S),   q_k = round( p_k m / 2 ** L )       on the grid 2 ** -15
        e_k = q_k - 2 ** 15 [k = label]

    `error_bound` says how far q is from softmax.
    """
    z = logits.integers
    powers = (z.max(axis=0) - z) * LOG2_E
    whole = powers >> _EXPONENT_FRACTION
    index = powers >> _EXPONENT_FRACTION - TABLE_BITS & (1 << TABLE_BITS) - 1
    p = power_table()[index] >> np.minimum(whole, 63)
    mantissa, length = np.array([reciprocal(total) for total in p.sum(axis=0)], np.int64).T
    q = shift_round(p * mantissa, length)
    batch = np.arange(len(labels))
    q[labels, batch] -= 1 << ERROR_FRACTION
    return Loss(Scaled(q, -ERROR_FRACTION - int(bit_length(len(labels) - 1))), -int(q[labels, batch].sum()))


def error_bound(classes):
    """Bound of |q - softmax(z)| for so many classes.

    With p_k = 2 ** 16 exp(z_k - max z) (1 + d_k) - t_k: d_k, at most d, is half a segment, the table's
    rounding and the error of log2(e) over the 17 octaves in which p is not 0; t_k in 0 .. 1 is what the shift
    cuts off (nothing for the greatest). Factors of 1 + d_k change log(q / (1 - q)) by at most log((1 + d) /
    (1 - d)), thus q by a quarter of it. Cut off are at most K - 1 units of a sum of at least T[0]. The
    reciprocal adds 2 ** -16, the rounding 2 ** -16.
    """
    least = int(power_table()[0])
    segment = 2 ** (2.0 ** -TABLE_BITS / 2) - 1
    octaves = 2 ** ((_UNIT + 1) * abs(LOG2_E / math.log2(math.e) / 2 ** 16 - 1)) - 1
    d = (1 + segment) * (1 + 2.0 ** -_UNIT) * (1 + octaves) - 1
    return math.log((1 + d) / (1 - d)) / 4 + (classes - 1) / least + 2.0 ** -15
