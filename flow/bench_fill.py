"""Measurement of a full chip: column arrays behind one controller, against the chip's own multipliers."""

from dataclasses import replace

import numpy as np
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.golden.ternary.layers import TernaryNetwork

from . import ternary
from .bench import at_least, at_most, exactly, reported
from .bench_fat import layer
from .bench_tools import RESOURCES, simulated, synthesis, used

__all__ = ["ENTRIES", "filled"]

FULL = TernaryConfig(arrays=5, lanes=128, grid_rows=8, grid_columns=8, weight_depth=1024, transposed=False,
                     acc_width=16, scatter_width=8, row_slots=2)
"""640 lanes, an image on 64 of them: each for 2 x 2 positions of 16 x 16. Its sums need 16 bits. More arrays
of fewer lanes would repeat what stands there once for each; fewer of more could not drain results in time."""

SHAPE = (32, 16, 16)  #: of an image; a lane's window, 4 x 4 pixels, fills its 512 rows
FILTERS = 64
POOL = (2, 2)         #: without it, there are more results than the output stream takes
ZEROS = 80            #: percent of the weights
FREQUENCY = 12.0      #: MHz that the router strives for; the placer looks for short wires alone


def roofline(bench):
    """The ternary engine's full chip; see `filled`."""
    rng = np.random.default_rng(ZEROS)
    whole = replace(layer(ZEROS, FILTERS, SHAPE[0], rng), pool=POOL, pool_stride=POOL)
    integer = TernaryNetwork(input_shape=SHAPE, input_scale=1.0, output_scale=1.0, layers=(whole,))
    x = rng.integers(0, 256, (FULL.batch, *SHAPE))
    yield from filled(bench, ternary, FULL, integer, x, whole.weights.size, 20)


def filled(bench, engine, config, integer, x, weights, least):
    """Dense-equivalent multiply-accumulates a cycle of a routed chip, over its multipliers.

        macs per cycle = weights (zeros too) * positions * images / run cycles (the whole layer's)

    Of one batch ``x`` through ``integer``, one layer of random weights, of the compiled RTL equal to golden.
    A multiplier does one multiply-accumulate a cycle, at the same clock. Cycles of the input, before the
    layer, are told apart. Ports are on pins of the largest package, as nextpnr chooses. At least ``least`` is
    asked.
    """
    _, found, different = simulated(bench, "full chip", config, integer, x, engine)
    cycles = int(found.run_cycles[0])
    rate = weights * x[:, 0].size / cycles
    made = synthesis(bench, engine, config, seeds=(1,), out_of_context=False, frequency=FREQUENCY)
    multipliers = made.utilization["MULT18X18D"][1]
    yield at_least("fill-85f/roofline", f"x the {multipliers} multipliers' rate", rate / multipliers,
                   least)
    yield reported("fill-85f/lanes", f"lanes, {config.arrays} arrays", config.all_lanes)
    yield reported("fill-85f/macs-per-cycle", "dense-equivalent multiply-accumulates a cycle", rate)
    yield reported("fill-85f/cycles", "cycles a batch", cycles)
    yield reported("fill-85f/load", "cycles a batch", int(found.load_cycles[0]))
    yield exactly("fill-85f/different", "values and cycles", different, 0)
    for name, resource in RESOURCES.items():
        count, available = used(made, resource), made.utilization[resource][1]
        yield at_most(f"fill-85f/{name}", f"% of {resource}, {count:,} of {available:,}",
                      100 * count / available, 90)
    yield reported("fill-85f/fmax", "MHz, ECP5 speed 6, seed 1", made.median)
    yield reported("fill-85f/gmacs", "dense-equivalent GMAC/s", rate * made.median / 1e3)


ENTRIES = {"fill-85f/roofline": roofline}
