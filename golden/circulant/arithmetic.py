"""Integers of the circulant engine: rounding shifts, saturation, wrapping; all on int64."""

import numpy as np

__all__ = ["round_shift", "saturate", "wrap"]


def round_shift(values, shift):
    """(v + 2 ** (shift - 1)) >> shift: v / 2 ** shift rounded, halves upwards; v for a shift of 0."""
    return (values + (1 << shift >> 1)) >> shift


def saturate(values, bits):
    """v limited to ``bits`` bits, two's complement."""
    return np.clip(values, -(1 << bits - 1), (1 << bits - 1) - 1)


def wrap(values, bits):
    """v modulo 2 ** bits, as two's complement of ``bits`` bits."""
    half = 1 << bits - 1
    return (values + half & (1 << bits) - 1) - half
