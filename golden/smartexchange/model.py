"""Bit-exact model of the integer network: plain layers with the integer weights Ce B."""

import numpy as np

from ..common.model import chain, convolve, outputs
from .channels import pixel_order

__all__ = ["accumulate", "forward", "forward_layer"]


def accumulate(layer, x):
    """Sums before the scale, int64 (n, M, y, x) or (n, M), for integers ``x`` (n, C, H, W) or (n, K)."""
    x, weights = np.asarray(x).astype(np.int64), layer.integer_weights()
    if not layer.convolution:
        order = pixel_order(x.shape[1:], layer.taps)
        return np.where(order >= 0, x.reshape(len(x), -1)[:, order], 0) @ weights.T
    if x.shape[1] < layer.channels:
        x = np.pad(x, ((0, 0), (0, layer.channels - x.shape[1]), (0, 0), (0, 0)))
    if getattr(layer, "depthwise", False):
        sums = [convolve(x[:, [m]], weights[[m]], layer.stride, layer.pads) for m in range(layer.filters)]
        return np.concatenate(sums, axis=1)
    return convolve(x, weights, layer.stride, layer.pads)


def forward_layer(layer, x):
    """Outputs of one layer, int64 (n, M, y, x) or (n, M): accumulated, scaled, clamped and max-pooled."""
    return outputs(layer, accumulate(layer, x))


def forward(network, x):
    """Outputs of the network for integer inputs, as `common.model.chain` says."""
    return chain(network, x, accumulate)
