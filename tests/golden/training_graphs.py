"""Small networks for the tests of integer training."""

import numpy as np
from shiftwork.golden.common.network import Network, Node


def node(op_type, name, source, *arrays, **attributes):
    sources = source if isinstance(source, tuple) else (source,)
    return Node(op_type=op_type, name=name, inputs=(*sources, *arrays), outputs=(name,),
                attributes=attributes)


def norm(name, source):
    return node("BatchNormalization", name, source, *(f"{name}.{part}" for part in ("g", "b", "m", "v")))


def _network(nodes, arrays, channels, shape, output):
    for name, size in channels.items():
        arrays |= {f"{name}.g": np.ones(size), f"{name}.b": np.zeros(size), f"{name}.m": np.zeros(size),
                   f"{name}.v": np.ones(size)}
    return Network(nodes=nodes, arrays=arrays, input_shape=shape, output_name=output)


def residual(seed=0):
    """A sum of what was normalized and what goes around it, strides, pads, overlapping pools, two Gemms."""
    rng = np.random.default_rng(seed)
    arrays = {"w1": rng.standard_normal((4, 2, 3, 3)), "w2": rng.standard_normal((4, 4, 3, 3)),
              "w3": rng.standard_normal((5, 4, 2, 3)), "w4": rng.standard_normal((6, 10)),
              "w5": rng.standard_normal((3, 6)), "b5": np.zeros(3)}
    nodes = (node("Conv", "c1", "x", "w1", pads=(1, 1, 1, 1), kernel_shape=(3, 3)), norm("n1", "c1"),
             node("Relu", "r1", "n1"),
             node("Conv", "c2", "r1", "w2", pads=(1, 1, 1, 1), kernel_shape=(3, 3)), norm("n2", "c2"),
             node("Add", "s", ("n2", "r1")), node("Relu", "r2", "s"),
             node("MaxPool", "p", "r2", kernel_shape=(2, 2), strides=(1, 1)),
             node("Conv", "c3", "p", "w3", strides=(2, 1), pads=(0, 1, 1, 0), kernel_shape=(2, 3)),
             norm("n3", "c3"),
             node("MaxPool", "q", "n3", kernel_shape=(2, 2), strides=(2, 2)), node("Relu", "r3", "q"),
             node("Flatten", "f", "r3"), node("Gemm", "d", "f", "w4", transB=1), norm("n4", "d"),
             node("Relu", "r4", "n4"), node("Gemm", "y", "r4", "w5", "b5", transB=1))
    return _network(nodes, arrays, {"n1": 4, "n2": 4, "n3": 5, "n4": 6}, (2, 7, 6), "y")


def dense(flatten):
    """A layer that reads a whole map of 5 channels: a Gemm behind a Flatten, or a Conv of the map's size."""
    rng = np.random.default_rng(0)
    w2 = rng.standard_normal((6, 5, 4, 3))
    arrays = {"w1": rng.standard_normal((5, 1, 3, 3)), "w2": w2.reshape(6, -1) if flatten else w2,
              "w3": rng.standard_normal((2, 6)), "b3": np.zeros(2)}
    middle = ((node("Flatten", "f", "r1"), node("Gemm", "c2", "f", "w2", transB=1)) if flatten else
              (node("Conv", "c2", "r1", "w2", kernel_shape=(4, 3)),))
    nodes = (node("Conv", "c1", "x", "w1", pads=(1, 1, 1, 1), kernel_shape=(3, 3)), norm("n1", "c1"),
             node("Relu", "r1", "n1"), *middle, norm("n2", "c2"), node("Relu", "r2", "n2"),
             node("Flatten", "g", "r2"), node("Gemm", "y", "g", "w3", "b3", transB=1))
    return _network(nodes, arrays, {"n1": 5, "n2": 6}, (1, 4, 3), "y")


def before(seed=0):
    """Normalization before the convolution, sums of convolutions' outputs: the paper's kind of residual."""
    rng = np.random.default_rng(seed)
    arrays = {"w1": rng.standard_normal((3, 1, 3, 3)), "w2": rng.standard_normal((3, 3, 3, 3)),
              "w3": rng.standard_normal((3, 3, 1, 1)), "w4": rng.standard_normal((2, 75)), "b4": np.zeros(2)}
    nodes = (node("Conv", "c1", "x", "w1", pads=(1, 1, 1, 1), kernel_shape=(3, 3)), norm("n1", "c1"),
             node("Relu", "r1", "n1"),
             node("Conv", "c2", "r1", "w2", pads=(1, 1, 1, 1), kernel_shape=(3, 3)),
             node("Add", "s1", ("c1", "c2")),
             norm("n2", "s1"), node("Relu", "r2", "n2"), node("Conv", "c3", "r2", "w3", kernel_shape=(1, 1)),
             node("Add", "s2", ("s1", "c3")), norm("n3", "s2"), node("Relu", "r3", "n3"),
             node("Flatten", "f", "r3"),
             node("Gemm", "y", "f", "w4", "b4", transB=1))
    return _network(nodes, arrays, {"n1": 3, "n2": 3, "n3": 3}, (1, 5, 5), "y")
