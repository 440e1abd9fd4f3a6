"""Measurements of training in integers: accuracy beside floating point, cycles with dynamic precision."""

import numpy as np

from . import bench_training_matrix, bench_training_rtl, bench_training_synthesis, recipes_training
from .bench import at_least, at_most, reported

__all__ = ["ENTRIES", "SEEDS"]

SEEDS = (0, 1, 2)

MANY = tuple(range(9))
"""Seeds that say more where accuracies are close: in three, one of 500 held-out images is 0.067 points."""

LOST = {"flagged": 1.0, "16 bits": 0.7}
"""Points below floating point that integers may be, by the errors behind products."""


def _trained(bench, train, modes, seeds=SEEDS):
    """{mode: accuracies in percent, and speedups, of the seeds}: each network trained once."""
    found = {mode: ([], []) for mode in modes}
    for seed in seeds:
        def progress(mode, epoch, epochs, _, seed=seed):
            bench.note(f"training, seed {seed}: {mode}, epoch {epoch} of {epochs}")

        for mode, result in train(seed, progress, modes=modes).items():
            found[mode][0].append(100 * result.accuracy)
            found[mode][1].append(result.speedup)
    return {mode: tuple(map(np.array, pair)) for mode, pair in found.items()}


def _mean(unit, seeds=SEEDS):
    return f"{unit}, mean of {len(seeds)} seeds"


def wageubn(bench):
    """Held-out accuracy of networks trained in integers end to end on mnist10k, against floating point."""
    found = _trained(bench, recipes_training.train_mnist, ("float", *LOST))
    floats, _ = found["float"]
    yield reported("mnist/wageubn/accuracy-float", _mean("percent"), float(floats.mean()))
    for mode, bound in LOST.items():
        name, lost = f"mnist/wageubn/lost-{mode.replace(' ', '-')}", floats - found[mode][0]
        yield at_most(name, _mean("points"), float(lost.mean()), bound)
        yield reported(f"{name}-most", f"points, worst of {len(SEEDS)} seeds", float(lost.max()))


def dynasty(bench):
    """Steps of the three products with dynamic precision on the digits, against tiles of 8 bits throughout.

    Steps are those of one 2 by 2 brick, over the whole training; no accuracy may be lost.
    """
    found = _trained(bench, recipes_training.train_digits, ("float", "flagged", "fixed", "dynamic"), MANY)
    (speedup, lost), few = (found["dynamic"][1], found["fixed"][0] - found["dynamic"][0]), slice(len(SEEDS))
    yield at_least("dynasty/speedup", _mean("x fewer steps"), float(speedup[few].mean()), 3.0)
    yield reported("dynasty/speedup-least", f"x fewer steps, least of {len(MANY)} seeds",
                   float(speedup.min()))
    # Sums of the same shares of images may differ in their last bit.
    yield at_most("dynasty/lost", _mean("points below 8 bits fixed"), round(float(lost[few].mean()), 9), 0)
    yield reported("dynasty/lost-of-many", _mean("points below 8 bits fixed", MANY),
                   round(float(lost.mean()), 9))
    for mode, (accuracy, _) in found.items():
        yield reported(f"dynasty/accuracy-{mode}", _mean("percent", MANY), float(accuracy.mean()))


ENTRIES = {"mnist/wageubn": wageubn, "dynasty/speedup": dynasty, **bench_training_matrix.ENTRIES,
           **bench_training_rtl.ENTRIES, **bench_training_synthesis.ENTRIES}
