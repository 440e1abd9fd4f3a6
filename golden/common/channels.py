"""A network seen as channels: weights as matrices, and which entries of its activations are one channel."""

from math import gcd

import numpy as np

__all__ = ["channel_widths", "check_groups", "count_weights", "groups", "spread", "turned", "unmarked",
           "weight_array", "weight_matrix", "weighted"]


def weighted(network):
    """The nodes with weights: Conv and Gemm."""
    return [node for node in network.nodes if node.op_type in ("Conv", "Gemm")]


def count_weights(network):
    """Weights of all Conv and Gemm nodes: (stored, not zero)."""
    arrays = [network.arrays[node.inputs[1]] for node in weighted(network)]
    return sum(array.size for array in arrays), sum(int(np.count_nonzero(array)) for array in arrays)


def turned(node):
    """Whether the node's weights stand as (inputs, filters): a Gemm without transB."""
    return node.op_type == "Gemm" and not node.attributes.get("transB", 0)


def groups(node):
    """Groups of filters of a Conv that read channels of their own, 1 of a Gemm."""
    return node.attributes.get("group", 1)


def check_groups(nodes, what):
    """Raises ValueError where one of ``nodes`` is a depthwise Conv, which ``what`` does not take."""
    for node in nodes:
        if groups(node) > 1:
            raise ValueError(f"{node.op_type} {node.name!r} attribute group must be 1 for {what}, which "
                             f"takes no depthwise convolution, not {groups(node)}")


def weight_matrix(node, arrays):
    """Weights of a Conv or Gemm as (filters, inputs, taps): R*S taps in the order of rows, one of a Gemm."""
    weights = arrays[node.inputs[1]]
    weights = weights.T if turned(node) else weights
    return weights.reshape(*weights.shape[:2], -1)


def weight_array(node, matrix, arrays):
    """The inverse of ``weight_matrix``, for any number of filters and inputs."""
    weights = matrix.reshape(*matrix.shape[:2], *arrays[node.inputs[1]].shape[2:])
    return np.ascontiguousarray(weights.T if turned(node) else weights)


def channel_widths(network):
    """Of each activation: how many entries along its first axis are one channel (H*W behind Flatten)."""
    widths = {network.input_name: 1}
    for node in network.nodes:
        # Add may sum vectors of different widths: then only their common divisor is of one channel in both.
        width = gcd(*(widths[source] for source in node.sources))
        if node.op_type == "Flatten":
            width *= network.shapes[node.outputs[0]][0] // network.shapes[node.sources[0]][0]
        widths[node.outputs[0]] = 1 if node.op_type in ("Conv", "Gemm") else width
    return widths


def unmarked(network):
    """{activation's name: False for each entry along its first axis}."""
    return {name: np.zeros(shape[0], bool) for name, shape in network.shapes.items()}


def spread(network, marks):
    """Marks all entries of channels of which one entry is marked; changes ``marks`` in place.

    BatchNormalization, Relu and MaxPool hand a channel on as one entry, Flatten as H*W, and Add makes those
    that it sums one, so marks go up and down the graph until they rest.
    """
    before = None
    while before != (before := sum(int(mark.sum()) for mark in marks.values())):
        for node in network.nodes:
            if node.op_type in ("Conv", "Gemm"):
                continue
            for source in node.sources:
                inner, outer = marks[source], marks[node.outputs[0]].reshape(len(marks[source]), -1)
                inner |= outer.any(axis=1)
                outer |= inner[:, None]
