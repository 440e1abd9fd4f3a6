"""Networks that can be trained from nothing: architecture, float training, ternary retraining, integers."""

from dataclasses import dataclass

import numpy as np
from shiftwork.golden.common.admm import AdmmSettings, Schedule
from shiftwork.golden.common.network import Network, Node
from shiftwork.golden.common.trainer import Settings, refresh_statistics, train
from shiftwork.golden.ternary.compress import TernaryRule, lower, ternarize, ternarize_in_steps
from shiftwork.golden.ternary.layers import TernaryNetwork

from .datasets import digits, mnist10k

__all__ = ["Trained", "convolutional", "train_digits", "train_mnist", "train_mnist_sparse"]

WEIGHT_BITS = 2
"""Bits of a stored ternary weight: whether it is zero, and its sign."""


@dataclass(frozen=True)
class Trained:
    """What a recipe yields; accuracies are those on the held-out images."""

    network: Network
    accuracy: float
    compressed: Network
    compressed_accuracy: float
    integer: TernaryNetwork

    @property
    def rate(self):
        """Bits of the float network's weights, 32 each, by those that the engine stores of a weight."""
        return 32 / WEIGHT_BITS


def convolutional(shape, filters, outputs, pooled, seed, hidden=()):
    """Blocks Conv 3x3 (pad 1), BatchNormalization, Relu, one for each of ``filters``; then Flatten, Gemm.

    MaxPool 2x2 stands behind the blocks whose number (from 1) is in ``pooled``, and a Gemm with a Relu before
    the last Gemm for each of ``hidden``, its outputs. All Gemms have biases, 0 at first.
    Weights are normal of variance 2 / inputs, from ``seed``. ``shape`` is (channels, rows, columns).
    """
    rng = np.random.default_rng(seed)
    nodes, arrays, name = [], {}, "x"
    channels, rows, columns = shape

    def add(op_type, layer, inputs=(), **attributes):
        nonlocal name
        nodes.append(Node(op_type=op_type, name=layer, inputs=(name, *inputs), outputs=(layer,),
                          attributes=attributes))
        name = layer

    def normal(*size):
        return (rng.standard_normal(size) * np.sqrt(2 / np.prod(size[1:]))).astype(np.float32)

    for n, count in enumerate(filters, 1):
        arrays[f"conv{n}.weight"] = normal(count, channels, 3, 3)
        add("Conv", f"conv{n}", [f"conv{n}.weight"], kernel_shape=(3, 3), strides=(1, 1), pads=(1, 1, 1, 1))
        parts = [f"norm{n}.{part}" for part in ("scale", "bias", "mean", "variance")]
        arrays |= {part: np.full(count, value, np.float32)
                   for part, value in zip(parts, (1, 0, 0, 1), strict=True)}
        add("BatchNormalization", f"norm{n}", parts, epsilon=1e-5)
        add("Relu", f"relu{n}")
        if n in pooled:
            add("MaxPool", f"pool{n}", kernel_shape=(2, 2), strides=(2, 2))
            rows, columns = rows // 2, columns // 2
        channels = count
    add("Flatten", "flat")
    inputs = channels * rows * columns
    for n, width in enumerate((*hidden, outputs), 1):
        last = n > len(hidden)
        stem = "dense" if last else f"dense{n}"
        arrays[f"{stem}.weight"] = normal(width, inputs)
        arrays[f"{stem}.bias"] = np.zeros(width, np.float32)
        add("Gemm", "logits" if last else stem, [f"{stem}.weight", f"{stem}.bias"], transB=1)
        if not last:
            add("Relu", f"dense{n}.relu")
        inputs = width
    return Network(nodes=tuple(nodes), arrays=arrays, input_shape=shape, output_name="logits",
                   ranges={"x": (0.0, 1.0)})


def _run(data, network, first, second, rule, progress, schedule=None, moving=None):
    """Float training, ternary retraining (with ``schedule`` by ADMM, ``rule`` then conv1's), integers."""
    def stage(name):
        return (lambda epoch, epochs, loss: progress(name, epoch, epochs, loss)) if progress else None

    network = train(network, data.train_x, data.train_y, first, progress=stage("float"))
    network = refresh_statistics(network, data.train_x)
    images = data.train_x, data.train_y
    if schedule:
        ternary = ternarize_in_steps(network, *images, second, schedule=schedule, rules={"conv1": rule},
                                     moving=moving, progress=stage("ternary"))
    else:
        ternary = ternarize(network, *images, second, rule=rule, progress=stage("ternary"))
    return Trained(network, network.accuracy(data.test_x, data.test_y), ternary,
                   ternary.accuracy(data.test_x, data.test_y), lower(ternary))


def train_digits(seed=0, progress=None):
    """8x8 digits: Conv 12, Conv 24, pool, Gemm 10; ternary, 60 % zeros, 8-bit activations. Returns Trained.

    ``progress(stage, epoch, epochs, loss)`` with stage "float" or "ternary" is called after each epoch.
    """
    return _run(digits(), convolutional((1, 8, 8), (12, 24), 10, {2}, seed),
                Settings(epochs=40, shift=1, seed=seed),
                Settings(epochs=60, rate=6e-3, decay=0.0, shift=1, seed=seed + 100),
                TernaryRule(zero_share=0.6), progress)


def train_mnist(seed=0, progress=None):
    """28x28 digits: Conv 16, Conv 32, Conv 32, each with a pool, Gemm 10; 75 % zeros. Returns Trained.

    ``progress`` as for ``train_digits``.
    """
    return _run(mnist10k(), convolutional((1, 28, 28), (16, 32, 32), 10, {1, 2, 3}, seed),
                Settings(epochs=12, shift=2, seed=seed),
                Settings(epochs=15, rate=6e-3, decay=0.0, shift=2, seed=seed + 100),
                TernaryRule(zero_share=0.75), progress)


def train_mnist_sparse(seed=0, progress=None, *, data=None, epochs=(12, 15, 3), filters=(16, 48, 32)):
    """28x28 digits: Conv 16, Conv 48, Conv 32, each with a pool, Gemm 10; over 80 % zeros by ADMM in steps.

    ``progress`` as for ``train_digits``. ``data`` (a Dataset of 28x28 images), ``epochs`` (float, straight
    through, masked) and ``filters`` are for trials; the default is mnist10k. Returns Trained.
    """
    schedule = Schedule(
        settings=AdmmSettings(updates=2, train=Settings(epochs=1, rate=1e-3, shift=2, seed=seed + 200)),
        retrain=Settings(epochs=1, rate=1e-3, decay=0.0, shift=2, seed=seed + 300))
    # conv1 has 9 weights a filter and 144 in all: at 82 % one would be left of each.
    return _run(data or mnist10k(), convolutional((1, 28, 28), filters, 10, {1, 2, 3}, seed),
                Settings(epochs=epochs[0], shift=2, seed=seed),
                Settings(epochs=epochs[2], rate=1e-3, decay=0.0, shift=2, seed=seed + 100),
                TernaryRule(zero_share=1 / 3), progress, schedule,
                Settings(epochs=epochs[1], rate=6e-3, decay=0.0, shift=2, seed=seed + 400))
