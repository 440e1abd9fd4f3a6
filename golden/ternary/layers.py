"""The integer network: what compression yields, what the program encodes, what the model computes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..common.activations import input_range, output_range
from ..common.integer_network import IntegerNetwork

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
class TernaryNetwork(IntegerNetwork):
    """An IntegerNetwork of ternary layers."""

    layers: tuple[ConvLayer | DenseLayer, ...]
