"""Measurement of a chip full of SmartExchange's column arrays, against the chip's own multipliers."""

import numpy as np
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.golden.smartexchange.layers import ConvLayer, SmartExchangeNetwork

from . import smartexchange
from .bench_fill import FILTERS, ZEROS, filled

__all__ = ["ENTRIES"]

FULL = SmartExchangeConfig(arrays=4, lanes=128, grid_rows=64, grid_columns=1, row_depth=512, basis_depth=256,
                           table_depth=128, acc_width=18, sum_width=28, scatter_width=8, combine_width=16,
                           row_slots=2, pool_columns=4)
"""512 lanes, each for one row of an image's map; 16 of an array's are combined in a cycle."""

SHAPE = (42, 64, 4)  #: of an image; a lane's window, 3 x 4 pixels, fills its 512 rows but 8
POOL = (1, 2)        #: without it, there are more results than the output stream takes


def layer(percent, filters, channels, rng):
    """A 3x3 convolution of random coefficients: ``percent`` are 0, others plus or minus 2 ** (0 .. 6).

    Outputs are pooled, bases are full ones.
    """
    shape = filters, 3 * channels, 3
    signs = np.zeros(np.prod(shape), np.int8)
    kept = signs.size - signs.size * percent // 100
    signs[rng.permutation(signs.size)[:kept]] = rng.choice([-1, 1], kept)
    return ConvLayer(
        name="conv", kernel_rows=3, signs=signs.reshape(shape), bounds=(0, 3 * channels),
        exponents=rng.integers(0, 7, shape).astype(np.int8),
        basis=rng.integers(-127, 128, (filters, 1, 3, 3)).astype(np.int8), bias=np.zeros(filters, np.int64),
        scale=rng.integers(1024, 2048, filters), shift=np.full(filters, 25), low=0, high=255,
        input_signed=False, pads=(1, 1, 1, 1), pool=POOL, pool_stride=POOL)


def roofline(bench):
    """The `factored` engine's full chip; see `bench_fill.filled`. A coefficient stands for one weight."""
    rng = np.random.default_rng(ZEROS)
    whole = layer(ZEROS, FILTERS, SHAPE[0], rng)
    integer = SmartExchangeNetwork(input_shape=SHAPE, input_scale=1.0, output_scale=1.0, layers=(whole,))
    x = rng.integers(0, 256, (FULL.batch, *SHAPE))
    yield from filled(bench, smartexchange, FULL, integer, x, whole.signs.size, 15)


ENTRIES = {"fill-85f/roofline": roofline}
