"""A chain of integer layers: what compression yields, what the program encodes, what the model computes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .activations import input_range

__all__ = ["IntegerLayer", "IntegerNetwork", "MapLayer"]


@dataclass(frozen=True, kw_only=True)
class IntegerLayer:
    """Numbers of a layer of M filters; an engine adds the weights.

    out = requantize(acc, bias[m], scale[m], shift[m], low, high), acc the filter's plain sums;
    requantize(a) = clamp(((a + bias) * scale + 2 ** (shift - 1)) >> shift, low, high)   (round half up)
    """

    convolution: ClassVar[bool] = False

    name: str
    bias: np.ndarray       #: int64 (M,), in units of acc
    scale: np.ndarray      #: int64 (M,), 0 .. 2 ** scale_width - 1
    shift: np.ndarray      #: int64 (M,), of 16 values, the engine's MIN_SHIFT and the next ones
    low: int               #: least output, at least -32768
    high: int              #: greatest output, at most 32767
    input_signed: bool     #: whether inputs are two's complement


@dataclass(frozen=True, kw_only=True)
class MapLayer(IntegerLayer):
    """A convolution of maps, with max pooling of its outputs."""

    convolution: ClassVar[bool] = True

    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)   #: top, left, bottom, right
    pool: tuple[int, int] = (1, 1)         #: window of max pooling, (1, 1) for none
    pool_stride: tuple[int, int] = (1, 1)


@dataclass(frozen=True, kw_only=True)
class IntegerNetwork:
    """Convolutions first, fully connected layers after them; at least one layer.

    ``input_shape`` is (C, H, W), or (K,) where the first layer is fully connected. Inputs are integers of
    ``input_bits`` bits; a float input x enters as clip(round_half_even(x / input_scale)) in their range. An
    output integer y stands for y * output_scale. What a layer yields, its ``low`` .. ``high``, must be within
    what the next one reads, activations of A = ``activation_width`` bits of the engine's config: -128 .. 127
    or 0 .. 255 for A = 8, -32768 .. 32767 or 0 .. 32767 for A = 16. The last layer may use 16 bits in any
    case.

    The engine's encoder checks all this; its ``model.forward`` checks the inputs alone.
    """

    input_shape: tuple[int, ...]
    input_scale: float
    output_scale: float
    layers: tuple
    input_bits: int = 8    #: of an activation of the network's input, 1 .. A

    @property
    def input_range(self):
        """Least and greatest integer of the network's input."""
        return input_range(self.layers[0].input_signed, self.input_bits)
