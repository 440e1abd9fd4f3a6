"""Bit-exact model of the integer network, layer by layer, straight from the formulas of ``layers.py``."""

import numpy as np

from ..common.model import chain, convolve, outputs

__all__ = ["forward", "forward_layer", "accumulate"]


def accumulate(layer, x):
    """Sums before the scale, int64 (n, M, y, x) or (n, M), for integers ``x`` (n, C, H, W) or (n, ...)."""
    x, weights = np.asarray(x).astype(np.int64), layer.weights.astype(np.int64)
    if not layer.convolution:
        return x.reshape(len(x), -1) @ weights.T
    return convolve(x, weights, layer.stride, layer.pads)


def forward_layer(layer, x):
    """Outputs of one layer, int64 (n, M, y, x) or (n, M): accumulated, scaled, clamped and max-pooled."""
    return outputs(layer, accumulate(layer, x))


def forward(network, x):
    """Outputs of the network for integer inputs, as `common.model.chain` says."""
    return chain(network, x, accumulate)
