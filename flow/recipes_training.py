"""Networks trained in integers, beside the same network trained in floating point."""

from dataclasses import dataclass

from shiftwork.golden.common.network import Network
from shiftwork.golden.common.trainer import Settings, refresh_statistics
from shiftwork.golden.common.trainer import train as train_float
from shiftwork.golden.training.config import TrainingConfig
from shiftwork.golden.training.dynasty import DynastySettings, Precision
from shiftwork.golden.training.network import IntegerNetwork
from shiftwork.golden.training.trainer import IntegerSettings, train

from .datasets import digits, mnist10k
from .recipes import convolutional

__all__ = ["MODES", "Result", "run", "train_digits", "train_mnist"]

MODES = ("float", "flagged", "16 bits", "fixed", "dynamic")
"""Floating point (Adam); integers: E2 in flagged 8 bits, in 16 bits, all operands in tiles of 8 bits, and in
tiles of dynamic precision."""


@dataclass(frozen=True)
class Result:
    """One trained network; ``speedup``: cycles of the products with 8 bits throughout by those taken."""

    network: Network | IntegerNetwork
    accuracy: float         #: on the held-out images
    speedup: float = 1.0


def _float(data, graph, settings, rate, progress):
    """Adam with the same epochs, batches and shifts."""
    same = Settings(epochs=settings.epochs, batch=settings.batch, shift=settings.shift, seed=settings.seed,
                    rate=rate)
    found = train_float(graph, data.train_x, data.train_y, same, progress=progress)
    found = refresh_statistics(found, data.train_x)
    return Result(found, found.accuracy(data.test_x, data.test_y))


def _precision(mode, net, dynasty):
    if mode == "fixed":
        return Precision(net, DynastySettings(interval=0, start=0))
    return Precision(net, dynasty or DynastySettings()) if mode == "dynamic" else None


def run(data, graph, settings, *, rate, modes=MODES, progress=None, dynasty=None):
    """{mode: Result} of ``graph`` trained on ``data`` (a Dataset) in each of ``modes``.

    ``settings`` (IntegerSettings) also gives floating point its epochs, batches, shifts and seed; ``rate`` is
    its learning rate. ``progress(mode, epoch, epochs, loss)`` is called after each epoch.
    """
    found = {}
    for mode in modes:
        def step(epoch, epochs, loss, mode=mode):
            if progress:
                progress(mode, epoch, epochs, loss)

        if mode == "float":
            found[mode] = _float(data, graph, settings, rate, step)
            continue
        config = TrainingConfig(error_bits=8 if mode == "flagged" else 16)
        net = IntegerNetwork.random(graph, config, settings.seed)
        precision = _precision(mode, net, dynasty)
        net = train(net, data.train_x, data.train_y, settings, precision, step)
        found[mode] = Result(net, net.accuracy(data.test_x, data.test_y),
                             precision.speedup if precision else 1.0)
    return found


_RATES = ((0.0, 400), (0.5, 200), (0.75, 50))


def train_digits(seed=0, progress=None, *, epochs=10, modes=MODES):
    """8x8 digits: Conv 12, Conv 24, pool, Gemm 10, batches of 64. Returns `run`'s results.

    ``progress(mode, epoch, epochs, loss)`` is called after each epoch.
    """
    settings = IntegerSettings(epochs=epochs, rates=_RATES, levels=((0.0, 128),), seed=seed)
    return run(digits(), convolutional((1, 8, 8), (12, 24), 10, {2}, seed), settings, rate=1e-2, modes=modes,
               progress=progress)


def train_mnist(seed=0, progress=None, *, epochs=3, modes=MODES):
    """28x28 digits: Conv 16, Conv 32, Conv 32, each with a pool, Gemm 10, batches of 64; as
    ``train_digits``.
    """
    settings = IntegerSettings(epochs=epochs, rates=_RATES, levels=((0.0, 128),), seed=seed)
    return run(mnist10k(), convolutional((1, 28, 28), (16, 32, 32), 10, {1, 2, 3}, seed), settings, rate=5e-3,
               modes=modes, progress=progress)
