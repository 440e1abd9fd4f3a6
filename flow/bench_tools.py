"""What measurements of the ternary engine share: synthesis, training, simulation against golden."""

import numpy as np

from . import build as folders
from . import ternary
from .bench import at_least, at_most

__all__ = ["accuracy_rows", "simulated", "synthesis", "trained_digits", "used"]

SEEDS = (1, 2, 3)


def synthesis(bench, config, target="ecp5-85k", seeds=SEEDS, **more):
    """A Result; once for each config. ``more`` is `synthesize`'s, which works out of context without it."""
    from shiftwork.boards.synthesis import synthesize

    def run():
        bench.note(f"{config.all_lanes} lanes, {target}, seeds {seeds}")
        return synthesize(
            ternary.verilog(config),
            target,
            bench.folder(f"synth-{config.fingerprint:x}-{config.row_depth}"),
            seeds=seeds,
            **more,
        )

    return bench.once((config, target, seeds, *more.items()), run)


def used(result, resource):
    """How many of a resource, by nextpnr's name, place and route took; 0 where the part has none of it."""
    return result.utilization.get(resource, (0, 0))[0]


def trained_digits(bench, seed=0):
    """The digits network of one seed; once."""
    from .recipes import train_digits

    bench.note(f"training, seed {seed}")
    return bench.once(("digits", seed), lambda: train_digits(seed))


def _different(a, b):
    return max(a.size, b.size) if a.shape != b.shape else int(np.count_nonzero(a != b))


def simulated(bench, name, config, integer, x):
    """(program, results of the compiled RTL, how many values and cycles are not the golden model's)."""
    images = None if len(integer.input_shape) > 1 else 1
    program = ternary.encode(integer, config, images=images)
    bench.note(f"compiling {name}")
    found = ternary.simulate(program, x, ternary.verilog(config), folders.cache(), stage=bench.note)
    expected = ternary.golden(program, x)
    parts = ("values", "load_cycles", "run_cycles")
    return program, found, sum(_different(getattr(found, part), getattr(expected, part)) for part in parts)


def accuracy_rows(name, trained, x, labels, zeros):
    """Rows of a trained network of at most 100,000 weights, at least ``zeros`` percent of them 0.

    ``x`` are the held-out images in integers; what the golden model says of them the hardware says, too.
    """
    from shiftwork.golden.ternary.model import forward

    integer = trained.integer
    said = 100 * float(np.mean(forward(integer, x).argmax(axis=1) == labels))
    weights = sum(layer.weights.size for layer in integer.layers)
    kept = sum(np.count_nonzero(layer.weights) for layer in integer.layers)
    yield at_least(f"{name}/accuracy-float", "percent", 100 * trained.accuracy, 98)
    yield at_most(f"{name}/accuracy-lost", "points", 100 * trained.accuracy - said, 1.0)
    yield at_most(f"{name}/weights", "weights", int(weights), 100_000)
    yield at_least(f"{name}/zeros", "percent", 100 * (1 - kept / weights), zeros)
