"""Whether a network is one that an engine computes exactly: shapes, ranges, widths."""

import numpy as np

from ..common.intervals import dot_interval
from .layers import MAX_SHIFT, MIN_SHIFT, ConvLayer, output_range

__all__ = ["EncodeError", "conv_shape", "check_network"]


class EncodeError(ValueError):
    """A network that does not fit the engine, or is none; one sentence says why."""


def conv_shape(layer, shape):
    """Sizes (height, width) of a convolution's map before and after pooling, for an input (C, H, W).

    size = (H + top + bottom - R) // stride + 1, pooled = (size - window) // pool_stride + 1; widths alike
    """
    def slide(sizes, window, stride):
        return tuple((n - k) // s + 1 for n, k, s in zip(sizes, window, stride, strict=True))

    size = slide(_padded(layer, shape), layer.weights.shape[2:], layer.stride)
    return size, slide(size, layer.pool, layer.pool_stride)


def _padded(layer, shape):
    top, left, bottom, right = layer.pads
    return shape[1] + top + bottom, shape[2] + left + right


def _require(condition, message):
    if not condition:
        raise EncodeError(message)


def _check_numbers(layer, config):
    where, weights = f"of layer '{layer.name}'", np.asarray(layer.weights)
    wanted = 4 if isinstance(layer, ConvLayer) else 2
    _require(weights.ndim == wanted and weights.size,
             f"Weights {where} must have {wanted} dimensions, none of them 0, not shape {weights.shape}")
    other = weights[~np.isin(weights, (-1, 0, 1))]
    _require(not other.size, f"Weights {where} must be -1, 0 or 1, not {other[:1].tolist()}")
    half = 1 << config.acc_width - 1
    for name, least, most in (("bias", -half, half - 1), ("scale", 0, 2 ** config.scale_width - 1),
                              ("shift", MIN_SHIFT, MAX_SHIFT)):
        values, what = np.asarray(getattr(layer, name)), f"{name.capitalize()} {where}"
        _require(values.shape == weights.shape[:1] and values.dtype.kind in "iu",
                 f"{what} must be {len(weights)} integers, not {values.dtype} of shape {values.shape}")
        wrong = values[(values < least) | (values > most)]
        _require(not wrong.size, f"{what} must be within {least} .. {most}, not {wrong[:1].tolist()}")
    least, most = output_range(True, 16)
    _require(least <= layer.low <= layer.high <= most,
             f"Outputs {where} must be within {least} .. {most}, low at most high, "
             f"not {layer.low} .. {layer.high}")


def _check_geometry(layer, shape):
    where = f"of layer '{layer.name}'"
    for name, least in (("stride", 1), ("pads", 0), ("pool", 1), ("pool_stride", 1)):
        values, count = tuple(getattr(layer, name)), 4 if name == "pads" else 2
        _require(len(values) == count and min(values) >= least,
                 f"{name.capitalize()} {where} must be {count} numbers of at least {least}, not {values}")
    channels, kernel = layer.weights.shape[1], layer.weights.shape[2:]
    _require(channels == shape[0], f"Input channels {where} must be {shape[0]}, not {channels}")
    padded = _padded(layer, shape)
    _require(kernel[0] <= padded[0] and kernel[1] <= padded[1],
             f"Kernel {where} must fit into its padded map of {padded[0]} x {padded[1]}, "
             f"not be {kernel[0]} x {kernel[1]}")
    size, pooled = conv_shape(layer, shape)
    _require(min(pooled) >= 1, f"Pool window {where} must fit into its map of {size[0]} x {size[1]}, "
                               f"not be {layer.pool[0]} x {layer.pool[1]}")
    return (len(layer.weights), *pooled)


def _check_accumulator(layer, low, high, config):
    # The interval holds every subset of the terms: any order of adding, and zeros of padding.
    half = 1 << config.acc_width - 1
    least, most = dot_interval(layer.weights, low, high)
    least, most = int(least.min()), int(most.max())
    _require(-half <= least and most < half,
             f"Accumulator of layer '{layer.name}' must stay within {-half} .. {half - 1}, "
             f"{config.acc_width} bits, not {least} .. {most}")


def check_network(network, config):
    """Shapes behind every layer, a list of (C, H, W) or (M,).

    Raises EncodeError, a sentence that names the layer, where ``network`` is malformed or does not fit the
    widths and modes of ``config``.
    """
    _require(network.layers, "Network must have at least one layer, not 0")
    shape, before, shapes = tuple(network.input_shape), None, []
    conv = isinstance(network.layers[0], ConvLayer)
    _require(len(shape) == (3 if conv else 1) and min(shape) >= 1,
             f"Input shape of the network must be {'(C, H, W)' if conv else '(K,)'}, not {shape}")
    _require(1 <= network.input_bits <= config.activation_width,
             f"Input of the network must have 1 .. {config.activation_width} bits, as the engine's "
             f"activation_width says, not {network.input_bits}")
    for layer in network.layers:
        conv = isinstance(layer, ConvLayer)
        _require(config.convolution if conv else config.transposed,
                 f"Engine must have the {'convolution' if conv else 'transposed'} mode for layer "
                 f"'{layer.name}', not only the other")
        _check_numbers(layer, config)
        least, most = network.input_range
        if before is not None:
            least, most = output_range(layer.input_signed, config.activation_width)
            _require(not conv or isinstance(before, ConvLayer),
                     f"Convolution '{layer.name}' must stand before the fully connected layers, "
                     f"not after '{before.name}'")
            _require(least <= before.low and before.high <= most,
                     f"Outputs of layer '{before.name}' must be within {least} .. {most}, as layer "
                     f"'{layer.name}' reads them, not {before.low} .. {before.high}")
            least, most = before.low, before.high
        if conv:
            shape = _check_geometry(layer, shape)
        else:
            size = int(np.prod(shape))
            _require(layer.weights.shape[1] == size,
                     f"Inputs of layer '{layer.name}' must be {size}, not {layer.weights.shape[1]}")
            shape = (len(layer.weights),)
        _check_accumulator(layer, least, most, config)
        before = layer
        shapes.append(shape)
    return shapes
