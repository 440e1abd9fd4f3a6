"""ADMM: training towards a set that has a projection, then masked to it.

    W-step: train on  loss + rho/2 * ||W - Z + U||^2     Z-step: Z = project(W + U)     U-step: U = U + W - Z

from Z = project(W), U = 0. Projections are functions on arrays; this file knows none of them but pruning.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from .trainer import Hooks, Settings, projected, train

__all__ = ["AdmmSettings", "AdmmState", "Schedule", "admm", "prune", "prune_slices"]


@dataclass(frozen=True, kw_only=True)
class AdmmSettings:
    """``updates`` times a W-step (one run of ``train``), a Z- and a U-step, and rho grows by ``growth``."""

    updates: int = 4
    rho: float = 1e-2
    growth: float = 3.0
    train: Settings = Settings(epochs=2, rate=1e-3)

    def __post_init__(self):
        if self.updates < 1:
            raise ValueError(f"updates must be at least 1, not {self.updates}")
        if not (self.rho > 0 and self.growth >= 1):
            raise ValueError(f"rho must be positive and growth at least 1, not {self.rho} and {self.growth}")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Progressive ADMM: one run of ``admm`` for each share of zeros, the first penalty of each from ``rhos``.

    ``shares`` grow strictly, ``rhos`` do not fall; zeros of one step stay zero in the next.
    ``retrain``, masked, follows each step.
    """

    shares: tuple[float, ...] = (0.6, 0.72, 0.82)
    rhos: tuple[float, ...] = (3e-3, 1e-2, 3e-2)
    settings: AdmmSettings = AdmmSettings(updates=2, train=Settings(epochs=1, rate=1e-3))
    retrain: Settings = Settings(epochs=1, rate=1e-3, decay=0.0)

    def __post_init__(self):
        if not self.shares or len(self.shares) != len(self.rhos):
            raise ValueError(f"shares and rhos must be equally many and at least 1, "
                             f"not {len(self.shares)} and {len(self.rhos)}")
        if not all(a < b for a, b in zip((-1, *self.shares), (*self.shares, 1), strict=True)) or \
                self.shares[0] < 0:
            raise ValueError(f"shares must grow, from at least 0 to less than 1, not be {self.shares}")
        if not all(a <= b for a, b in zip(self.rhos, self.rhos[1:], strict=False)) or not self.rhos[0] > 0:
            raise ValueError(f"rhos must be positive and must not fall, not be {self.rhos}")


class AdmmState:
    """Z and U of the arrays that ``project`` names (see `trainer.projected`), and the three steps on them."""

    def __init__(self, arrays, project, rho):
        self.project, self.rho = project, rho
        self.z = projected(project, arrays)
        self.u = {name: np.zeros_like(arrays[name]) for name in self.z}

    def penalties(self):
        """Gradients of rho/2 * ||W - Z + U||^2, as the trainer's ``penalty`` hook."""
        return {name: partial(self._penalty, name) for name in self.z}

    def _penalty(self, name, weights):
        return self.rho * (weights - self.z[name] + self.u[name])

    def update(self, arrays):
        """The Z-step and the U-step."""
        self.z = projected(self.project, {name: arrays[name] + u for name, u in self.u.items()})
        self.u = {name: u + arrays[name] - self.z[name] for name, u in self.u.items()}

    def raise_rho(self, factor):
        """rho times ``factor``; U, the multiplier divided by rho, shrinks by it."""
        self.rho *= factor
        self.u = {name: u / u.dtype.type(factor) for name, u in self.u.items()}

    def residual(self, arrays):
        """||W - Z|| / ||W||, over all arrays: falls to 0 as the weights reach the set."""
        apart = sum(float(np.sum((arrays[name] - z) ** 2)) for name, z in self.z.items())
        return (apart / max(sum(float(np.sum(arrays[name] ** 2)) for name in self.z), 1e-30)) ** 0.5


def prune(share):
    """Projection that zeroes floor(share * n) entries, those of least magnitude (of equals, the last)."""
    if not 0 <= share < 1:
        raise ValueError(f"share must be at least 0 and less than 1, not {share}")

    def project(weights):
        flat = weights.reshape(-1)
        # 1e-9: a share like 0.95 has no exact float, and 0.95 * 120 shall be 114.
        keep = np.argsort(-np.abs(flat), kind="stable")[:flat.size - int(share * flat.size + 1e-9)]
        out = np.zeros_like(flat)
        out[keep] = flat[keep]
        return out.reshape(weights.shape)
    return project


def prune_slices(share, axis=0, importance=None):
    """Projection that zeroes floor(share * n) of the n slices along ``axis`` (0: filters, 1: channels).

    Those of least norm go, or, with ``importance`` (n,), of least norm times importance (of equals, the
    last): of a channel, say, the root mean square of its activation.
    """
    choose = prune(share)

    def project(weights):
        slices = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
        norms = np.linalg.norm(slices, axis=1) * (1 if importance is None else importance)
        kept = (choose(norms) != 0).astype(weights.dtype)
        return weights * np.moveaxis(kept.reshape((-1,) + (1,) * (weights.ndim - 1)), 0, axis)
    return project


def admm(network, x, labels, project, settings, *, masks=None, retrain=None, progress=None, train=train):
    """ADMM on the arrays that ``project`` names (see `trainer.projected`), then the hard projection.

    Returns (network, masks): the projected arrays, and where they are not zero (float32, 0 or 1). Weights
    that ``masks`` holds at zero stay there: to go on in steps (progressive ADMM), pass one call's masks to
    the next. With ``retrain`` (Settings) the kept weights are trained on, free but for the mask. ``train``
    is for networks of another kind: a function of the arguments and the result of the trainer's.
    """
    masks = dict(masks or {})

    def masked(key, function):
        names = key if isinstance(key, tuple) else (key,)
        return lambda *arrays: function(*(w * masks[name] if name in masks else w
                                          for name, w in zip(names, arrays, strict=True)))

    project = {key: masked(key, function) for key, function in project.items()}
    start = {name: array.astype(np.float32) for name, array in network.arrays.items()}
    state = AdmmState(start, project, settings.rho)
    for number in range(settings.updates):
        # A seed of its own, or every W-step would see the batches in the same order.
        run = replace(settings.train, seed=settings.train.seed + number)
        network = train(network, x, labels, run, Hooks(penalty=state.penalties(), masks=masks), progress)
        state.update(network.arrays)
        state.raise_rho(settings.growth)
    last = projected(project, network.arrays)
    network = replace(network, arrays={**network.arrays, **last})
    found = {name: (array != 0).astype(np.float32) for name, array in last.items()}
    if retrain:
        network = train(network, x, labels, retrain, Hooks(masks={**masks, **found}), progress)
    return network, {**masks, **found}
