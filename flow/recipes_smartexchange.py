"""Networks for the SmartExchange engine, trained from nothing: thinned, decomposed, retrained."""

from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
from shiftwork.golden.common.admm import AdmmSettings, admm, prune_slices
from shiftwork.golden.common.channels import count_weights, turned, weighted
from shiftwork.golden.common.network import Network
from shiftwork.golden.common.purify import remove_unused_paths
from shiftwork.golden.common.trainer import Hooks, Settings, refresh_statistics, train
from shiftwork.golden.smartexchange.compress import Compressed, retrain
from shiftwork.golden.smartexchange.lower import lower
from shiftwork.golden.smartexchange.options import Options

from .datasets import digits, mnist10k
from .recipes import convolutional

__all__ = ["Recipe", "Trained", "run", "thinned", "train_conv", "train_dense", "train_digits", "train_wide"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of the stages of ``run``."""

    first: Settings                             #: float training
    thin: AdmmSettings | None = None            #: ADMM towards fewer filters and channels
    refill: Settings | None = None              #: training of what is left
    filters: dict[str, float] = field(default_factory=dict)     #: share of filters that go, by node
    channels: dict[str, float] = field(default_factory=dict)    #: share of input channels that go, by node
    options: Options = Options()
    zeros: dict[str, float] = field(default_factory=dict)       #: share of zeros in what is left, by node
    draw: AdmmSettings | None = None            #: ADMM towards the decomposition
    alternate: Settings | None = None           #: training, with a decomposition behind each epoch
    finish: Settings | None = None              #: training straight through the coefficients
    tune: Settings | None = None                #: training of biases and batch normalization

    @property
    def factor_epochs(self):
        """Epochs of the stages from ``draw`` on."""
        drawn = self.draw.updates * self.draw.train.epochs if self.draw else 0
        return drawn + sum(part.epochs for part in (self.alternate, self.finish, self.tune) if part)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What ``run`` yields; accuracies are those on the held-out images."""

    network: Network                #: float, as it was before anything was taken out
    accuracy: float
    compressed: Compressed
    compressed_accuracy: float

    @property
    def rate(self):
        """Bits of the float network's weights, 32 each, by bits of the compressed ones'."""
        return 32 * count_weights(self.network)[0] / self.compressed.storage_bits

    @property
    def integer(self):
        """The integer network (SmartExchangeNetwork)."""
        return lower(self.compressed.network, self.compressed.factors)


def _slimming(network, recipe, x):
    """Projections to fewer filters and channels; channels count by weights and activations on ``x``."""
    values, project = network.activations(x), {}
    for node in weighted(network):
        steps, axis = [], 1 if turned(node) else 0
        if node.name in recipe.channels:
            source = values[node.sources[0]]
            strength = np.sqrt(np.mean(source.reshape(len(source), -1) ** 2, axis=1))
            steps.append(prune_slices(recipe.channels[node.name], 1 - axis, strength))
        if node.name in recipe.filters:
            steps.append(prune_slices(recipe.filters[node.name], axis))
        if steps:
            def function(weights, steps=tuple(steps)):
                for step in steps:
                    weights = step(weights)
                return weights
            project[node.inputs[1]] = function
    return project


def _silenced(network):
    """Masks of batch normalizations' scales and biases: 0 for filters of zeros, whose constants end there."""
    masks = {}
    for node in weighted(network):
        live = network.arrays[node.inputs[1]].reshape(len(network.arrays[node.inputs[1]]), -1).any(axis=1)
        for other in network.nodes:
            if other.op_type == "BatchNormalization" and other.inputs[0] == node.outputs[0]:
                masks |= {name: live.astype(np.float32) for name in other.inputs[1:3]}
    return masks


def thinned(network, x, labels, recipe, progress=None):
    """``network`` with the recipe's shares of filters and channels taken out, and trained again.

    Returns (network, masks): input channels of the network's input cannot go, their weights are masked.
    """
    network, masks = admm(network, x, labels, _slimming(network, recipe, x[:1000]), recipe.thin,
                          progress=progress)
    masks |= _silenced(network)
    network = replace(network, arrays={name: array * masks.get(name, 1) for name, array in
                                       network.arrays.items()})
    network = remove_unused_paths(network)[0]
    masks = {node.inputs[1]: (network.arrays[node.inputs[1]] != 0).astype(np.float32)
             for node in weighted(network)}
    network = train(network, x, labels, recipe.refill, Hooks(masks=masks), progress)
    return refresh_statistics(network, x), masks


def _layers(network, masks, recipe):
    """Options of each node: a share of zeros that counts what ``masks``, if any, hold at zero already."""
    def live(node):
        return float(masks[node.inputs[1]].mean()) if masks else 1.0
    return {node.name: replace(recipe.options, element_share=1 - live(node) * (
        1 - recipe.zeros.get(node.name, recipe.options.element_share))) for node in weighted(network)}


def run(data, network, recipe, progress=None):
    """``network`` trained on ``data`` (a Dataset), thinned, decomposed and retrained, as Trained.

    ``progress(stage, epoch, epochs, loss)`` is called after each epoch; stages are "float", "thin" and, all
    the others together, "factors".
    """
    def stage(name):
        return (lambda epoch, epochs, loss: progress(name, epoch, epochs, loss)) if progress else None

    number = count(1)

    def factors(epoch, epochs, loss):
        progress("factors", next(number), recipe.factor_epochs, loss)

    images = data.train_x, data.train_y
    network = refresh_statistics(train(network, *images, recipe.first, progress=stage("float")), images[0])
    thin, masks = thinned(network, *images, recipe, stage("thin")) if recipe.thin else (network, None)
    found = retrain(thin, *images, layers=_layers(thin, masks, recipe), admm_settings=recipe.draw,
                    alternate=recipe.alternate, finish=recipe.finish, tune=recipe.tune, masks=masks,
                    progress=factors if progress else None)
    return Trained(network=network, accuracy=network.accuracy(data.test_x, data.test_y), compressed=found,
                   compressed_accuracy=found.network.accuracy(data.test_x, data.test_y))


def _recipe(seed, epochs, rate=1e-3, *, thin=1, refill=6, finish=12, **settings):
    """Stages of so many epochs, each with a seed of its own; S is 1 outside of 3x3 kernels, in one slice."""
    def stage(count, step, number, decay=1e-4):
        return Settings(epochs=count, rate=step, decay=decay, shift=1, seed=seed + 100 * number)

    return Recipe(first=stage(epochs, rate, 0), refill=stage(refill, 1e-3, 2),
                  thin=AdmmSettings(updates=4, rho=3e-3, train=stage(thin, 1e-3, 1)),
                  finish=stage(finish, 2e-3, 3, decay=0.0), **settings)


def train_dense(seed=0, progress=None, *, data=None):
    """28x28 digits, fully connected: 784, 300, 100, 10, of which 150 and 60 neurons stay. Returns Trained.

    ``progress`` as for ``run``; ``data`` is mnist10k, or what is given.
    """
    recipe = _recipe(seed, 20, thin=2, finish=20, channels={"dense1": 0.5},
                     filters={"dense1": 0.5, "dense2": 0.4}, zeros={"logits": 0.4},
                     options=Options(size=1, height=None, element_share=0.8))
    network = convolutional((1, 28, 28), (), 10, (), seed, hidden=(300, 100))
    return run(data or mnist10k(), network, recipe, progress)


def train_wide(seed=0, progress=None, *, data=None):
    """28x28 digits, fully connected: 784, 1200, 1200, 10 (2.4 million weights). Returns Trained.

    240 and 240 neurons and half of the pixels stay. ``progress`` and ``data`` as for ``train_dense``.
    """
    recipe = _recipe(seed, 15, channels={"dense1": 0.5}, filters={"dense1": 0.8, "dense2": 0.8},
                     zeros={"logits": 0.5}, options=Options(size=1, height=None, element_share=0.85))
    network = convolutional((1, 28, 28), (), 10, (), seed, hidden=(1200, 1200))
    return run(data or mnist10k(), network, recipe, progress)


def train_conv(seed=0, progress=None, *, data=None):
    """28x28 digits: Conv 16, Conv 32, each with a pool, Gemm 128, Gemm 10 (206,736 weights). Returns Trained.

    12 and 24 filters and 51 neurons stay. ``progress`` and ``data`` as for ``train_dense``.
    """
    recipe = _recipe(seed, 12, 2e-3, refill=5, filters={"conv1": 0.25, "conv2": 0.25, "dense1": 0.6},
                     zeros={"conv1": 0.0, "conv2": 0.6, "logits": 0.4},
                     options=Options(size=1, height=None, element_share=0.85))
    network = convolutional((1, 28, 28), (16, 32), 10, {1, 2}, seed, hidden=(128,))
    return run(data or mnist10k(), network, recipe, progress)


def train_digits(seed=0, progress=None, *, data=None):
    """8x8 digits: Conv 12, Conv 24, pool, Gemm 10 (6,540 weights). Returns Trained.

    60 % zeros in Conv 24, 70 % in Gemm 10; nothing is thinned. ``progress`` as for ``run``; ``data`` is
    digits, or what is given.
    """
    recipe = Recipe(first=Settings(epochs=40, shift=1, seed=seed), options=Options(size=1),
                    zeros={"conv1": 0.0, "conv2": 0.6, "logits": 0.7},
                    alternate=Settings(epochs=8, decay=0.0, shift=1, seed=seed + 100),
                    finish=Settings(epochs=40, rate=4e-3, decay=0.0, shift=1, seed=seed + 200))
    return run(data or digits(), convolutional((1, 8, 8), (12, 24), 10, {2}, seed), recipe, progress)
