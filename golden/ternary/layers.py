"""The integer network: what compression yields, what the program encodes, what the model computes."""

from dataclasses import dataclass

import numpy as np

from ..common.activations import input_range, output_range
from ..common.integer_network import IntegerLayer, IntegerNetwork, MapLayer

__all__ = ["ConvLayer", "DenseLayer", "TernaryNetwork", "input_range", "output_range", "MIN_SHIFT",
           "MAX_SHIFT"]

MIN_SHIFT = 8
MAX_SHIFT = 23


@dataclass(frozen=True, kw_only=True)
class _TernaryLayer(IntegerLayer):
    weights: np.ndarray                    #: int8, each -1, 0 or 1

    @property
    def filters(self):
        """M."""
        return len(self.weights)


@dataclass(frozen=True, kw_only=True)
class ConvLayer(_TernaryLayer, MapLayer):
    """A ternary convolution, scaled, clamped and max-pooled; weights are (M, C, R, S).

    acc[m, y, x] = sum_{c, r, s} weights[m, c, r, s] * x[c, y * stride_y + r - top, x * stride_x + s - left]
    out[m, y, x] = max over the pool window of requantize(acc, bias[m], scale[m], shift[m], low, high)
    """

    @property
    def channels(self):
        """C."""
        return self.weights.shape[1]

    @property
    def kernel(self):
        """R, S."""
        return self.weights.shape[2:]


@dataclass(frozen=True, kw_only=True)
class DenseLayer(_TernaryLayer):
    """A ternary fully connected layer: out = requantize(weights @ x, bias, scale, shift, low, high).

    Weights are (M, K). After a convolution, ``x`` is its output flattened in (channel, row, column) order.
    """

    @property
    def inputs(self):
        """K."""
        return self.weights.shape[1]


@dataclass(frozen=True, kw_only=True)
class TernaryNetwork(IntegerNetwork):
    """An IntegerNetwork of ternary layers."""

    layers: tuple[ConvLayer | DenseLayer, ...]
