"""A small float trainer: softmax cross entropy, Adam, cosine rate, hooks for compression."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from .layers import BACKWARD, FORWARD, softmax_cross_entropy
from .optim import Adam, cosine_rate, shift_images

__all__ = ["Settings", "Hooks", "check_counts", "descend", "train", "gradients", "projected",
           "refresh_statistics"]


def check_counts(settings):
    """Raises ValueError with the name of the setting of epochs, batch and shift that is too small."""
    for name, least in (("epochs", 1), ("batch", 2), ("shift", 0)):
        if getattr(settings, name) < least:
            raise ValueError(f"{name} must be at least {least}, not {getattr(settings, name)}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to train."""

    epochs: int
    batch: int = 64
    rate: float = 2e-3      #: Adam's step at the start, falling to 1 % along a cosine
    decay: float = 1e-4     #: decoupled weight decay
    shift: int = 0          #: images move by up to this many pixels
    seed: int = 0

    def __post_init__(self):
        check_counts(self)


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What may happen to the arrays while they are trained; each dictionary goes by the array's name.

    * ``project``: functions w -> w' whose result the network computes with, while the gradient goes to w as
      if the function were the identity (straight through); see `projected` for arrays that go together.
    * ``penalty``: functions w -> gradient of a term that is added to the loss.
    * ``masks``: arrays of 0 and 1 that weights are multiplied with after each step.
    * ``quantize``: activations that are rounded to steps: {name: (step, least, most)} in integers.
    * ``epoch``: called as epoch(number, arrays) after each.
    """

    project: dict[str, Callable] = field(default_factory=dict)
    penalty: dict[str, Callable] = field(default_factory=dict)
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    quantize: dict[str, tuple[float, int, int]] = field(default_factory=dict)
    epoch: Callable | None = None


def projected(project, arrays):
    """{name: projection of that array} for all names in ``project``.

    A key of ``project`` is a name, its function w -> w', or a tuple of names, whose arrays depend on each
    other: their function takes them all and yields as many.
    """
    found = {}
    for key, function in project.items():
        if isinstance(key, tuple):
            found |= zip(key, function(*(arrays[name] for name in key)), strict=True)
        else:
            found[key] = function(arrays[key])
    return found


def gradients(network, arrays, x, labels, quantize=None):
    """Loss of one batch, its gradient by every trained array, and the batch statistics.

    ``x`` is (..., N), the batch last, as in ``layers``. Returns (loss, {name: gradient}, {BatchNormalization
    node's name: (mean, variance)}). Rounded activations pass the gradient where they are not clipped.
    """
    quantize = quantize or {}
    values, caches, inside, statistics = {network.input_name: x}, {}, {}, {}
    for node in network.nodes:
        sources = [values[source] for source in node.sources]
        y, caches[node.name] = FORWARD[node.op_type](node, arrays, True, *sources)
        if node.op_type == "BatchNormalization":
            statistics[node.name] = caches[node.name][2:]
        name = node.outputs[0]
        if name in quantize:
            step, least, most = quantize[name]
            rounded = np.round(y / y.dtype.type(step))
            inside[name] = (rounded >= least) & (rounded <= most)
            y = np.clip(rounded, least, most) * y.dtype.type(step)
        values[name] = y
    loss, dy = softmax_cross_entropy(values[network.output_name], labels)
    flowing, found = {network.output_name: dy}, {}
    for node in reversed(network.nodes):
        dy = flowing.pop(node.outputs[0], None)
        if dy is None:
            continue
        if node.outputs[0] in inside:
            dy = dy * inside[node.outputs[0]]
        dxs, here = BACKWARD[node.op_type](node, arrays, dy, caches[node.name])
        for source, dx in zip(node.sources, dxs, strict=True):
            flowing[source] = flowing[source] + dx if source in flowing else dx
        for name, gradient in here.items():
            found[name] = found[name] + gradient if name in found else gradient
    return loss, found, statistics


def refresh_statistics(network, x, batch=512):
    """``network`` with batch normalization's mean and variance measured on ``x``, layer after layer.

    Weights that were projected after training shift them; mean of the batches' means and variances.
    """
    arrays = {name: array.copy() for name, array in network.arrays.items()}
    parts = [np.ascontiguousarray(np.moveaxis(np.asarray(x[n:n + batch], np.float32), 0, -1))
             for n in range(0, len(x), batch)]
    values = {network.input_name: parts}
    for node in network.nodes:
        if node.op_type == "BatchNormalization":
            inputs = values[node.sources[0]]
            axes = tuple(range(1, inputs[0].ndim))
            mean = np.mean([part.mean(axis=axes) for part in inputs], axis=0)
            square = np.mean([(part ** 2).mean(axis=axes) for part in inputs], axis=0)
            arrays[node.inputs[3]] = mean.astype(np.float32)
            arrays[node.inputs[4]] = np.maximum(square - mean ** 2, 0).astype(np.float32)
        found = zip(*(values[source] for source in node.sources), strict=True)
        values[node.outputs[0]] = [FORWARD[node.op_type](node, arrays, False, *part)[0] for part in found]
    return replace(network, arrays=arrays)


def descend(arrays, count, gradient, settings, hooks=None, progress=None):
    """Trains ``arrays``, in place, on ``count`` examples in shuffled batches.

    ``gradient(used, chosen, rng)`` is (loss, {name: gradient}) of the examples ``chosen``, ``used`` being
    the arrays behind ``hooks.project``. ``progress(epoch, epochs, loss)`` is called after each epoch.
    """
    hooks, rng = hooks or Hooks(), np.random.default_rng(settings.seed)
    adam, batches = Adam(settings.decay), count // settings.batch
    for epoch in range(settings.epochs):
        order, total = rng.permutation(count), 0.0
        for number in range(batches):
            chosen = order[number * settings.batch:(number + 1) * settings.batch]
            used = {**arrays, **projected(hooks.project, arrays)}
            loss, found = gradient(used, chosen, rng)
            for name, penalty in hooks.penalty.items():
                found[name] = found[name] + penalty(arrays[name])
            step = epoch * batches + number
            adam.step(arrays, found, cosine_rate(settings.rate, step, settings.epochs * batches))
            for name, mask in hooks.masks.items():
                arrays[name] *= mask
            total += loss
        if hooks.epoch:
            hooks.epoch(epoch, arrays)
        if progress:
            progress(epoch + 1, settings.epochs, total / batches)


def train(network, x, labels, settings, hooks=None, progress=None):
    """A trained copy of ``network``: softmax cross entropy on ``x`` (N, C, H, W) or (N, K), ``labels`` (N,).

    ``progress(epoch, epochs, loss)`` is called after each epoch. The result holds the float arrays
    (``hooks.project`` is not applied to them). Same arguments, same result. Raises ValueError where x and
    labels differ in number.
    """
    hooks = hooks or Hooks()
    if len(x) != len(labels) or len(x) < settings.batch:
        raise ValueError(f"training data must be at least {settings.batch} images with a label each, "
                         f"not {len(x)} images and {len(labels)} labels")
    arrays = {name: array.astype(np.float32) for name, array in network.arrays.items()}
    norms = [node for node in network.nodes if node.op_type == "BatchNormalization"]

    def gradient(used, chosen, rng):
        images = shift_images(x[chosen], settings.shift, rng) if settings.shift else x[chosen]
        images = np.ascontiguousarray(np.moveaxis(images, 0, -1), dtype=np.float32)
        loss, found, statistics = gradients(network, used, images, labels[chosen], hooks.quantize)
        for node in norms:
            for name, value in zip(node.inputs[3:], statistics[node.name], strict=True):
                arrays[name] += np.float32(0.1) * (value - arrays[name])
        return loss, found

    descend(arrays, len(x), gradient, settings, hooks, progress)
    return replace(network, arrays=arrays)
