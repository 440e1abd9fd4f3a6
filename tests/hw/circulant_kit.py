"""The circulant engine's arithmetic in plain Python, as docs/engines/circulant-machine.md writes it."""

import math
from functools import cache

__all__ = ["activate", "element", "limited", "rounded"]


def limited(value, bits):
    """sat_bits(value)."""
    return max(-1 << bits - 1, min((1 << bits - 1) - 1, value))


def rounded(value, shift):
    """round_shift(value)."""
    return value if shift == 0 else value + (1 << shift - 1) >> shift


@cache
def _base(n, s):
    w = 2.0 ** -s
    value = 1 / (1 + math.exp(-w * n))
    second = value * (1 - value) * (1 - 2 * value)
    return 2 ** 13 if n == 0 else math.floor(2 ** 14 * (value - w * w / 16 * second) + 0.5)


def _positive(u, s):
    m = 12 - s
    low, high = _base(u >> m, s), _base((u >> m) + 1, s)
    return low + ((high - low) * (u % 2 ** m) + 2 ** (m - 1) >> m)


def activate(x, act, segment_bits):
    """x, sigmoid(x) or tanh(x) for ``act`` 0, 1, 2."""
    if act == 0:
        return x
    if act == 1:
        found = _positive(min(abs(x), 2 ** 15 - 1), segment_bits)
        return 2 ** 14 - found if x < 0 else found
    found = 2 * _positive(min(2 * abs(x), 2 ** 15 - 1), segment_bits) - 2 ** 14
    return -found if x < 0 else found


def element(config, row, v, c, t0, t1, bias, peephole, first_step):
    """(res, sat_16(res), vec) of one element; ``row``: fields of its word."""
    if row["old"] and first_step:
        c = 0
    pre = limited(rounded(v, row["pre_shift"]), 16)
    pre += bias + (t1 if row["add"] else 0)
    if row["peephole"] and config.peepholes:
        pre += rounded(peephole * c, 14)
    a = activate(limited(pre, 16), row["act"], config.segment_bits)
    p = [a, limited(a - c, 18), limited(c - a, 18)][row["left"]]
    tanh_c = activate(limited(rounded(c, 2), 16), 2, config.segment_bits) if config.cell_tanh else 0
    q = [2 ** 14, t0, t1, c, tanh_c][row["right"]]
    res = limited([0, c, a][row["addend"]] + rounded(p * q, 14), 18)
    return res, limited(res, 16), limited(rounded(res, row["out_shift"]), config.vector_width)
