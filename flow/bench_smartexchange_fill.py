"""Measurement of a chip full of SmartExchange's column arrays, against the chip's own multipliers."""

from dataclasses import replace

import numpy as np
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.golden.smartexchange.layers import SmartExchangeNetwork

from . import smartexchange
from .bench_fill import FILTERS, ZEROS, filled
from .bench_smartexchange_rows import layer

__all__ = ["ENTRIES"]

FULL = SmartExchangeConfig(arrays=2, lanes=256, grid_rows=64, grid_columns=1, row_depth=512, basis_depth=256,
                           table_depth=128, acc_width=18, sum_width=26, scatter_width=8, combine_width=32,
                           row_slots=2, pool_columns=4)
"""512 lanes, each for one row of an image's map; 32 of an array's are combined in a cycle. Sums need 26 bits.
More arrays of fewer lanes would repeat the scalers, which two arrays' keep up with 256 lanes each."""

SHAPE = (42, 64, 4)  #: of an image; a lane's window, 3 x 4 pixels, fills its 512 rows but 8
POOL = (1, 2)        #: without it, there are more results than the output stream takes
LEVELS = 6           #: exponents 0 to 5; with more, sums of coefficients need more than 18 bits


def roofline(bench):
    """The `factored` engine's full chip; see `bench_fill.filled`. A coefficient stands for one weight."""
    rng = np.random.default_rng(ZEROS)
    whole = replace(layer(ZEROS, FILTERS, SHAPE[0], rng, levels=LEVELS), pool=POOL, pool_stride=POOL, low=0,
                    high=255)
    integer = SmartExchangeNetwork(input_shape=SHAPE, input_scale=1.0, output_scale=1.0, layers=(whole,))
    x = rng.integers(0, 256, (FULL.batch, *SHAPE))
    yield from filled(bench, smartexchange, FULL, integer, x, whole.signs.size, 15)


ENTRIES = {"fill-85f/roofline": roofline}
