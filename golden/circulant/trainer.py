"""Training of recurrent networks, with the settings and hooks of `golden.common.trainer`."""

from dataclasses import replace

import numpy as np
from shiftwork.golden.common.trainer import descend

from .network import Sequences, gradients

__all__ = ["blur", "stretch", "train"]


def blur(sequences, rng, noise):
    """``sequences`` with normal noise of deviation ``noise`` on each entry, from ``rng``."""
    x = sequences.x
    return Sequences(x + x.dtype.type(noise) * rng.standard_normal(x.shape, x.dtype), sequences.lengths)


def stretch(sequences, rng, pace):
    """``sequences`` each slower or faster by a factor of its own, uniform from 1 - pace to 1 + pace.

        n' = round(factor * n), at least 1;    frame t' is the old one at t' (n - 1) / (n' - 1)

    linearly between frames. Raises ValueError where ``pace`` is not from 0 to less than 1.
    """
    if not 0 <= pace < 1:
        raise ValueError(f"pace must be from 0 to less than 1, not {pace}")
    x, last = sequences.x, sequences.lengths[:, None] - 1
    factors = rng.uniform(1 - pace, 1 + pace, len(x))
    lengths = np.maximum(np.rint(factors * sequences.lengths).astype(int), 1)
    times = np.minimum(np.arange(lengths.max()) * (last / np.maximum(lengths[:, None] - 1, 1)), last)
    before = times.astype(int)
    part = (times - before)[..., None].astype(x.dtype)
    rows = np.arange(len(x))[:, None]
    return Sequences((1 - part) * x[rows, before] + part * x[rows, np.minimum(before + 1, last)], lengths)


def train(network, sequences, labels, settings, hooks=None, progress=None, *, noise=0.0, pace=0.0):
    """A trained copy of ``network``: softmax cross entropy on ``sequences`` (N), ``labels`` (N,).

    Arguments and result as in `golden.common.trainer.train`. First columns are trained as such: tied weights.
    ``pace`` as in `stretch`, ``noise`` as in `blur`, both anew for each batch. Raises ValueError where
    sequences and labels differ in number, and for what only images and graphs have.
    """
    if len(sequences) != len(labels) or len(sequences) < settings.batch:
        raise ValueError(f"training data must be at least {settings.batch} sequences with a label each, "
                         f"not {len(sequences)} sequences and {len(labels)} labels")
    if settings.shift or hooks and hooks.quantize:
        raise ValueError("training of sequences must be without shift and rounded activations, not with them")
    arrays = {name: array.astype(np.float32) for name, array in network.arrays.items()}

    def gradient(used, chosen, rng):
        part = sequences[chosen]
        if pace:
            part = stretch(part, rng, pace)
        return gradients(network, used, blur(part, rng, noise) if noise else part, labels[chosen])

    descend(arrays, len(sequences), gradient, settings, hooks, progress)
    return replace(network, arrays=arrays)
