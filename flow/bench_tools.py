"""What measurements share: synthesis, simulation against golden; of the ternary engine training."""

import numpy as np

from . import build as folders
from . import ternary
from .artifacts import sha256
from .bench import at_least, at_most, reported

__all__ = ["RESOURCES", "accuracy_rows", "packed", "simulated", "synthesis", "trained_digits", "used"]

SEEDS = (1, 2, 3)

RESOURCES = {"comb": "TRELLIS_COMB", "ff": "TRELLIS_FF", "bram": "DP16KD", "multipliers": "MULT18X18D"}
"""Of each row of resources nextpnr's name for them, on the ECP5."""


def synthesis(bench, engine, config, target="ecp5-85k", seeds=SEEDS, **more):
    """A Result of the engine (its module); once for each config.

    ``more`` is `synthesize`'s, which works out of context without it.
    """
    from shiftwork.boards.synthesis import synthesize

    def run():
        bench.note(f"{engine.TOP}, {target}, seeds {seeds}")
        return synthesize(
            engine.verilog(config),
            target,
            bench.folder(f"synth-{engine.TOP}-{sha256(repr(config).encode())[:12]}"),
            seeds=seeds,
            **more,
        )

    return bench.once((engine.TOP, config, target, seeds, *more.items()), run)


def packed(bench, name, verilog, target="ecp5-85k"):
    """What a design takes of a part, packed but not placed: {resource: used}; None where it does not fit.

    ``name``: of the design, in the folder's.
    """
    from shiftwork.boards.synthesis import pack

    found = pack(verilog, target, bench.folder(f"pack-{name}-{target}"))
    if any(used > available for used, available in found.values()):
        return None
    return {resource: used for resource, (used, _) in found.items()}


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


def simulated(bench, name, config, integer, x, engine=ternary, **encoding):
    """(program, results of the compiled RTL, how many values and cycles are not the golden model's).

    ``engine`` is its module in the flow; ``encoding`` goes to its `encode`.
    """
    program = engine.encode(integer, config, **encoding)
    bench.note(f"compiling {name}")
    rtl = bench.once(("rtl", config), lambda: engine.verilog(config))
    found = engine.simulate(program, x, rtl, folders.cache(), stage=bench.note)
    bench.note(f"golden model of {name}")
    expected = engine.golden(program, x)
    parts = [(getattr(found, part), getattr(expected, part))
             for part in ("values", "load_cycles", "run_cycles")]
    # Cycles of the circulant engine's input depend on its sender: golden has none.
    return program, found, sum(_different(a, b) for a, b in parts if b is not None)


def accuracy_rows(name, networks, x, labels, zeros):
    """Rows of trained networks, one a seed, of at most 100,000 weights, at least ``zeros`` percent of them 0.

    Accuracies are means over the seeds, zeros the least of them. ``x`` are the held-out images in integers;
    what the golden model says of them the hardware says, too.
    """
    from shiftwork.golden.ternary.model import forward

    said = [np.mean(forward(trained.integer, x).argmax(axis=1) == labels) for trained in networks]
    floats = 100 * np.array([trained.accuracy for trained in networks])
    lost = floats - 100 * np.array(said)
    weights = [sum(layer.weights.size for layer in trained.integer.layers) for trained in networks]
    kept = [sum(np.count_nonzero(layer.weights) for layer in trained.integer.layers) for trained in networks]
    seeds = f", mean of {len(networks)} seeds" if len(networks) > 1 else ""
    yield at_least(f"{name}/accuracy-float", f"percent{seeds}", float(floats.mean()), 98)
    yield at_most(f"{name}/accuracy-lost", f"points{seeds}", float(lost.mean()), 1.0)
    if seeds:
        yield reported(f"{name}/accuracy-lost-most", f"points, worst of {len(networks)} seeds",
                       float(lost.max()))
    yield at_most(f"{name}/weights", "weights", int(max(weights)), 100_000)
    yield at_least(f"{name}/zeros", "percent", 100 * (1 - float(np.max(np.divide(kept, weights)))), zeros)
