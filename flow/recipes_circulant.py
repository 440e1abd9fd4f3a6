"""Recurrent networks for the circulant engine, trained from nothing: float, ADMM, tied weights."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from shiftwork.golden.circulant.cells import Gru
from shiftwork.golden.circulant.compress import Compressed, Options, retrain
from shiftwork.golden.circulant.features import FrontEnd
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.network import RecurrentNetwork, Sequences
from shiftwork.golden.circulant.quantize import Domain, Rounding
from shiftwork.golden.circulant.trainer import train
from shiftwork.golden.common.admm import AdmmSettings
from shiftwork.golden.common.trainer import Settings

from .datasets import digits, spoken_digits

__all__ = ["INPUT_EXPONENT", "Listening", "Recipe", "STATE_EXPONENT", "Split", "Trained", "rows_of_digits",
           "run", "spoken", "train_rows", "train_spoken"]

INPUT_EXPONENT, STATE_EXPONENT = -9, -9
"""Units of x and y' that `train_spoken` rounds for: 12 bits hold x within -4 .. 4, and |y'| <= 1."""


@dataclass(frozen=True)
class Split:
    """Sequences to train on and held-out ones, with their labels."""

    train: Sequences
    train_y: np.ndarray
    test: Sequences
    test_y: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Listening:
    """From recordings to sequences: (features - mean) / deviation of at most ``most`` frames."""

    front_end: FrontEnd = FrontEnd(window=400, hop=240)
    most: int = 30
    mean: np.ndarray            #: of each entry, over all frames of the training part
    deviation: np.ndarray

    @classmethod
    def to(cls, sounds, front_end=None, most=30):
        """Fitted to ``sounds``, the training part."""
        front_end = front_end or FrontEnd(window=400, hop=240)
        frames = np.concatenate([front_end.features(sound) for sound in sounds])
        return cls(front_end=front_end, most=most, mean=frames.mean(axis=0), deviation=frames.std(axis=0))

    def sequences(self, sounds):
        found = [((self.front_end.features(sound)[:self.most] - self.mean) / self.deviation)
                 for sound in sounds]
        x = np.zeros((len(found), max(map(len, found)), self.front_end.entries), np.float32)
        for row, frames in zip(x, found, strict=True):
            row[:len(frames)] = frames
        return Sequences(x, np.array([len(frames) for frames in found]))


def spoken(data=None, validate=False):
    """A Split of `spoken_digits`; with ``validate`` takes 5 to 9 stand for the held-out ones."""
    data = data or spoken_digits()
    chosen = np.flatnonzero((data.takes >= 10) | (not validate))
    sounds = [data.train[n] for n in chosen]
    test, test_y = data.test, data.test_y
    if validate:
        left = np.flatnonzero(data.takes < 10)
        test, test_y = [data.train[n] for n in left], data.train_y[left]
    listening = Listening.to(sounds)
    return Split(listening.sequences(sounds), data.train_y[chosen], listening.sequences(test), test_y)


def rows_of_digits(data=None):
    """A Split of scikit-learn's digits as sequences: 8 steps, the rows from the top, of 8 pixels."""
    data = data or digits()

    def rows(x):
        return Sequences(np.ascontiguousarray(x[:, 0] * 2 - 1), np.full(len(x), x.shape[2]))

    return Split(rows(data.train_x), data.train_y, rows(data.test_x), data.test_y)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of the stages of ``run``."""

    first: Settings             #: float training
    draw: AdmmSettings | None   #: ADMM towards block-circulant, rounded matrices
    finish: Settings            #: training of first columns
    noise: float = 0.0          #: deviation of what is added to the features in training
    pace: float = 0.0           #: share by which sequences become slower or faster in training


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What ``run`` yields; accuracies are those on the held-out part."""

    network: RecurrentNetwork           #: float, dense
    accuracy: float
    compressed: dict[int, Compressed]   #: by block size
    accuracies: dict[int, float]


def run(data, network, recipe, sizes=(8, 16), progress=None, *, rounding=None):
    """``network`` trained on ``data`` (a Split), then made block-circulant for each of ``sizes``, as Trained.

    Weights are rounded to 12 bits, or as ``rounding`` says. ``progress(stage, epoch, epochs, loss)`` is
    called after each epoch, with stage "float" or "k = 8" and so on.
    """
    def stage(name):
        return (lambda epoch, epochs, loss: progress(name, epoch, epochs, loss)) if progress else None

    step = partial(train, noise=recipe.noise, pace=recipe.pace)
    network = step(network, data.train, data.train_y, recipe.first, progress=stage("float"))
    found = {size: retrain(network, data.train, data.train_y,
                           options=Options.of(size, rounding=rounding or Rounding()),
                           admm_settings=recipe.draw, finish=recipe.finish, train=step,
                           progress=stage(f"k = {size}")) for size in sizes}
    return Trained(network=network, accuracy=network.accuracy(data.test, data.test_y), compressed=found,
                   accuracies={size: one.network.accuracy(data.test, data.test_y)
                               for size, one in found.items()})


def _recipe(seed, first, draw, finish, rate=4e-3, **settings):
    """Stages of so many epochs (ADMM: updates and epochs of each), with seeds of their own; batches of 32."""
    def stage(epochs, number, step=rate):
        return Settings(epochs=epochs, batch=32, rate=step, seed=seed + 100 * number)

    return Recipe(first=stage(first, 0), finish=stage(finish, 2),
                  draw=AdmmSettings(updates=draw[0], rho=1e-3, growth=2.0, train=stage(draw[1], 1, rate / 2)),
                  **settings)


def train_spoken(seed=0, progress=None, *, data=None, sizes=(8, 16)):
    """Spoken digits: GRU of 128, 32 log-mel features each 30 ms, head on the mean output. Returns Trained.

    What is rounded are spectra, their steps tied for an engine with the units ``INPUT_EXPONENT`` and
    ``STATE_EXPONENT``. ``progress`` and ``sizes`` as for ``run``; ``data`` is `spoken`'s Split, or what is
    given.
    """
    data = data or spoken()
    layer = Layer(cell=Gru(inputs=data.train.x.shape[2], hidden=128))
    network = RecurrentNetwork.random([layer], 10, seed, head="mean")
    rounding = Rounding(domain=Domain.SPECTRUM, offset=INPUT_EXPONENT - STATE_EXPONENT)
    return run(data, network, _recipe(seed, 20, (6, 3), 40, noise=0.6, pace=0.2), sizes, progress,
               rounding=rounding)


def train_rows(seed=0, progress=None, *, data=None, sizes=(8,)):
    """Rows of 8x8 digits: GRU of 32, head on the last state. Arguments and result as for ``train_spoken``."""
    data = data or rows_of_digits()
    network = RecurrentNetwork.random([Layer(cell=Gru(inputs=data.train.x.shape[2], hidden=32))], 10, seed)
    return run(data, network, _recipe(seed, 25, (4, 4), 25, 1e-2, noise=0.2), sizes, progress)
