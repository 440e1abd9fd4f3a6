"""Random float networks with dead channels, and a bound on the rounding errors of their outputs."""

import numpy as np
from shiftwork.golden.common.layers import FORWARD
from shiftwork.golden.common.network import Network, Node

__all__ = ["Builder", "outputs_and_bound", "random_network"]


class Builder:
    """A growing network; each method appends nodes and leaves the last one's output as ``name``."""

    def __init__(self, rng, shape):
        self.rng, self.input_shape, self.shape, self.name = rng, shape, shape, "x"
        self.nodes, self.arrays = [], {}

    def _append(self, op_type, *inputs, **attributes):
        name = f"{op_type.lower()}{len(self.nodes)}"
        self.nodes.append(Node(op_type=op_type, name=name, inputs=inputs, outputs=(name,),
                               attributes=attributes))
        self.name = name
        # The shape of what was just appended, from the network's own inference.
        self.shape = self.network().shapes[name]
        return self

    def _array(self, values):
        name = f"a{len(self.arrays)}"
        self.arrays[name] = np.ascontiguousarray(values, np.float32)
        return name

    def _weights(self, *size):
        """Normal, of variance 1 / inputs, with filters, inputs and single weights set to zero."""
        weights = self.rng.standard_normal(size) * (self.rng.random(size) < 0.7) / np.prod(size[1:]) ** 0.5
        weights[self.rng.random(size[0]) < 0.3] = 0
        weights[:, self.rng.random(size[1]) < 0.2] = 0
        return weights

    def _bias(self, size):
        if self.rng.random() < 0.4:
            return ()
        return (self._array(self.rng.standard_normal(size) * (self.rng.random(size) < 0.7)),)

    def conv(self, filters, kernel, strides=(1, 1), pads=(0, 0, 0, 0)):
        weights = self._weights(filters, self.shape[0], *kernel)
        weights[..., 0, :] *= self.rng.random() < 0.5     # then some taps never meet the padding
        return self._append("Conv", self.name, self._array(weights), *self._bias(filters), strides=strides,
                            pads=pads)

    def gemm(self, outputs):
        weights, rows = self._weights(outputs, self.shape[0]), int(self.rng.integers(2))
        return self._append("Gemm", self.name, self._array(weights if rows else weights.T),
                            *self._bias(outputs), transB=rows)

    def norm(self):
        size, rng = self.shape[0], self.rng
        gamma = rng.uniform(0.5, 1.5, size) * rng.choice([-1, 0, 1, 1, 1, 1], size)
        parts = [gamma, rng.standard_normal(size), rng.standard_normal(size), rng.uniform(0.5, 2, size)]
        return self._append("BatchNormalization", self.name, *map(self._array, parts), epsilon=1e-3)

    def relu(self):
        return self._append("Relu", self.name)

    def pool(self, kernel, strides):
        return self._append("MaxPool", self.name, kernel_shape=kernel, strides=strides)

    def flatten(self):
        return self._append("Flatten", self.name)

    def add(self, other):
        return self._append("Add", *((self.name, other) if self.rng.random() < 0.5 else (other, self.name)))

    def maybe(self, chance, method, *arguments):
        return getattr(self, method)(*arguments) if self.rng.random() < chance else self

    def network(self):
        return Network(nodes=tuple(self.nodes), arrays=self.arrays, input_shape=self.input_shape,
                       output_name=self.name)


def _sizes(rng, least, most, count=2):
    return tuple(int(v) for v in rng.integers(least, most + 1, count))


def _block(net, rng):
    pads = _sizes(rng, 0, 2, 4) if rng.random() < 0.6 else (0, 0, 0, 0)
    padded = net.shape[1] + pads[0] + pads[2], net.shape[2] + pads[1] + pads[3]
    kernel = tuple(min(k, size) for k, size in zip(_sizes(rng, 1, 3), padded, strict=True))
    net.conv(int(rng.integers(1, 6)), kernel, _sizes(rng, 1, 2), pads)
    net.maybe(0.5, "norm").maybe(0.7, "relu")
    if min(net.shape[1:]) > 1:
        net.maybe(0.4, "pool", (2, 2), _sizes(rng, 1, 2))
    for _ in range(int(rng.integers(0, 3))):
        shortcut = net.name
        net.conv(net.shape[0], (3, 3), pads=(1, 1, 1, 1)).maybe(0.5, "norm").add(shortcut).maybe(0.5, "relu")


def random_network(rng):
    """Conv blocks and Gemm blocks, residual or not, mostly with Flatten between; dead channels everywhere."""
    net = Builder(rng, (*_sizes(rng, 1, 3, 1), *_sizes(rng, 4, 8)))
    net.maybe(0.1, "relu")
    for _ in range(int(rng.integers(1, 4))):
        _block(net, rng)
        if rng.random() < 0.2:    # a branch that leads nowhere
            name, shape = net.name, net.shape
            net.conv(2, (1, 1)).relu()
            net.name, net.shape = name, shape
    if rng.random() < 0.1:
        return net.network()
    net.flatten()
    for _ in range(int(rng.integers(0, 3))):
        shortcut = net.name
        if rng.random() < 0.4:    # right behind Flatten: H*W entries of one channel meet as many channels
            net.gemm(net.shape[0]).add(shortcut).maybe(0.5, "relu")
        else:
            net.gemm(int(rng.integers(1, 8))).maybe(0.3, "norm").maybe(0.7, "relu")
    return net.gemm(3).maybe(0.2, "norm").network()


TERMS = {"BatchNormalization": 12, "Add": 1, "Relu": 0, "MaxPool": 0, "Flatten": 0}
"""Roundings on the way to one output; a Conv or Gemm has its products and sums, and 15 to fold its bias."""


def outputs_and_bound(network, x, unit):
    """The network's outputs in float64, and how far those of any arithmetic of unit roundoff ``unit`` may be.

    Errors e at a node's input become at most |W| e at its output (1-Lipschitz nodes: e), and n roundings add
    at most n * unit * (|W| (|x| + e) + |b|), whatever the order of summation.
    """
    arrays = {name: array.astype(np.float64) for name, array in network.arrays.items()}
    absolute = {name: np.abs(array) for name, array in arrays.items()}
    # y = x * gain + (beta - mean * gain): a negative mean makes the three terms' magnitudes add up.
    absolute |= {node.inputs[3]: -np.abs(arrays[node.inputs[3]])
                 for node in network.nodes if node.op_type == "BatchNormalization"}
    x = np.moveaxis(np.asarray(x, np.float64), 0, -1)
    values, errors = {network.input_name: x}, {network.input_name: np.zeros_like(x)}
    for node in network.nodes:
        def reach(*inputs, node=node):
            return FORWARD[node.op_type](node, absolute, False, *inputs)[0]

        inputs, apart = ([known[source] for source in node.sources] for known in (values, errors))
        terms = TERMS.get(node.op_type)
        if terms is None:
            terms = arrays[node.inputs[1]].size // network.shapes[node.outputs[0]][0] + 16
        values[node.outputs[0]] = FORWARD[node.op_type](node, arrays, False, *inputs)[0]
        errors[node.outputs[0]] = reach(*apart) - reach(*map(np.zeros_like, apart)) + 1.01 * terms * unit * (
            reach(*(np.abs(v) + e for v, e in zip(inputs, apart, strict=True))))
    return tuple(np.moveaxis(known[network.output_name], -1, 0) for known in (values, errors))
