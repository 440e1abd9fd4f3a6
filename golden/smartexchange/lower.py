"""A float network and the factors of its weights to the integer network; formulas: common/lower.py.

A layer's alpha is the scale of its factors, its integers t their products Ce B.
"""

import numpy as np
from shiftwork.golden.common.channels import groups
from shiftwork.golden.common.channels import turned as stands_turned
from shiftwork.golden.common.lower import Lowering, geometry

from .channels import in_order, input_order
from .config import SmartExchangeConfig
from .layers import ConvLayer, DenseLayer, PointLayer, SmartExchangeNetwork

__all__ = ["lower"]


class _Lowering(Lowering):
    ENGINE, WIDTH, BIAS_IN_SUM = "SmartExchange", "sum_width", True

    def __init__(self, network, factors, config, bits):
        super().__init__(network, config, bits)
        self._factors = factors

    def weights(self, block):
        node, where = block.core, block.where
        if node.name not in self._factors:
            raise ValueError(f"{where} must have factors, not none")
        factors, live = self._factors[node.name], slice(None)
        stored = self.network.arrays[node.inputs[1]]
        stored = stored.T if stands_turned(node) else stored
        order = input_order(self.network, node, factors.layout.size)
        if order is not None:
            # Columns of zeros are no weights: what the factors have there does not count.
            stored, live = in_order(stored, order), order >= 0
        if factors.layout.groups != groups(node):
            raise ValueError(f"Factors of {where} must have its {groups(node)} groups, "
                             f"not {factors.layout.groups}")
        if tuple(factors.layout.shape) != stored.shape:
            raise ValueError(f"Factors of {where} must be of weights of shape {stored.shape}, inputs in the "
                             f"engine's order, not {tuple(factors.layout.shape)}")
        weights = factors.integer_weights()
        scaled = weights * factors.scale.reshape((-1,) + (1,) * (weights.ndim - 1))
        if not np.array_equal(scaled[:, live].astype(np.float32), stored[:, live].astype(np.float32)):
            raise ValueError(f"Weights of {where} must be those of its factors, not others")
        # A filter of zeros has no scale: it becomes a constant.
        kept = weights.any(axis=tuple(range(1, weights.ndim)))
        return weights[:, live], np.where(kept, factors.scale, 0)

    def layer(self, block, turned, empty, common):
        factors = self._factors[block.core.name]
        layout, signs = factors.layout, factors.signs.copy()
        signs[turned] = -signs[turned]
        signs[empty] = 0
        common |= dict(signs=signs, exponents=factors.exponents, bounds=tuple(layout.bounds),
                       basis=factors.basis)
        if block.core.op_type == "Gemm":
            return DenseLayer(**common)
        common |= geometry(block)
        (rows, columns), depthwise = layout.shape[2:], layout.groups > 1
        if (rows, columns) == (1, 1) and not depthwise:
            return PointLayer(**common)
        if columns != layout.size:
            pixel = "" if depthwise else ", or of one pixel,"
            raise ValueError(f"{block.where} must have a kernel of several columns{pixel} or "
                             f"factors of size 1, not a kernel of {rows} x {columns} and size {layout.size}")
        return ConvLayer(kernel_rows=rows, depthwise=depthwise, **common)


def lower(network, factors, config=None, bits=8):
    """The integer network (SmartExchangeNetwork) of ``network``, which must have ``ranges``.

    ``factors``: a Factors for the name of each Conv and Gemm, whose products are exactly the network's
    weights; those of a Gemm behind a map are of `in_order` of them. ``network`` must be a chain Conv
    [BatchNormalization] [Relu] [MaxPool] ..., Flatten, Gemm [BatchNormalization] [Relu] .... Activations, the
    network's input among them, are of ``bits`` bits, unsigned behind a Relu and signed otherwise (of a layer
    at most 32767, 15 bits if unsigned); the last layer's outputs 16 bits with one step for all. Raises
    ValueError with a sentence that names the node for what does not fit the engine of ``config`` (default:
    SmartExchangeConfig()).
    """
    config = config or SmartExchangeConfig()
    layers, input_step, output_step = _Lowering(network, factors, config, bits).layers()
    shape = network.input_shape if layers[0].convolution else (int(np.prod(network.input_shape)),)
    return SmartExchangeNetwork(input_shape=shape, input_scale=input_step, output_scale=output_step,
                                layers=layers, input_bits=bits)
