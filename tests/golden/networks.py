"""Random ternary networks and the configurations they run on."""

import dataclasses

import numpy as np
from shiftwork.golden.ternary import layers as formats
from shiftwork.golden.ternary.config import PRESETS, TernaryConfig
from shiftwork.golden.ternary.layers import ConvLayer, DenseLayer, TernaryNetwork

DEPTHS = dict(row_depth=4096, weight_depth=8192, table_depth=1024, vector_depth=4096)

CONFIGS = {name: dataclasses.replace(config, **DEPTHS) for name, config in {
    "tiny": PRESETS["tiny"],
    "default": PRESETS["default"],
    "icebreaker": PRESETS["icebreaker"],
    "batch1": TernaryConfig(lanes=16, grid_rows=4, grid_columns=4, drain_width=2, scatter_width=4),
    "grid1x4": TernaryConfig(lanes=16, grid_rows=1, grid_columns=4, drain_width=1, scatter_width=4),
    "grid8x8": TernaryConfig(lanes=64, grid_rows=8, grid_columns=8, drain_width=8, scatter_width=32),
}.items()}

# Without the transposed mode a group may be wider than an image's lanes.
CONV_ONLY = dataclasses.replace(CONFIGS["tiny"], grid_rows=1, grid_columns=1, transposed=False)


def scales(rng, outputs, terms):
    """Bias, scale and shift that bring sums of ``terms`` activations near 8 bits, saturation included."""
    factor = rng.uniform(0.05, 2, outputs) / terms ** 0.5
    shift = np.clip(np.floor(np.log2(4095 / factor)).astype(np.int64) - rng.integers(0, 3, outputs), 8, 23)
    scale = np.floor(factor * 2.0 ** shift).astype(np.int64)
    return dict(bias=rng.integers(-300, 300, outputs), scale=scale, shift=shift)


def ternary(rng, shape):
    """Weights of a random density; a filter may be all zero, all plus or all minus."""
    density = rng.choice([0.1, 0.5, 1.0])
    weights = rng.choice([-1, 1], shape).astype(np.int8) * (rng.random(shape) < density)
    special = rng.integers(0, 8, shape[0])
    for value, wanted in ((0, 0), (1, 1), (-1, 2)):
        weights[special == wanted] = value
    return weights.astype(np.int8)


def conv_layer(weights, **fields):
    """A convolution of unit scale whose outputs are 16 bits, but for ``fields``."""
    filters = len(weights)
    defaults = dict(name="conv", bias=np.zeros(filters, np.int64), scale=np.full(filters, 256),
                    shift=np.full(filters, 8), low=-32768, high=32767, input_signed=False)
    return ConvLayer(weights=np.asarray(weights, np.int8), **(defaults | fields))


def output_range(rng, last, bits=8):
    """Whether outputs are signed, and their least and greatest value."""
    signed = bool(rng.integers(2))
    if last:
        return signed, *((-32768, 32767) if signed else (0, 1000))
    return signed, *formats.output_range(signed, bits)


def random_conv(rng, name, shape, input_signed, last, pads=True, bits=8):
    """A convolution that fits maps (C, H, W), and its output shape and signedness."""
    channels, *size = shape
    filters = int(rng.integers(1, 6))
    edges = tuple(int(v) for v in rng.integers(0, 3, 4)) if pads else (0, 0, 0, 0)
    padded = size[0] + edges[0] + edges[2], size[1] + edges[1] + edges[3]
    kernel = [int(rng.integers(1, min(4, n) + 1)) for n in padded]
    stride = tuple(int(v) for v in rng.integers(1, 3, 2))
    maps = [(p - k) // s + 1 for p, k, s in zip(padded, kernel, stride, strict=True)]
    pool = tuple(int(rng.integers(1, min(3, n) + 1)) for n in maps)
    pool_stride = tuple(int(v) for v in rng.integers(1, 3, 2))
    weights = ternary(rng, (filters, channels, *kernel))
    signed, low, high = output_range(rng, last, bits)
    layer = ConvLayer(
        name=name, weights=weights, low=low, high=high, input_signed=input_signed, stride=stride, pads=edges,
        pool=pool, pool_stride=pool_stride, **scales(rng, filters, weights[0].size))
    out = tuple((n - k) // s + 1 for n, k, s in zip(maps, pool, pool_stride, strict=True))
    return layer, (filters, *out), signed


def random_network(rng, convolutions, dense, bits=8):
    """A network of so many layers of each kind, with small random shapes and activations of ``bits`` bits."""
    signed, layers = bool(rng.integers(2)), []
    shape = tuple(int(v) for v in (rng.integers(1, [4, 11, 11]) if convolutions else rng.integers(1, [60])))
    network_shape, count = shape, convolutions + dense
    for n in range(convolutions):
        layer, shape, signed = random_conv(rng, f"conv{n}", shape, signed, n + 1 == count, bits=bits)
        layers.append(layer)
    for n in range(dense):
        outputs = int(rng.choice([1, 3, 10, 33]))
        weights = ternary(rng, (outputs, int(np.prod(shape))))
        input_signed = signed
        signed, low, high = output_range(rng, convolutions + n + 1 == count, bits)
        layers.append(DenseLayer(
            name=f"dense{n}", weights=weights, low=low, high=high, input_signed=input_signed,
            **scales(rng, outputs, weights.shape[1])))
        shape = (outputs,)
    return TernaryNetwork(input_shape=network_shape, input_scale=1.0, output_scale=1.0, layers=tuple(layers),
                          input_bits=bits)


def random_input(rng, network, images):
    """Integers over the whole range, with many zeros and both extremes."""
    low, high = network.input_range
    x = rng.integers(low, high + 1, (images, *network.input_shape))
    x = np.where(rng.random(x.shape) < 0.3, 0, x)
    return np.where(rng.random(x.shape) < 0.2, rng.choice([low, high], x.shape), x)
