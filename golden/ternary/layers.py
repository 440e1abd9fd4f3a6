"""The integer network: what compression yields, what the program encodes, what the model computes."""

from dataclasses import dataclass

import numpy as np

__all__ = ["ConvLayer", "DenseLayer", "TernaryNetwork", "MIN_SHIFT", "MAX_SHIFT"]

MIN_SHIFT = 8
MAX_SHIFT = 23


@dataclass(frozen=True, kw_only=True)
class ConvLayer:
    """A ternary convolution, scaled, clamped and max-pooled.

    acc[m, y, x] = sum_{c, r, s} weights[m, c, r, s] * x[c, y * stride_y + r - top, x * stride_x + s - left]
    out[m, y, x] = max over the pool window of requantize(acc, bias[m], scale[m], shift[m], low, high)

    requantize(a) = clamp(((a + bias) * scale + 2 ** (shift - 1)) >> shift, low, high)   (round half up)
    """

    name: str
    weights: np.ndarray                    #: int8 (M, C, R, S), each -1, 0 or 1
    bias: np.ndarray                       #: int64 (M,), in units of the accumulator
    scale: np.ndarray                      #: int64 (M,), 0 .. 2 ** scale_width - 1
    shift: np.ndarray                      #: int64 (M,), MIN_SHIFT .. MAX_SHIFT
    low: int                               #: least output, at least -32768
    high: int                              #: greatest output, at most 32767
    input_signed: bool                     #: whether inputs are -128..127 instead of 0..255
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)   #: top, left, bottom, right
    pool: tuple[int, int] = (1, 1)         #: window of max pooling, (1, 1) for none
    pool_stride: tuple[int, int] = (1, 1)


@dataclass(frozen=True, kw_only=True)
class DenseLayer:
    """A ternary fully connected layer: out = requantize(weights @ x, bias, scale, shift, low, high).

    After a convolution, ``x`` is its output flattened in (channel, row, column) order.
    """

    name: str
    weights: np.ndarray                    #: int8 (M, K), each -1, 0 or 1
    bias: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    low: int
    high: int
    input_signed: bool


@dataclass(frozen=True, kw_only=True)
class TernaryNetwork:
    """Convolutions first, fully connected layers after them; at least one layer.

    ``input_shape`` is (C, H, W), or (K,) where the first layer is fully connected. A float input x enters as
    clip(round_half_even(x / input_scale)) in the first layer's range; an output integer y stands for
    y * output_scale. Layers but the last have an output range within -128..127 or 0..255; the last may use 16 bits.
    """

    input_shape: tuple[int, ...]
    input_scale: float
    output_scale: float
    layers: tuple[ConvLayer | DenseLayer, ...]
