"""The integer network: what compression yields, what the program encodes, what the model computes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..common.activations import input_range, output_range

__all__ = ["ConvLayer", "DenseLayer", "TernaryNetwork", "input_range", "output_range", "MIN_SHIFT",
           "MAX_SHIFT"]

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
    input_signed: bool                     #: whether inputs are two's complement
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)   #: top, left, bottom, right
    pool: tuple[int, int] = (1, 1)         #: window of max pooling, (1, 1) for none
    pool_stride: tuple[int, int] = (1, 1)

    convolution: ClassVar[bool] = True

    @property
    def filters(self):
        """M."""
        return len(self.weights)

    @property
    def channels(self):
        """C."""
        return self.weights.shape[1]

    @property
    def kernel(self):
        """R, S."""
        return self.weights.shape[2:]


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

    convolution: ClassVar[bool] = False

    @property
    def filters(self):
        """M."""
        return len(self.weights)

    @property
    def inputs(self):
        """K."""
        return self.weights.shape[1]


@dataclass(frozen=True, kw_only=True)
class TernaryNetwork:
    """Convolutions first, fully connected layers after them; at least one layer.

    ``input_shape`` is (C, H, W), or (K,) where the first layer is fully connected. Inputs are integers of
    ``input_bits`` bits; a float input x enters as clip(round_half_even(x / input_scale)) in their range. An
    output integer y stands for y * output_scale. What a layer yields, its ``low`` .. ``high``, must be within
    what the next one reads, activations of A = ``TernaryConfig.activation_width`` bits: -128 .. 127 or
    0 .. 255 for A = 8, -32768 .. 32767 or 0 .. 32767 for A = 16. The last layer may use 16 bits in any case.

    The encoder (`check.check_network`) checks all this; `model.forward` checks the inputs alone.
    """

    input_shape: tuple[int, ...]
    input_scale: float
    output_scale: float
    layers: tuple[ConvLayer | DenseLayer, ...]
    input_bits: int = 8    #: of an activation of the network's input, 1 .. A

    @property
    def input_range(self):
        """Least and greatest integer of the network's input."""
        return input_range(self.layers[0].input_signed, self.input_bits)
