"""Random SmartExchange networks and the configurations they run on."""

import dataclasses

import numpy as np
from shiftwork.golden.common.check import conv_shape
from shiftwork.golden.smartexchange.channels import padded_channels
from shiftwork.golden.smartexchange.config import PRESETS, SmartExchangeConfig
from shiftwork.golden.smartexchange.layers import ConvLayer, DenseLayer, PointLayer, SmartExchangeNetwork

from .networks import output_range, random_input

__all__ = ["CONFIGS", "conv_layer", "dense_layer", "factors", "numbers", "point_layer", "random_conv",
           "random_dense", "random_input", "random_network"]

DEPTHS = dict(row_depth=4096, item_depth=16384, table_depth=1024, basis_depth=1024, acc_width=32)
SMALL = dict(lanes=8, drain_width=2, scatter_width=4, combine_width=4)

CONFIGS = {name: dataclasses.replace(config, **DEPTHS) for name, config in {
    "tiny": PRESETS["tiny"],
    "default": PRESETS["default"],
    "one cell": SmartExchangeConfig(grid_rows=1, grid_columns=1, **SMALL),
    "one column": SmartExchangeConfig(grid_rows=4, grid_columns=1, **SMALL),
    "one row": SmartExchangeConfig(grid_rows=1, grid_columns=4, **SMALL),
    "four taps": SmartExchangeConfig(grid_rows=2, grid_columns=1, taps=4, **SMALL),
    "arrays": SmartExchangeConfig(grid_rows=2, grid_columns=1, arrays=3, **SMALL),
}.items()}
"""Grids of several columns walk padding, those of one skip it."""


def factors(rng, filters, rows, taps, slices=1):
    """Signs, exponents, bounds and basis, of a random density; a column may be empty, of one level or of all.

    Coefficients that only spread over few levels leave gaps between them.
    """
    density = rng.choice([0.1, 0.4, 1.0])
    shape = filters, rows, taps
    signs = rng.choice([-1, 1], shape).astype(np.int8) * (rng.random(shape) < density)
    signs *= rng.integers(0, 6, (filters, 1, taps)) > 0
    levels = rng.choice([[0, 1, 2, 3, 4, 5, 6, 7], [0, 0, 0, 7, 7, 3, 3, 3], [2, 2, 5, 5, 5, 6, 2, 2]])
    exponents = rng.choice(levels, shape).astype(np.int8)
    slices = min(slices, rows)
    cuts = rng.choice(np.arange(1, rows), slices - 1, replace=False) if slices > 1 else []
    basis = rng.integers(-128, 128, (filters, slices, taps, taps)).astype(np.int8)
    return dict(signs=signs.astype(np.int8), exponents=exponents, basis=basis,
                bounds=(0, *sorted(int(cut) for cut in cuts), rows))


def numbers(rng, filters, rows):
    """Bias, scale and shift that bring sums of ``rows`` rows of coefficients near 8 bits, some saturated."""
    factor = 2.0 ** rng.uniform(-13, -8, filters) / rows ** 0.5
    shift = np.clip(np.floor(np.log2(4095 / factor)).astype(np.int64) - rng.integers(0, 3, filters), 15, 30)
    scale = np.floor(factor * 2.0 ** shift).astype(np.int64)
    return dict(bias=rng.integers(-300_000, 300_000, filters), scale=scale, shift=shift)


def _plain(filters, fields):
    """Numbers of unit scale, outputs of 16 bits, but for ``fields``."""
    defaults = dict(name="layer", bias=np.zeros(filters, int), scale=np.full(filters, 2048),
                    shift=np.full(filters, 15), low=-32768, high=32767, input_signed=False)
    return defaults | fields


def _plus_one(filters, rows, taps, fields):
    """Factors of coefficients 1 and the identity as basis, numbers of unit scale, but for ``fields``."""
    slices = len(fields.get("bounds", (0, rows))) - 1
    basis = np.broadcast_to(np.eye(taps, dtype=np.int8), (filters, slices, taps, taps))
    ones = np.ones((filters, rows, taps), np.int8)
    return _plain(filters, dict(signs=ones, exponents=0 * ones, bounds=(0, rows), basis=basis) | fields)


def conv_layer(filters, channels, kernel=(3, 3), **fields):
    """A convolution whose weights are all 1, but for ``fields``."""
    rows = kernel[0] * (1 if fields.get("depthwise") else channels)
    return ConvLayer(kernel_rows=kernel[0], **_plus_one(filters, rows, kernel[1], fields))


def point_layer(filters, channels, taps=3, **fields):
    """A 1x1 convolution whose weights are all 1, but for ``fields``."""
    return PointLayer(**_plus_one(filters, -(-channels // taps), taps, fields))


def dense_layer(outputs, inputs, taps=3, **fields):
    """A fully connected layer whose weights are all 1, but for ``fields``; ``inputs`` a multiple of taps."""
    return DenseLayer(**_plus_one(outputs, inputs // taps, taps, fields))


def _slides(rng, shape, kernel, pads):
    """Strides and pooling that fit maps of ``shape`` and ``kernel``."""
    stride = tuple(int(v) for v in rng.integers(1, 3, 2))
    padded = shape[1] + pads[0] + pads[2], shape[2] + pads[1] + pads[3]
    maps = [(p - k) // s + 1 for p, k, s in zip(padded, kernel, stride, strict=True)]
    wanted = ([(1, 1), (1, 1)], [(2, 2), (2, 2)], [(3, 3), (2, 2)], [(2, 1), (1, 1)], [(1, 2), (1, 2)])
    pool, pool_stride = wanted[rng.integers(len(wanted))]
    if pool[0] > maps[0] or pool[1] > maps[1]:
        pool, pool_stride = (1, 1), (1, 1)
    return dict(stride=stride, pads=pads, pool=pool, pool_stride=pool_stride)


def random_conv(rng, name, shape, kind, taps, **fields):
    """A layer of ``kind`` ("conv", "depthwise" or "point") that fits maps of ``shape``, at most ``taps``."""
    channels, *size = shape
    filters = channels if kind == "depthwise" else int(rng.integers(1, 6))
    if kind == "point":
        slides = _slides(rng, shape, (1, 1), tuple(int(v) for v in rng.integers(0, 2, 4)))
        if slides["pool"][1] != slides["pool_stride"][1]:
            slides |= dict(pool=(1, 1), pool_stride=(1, 1))
        rows, columns = -(-channels // (taps := int(rng.integers(1, taps + 1)))), taps
        kernel_rows = {}
    else:
        pads = tuple(int(v) for v in rng.choice([0, 0, 1, 1, 1, 2, 3], 4))
        kernel = [min(int(rng.integers(1, 4)), size[0] + pads[0] + pads[2]),
                  min(int(rng.integers(1, taps + 1)), size[1] + pads[1] + pads[3])]
        slides, columns = _slides(rng, shape, kernel, pads), kernel[1]
        rows = kernel[0] * (1 if kind == "depthwise" else channels)
        kernel_rows = dict(kernel_rows=kernel[0], depthwise=kind == "depthwise")
    parts = factors(rng, filters, rows, columns, int(rng.integers(1, 4)))
    return (PointLayer if kind == "point" else ConvLayer)(
        name=name, **parts, **numbers(rng, filters, rows), **slides, **kernel_rows, **fields)


def random_dense(rng, name, shape, taps, **fields):
    """A fully connected layer behind activations of ``shape``, of at most ``taps`` columns."""
    taps, filters = int(rng.integers(1, taps + 1)), int(rng.choice([1, 3, 10]))
    pixels = int(np.prod(shape[1:]))
    rows = pixels * padded_channels(shape[0], pixels, taps) // taps
    return DenseLayer(name=name, **factors(rng, filters, rows, taps, int(rng.integers(1, 4))),
                      **numbers(rng, filters, rows), **fields)


def random_network(rng, kinds, taps=3, bits=8):
    """A network of layers of ``kinds`` ("conv", "depthwise", "point", "dense"), with small random shapes.

    Rows of a basis have at most ``taps`` columns, activations ``bits`` bits.
    """
    signed, layers = bool(rng.integers(2)), []
    shape = tuple(int(v) for v in rng.integers(1, [40] if kinds[0] == "dense" else [5, 10, 10]))
    network_shape = shape
    for n, kind in enumerate(kinds):
        input_signed = signed
        signed, low, high = output_range(rng, n + 1 == len(kinds), bits)
        fields = dict(low=low, high=high, input_signed=input_signed)
        if kind == "dense":
            layer = random_dense(rng, f"dense{n}", shape, taps, **fields)
            shape = (layer.filters,)
        else:
            layer = random_conv(rng, f"{kind}{n}", shape, kind, taps, **fields)
            shape = (layer.filters, *conv_shape(layer, shape)[1])
        layers.append(layer)
    return SmartExchangeNetwork(input_shape=network_shape, input_scale=1.0, output_scale=1.0,
                                layers=tuple(layers), input_bits=bits)
