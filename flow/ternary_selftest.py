"""A small network with random weights for an engine that comes without one."""

import numpy as np
from shiftwork.golden.ternary.encode import encode
from shiftwork.golden.ternary.layers import ConvLayer, DenseLayer, TernaryNetwork

from .errors import FlowError

__all__ = ["selftest"]


def selftest(config):
    """Integers of the first of some small networks that fits an engine of ``config``, weights from a fixed
    seed.
    """
    rows, columns = config.grid_rows, config.grid_columns
    shapes = (
        [
            [(2, 2 * rows, 2 * columns), (3, 3, True), (4, 3, False), 5],
            [(1, rows, columns), (2, 3, False), 5],
            [(1, rows, columns), (2, 3, False)],
            [(1, rows, columns), (1, 1, False)],
        ]
        if config.convolution
        else []
    )
    shapes += [[(24,), 9, 5], [(4,), 1]] if config.transposed else []
    refusal = None
    for first, *layers in shapes:
        network = _random_network(first, layers, np.random.default_rng(1))
        try:
            encode(network, config)
            return network
        except ValueError as error:
            refusal = refusal or error
    raise FlowError(f"Memories must be large enough for one small network, not smaller ({refusal})")


def _random_network(shape, layers, rng):
    """Layers: (filters, kernel, pooled) or outputs; outputs of all but the last are 0 .. 255."""
    made, maps = [], shape
    for n, layer in enumerate(layers):
        last = n == len(layers) - 1
        conv = isinstance(layer, tuple)
        count = layer[0] if conv else layer
        size = (count, maps[0], layer[1], layer[1]) if conv else (count, int(np.prod(maps)))
        common = dict(
            name=f"{'conv' if conv else 'dense'}{n + 1}",
            weights=rng.integers(-1, 2, size).astype(np.int8),
            bias=rng.integers(-100, 100, count),
            scale=rng.integers(500, 1000, count),
            shift=rng.integers(8, 12, count),
            low=-32768 if last else 0,
            high=32767 if last else 255,
            input_signed=False,
        )
        if conv:
            pool = (2, 2) if layer[2] else (1, 1)
            common |= dict(pads=(layer[1] // 2,) * 4, pool=pool, pool_stride=pool)
            maps = (count, maps[1] // pool[0], maps[2] // pool[1])
        else:
            maps = (count,)
        made.append((ConvLayer if conv else DenseLayer)(**common))
    return TernaryNetwork(input_shape=shape, input_scale=1.0, output_scale=1.0, layers=tuple(made))
