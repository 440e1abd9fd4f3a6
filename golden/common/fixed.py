"""Fixed point: the one rounding rule of the project."""

import numpy as np

__all__ = ["requantize", "normalize_scale"]


def requantize(acc, bias, scale, shift, low, high):
    """``clamp(((acc + bias) * scale + 2 ** (shift - 1)) >> shift, low, high)``, in int64.

    Rounds to the nearest integer, halves upward (towards plus infinity); ``>>`` is the arithmetic shift, so

        -1/2 < requantize(...) - (acc + bias) * scale / 2 ** shift <= 1/2      (before the clamp)

    Arguments are integers or integer arrays that broadcast; the result is int64 of the broadcast shape. With
    ``acc`` and ``bias`` of A bits (two's complement), ``scale`` of S bits (unsigned) and shift <= F the value
    before the shift needs max(A + 1 + S, F) + 1 bits: 50 for the widest engine (A = 32, S = 16, F = 23), so
    int64 never wraps.

    Raises ValueError for a shift outside 1..31, a negative scale, or low > high; TypeError for non-integers.
    """
    arrays = []
    for name, value in (("acc", acc), ("bias", bias), ("scale", scale), ("shift", shift)):
        value = np.asarray(value)
        if value.dtype.kind not in "iu":
            raise TypeError(f"{name} must be integer, not {value.dtype}")
        arrays.append(value.astype(np.int64))
    acc, bias, scale, shift = arrays
    if np.any((shift < 1) | (shift > 31)):
        raise ValueError(f"shift must be between 1 and 31, not {shift.tolist()}")
    if np.any(scale < 0):
        raise ValueError(f"scale must not be negative, not {scale.tolist()}")
    if low > high:
        raise ValueError(f"low must be at most high {high}, not {low}")
    value = ((acc + bias) * scale + (np.int64(1) << (shift - 1))) >> shift
    return np.clip(value, low, high)


def normalize_scale(factor, width, min_shift, max_shift):
    """Mantissa and shift with mantissa / 2 ** shift nearest to ``factor`` (a float, at least 0).

    The shift is the greatest one in min_shift..max_shift whose rounded mantissa fits ``width`` bits, so that

        |mantissa / 2 ** shift - factor| <= 2 ** (-shift - 1)

    which is a relative error of at most 2 ** -width, unless the shift stopped at max_shift (a small factor
    then rounds to fewer bits, and to 0 below 2 ** (-max_shift - 1)). Raises ValueError where the factor needs
    a shift below min_shift.
    """
    for shift in range(max_shift, min_shift - 1, -1):
        mantissa = int(np.floor(factor * 2.0 ** shift + 0.5))
        if 0 <= mantissa < 2 ** width:
            return mantissa, shift
    raise ValueError(f"scale must be between 0 and {(2 ** width - 1) / 2 ** min_shift:g}, not {factor:g}")
