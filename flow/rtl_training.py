"""A network trained by the hardware, step by step, with the golden model beside it."""

from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from shiftwork.golden.common.optim import shift_images
from shiftwork.golden.training.dynasty import DynastySettings, Precision
from shiftwork.golden.training.program import Program
from shiftwork.golden.training.trainer import Training

from .training_program import Prepared, StepOutput, beats, step_output, words

__all__ = ["RtlTraining", "Step", "batches", "hardware"]

_ONE = 1 << 15
"""Of the miss, 1."""

_FIXED = DynastySettings(interval=0, start=0)


@dataclass(frozen=True)
class Step:
    """One training step: what the hardware answered, and its clock's cycles."""

    number: int           #: from 1
    loss: float           #: mean of 1 - the label's probability, as the hardware has it
    output: StepOutput
    run_cycles: int


@contextmanager
def hardware(rtl, folder, note=None):
    """A session (`sim.compiled.Session`) of the Verilog ``rtl``, compiled in ``folder``."""
    from shiftwork.sim.compiled import CompiledSimulator
    from shiftwork.sim.engines import TrainingEngine

    simulator = CompiledSimulator(rtl, folder, "shiftwork_training", progress=note, magic=Program.MAGIC,
                                  **TrainingEngine.compilation)
    with simulator.session() as session:
        yield session


def batches(x, labels, settings):
    """(epoch, images, labels) of each step, as `golden.training.trainer.train` takes them."""
    rng = np.random.default_rng(settings.seed)
    for epoch in range(settings.epochs):
        order = rng.permutation(len(x))
        for number in range(len(x) // settings.batch):
            chosen = order[number * settings.batch:(number + 1) * settings.batch]
            images = shift_images(x[chosen], settings.shift, rng) if settings.shift else x[chosen]
            yield epoch, images, labels[chosen]


class RtlTraining:
    """Trains ``network`` (a graph) on the engine of ``config`` behind ``session``, golden beside it.

    ``settings`` (IntegerSettings) are those of both, and of ``steps`` steps in all; ``mode`` is "fixed" or
    "dynamic". After each ``every`` steps all that was trained is compared. ``said`` are sentences on what
    differed, ``golden_loss`` is golden's of the last step, ``compared`` counts numbers, ``widths`` [(step,
    {layer: {tensor: widths}})] are the hardware's.
    """

    def __init__(self, session, network, config, settings, steps, *, mode="dynamic", every=1):
        self.session, self.every = session, every
        self.program = Prepared(network=network, seed=settings.seed, batch=settings.batch,
                                mode=mode).program(config)
        self.packets, self.net = self.program.packets, self.program.net.copy()
        self.precision = Precision(self.net, DynastySettings() if mode == "dynamic" else _FIXED)
        self.golden = Training(self.net, settings, steps, self.precision)
        self.said, self.compared, self.widths, self.steps, self.golden_loss = [], 0, [], [], None
        self._load = self.program.to_words()

    def _ask(self, packet, what):
        found = self.session.run(beats(packet), self._load, what)
        self._load = None
        return found, words(found.values)

    def alone(self, images, labels):
        """The loss of a step of golden's alone; behind it the hardware can take no more."""
        self.session, miss = None, self.golden.step(images, labels)
        self.golden_loss = miss / (len(labels) * _ONE)
        return self.golden_loss

    def step(self, images, labels):
        """The Step of both."""
        miss, run = self.golden.step(images, labels), self.golden.interpreter
        number, self.golden_loss = self.golden.number, miss / (len(labels) * _ONE)
        found, answer = self._ask(self.packets.train(images, labels, run.rate, run.levels), f"Step {number}")
        output = step_output(self.packets, answer)
        tolerance = self.precision.controller.tolerance if self.packets.mode == "dynamic" else None
        self._same(f"step {number}, miss and tolerance", output.checked, (miss, tolerance), 2)
        if self.packets.mode == "dynamic":
            self._maps(number)
        if number % self.every == 0:
            self.compare()
        self.steps.append(Step(number, output.miss / (len(labels) * _ONE), output,
                               int(found.load_cycles) + int(found.run_cycles)))
        return self.steps[-1]

    def _same(self, what, found, right, count):
        """Notes where ``found`` is not ``right``; ``count`` numbers more are compared."""
        self.compared += count
        if not np.array_equal(found, right):
            where = "" if np.shape(found) != np.shape(right) or not np.ndim(found) > 1 else \
                f", {np.count_nonzero(np.asarray(found) != right)} of {np.size(right)} differ"
            text = f"{right}, not {found}" if np.size(right) <= 2 else f"golden's{where}"
            self.said.append(f"{what} must be {text}")

    def _maps(self, number):
        found = self.packets.parse_maps(self._ask(self.packets.maps(), f"Maps of step {number}")[1])
        self.widths.append((number, found))
        for layer in self.packets.plan.layers:
            node, golden = layer.node, self.precision.maps
            names = {"x": node.sources[0], "weight": node.inputs[1], "error": f"E2 {node.outputs[0]}"}
            for kind, name in names.items():
                widths = golden[name].widths
                right = widths.transpose(0, 2, 1) if kind == "weight" else widths.reshape(len(widths), -1)
                self._same(f"step {number}, widths of {name}", found[node.name][kind], right, right.size)

    def compare(self):
        """All parameters, accumulators and running statistics of both."""
        number = self.golden.number
        found = self.packets.parse_dump(self._ask(self.packets.dump(), f"Dump of step {number}")[1])
        for name, right in self.net.parameters.items():
            for part in ("master", "accumulator"):
                self._same(f"step {number}, {part} of {name}", getattr(found.parameters[name], part),
                           getattr(right, part), right.master.size)
        for name, right in self.net.running.items():
            for n, part in enumerate(("mean", "deviation")):
                got = found.running.get(name, (None, None))[n]
                self._same(f"step {number}, running {part} of {name}", got, right[n], right[n].size)

    def logits(self, x):
        """What the hardware says of images ``x``, int64 (n, classes); compared with golden."""
        size, parts = self.packets.batch, []
        for n in range(0, len(x), size):
            part = x[n:n + size]
            answer = self._ask(self.packets.infer(part), f"Inference {n // size}")[1]
            parts.append(self.packets.parse_infer(answer, len(part)))
        found, right = np.concatenate(parts), self.net.logits(x)
        self._same(f"step {self.golden.number}, logits", found, right, right.size)
        return found

    def accuracy(self, x, labels):
        """Share of ``x`` whose greatest output is the label's, by the hardware."""
        return float(np.mean(self.logits(x).argmax(axis=1) == labels))

    def shares(self):
        """{unit: share of the cycles of all steps so far}; the rest is the "controller"'s alone.

        Empty where steps count no cycles.
        """
        counted = [step.output.cycles for step in self.steps]
        if not counted:
            return {}
        total = {unit: sum(cycles[unit] for cycles in counted) for unit in counted[0]}
        everything = total.pop("all")
        total["controller"] = everything - sum(total.values())
        return {unit: cycles / everything for unit, cycles in total.items()}
