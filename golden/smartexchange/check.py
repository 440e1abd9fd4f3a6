"""Whether a network is one that an engine computes exactly: factors, ranges, widths."""

import numpy as np

from ..common.check import EncodeError, NetworkCheck, require
from ..common.intervals import dot_interval
from .channels import padded_channels
from .layers import MAX_EXPONENT, ConvLayer, FactoredLayer, PointLayer

__all__ = ["EncodeError", "check_lists", "check_network"]


class _Check(NetworkCheck):
    def check_weights(self, layer):
        require(isinstance(layer, FactoredLayer),
                f"Layer '{layer.name}' must be one of the SmartExchange engine, ConvLayer, PointLayer or "
                f"DenseLayer, not a {type(layer).__name__} of {type(layer).__module__.split('.')[-2]}")
        where = f"of layer '{layer.name}'"
        signs = np.asarray(layer.signs)
        require(signs.ndim == 3 and signs.size,
                f"Signs {where} must have 3 dimensions, none of them 0, not shape {signs.shape}")
        filters, rows, taps = signs.shape
        require(taps <= self.config.taps,
                f"Columns of a row {where} must be at most {self.config.taps}, the engine's taps, not {taps}")
        bounds = tuple(layer.bounds)
        require(len(bounds) >= 2 and (bounds[0], bounds[-1]) == (0, rows)
                and all(a < b for a, b in zip(bounds, bounds[1:], strict=False)),
                f"Bounds of slices {where} must grow from 0 to its {rows} rows, not be {bounds}")
        for name, shape, least, most in (
                ("signs", signs.shape, -1, 1), ("exponents", signs.shape, 0, MAX_EXPONENT),
                ("basis", (filters, len(bounds) - 1, taps, taps), -128, 127)):
            values, what = np.asarray(getattr(layer, name)), f"{name.capitalize()} {where}"
            require(values.shape == shape and values.dtype.kind in "iu",
                    f"{what} must be integers of shape {shape}, not {values.dtype} of shape {values.shape}")
            wrong = values[(values < least) | (values > most)]
            require(not wrong.size, f"{what} must be within {least} .. {most}, not {wrong[:1].tolist()}")
        if isinstance(layer, ConvLayer):
            height = layer.kernel_rows
            require(height >= 1 and rows % height == 0,
                    f"Rows of a filter {where} must be a multiple of its {height} kernel rows, not {rows}")
            require(not layer.depthwise or rows == height,
                    f"Rows of a filter {where} must be its {height} kernel rows, as it is depthwise, "
                    f"not {rows}")

    def input_size(self, layer, shape):
        if isinstance(layer, ConvLayer):
            return shape[0]
        pixels = 1 if isinstance(layer, PointLayer) else int(np.prod(shape[1:]))
        return pixels * padded_channels(shape[0], pixels, layer.taps)

    def check_width(self, layer, shape, low, high):
        # The interval holds every subset of the terms, zeros of padding and columns not walked among them.
        weights = layer.integer_weights()
        if not isinstance(layer, ConvLayer):    # channels of zeros
            pixels = 1 if layer.convolution else int(np.prod(shape[1:]))
            weights = weights.reshape(layer.filters, pixels, -1)[..., :shape[0]]
        least, most = dot_interval(weights, low, high)
        for what, add in (("Sum", 0), ("Sum and bias", np.asarray(layer.bias, np.int64))):
            _check_range(f"{what} of layer '{layer.name}'", int((least + add).min()), int((most + add).max()),
                         self.config.sum_width)


def _check_range(what, least, most, width):
    half = 1 << width - 1
    require(-half <= least and most < half,
            f"{what} must stay within {-half} .. {half - 1}, {width} bits, not {least} .. {most}")


def check_lists(name, lists, low, high, config):
    """Whether all dot products of ``lists`` (ItemLists) of layer ``name``, inputs low .. high, fit.

    Raises EncodeError.
    """
    terms = [[value >> one.lift for value in one.coefficients().values()] for one in lists]
    plus = [sum(value for value in each if value > 0) for each in terms]
    minus = [sum(value for value in each if value < 0) for each in terms]
    least, most = min(0, low), max(0, high)
    _check_range(f"Accumulator of layer '{name}'",
                 min(p * least + m * most for p, m in zip(plus, minus, strict=True)),
                 max(p * most + m * least for p, m in zip(plus, minus, strict=True)), config.acc_width)


def check_network(network, config):
    """Shapes behind every layer, a list of (C, H, W) or (M,).

    Raises EncodeError, a sentence that names the layer, where ``network`` is malformed or does not fit the
    widths of ``config``. Accumulators are the business of `check_lists`.
    """
    return _Check(network, config).shapes()
