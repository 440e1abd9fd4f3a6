"""A float network with ternary weights to the integer network of ``layers.py``; formulas: common/lower.py."""

import numpy as np
from shiftwork.golden.common.channels import check_groups, weighted
from shiftwork.golden.common.lower import Lowering, geometry

from .config import TernaryConfig
from .layers import ConvLayer, DenseLayer, TernaryNetwork

__all__ = ["lower"]


def _ternary(node, arrays):
    """Signs (int8) and alpha (float64, one a filter) of a Conv's or Gemm's weights."""
    weights = arrays[node.inputs[1]].astype(np.float64)
    if node.op_type == "Gemm" and not node.attributes.get("transB", 0):
        weights = weights.T
    magnitude = np.abs(weights).reshape(len(weights), -1)
    alpha = magnitude.max(axis=1)
    wrong = ((magnitude != 0) & (magnitude != alpha[:, None])).any(axis=1)
    if wrong.any():
        filter_ = int(np.argmax(wrong))
        count = len(np.unique(magnitude[filter_][magnitude[filter_] != 0]))
        raise ValueError(f"{node.op_type} {node.name!r} filter {filter_} must be ternary "
                         f"(0 and one magnitude), not of {count} magnitudes (ternarize it first)")
    return np.sign(weights).astype(np.int8), alpha


class _Lowering(Lowering):
    ENGINE, WIDTH = "ternary", "acc_width"

    def weights(self, block):
        return _ternary(block.core, self.network.arrays)

    def layer(self, block, turned, empty, common):
        signs, _ = self.weights(block)
        signs[turned] = -signs[turned]
        signs[empty] = 0
        if block.core.op_type == "Conv":
            return ConvLayer(weights=signs, **common, **geometry(block))
        return DenseLayer(weights=signs, **common)


def lower(network, config=None, bits=8):
    """The integer network (TernaryNetwork) of ``network``, which must have ternary weights and ``ranges``.

    ``network`` must be a chain Conv [BatchNormalization] [Relu] [MaxPool] ..., Flatten, Gemm
    [BatchNormalization] [Relu] .... Activations, the network's input among them, are of ``bits`` bits,
    unsigned behind a Relu and signed otherwise (of a layer at most 32767, 15 bits if unsigned); the last
    layer's outputs 16 bits with one step for all. Raises ValueError with a sentence that names the node for
    what does not fit the engine of ``config`` (default: TernaryConfig()).
    """
    check_groups(weighted(network), "the ternary engine")
    layers, input_step, output_step = _Lowering(network, config or TernaryConfig(), bits).layers()
    shape = network.input_shape if layers[0].convolution else (layers[0].inputs,)
    return TernaryNetwork(input_shape=shape, input_scale=input_step, output_scale=output_step, layers=layers,
                          input_bits=bits)
