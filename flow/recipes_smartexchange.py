"""Networks for the SmartExchange engine, trained from nothing: thinned, decomposed, retrained."""

from dataclasses import dataclass, field, replace

import numpy as np
from shiftwork.golden.common.admm import AdmmSettings, admm, prune_slices
from shiftwork.golden.common.channels import count_weights, turned, weighted
from shiftwork.golden.common.network import Network
from shiftwork.golden.common.purify import remove_unused_paths
from shiftwork.golden.common.trainer import Hooks, Settings, refresh_statistics, train
from shiftwork.golden.smartexchange.compress import Compressed, retrain
from shiftwork.golden.smartexchange.options import Options

__all__ = ["Recipe", "Trained", "run", "thinned"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of the stages of ``run``."""

    first: Settings                             #: float training
    thin: AdmmSettings                          #: ADMM towards fewer filters and channels
    refill: Settings                            #: training of what is left
    filters: dict[str, float] = field(default_factory=dict)     #: share of filters that go, by node
    channels: dict[str, float] = field(default_factory=dict)    #: share of input channels that go, by node
    options: Options = Options()
    zeros: dict[str, float] = field(default_factory=dict)       #: share of zeros in what is left, by node
    draw: AdmmSettings | None = None            #: ADMM towards the decomposition
    finish: Settings | None = None              #: training straight through the coefficients
    tune: Settings | None = None                #: training of biases and batch normalization


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What ``run`` yields; accuracies are those on the held-out images."""

    network: Network                #: float, as it was before anything was taken out
    accuracy: float
    thinned: Network
    compressed: Compressed
    compressed_accuracy: float

    @property
    def rate(self):
        """Bits of the float network's weights, 32 each, by bits of the compressed ones'."""
        return 32 * count_weights(self.network)[0] / self.compressed.storage_bits


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
    """Options of each node: a share of zeros that counts what ``masks`` holds at zero already."""
    return {node.name: replace(recipe.options, element_share=1 - float(masks[node.inputs[1]].mean()) * (
        1 - recipe.zeros.get(node.name, recipe.options.element_share))) for node in weighted(network)}


def run(data, network, recipe, progress=None):
    """``network`` trained on ``data`` (a Dataset), thinned, decomposed and retrained, as Trained.

    ``progress(stage, epoch, epochs, loss)`` is called after each epoch.
    """
    def stage(name):
        return (lambda epoch, epochs, loss: progress(name, epoch, epochs, loss)) if progress else None

    images = data.train_x, data.train_y
    network = refresh_statistics(train(network, *images, recipe.first, progress=stage("float")), images[0])
    thin, masks = thinned(network, *images, recipe, stage("thin"))
    found = retrain(thin, *images, layers=_layers(thin, masks, recipe), admm_settings=recipe.draw,
                    finish=recipe.finish, tune=recipe.tune, masks=masks, progress=stage("factors"))
    return Trained(network=network, accuracy=network.accuracy(data.test_x, data.test_y), thinned=thin,
                   compressed=found, compressed_accuracy=found.network.accuracy(data.test_x, data.test_y))
