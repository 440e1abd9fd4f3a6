"""Channels that a layer reads: those of its input, and zeros up to a multiple of S."""

from math import gcd

import numpy as np

__all__ = ["padded_channels", "pixel_order"]


def padded_channels(channels, pixels, taps):
    """Least number of at least ``channels`` of which ``pixels`` of them are a multiple of ``taps``."""
    unit = taps // gcd(pixels, taps)
    return -(-channels // unit) * unit


def pixel_order(shape, taps):
    """Inputs of a fully connected layer of ``taps`` columns behind activations of ``shape``.

    int (K,): for each input that the layer reads its number in the flattened activations, or -1 for a zero.
    Behind (C, H, W) channels are innermost, and padded: number (h*W + w)*C' + c is (c*H + h)*W + w; behind
    (K,) the order stays.
    """
    channels, *pixels = shape
    pixels = int(np.prod(pixels))
    order = np.full((pixels, padded_channels(channels, pixels, taps)), -1)
    order[:, :channels] = np.arange(channels * pixels).reshape(channels, pixels).T
    return order.reshape(-1)
