"""Measurement of a full chip: column arrays behind one controller, against the chip's own multipliers."""

import numpy as np
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.golden.ternary.layers import ConvLayer, TernaryNetwork

from .bench import at_least, at_most, exactly, reported
from .bench_tools import simulated, synthesis, used

__all__ = ["ENTRIES"]

FULL = TernaryConfig(arrays=10, grid_rows=8, grid_columns=8, weight_depth=1024, transposed=False)
"""640 lanes, an array's 64 for one image: each for 4 x 4 positions of 32 x 32."""

SHAPE = (3, 64, 64)   #: of an image
WEIGHTS = (64, 3, 7, 7)
STRIDE, PAD = 2, 3
ZEROS = 80            #: percent of the weights
FREQUENCY = 100.0     #: MHz that placement strives for; more than it reaches costs time and room
RESOURCES = {"comb": "TRELLIS_COMB", "ff": "TRELLIS_FF", "bram": "DP16KD", "multipliers": "MULT18X18D"}
"""Of each row of resources nextpnr's name for them."""


def _layer(rng):
    """The first layer of ResNet-18, with random weights of which ``ZEROS`` percent are 0 (rounded down).

    Its windows are the only ones of that network's 3x3 and 7x7 convolutions that a row memory of 512 rows
    holds: 13 * 13 pixels of 3 channels, where 3 * 3 of 64 channels are 576 rows.
    """
    size = int(np.prod(WEIGHTS))
    kept, filters = size - size * ZEROS // 100, WEIGHTS[0]
    weights = np.zeros(size, np.int8)
    weights[rng.permutation(size)[:kept]] = rng.choice([-1, 1], kept)
    return ConvLayer(
        name="conv", weights=weights.reshape(WEIGHTS), bias=np.zeros(filters, np.int64),
        scale=np.full(filters, 1 << 10), shift=np.full(filters, 14), low=0, high=255, input_signed=False,
        stride=(STRIDE, STRIDE), pads=(PAD,) * 4)


def roofline(bench):
    """Dense-equivalent multiply-accumulates a cycle of the routed chip, over its multipliers.

        macs per cycle = weights (zeros too) * positions * images / run cycles (the whole layer's)

    Of one batch, of the compiled RTL equal to golden. A multiplier does one multiply-accumulate a cycle, at
    the same clock. Ports are on pins of the largest package, as nextpnr chooses.
    """
    rng = np.random.default_rng(ZEROS)
    integer = TernaryNetwork(input_shape=SHAPE, input_scale=1.0, output_scale=1.0, layers=(_layer(rng),))
    x = rng.integers(0, 256, (FULL.batch, *SHAPE))
    _, found, different = simulated(bench, "full chip", FULL, integer, x)
    positions = SHAPE[1] // STRIDE * (SHAPE[2] // STRIDE)
    rate = int(np.prod(WEIGHTS)) * positions * len(x) / int(found.run_cycles[0])
    made = synthesis(bench, FULL, seeds=(1,), out_of_context=False, frequency=FREQUENCY)
    multipliers = made.utilization["MULT18X18D"][1]
    yield at_least("fill-85f/roofline", f"x the {multipliers} multipliers' rate", rate / multipliers, 20)
    yield reported("fill-85f/lanes", f"lanes, {FULL.arrays} arrays", FULL.all_lanes)
    yield reported("fill-85f/macs-per-cycle", "dense-equivalent multiply-accumulates a cycle", rate)
    yield reported("fill-85f/cycles", "cycles a batch", int(found.run_cycles[0]))
    yield exactly("fill-85f/different", "values and cycles", different, 0)
    for name, resource in RESOURCES.items():
        count, available = used(made, resource), made.utilization[resource][1]
        yield at_most(f"fill-85f/{name}", f"% of {resource}, {count:,} of {available:,}",
                      100 * count / available, 90)
    yield reported("fill-85f/fmax", "MHz, ECP5 speed 6, seed 1", made.median)
    yield reported("fill-85f/gmacs", "dense-equivalent GMAC/s", rate * made.median / 1e3)


ENTRIES = {"fill-85f/roofline": roofline}
