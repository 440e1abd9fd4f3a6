"""Plain integer layers, maps (n, C, H, W): what engines' models have in common."""

import numpy as np

from .fixed import requantize

__all__ = ["chain", "convolve", "outputs"]


def _windows(x, window, stride):
    """Windows of maps (n, C, H, W) as a view (n, C, y, x, R, S)."""
    view = np.lib.stride_tricks.sliding_window_view(x, window, axis=(2, 3))
    return view[:, :, ::stride[0], ::stride[1]]


def convolve(x, weights, stride, pads):
    """Sums of int64 maps (n, C, H, W) with ``weights`` (M, C, R, S), int64 (n, M, y, x)."""
    top, left, bottom, right = pads
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    columns = _windows(padded, weights.shape[2:], stride)
    return np.einsum("ncyxrs,mcrs->nmyx", columns, weights, optimize=True)


def outputs(layer, acc):
    """Outputs of ``layer`` for its sums, (n, M, y, x) or (n, M): scaled, clamped and max-pooled."""
    column = (-1, 1, 1) if layer.convolution else (-1,)
    bias, scale, shift = (np.asarray(v).reshape(column) for v in (layer.bias, layer.scale, layer.shift))
    y = requantize(acc, bias, scale, shift, layer.low, layer.high)
    return _windows(y, layer.pool, layer.pool_stride).max(axis=(4, 5)) if layer.convolution else y


def chain(network, x, accumulate):
    """Outputs of the network, int64 (n, M) or (n, M, H, W), for integer inputs (n, C, H, W) or (n, K).

    ``accumulate(layer, x)`` are a layer's sums. Raises ValueError for inputs of another shape, not integer,
    or outside the range of the network's input.
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
        x = outputs(layer, accumulate(layer, x))
    return x
