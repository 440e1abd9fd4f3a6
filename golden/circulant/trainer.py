"""Training of recurrent networks, with the settings and hooks of `golden.common.trainer`."""

from dataclasses import replace

import numpy as np
from shiftwork.golden.common.trainer import descend

from .network import Sequences, gradients

__all__ = ["blur", "train"]


def blur(sequences, rng, noise):
    """``sequences`` with normal noise of deviation ``noise`` on each entry, from ``rng``."""
    x = sequences.x
    return Sequences(x + x.dtype.type(noise) * rng.standard_normal(x.shape, x.dtype), sequences.lengths)


def train(network, sequences, labels, settings, hooks=None, progress=None, *, noise=0.0):
    """A trained copy of ``network``: softmax cross entropy on ``sequences`` (N), ``labels`` (N,).

    Arguments and result as in `golden.common.trainer.train`. First columns are trained as such: tied weights.
    ``noise`` as in `blur`, fresh for each batch. Raises ValueError where sequences and labels differ in
    number, and for what only images and graphs have.
    """
    if len(sequences) != len(labels) or len(sequences) < settings.batch:
        raise ValueError(f"training data must be at least {settings.batch} sequences with a label each, "
                         f"not {len(sequences)} sequences and {len(labels)} labels")
    if settings.shift or hooks and hooks.quantize:
        raise ValueError("training of sequences must be without shift and rounded activations, not with them")
    arrays = {name: array.astype(np.float32) for name, array in network.arrays.items()}

    def gradient(used, chosen, rng):
        part = sequences[chosen]
        return gradients(network, used, blur(part, rng, noise) if noise else part, labels[chosen])

    descend(arrays, len(sequences), gradient, settings, hooks, progress)
    return replace(network, arrays=arrays)
