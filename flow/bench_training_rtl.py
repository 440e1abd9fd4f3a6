"""Measurements of the training engine at work: digits learned by the compiled RTL, who works how long."""

from dataclasses import fields, replace
from functools import cache

import numpy as np
from shiftwork.golden.training.dynasty import DynastySettings

from . import build as folders
from . import recipes_training, rtl_training, training
from .bench import at_least, at_most, exactly, reported
from .bench_training_matrix import Shape
from .datasets import digits, mnist10k
from .demo_train import FLOAT_RATE, SETTINGS, SIDE, graph
from .recipes import convolutional
from .training_figures import fitted, layer_cycles

__all__ = ["ENTRIES", "engine"]

_LOST, _OTHERS, _MAPS = 1.5, 15, 3
"""Points below floating point, percent of a step's cycles of a unit that is not the matrix unit, and of the
making of the maps, that are allowed."""

_STEPS, _FIXED_STEPS = DynastySettings().interval, 2
"""Steps of a breakdown: of dynamic precision, which moves behind the last one; of 8 bits, all alike."""


def mnist_graph():
    """The network of mnist/wageubn: Conv 16, 32, 32, each with a pool, Gemm 10 on 28 by 28 digits."""
    return convolutional((1, 28, 28), (16, 32, 32), 10, {1, 2, 3}, 0)


def mnist_settings():
    """Batches of 16: 64 images' outputs of the first layer would not fit any engine's memory."""
    return replace(SETTINGS, batch=16)


@cache
def engine():
    """Of 64 multipliers, the EngineConfig with room for all that is measured on it: one compilation."""
    jobs = (graph(), SETTINGS), (mnist_graph(), mnist_settings())
    configs = [Shape().config, *(
        fitted(training.Prepared(network=network, seed=settings.seed, batch=settings.batch))
        for network, settings in jobs)]
    return replace(configs[0], **{f.name: max(getattr(config, f.name) for config in configs)
                                  for f in fields(configs[0])})


def trained(bench, mode, config, data, network, settings, steps=None, every=1):
    """The `RtlTraining` of ``network`` in ``mode`` after ``steps`` steps, or all; its accuracy or None."""
    rtl = bench.once(("rtl", config), lambda: training.verilog(config))
    total = settings.epochs * (len(data.train_x) // settings.batch)
    with rtl_training.hardware(rtl, folders.cache(), bench.note) as session:
        one = rtl_training.RtlTraining(session, network, config, settings, total, mode=mode, every=every)
        for number, (_, images, labels) in enumerate(
                rtl_training.batches(data.train_x, data.train_y, settings), 1):
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
    config = fitted(training.Prepared(network=graph(), seed=SETTINGS.seed, batch=SETTINGS.batch), SIDE)
    one, accuracy = trained(bench, "dynamic", config, digits(), graph(), SETTINGS)
    name, cycles = "digits/trained-by-rtl", [step.run_cycles for step in one.steps]
    yield at_least(f"{name}/epochs", f"epochs of {len(one.steps) // SETTINGS.epochs} steps of "
                   f"{SETTINGS.batch} images", SETTINGS.epochs, 3)
    yield reported(f"{name}/multipliers", "multiplications of 8 by 8 bits a cycle", config.multipliers)
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


def _steps(bench, mode, count, *job):
    """The RtlTraining of the first steps of a job (its name, data, network, settings) on `engine`; once."""
    return bench.once(("steps", mode, job[0]), lambda: trained(
        bench, mode, engine(), *job[1:], count, count)[0])


def _broken_down(bench, name, mode, count, *job, judged=False):
    """Rows of the shares of all units."""
    one = _steps(bench, mode, count, *job)
    shares, everything = one.shares(), [step.output.cycles["all"] for step in one.steps]
    yield reported(f"{name}/cycles", "cycles a step, mean", float(np.mean(everything)))
    yield reported(f"{name}/matrix", "percent", 100 * shares.pop("matrix"))
    for unit, share in shares.items():
        what = f"{name}/{unit}", "percent", 100 * share
        yield at_most(*what, _OTHERS) if judged else reported(*what)
    yield exactly(f"{name}/different", "tensors", len(one.said), 0)


def _digits(bench):
    return bench.once("digits", lambda: ("digits", digits(), graph(), SETTINGS))


def breakdown(bench):
    """Share of a step's cycles in which each unit is busy, counted by the RTL.

    Demanded of the MNIST network with 8 bits, where all the products are to be done; the digits' maps are
    of 64 pixels and less, so what is done once a channel shows.
    """
    yield from _broken_down(bench, "step/breakdown", "fixed", _FIXED_STEPS,
                            "mnist", mnist10k(), mnist_graph(), mnist_settings(), judged=True)
    for mode, count in (("fixed", _FIXED_STEPS), ("dynamic", _STEPS)):
        yield from _broken_down(bench, f"step/breakdown-digits-{mode}", mode, count, *_digits(bench))


def maps(bench):
    """What the making of maps takes of the digits' cycles.

    A move of maps and tolerance comes each `_STEPS` steps, behind the last one, whose widths are those of
    the steps before: its cycles beyond theirs are the move's. Averages of the loss, some 30 instructions a
    step, are not among them.
    """
    *others, last = [step.output.cycles["all"]
                     for step in _steps(bench, "dynamic", _STEPS, *_digits(bench)).steps]
    move = last - float(np.mean(others))
    yield reported("step/maps-move", "cycles of a move", move)
    yield at_most("step/maps", f"percent of the digits' cycles, a move each {_STEPS} steps",
                  100 * move / (sum(others) + last), _MAPS)


ENTRIES = {"digits/trained-by-rtl": trained_by_rtl, "step/breakdown": breakdown, "step/maps": maps}
