"""Measurement of Network Purification and Unused Path Removal on LeNet-5."""

import numpy as np
from shiftwork.golden.common.admm import AdmmSettings, admm, prune
from shiftwork.golden.common.channels import count_weights
from shiftwork.golden.common.network import Network, Node
from shiftwork.golden.common.purify import Thresholds, purify, remove_unused_paths
from shiftwork.golden.common.trainer import Settings, train

from .bench import at_least, at_most, exactly, reported
from .datasets import mnist10k

__all__ = ["ENTRIES", "lenet5", "pruned", "purified"]

KEPT = {"conv1": (0.6, 0.4), "conv2": (0.25, 0.15), "dense": (0.04, 0.02), "logits": (0.25, 0.15)}
"""Share of each layer's weights that is left after the first and the second step of pruning."""

FACTORS = tuple(n / 20 for n in range(1, 17))   #: tried for Th1, Th3 and Th4
MARGIN = 0.002                                  #: training accuracy that purification may cost


def lenet5(seed):
    """LeNet-5 of 430,500 weights: Conv 20 and Conv 50, 5x5, with Relu and MaxPool; Gemm 500, Relu, Gemm 10.

    The input is (1, 28, 28). Weights are normal of variance 2 / inputs, from ``seed``; biases are 0.
    """
    rng = np.random.default_rng(seed)
    nodes, arrays = [], {}

    def add(op_type, name, *inputs, **attributes):
        source = nodes[-1].name if nodes else "x"
        nodes.append(Node(op_type=op_type, name=name, inputs=(source, *inputs), outputs=(name,),
                          attributes=attributes))

    def layer(op_type, name, *shape, **attributes):
        deviation = np.sqrt(2 / np.prod(shape[1:]))
        arrays[f"{name}.weight"] = (rng.standard_normal(shape) * deviation).astype(np.float32)
        arrays[f"{name}.bias"] = np.zeros(shape[0], np.float32)
        add(op_type, name, f"{name}.weight", f"{name}.bias", **attributes)

    for n, (filters, channels) in enumerate(((20, 1), (50, 20)), 1):
        layer("Conv", f"conv{n}", filters, channels, 5, 5, kernel_shape=(5, 5))
        add("Relu", f"relu{n}")
        add("MaxPool", f"pool{n}", kernel_shape=(2, 2), strides=(2, 2))
    add("Flatten", "flat")
    layer("Gemm", "dense", 500, 800, transB=1)
    add("Relu", "relu3")
    layer("Gemm", "logits", 10, 500, transB=1)
    return Network(nodes=tuple(nodes), arrays=arrays, input_shape=(1, 28, 28), output_name="logits",
                   ranges={"x": (0.0, 1.0)})


def pruned(network, data, note=lambda text: None):
    """``network`` trained, pruned by ADMM in two steps (progressive) to KEPT, each with masked retraining."""
    note("training")
    network = train(network, data.train_x, data.train_y, Settings(epochs=8, shift=1))
    admm_settings = AdmmSettings(updates=3, rho=3e-3, train=Settings(epochs=3, rate=1e-3, shift=1))
    retrain, masks = Settings(epochs=8, decay=0.0, shift=1), None
    for step in (0, 1):
        note(f"ADMM, step {step + 1} of 2")
        project = {f"{name}.weight": prune(1 - shares[step]) for name, shares in KEPT.items()}
        network, masks = admm(network, data.train_x, data.train_y, project, admm_settings, masks=masks,
                              retrain=retrain)
    return network


def purified(network, x, labels):
    """``network`` purified by the greatest of FACTORS that costs at most MARGIN of accuracy on ``x``.

    Returns (network, factor); where every factor costs more, ``network`` itself and 0.
    """
    least = network.accuracy(x, labels) - MARGIN
    for factor in reversed(FACTORS):
        candidate, _ = purify(network, Thresholds(column=factor, channel=factor, filter=factor))
        if candidate.accuracy(x, labels) >= least:
            return candidate, factor
    return network, 0.0


def purify_rate(bench):
    """Weights and held-out accuracy of LeNet-5 on mnist10k: pruned, without unused paths, purified.

    Thresholds are chosen on the training images; nothing is retrained behind the pruning.
    """
    data = mnist10k()
    dense = lenet5(seed=0)
    sparse = pruned(dense, data, bench.note)
    bench.note("purification")
    pure, factor = purified(sparse, data.train_x, data.train_y)
    shorter, smallest = remove_unused_paths(sparse)[0], remove_unused_paths(pure)[0]
    weights, _ = count_weights(dense)
    yield reported("purify/weights", "weights", weights)
    found = {"pruned": sparse, "paths": shorter, "purified": smallest}
    accuracy = {name: 100 * net.accuracy(data.test_x, data.test_y) for name, net in found.items()}
    for name, net in found.items():
        stored, used = count_weights(net)
        yield reported(f"purify/{name}-nonzero", "weights", used)
        yield reported(f"purify/{name}-stored", "weights", stored)
        yield reported(f"purify/{name}-rate", "x fewer non-zero weights", weights / used)
        yield reported(f"purify/{name}-accuracy", "percent", accuracy[name])
    yield reported("purify/factor", "x the mean", factor)
    changed = sparse.forward(data.test_x).argmax(axis=1) != shorter.forward(data.test_x).argmax(axis=1)
    yield exactly("purify/paths-changed", "labels of 2,000", int(changed.sum()), 0)
    yield at_least("purify/rate", "x the pruned network's rate",
                   count_weights(sparse)[1] / count_weights(smallest)[1], 1.15)
    yield at_least("purify/stored", "x fewer stored weights", weights / count_weights(smallest)[0], 1.5)
    yield at_most("purify/accuracy-lost", "points", accuracy["pruned"] - accuracy["purified"], 0.5)


ENTRIES = {"purify/rate": purify_rate}
