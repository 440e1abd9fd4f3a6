"""Channels that a layer reads, and their order: those of its input, and zeros up to a multiple of S."""

from math import gcd

import numpy as np

__all__ = ["in_order", "input_order", "out_of_order", "padded_channels", "pixel_order"]


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


def input_order(network, node, taps):
    """Order of inputs in which the weights of ``node``, a Gemm behind a map, are to be factored; else None.

    int (K,): `pixel_order` of the map, in rows of ``taps`` columns. See `in_order`.
    """
    before = {other.outputs[0]: other for other in network.nodes}.get(node.inputs[0])
    if node.op_type != "Gemm" or before is None or before.op_type != "Flatten":
        return None
    shape = network.shapes[before.sources[0]]
    # Flattened right from the input there is no map in the engine: the vector is its input.
    if before.sources[0] == network.input_name or len(shape) == 1 or shape[1:] == (1, 1):
        return None
    return pixel_order(shape, taps)


def in_order(weights, order):
    """Weights (filters, inputs) with inputs in ``order``, zeros where it is -1; None: as they stand."""
    return weights if order is None else np.where(order >= 0, weights[:, order], 0)


def out_of_order(weights, order):
    """The inverse of `in_order`; what stands where it is -1 is dropped."""
    if order is None:
        return weights
    stored = np.empty((len(weights), np.count_nonzero(order >= 0)), weights.dtype)
    stored[:, order[order >= 0]] = weights[:, order >= 0]
    return stored
