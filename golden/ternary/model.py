"""Bit-exact model of the integer network, layer by layer, straight from the formulas of ``layers.py``."""

import numpy as np

from ..common.fixed import requantize
from .layers import ConvLayer

__all__ = ["forward", "forward_layer", "accumulate"]


def _windows(x, window, stride):
    """Windows of maps (n, C, H, W) as a view (n, C, y, x, R, S)."""
    view = np.lib.stride_tricks.sliding_window_view(x, window, axis=(2, 3))
    return view[:, :, ::stride[0], ::stride[1]]


def accumulate(layer, x):
    """Sums before the scale, int64 (n, M, y, x) or (n, M), for integers ``x`` (n, C, H, W) or (n, ...)."""
    x, weights = np.asarray(x).astype(np.int64), layer.weights.astype(np.int64)
    if not isinstance(layer, ConvLayer):
        return x.reshape(len(x), -1) @ weights.T
    top, left, bottom, right = layer.pads
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    columns = _windows(padded, weights.shape[2:], layer.stride)
    return np.einsum("ncyxrs,mcrs->nmyx", columns, weights, optimize=True)


def forward_layer(layer, x):
    """Outputs of one layer, int64 (n, M, y, x) or (n, M): accumulated, scaled, clamped and max-pooled."""
    column = (-1, 1, 1) if isinstance(layer, ConvLayer) else (-1,)
    bias, scale, shift = (np.asarray(v).reshape(column) for v in (layer.bias, layer.scale, layer.shift))
    y = requantize(accumulate(layer, x), bias, scale, shift, layer.low, layer.high)
    if isinstance(layer, ConvLayer):
        y = _windows(y, layer.pool, layer.pool_stride).max(axis=(4, 5))
    return y


def forward(network, x):
    """Outputs of the network, int64 (n, M) or (n, M, H, W), for integer inputs (n, C, H, W) or (n, K).

    Raises ValueError for inputs of another shape, not integer, or outside the range of the network's input.
    """
    x = np.asarray(x)
    if x.shape[1:] != tuple(network.input_shape):
        wanted = ", ".join(map(str, network.input_shape))
        raise ValueError(f"Input must have shape (n, {wanted}), not {x.shape}")
    if x.dtype.kind not in "iu":
        raise ValueError(f"Input must be of integers, not {x.dtype}")
    least, most = network.input_range
    if x.size and (x.min() < least or x.max() > most):
        raise ValueError(f"Input must be within {least} .. {most}, not {x.min()} .. {x.max()}")
    for layer in network.layers:
        x = forward_layer(layer, x)
    return x
