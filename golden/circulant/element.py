"""The element unit: what becomes of a row's k numbers behind the inverse transform.

Specification: docs/engines/circulant-machine.md, "Row", with its names.
"""

import numpy as np

from .activation import sigmoid, tanh
from .arithmetic import round_shift, saturate
from .config import ACT_FRACTION, PRE_FRACTION, PRE_WIDTH, RESULT_WIDTH
from .words import Act, Addend, Left, Right

__all__ = ["result", "vector"]


def _activation(row, v, c, t1, bias, peephole, config):
    pre = saturate(round_shift(v, row.pre_shift), PRE_WIDTH) + bias
    if row.add:
        pre = pre + t1
    if row.peephole and config.peepholes:
        pre = pre + round_shift(peephole * c, ACT_FRACTION)
    pre = saturate(pre, PRE_WIDTH)
    if row.act is Act.NONE:
        return pre
    return (sigmoid if row.act is Act.SIGMOID else tanh)(pre, config.segment_bits)


def _right(row, c, t0, t1, config):
    if row.right is Right.TANH_C:
        if not config.cell_tanh:
            return np.zeros_like(c)
        return tanh(saturate(round_shift(c, ACT_FRACTION - PRE_FRACTION), PRE_WIDTH), config.segment_bits)
    return {Right.ONE: np.int64(1 << ACT_FRACTION), Right.T0: t0, Right.T1: t1, Right.C: c}[row.right]


def result(row, v, states, coefficients, config):
    """res, int64 (k,), of a Row and the inverse transform's numbers ``v``.

        pre = sat_16(sat_16(round_pre_shift(v)) + bias + T1 + round_14(peephole * C)),  a = act(pre)
        res = sat_18((0 | C | a) + round_14((a | sat_18(a - C) | sat_18(C - a)) * (1 | T0 | T1 | C | tanh C)))

    ``states`` are C, T0 and T1, ``coefficients`` bias and peephole weight of each element, all (k,).
    """
    c, t0, t1 = states
    a = _activation(row, v, c, t1, *coefficients, config)
    p = {Left.A: a, Left.A_LESS_C: saturate(a - c, RESULT_WIDTH),
         Left.C_LESS_A: saturate(c - a, RESULT_WIDTH)}[row.left]
    addend = {Addend.NONE: np.int64(0), Addend.C: c, Addend.A: a}[row.addend]
    return saturate(addend + round_shift(p * _right(row, c, t0, t1, config), ACT_FRACTION), RESULT_WIDTH)


def vector(row, res, config):
    """vec, int64 (k,), that goes to the spectrum memory or to the output."""
    return saturate(round_shift(res, row.out_shift), config.vector_width)
