"""Training in integers: schedules, one step, epochs."""

from dataclasses import dataclass

import numpy as np
from shiftwork.golden.common.optim import shift_images
from shiftwork.golden.common.trainer import check_counts

from .network import pixels
from .operations import check_terms, step_operations

__all__ = ["IntegerSettings", "Training", "train"]

_PAPER_RATES = ((0.0, 26), (0.3, 3), (0.6, 2), (0.8, 1))
_PAPER_LEVELS = ((0.0, 128), (0.6, 32), (0.8, 8), (0.9, 2))


def _at(schedule, progress):
    return [value for start, value in schedule if start <= progress][-1]


@dataclass(frozen=True, kw_only=True)
class IntegerSettings:
    """How to train in integers. Schedules are pairs (share of all steps, value from there on).

    Raises ValueError with a sentence that names the setting, what it must be and what it was.
    """

    epochs: int
    batch: int = 64
    rates: tuple[tuple[float, int], ...] = _PAPER_RATES     #: learning rate in 1 / 512
    levels: tuple[tuple[float, int], ...] = _PAPER_LEVELS   #: dr of the constant quantization
    shift: int = 0              #: images move by up to this many pixels
    seed: int = 0

    def __post_init__(self):
        check_counts(self)
        for name, values in (("rates", range(0, 512)), ("levels", [2, 4, 8, 16, 32, 64, 128])):
            schedule = getattr(self, name)
            starts = [start for start, _ in schedule]
            if not starts or starts[0] != 0 or starts != sorted(starts):
                raise ValueError(f"{name} must begin at 0 and go on in order, not {schedule!r}")
            for _, value in schedule:
                if value not in values:
                    raise ValueError(f"{name} must be of {values}, not {value!r}")


class Training:
    """Steps of one training: an interpreter, the operations of a step, what the settings say for each.

    Changes the IntegerNetwork that it is given. Raises ValueError where `check_terms` does. After a step
    ``interpreter.tensors`` holds all its tensors.
    """

    def __init__(self, net, settings, steps, precision=None):
        self.net, self.settings, self.steps, self.number = net, settings, steps, 0
        check_terms(net.network, settings.batch)
        self.operations = step_operations(net.network)
        self.interpreter = net.interpreter(settings.seed, precision)

    def step(self, images, labels):
        """One step with ``images`` (N, ...) in 0 .. 1; 1 - the label's probability, summed (2 ** -15)."""
        run, progress = self.interpreter, self.number / self.steps
        run.rate, run.levels = _at(self.settings.rates, progress), _at(self.settings.levels, progress)
        run.tensors = {self.net.network.input_name: pixels(images), "labels": labels}
        run.run(self.operations)
        self.number += 1
        if run.precision is not None:
            run.precision.learn(run.tensors, len(labels), run.rate)
        return run.tensors["miss"]


def train(net, x, labels, settings, precision=None, progress=None):
    """A trained copy of ``net`` (IntegerNetwork); ``x`` (N, ...) in 0 .. 1, ``labels`` (N,).

    ``progress(epoch, epochs, loss)`` is called after each epoch, with the mean of 1 - the label's
    probability. Same arguments, same integers. Raises ValueError where x and labels differ in number.
    """
    if len(x) != len(labels) or len(x) < settings.batch:
        raise ValueError(f"training data must be at least {settings.batch} images with a label each, "
                         f"not {len(x)} images and {len(labels)} labels")
    net, rng = net.copy(), np.random.default_rng(settings.seed)
    batches = len(x) // settings.batch
    training = Training(net, settings, batches * settings.epochs, precision)
    for epoch in range(settings.epochs):
        order, total = rng.permutation(len(x)), 0
        for number in range(batches):
            chosen = order[number * settings.batch:(number + 1) * settings.batch]
            images = shift_images(x[chosen], settings.shift, rng) if settings.shift else x[chosen]
            total += training.step(images, labels[chosen])
        if progress:
            progress(epoch + 1, settings.epochs, total / (batches * settings.batch * 2 ** 15))
    return net
