"""`shiftwork demo train`: a network that the hardware trains, step by step, beside golden and float."""

import json
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from shiftwork.golden.common.trainer import Hooks, Settings, refresh_statistics
from shiftwork.golden.common.trainer import train as train_float
from shiftwork.golden.training.trainer import IntegerSettings
from threadpoolctl import threadpool_limits

from . import artifacts, rtl_training, training
from . import build as folders
from .datasets import digits
from .demo_train_results import gathered
from .gather import RESULTS, check_output
from .progress import Stages
from .recipes import convolutional
from .report import render
from .summary import summary
from .training_figures import fitted

__all__ = ["FLOAT_RATE", "LENGTHS", "SETTINGS", "SIDE", "Demo", "Length", "TrainTask", "graph", "run"]

SETTINGS = IntegerSettings(epochs=3, batch=32, rates=((0.0, 511), (0.6, 300), (0.85, 100)),
                           levels=((0.0, 128),), seed=0)
FLOAT_RATE = 1e-2
SEED = 0

SIDE = 4
"""Of the engine: the one that is compiled, and simulates a step, in the least time."""


@dataclass(frozen=True, kw_only=True)
class TrainTask:
    """The demo in `demo.DEMOS`; it has one engine."""

    engines: tuple[str, ...] = ("training",)


@dataclass(frozen=True, kw_only=True)
class Length:
    """How much the hardware does: steps (None: an epoch's), or epochs; golden goes on alone behind it."""

    steps: int | None = None
    epochs: int = 1
    every: int = 4       #: steps from one comparison of all parameters to the next


LENGTHS = {"quick": Length(steps=8, every=1), "usual": Length(), "full": Length(epochs=3, every=1)}


def graph(seed=SEED):
    """Conv 16, pool, Conv 32, pool, Gemm 10 on 8 by 8 digits."""
    return convolutional((1, 8, 8), (16, 32), 10, {1, 2}, seed)


def _miss(network, x, labels):
    """Mean of 1 - the label's probability."""
    logits = network.forward(x)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return float(np.mean(1 - p[np.arange(len(x)), labels] / p.sum(axis=1)))


class Demo:
    """What the demo knows while it goes on; each method is one of its steps.

    ``curves`` {"loss", "accuracy": {"float", "golden", "hardware": [[step, value]]}}.
    """

    def __init__(self, stages, output, data, length):
        self.stages, self.output, self.data, self.length = stages, output, data, length
        self.settings = SETTINGS
        self.graph, self.steps_of_epoch = graph(), len(data.train_x) // SETTINGS.batch
        self.steps = SETTINGS.epochs * self.steps_of_epoch
        self.rtl_steps = min(length.steps or length.epochs * self.steps_of_epoch, self.steps)
        self.curves = {what: {kind: [] for kind in ("float", "golden", "hardware")}
                       for what in ("loss", "accuracy")}
        self.training = self.logits = None

    def _point(self, what, kind, step, value):
        self.curves[what][kind].append([step, value])

    def train_float(self):
        """The same graph, batches and epochs in floating point, by Adam."""
        data, settings = self.data, SETTINGS
        with self.stages.stage("Floating point") as stage:
            def epoch(number, arrays):
                found = refresh_statistics(replace(self.graph, arrays=arrays), data.train_x)
                step = (number + 1) * self.steps_of_epoch
                self._point("loss", "float", step, _miss(found, data.train_x, data.train_y))
                self._point("accuracy", "float", step, 100 * found.accuracy(data.test_x, data.test_y))
                stage.update(number + 1, settings.epochs)

            train_float(self.graph, data.train_x, data.train_y, Settings(
                epochs=settings.epochs, batch=settings.batch, rate=FLOAT_RATE, seed=settings.seed),
                Hooks(epoch=epoch))

    def build(self):
        """The engine that just suffices, as a build folder; the path of its Verilog."""
        prepared = training.Prepared(network=self.graph, seed=SETTINGS.seed, batch=SETTINGS.batch)
        self.config = fitted(prepared, SIDE)
        with self.stages.stage("Build folder") as stage:
            folders.build(prepared, "training", self.config, self.output / "engine", self.data.test_x,
                          stage.note)
        return self.output / "engine" / "rtl" / f"{training.TOP}.v"

    def train(self, rtl):
        """The hardware trains, golden beside it, then golden alone."""
        data = self.data
        steps = rtl_training.batches(data.train_x, data.train_y, SETTINGS)
        with ExitStack() as opened:
            with self.stages.stage("Compiling the hardware") as stage:
                session = opened.enter_context(rtl_training.hardware(rtl, folders.cache(), stage.note))
            self.training = rtl_training.RtlTraining(
                session, self.graph, self.config, SETTINGS, self.steps, every=self.length.every)
            with self.stages.stage("Training in hardware") as stage:
                for _, images, labels in islice(steps, self.rtl_steps):
                    self._step(images, labels, stage)
                stage.note("what it says of the held-out images")
                self.training.compare()
                self.logits = self.training.logits(data.test_x)
        self._point("accuracy", "hardware", self.rtl_steps, 100 * float(np.mean(self.said == data.test_y)))
        with self.stages.stage("Golden model to the end") as stage:
            for number, (_, images, labels) in enumerate(steps, self.rtl_steps + 1):
                self._point("loss", "golden", number, self.training.alone(images, labels))
                self._golden(number)
                stage.update(number, self.steps)

    def _step(self, images, labels, stage):
        step = self.training.step(images, labels)
        self._point("loss", "hardware", step.number, step.loss)
        self._point("loss", "golden", step.number, self.training.golden_loss)
        self._golden(step.number)
        stage.update(step.number, self.rtl_steps)
        stage.note(f"step {step.number} of {self.rtl_steps}, loss {step.loss:.3f}, held out "
                   f"{self.curves['accuracy']['golden'][-1][1]:.1f} %, {len(self.training.said)} differences")

    def _golden(self, number):
        """Accuracy of golden, now and then; also that of the hardware, whose parameters are the same."""
        if number % 8 == 0 or number in (1, self.steps, self.rtl_steps):
            accuracy = 100 * self.training.net.accuracy(self.data.test_x, self.data.test_y)
            self._point("accuracy", "golden", number, accuracy)

    @property
    def said(self):
        """The classes that the hardware names of the held-out images."""
        return self.logits.argmax(axis=1)


def run(output, length):
    """The demo, as long as ``length`` (a Length); the exit code: 1 where hardware and golden model differ."""
    started, output = time.monotonic(), Path(output)
    check_output(output)
    # Matrices are small: a second thread of BLAS would only make the first one wait.
    with artifacts.replaced(output) as beside, Stages() as stages, threadpool_limits(1):
        demo = Demo(stages, beside, digits(), length)
        demo.train_float()
        demo.train(demo.build())
        results = gathered(demo)
        with stages.stage("Report"):
            (beside / RESULTS).write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
            (beside / "report.html").write_text(render(results))
    summary(results, output, time.monotonic() - started)
    for name, value in results["figures"]:
        print(f"  {name}: {value}")
    for line in demo.training.said:
        print(f"difference: {line}", file=sys.stderr)
    return 1 if demo.training.said else 0
