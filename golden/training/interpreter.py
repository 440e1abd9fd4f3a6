"""What each operation of a training step computes, on a store of named tensors."""

from dataclasses import dataclass, field

import numpy as np
from shiftwork.golden.common.layers import BACKWARD, FORWARD, per_channel

from . import batch_norm, products
from .arithmetic import saturate, shift_round
from .config import ACTIVATION_BITS, FRACTION, PRODUCT_FRACTION, RANDOM_BITS, WIDE_BITS, TrainingConfig
from .lfsr import RandomLanes
from .operations import Kind
from .quantize import Scaled, constant, flagged, shifted
from .softmax import softmax_error
from .tiles import kernel_shape
from .update import Parameter, plain_gradient

__all__ = ["ALIGN_BITS", "Interpreter", "add_errors", "product_error", "rectify"]

ALIGN_BITS = 16
"""Errors are aligned by at most so many bits; what is further below the greatest exponent is rounded."""


def rectify(x):
    """ReLU: clip( round(x), 0, 255 ) on the grid 2 ** -7; ``x`` has 7 or more bits behind the point."""
    most = (1 << ACTIVATION_BITS) - 1
    return Scaled(np.clip(shift_round(x.integers, -FRACTION - x.exponent), 0, most), -FRACTION)


def add_errors(errors):
    """Sum of ``errors`` (Scaled), on the least of their exponents, but at most 16 below the greatest."""
    exponents = [error.exponent for error in errors]
    to = max(min(exponents), max(exponents) - ALIGN_BITS)
    total = np.zeros_like(errors[0].integers)
    for error in errors:
        total += shift_round(error.integers, to - error.exponent)
    return Scaled(total, to)


def product_error(error, config):
    """E2: ``error`` quantized to flagged 8 bits, or to 16, as Scaled."""
    return flagged(error).scaled if config.error_bits == 8 else shifted(error, 16)


@dataclass(eq=False)
class Interpreter:
    """Runs operations on ``tensors``: {name: Scaled}, but for labels (N,), Statistics and miss, an integer.

    ``parameters`` {name: Parameter} and ``running`` {node's name: (mean, deviation)} change. ``precision``
    (`dynasty.Precision`, or None for 8 bits throughout) rounds the products' operands.
    """

    network: object
    config: TrainingConfig
    parameters: dict[str, Parameter]
    running: dict[str, tuple[np.ndarray, np.ndarray]]
    random: RandomLanes
    rate: int = 0           #: in 1 / 512
    levels: int = 128       #: of the constant quantization, dr
    precision: object = None
    tensors: dict = field(default_factory=dict)

    def __post_init__(self):
        self.nodes = {node.name: node for node in self.network.nodes}

    def run(self, operations):
        for operation in operations:
            self.one(operation)

    def one(self, operation):
        """Runs one operation: reads tensors, or parameters of that name, and writes its results."""
        node = self.nodes.get(operation.node)
        reads = [self.tensors.get(name, self.parameters.get(name)) for name in operation.reads]
        results = _COMPUTE[operation.kind](self, operation, node, *reads)
        if results is not None:
            results = results if isinstance(results, tuple) else (results,)
            self.tensors.update(zip(operation.writes, results, strict=True))

    def operands(self, product, node, **tensors):
        """Integers of a ``product``'s operands (x, weight, error: Scaled), in their tiles' bits."""
        if self.precision is None:
            return [tensor.integers for tensor in tensors.values()]
        return self.precision.operands(product, node, tensors)

    def multiply(self, operation, node, x, weight, bias=None):
        z = products.forward(node, *self.operands("forward", node, x=x, weight=weight))
        if bias is not None:
            z += per_channel(bias.integers, z) << PRODUCT_FRACTION - FRACTION
        return Scaled(saturate(z, WIDE_BITS), -PRODUCT_FRACTION)

    def statistics(self, operation, node, x):
        found = batch_norm.statistics(x)
        fresh = [part << batch_norm.RUNNING_BITS for part in (found.mean, found.deviation)]
        if node.name in self.running:
            fresh = [old + shift_round(new - old, self.config.running_shift)
                     for old, new in zip(self.running[node.name], fresh, strict=True)]
        self.running[node.name] = tuple(fresh)
        return found

    def quantized(self, error):
        """E2 before its tiles round it: where there are tiles, of 16 bits whatever the config says."""
        return product_error(error, self.config) if self.precision is None else shifted(error, 16)

    def product_error(self, operation, node, error):
        found = self.quantized(error)
        if self.precision is None:
            return found
        random = self.random.errors(found.integers.shape, self.config.block)
        return self.precision.stored_error(node, found, random)

    def bias_gradient(self, operation, node, error):
        found = self.quantized(error)
        return Scaled(found.integers.reshape(len(found.integers), -1).sum(axis=1), found.exponent)

    def norm_error(self, operation, node, error, normal, dbeta, dgamma, gamma, found):
        return batch_norm.input_error(error, normal, (dbeta, dgamma), gamma.integers, found)

    def weight_gradient(self, operation, node, x, error):
        shape = self.parameters[node.inputs[1]].master
        a, b = self.operands("weight gradient", node, x=x, error=error)
        return Scaled(products.weight_gradient(node, a, b, shape), x.exponent + error.exponent)

    def input_gradient(self, operation, node, error, weight):
        shape = self.tensors[node.sources[0]].integers.shape
        a, b = self.operands("input gradient", node, error=error, weight=weight)
        return Scaled(products.input_gradient(node, a, b, shape), error.exponent + weight.exponent)

    def loss(self, operation, node, logits, labels):
        found = softmax_error(logits, labels)
        return found.error, found.miss

    def update(self, operation, node, gradient):
        block = self.config.block
        if operation.reads[0] == f"gradient {node.inputs[1]}":
            random = self.random.tiles(kernel_shape(self.network, node), block)
        else:
            random = self.random.biases(gradient.integers.size, block)
        self.step(operation, constant(gradient, self.levels, random))

    def step(self, operation, gradient):
        self.parameters[operation.writes[0]].step(gradient, self.rate, self.config.momentum)


def _add(run, operation, node, a, b):
    to = min(a.exponent, b.exponent)
    total = (a.integers << a.exponent - to) + (b.integers << b.exponent - to)
    return Scaled(saturate(total, WIDE_BITS), to)


def _moved(table, op_type):
    """Flatten and MaxPool move integers: the float layers' code does, too."""
    return lambda run, operation, node, x: Scaled(table[op_type](node, {}, True, x.integers)[0], x.exponent)


def _moved_back(op_type):
    def back(run, operation, node, error, x):
        cache = FORWARD[op_type](node, {}, True, x.integers)[1]
        return Scaled(BACKWARD[op_type](node, {}, error.integers, cache)[0][0], error.exponent)
    return back


def _mask(run, operation, node, error, a):
    """The error where the activation is neither 0 nor clipped."""
    inside = (a.integers > 0) & (a.integers < (1 << ACTIVATION_BITS) - 1)
    return Scaled(error.integers * inside, error.exponent)


_COMPUTE = {
    Kind.ROUND: lambda run, op, node, stored: Scaled(stored.rounded, -FRACTION),
    Kind.MULTIPLY: Interpreter.multiply,
    Kind.STATISTICS: Interpreter.statistics,
    Kind.NORMALIZE: lambda run, op, node, x, found: batch_norm.normalize(x, found, run.config),
    Kind.SCALE: lambda run, op, node, x, g, b: batch_norm.scale_and_shift(x, g.integers, b.integers),
    Kind.RECTIFY: lambda run, op, node, x: rectify(x),
    Kind.POOL: _moved(FORWARD, "MaxPool"),
    Kind.FLATTEN: _moved(FORWARD, "Flatten"),
    Kind.ADD: _add,
    Kind.LOSS: Interpreter.loss,
    Kind.SPLIT_ERROR: lambda run, op, node, error: shifted(error, RANDOM_BITS),
    Kind.JOIN_ERRORS: lambda run, op, node, *errors: add_errors(errors),
    Kind.PRODUCT_ERROR: Interpreter.product_error,
    Kind.ACTIVATION_ERROR: lambda run, op, node, error: shifted(error, 8),
    Kind.WEIGHT_GRADIENT: Interpreter.weight_gradient,
    Kind.BIAS_GRADIENT: Interpreter.bias_gradient,
    Kind.INPUT_GRADIENT: Interpreter.input_gradient,
    Kind.MASK: _mask,
    Kind.NORM_SUMS: lambda run, op, node, error, normal: batch_norm.error_sums(error, normal),
    Kind.NORM_ERROR: Interpreter.norm_error,
    Kind.UNPOOL: _moved_back("MaxPool"),
    Kind.UNFLATTEN: _moved_back("Flatten"),
    Kind.UPDATE: Interpreter.update,
    Kind.UPDATE_NORM: lambda run, op, node, total: run.step(op, plain_gradient(total)),
}
