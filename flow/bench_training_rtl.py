"""Measurements of the training engine at work: digits learned by the compiled RTL, who works how long."""


import numpy as np
from shiftwork.golden.training.trainer import IntegerSettings

from . import build as folders
from . import recipes_training, rtl_training, training
from .bench import at_least, at_most, exactly, reported
from .datasets import digits
from .recipes import convolutional
from .training_figures import fitted, layer_cycles

__all__ = ["ENTRIES"]

SETTINGS = IntegerSettings(epochs=5, batch=32, rates=((0.0, 511), (0.6, 300), (0.85, 100)),
                           levels=((0.0, 128),), seed=0)
FLOAT_RATE = 1e-2

_LOST, _OTHERS, _MAPS = 1.5, 15, 3
"""Points below floating point, percent of a step's cycles of a unit that is not the matrix unit, and of the
making of the maps, that are allowed."""

_STEPS = 8
"""Steps of a breakdown: two of the moves of dynamic precision."""


def graph(seed=0):
    """Conv 16, pool, Conv 32, pool, Gemm 10 on 8 by 8 digits."""
    return convolutional((1, 8, 8), (16, 32), 10, {1, 2}, seed)


def trained(bench, mode, steps=None, every=1):
    """The `RtlTraining` of the digits in ``mode`` after ``steps`` steps, or all, and its accuracy or None."""
    data, network = digits(), graph()
    config = fitted(training.Prepared(network=network, seed=SETTINGS.seed, batch=SETTINGS.batch,
                                        mode=mode))
    rtl = bench.once(("rtl", config), lambda: training.verilog(config))
    total = SETTINGS.epochs * (len(data.train_x) // SETTINGS.batch)
    with rtl_training.hardware(rtl, folders.cache(), bench.note) as session:
        one = rtl_training.RtlTraining(session, network, config, SETTINGS, total, mode=mode, every=every)
        for number, (_, images, labels) in enumerate(
                rtl_training.batches(data.train_x, data.train_y, SETTINGS), 1):
            step = one.step(images, labels)
            bench.note(f"{mode}, step {number} of {steps or total}, loss {step.loss:.3f}, "
                       f"{len(one.said)} differences")
            if number == steps:
                return one, None
        return one, 100 * one.accuracy(data.test_x, data.test_y)


def trained_by_rtl(bench):
    """Digits, all epochs in the compiled RTL with dynamic precision; every parameter after each step."""
    bench.note("floating point")
    found = recipes_training.run(digits(), graph(), SETTINGS, rate=FLOAT_RATE, modes=("float",))
    floats = 100 * found["float"].accuracy
    one, accuracy = trained(bench, "dynamic")
    name, cycles = "digits/trained-by-rtl", [step.run_cycles for step in one.steps]
    yield at_least(f"{name}/epochs", f"epochs of {len(one.steps) // SETTINGS.epochs} steps of "
                   f"{SETTINGS.batch} images", SETTINGS.epochs, 3)
    yield reported(f"{name}/compared", "numbers, all parameters after each step", one.compared)
    yield exactly(f"{name}/different", "tensors", len(one.said), 0)
    yield reported(f"{name}/accuracy-float", "percent", floats)
    yield reported(f"{name}/accuracy", "percent", accuracy)
    yield at_most(f"{name}/lost", "points", floats - accuracy, _LOST)
    yield reported(f"{name}/first-step", "cycles", cycles[0])
    yield reported(f"{name}/step", "cycles, mean", float(np.mean(cycles)))
    rows = [layer_cycles(one.program, maps) for _, maps in one.widths]
    total = {what: sum(row[what] for layers in rows for row in layers) for what in ("dense", "cycles")}
    yield reported(f"{name}/speedup", "x fewer cycles of products than 8 bits",
                   total["dense"] / total["cycles"])


def breakdown(bench):
    """Share of a step's cycles in which each unit is busy, counted by the RTL; 8 bits and dynamic.

    Demanded with 8 bits, where all the products are to be done. What dynamic precision costs besides is the
    controller's: its cycles alone, less those with 8 bits.
    """
    steps = {}
    for mode, judged in (("fixed", True), ("dynamic", False)):
        one, _ = trained(bench, mode, _STEPS, every=_STEPS)
        shares, steps[mode] = one.shares(), [step.output.cycles for step in one.steps]
        name, mean = f"step/breakdown-{mode}", float(np.mean([cycles["all"] for cycles in steps[mode]]))
        yield reported(f"{name}/cycles", "cycles a step, mean", mean)
        yield reported(f"{name}/matrix", "percent", 100 * shares.pop("matrix"))
        for unit, share in shares.items():
            what = f"{name}/{unit}", "percent", 100 * share
            yield at_most(*what, _OTHERS) if judged else reported(*what)
        yield exactly(f"{name}/different", "tensors", len(one.said), 0)
    everything = {mode: sum(c["all"] for c in found) for mode, found in steps.items()}
    alone = {mode: sum(c["all"] - sum(v for k, v in c.items() if k != "all") for c in found)
             for mode, found in steps.items()}
    yield at_most("step/maps", "percent of the cycles, controller's for widths and tolerance",
                  100 * (alone["dynamic"] - alone["fixed"]) / everything["dynamic"], _MAPS)


ENTRIES = {"digits/trained-by-rtl": trained_by_rtl, "step/breakdown": breakdown}
