"""One training step as a sequence of named operations: what a sequencer in hardware follows."""

import math
from collections import Counter
from dataclasses import dataclass
from enum import Enum

__all__ = ["MOST_TERMS", "Kind", "Operation", "check", "check_terms", "forward_operations", "step_operations"]

MOST_TERMS = 1 << 16
"""Terms of a sum: of a product's, and of batch normalization's over a channel."""


class Kind(Enum):
    """What an operation does; docs/engines/training.md has the table."""

    ROUND = "round weights"             #: stored parameter -> 8 bits
    MULTIPLY = "multiply"               #: convolution or matrix product, bias
    STATISTICS = "statistics"           #: mean and deviation of each channel
    NORMALIZE = "normalize"
    SCALE = "scale and shift"           #: gamma * x_hat + beta
    RECTIFY = "rectify"                 #: ReLU, to 8 bits
    POOL = "pool"
    FLATTEN = "flatten"
    ADD = "add"
    LOSS = "loss"                       #: error of softmax cross entropy
    SPLIT_ERROR = "split error"         #: SQ with 16 bits, of one of several errors to be joined
    JOIN_ERRORS = "join errors"         #: sum of the errors of one activation
    PRODUCT_ERROR = "product error"     #: E2
    ACTIVATION_ERROR = "activation error"   #: E1
    WEIGHT_GRADIENT = "weight gradient"
    BIAS_GRADIENT = "bias gradient"
    INPUT_GRADIENT = "input gradient"
    MASK = "mask"                       #: ReLU backward
    NORM_SUMS = "normalization sums"    #: dbeta, dgamma
    NORM_ERROR = "normalization error"  #: dx of batch normalization
    UNPOOL = "unpool"
    UNFLATTEN = "unflatten"
    UPDATE = "update"                   #: CQ, momentum, step: of weights and biases
    UPDATE_NORM = "update normalization"    #: Q, momentum, step: of gamma and beta


@dataclass(frozen=True)
class Operation:
    """``writes = kind(reads)``: names of tensors; ``node`` is the layer's name ("" for the loss)."""

    kind: Kind
    node: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


def _require(condition, node, what, found):
    if not condition:
        raise ValueError(f"node '{node.name}' must {what}, not {found}")


def check(network):
    """Raises ValueError where ``network`` (common.network.Network) is none that integers can train.

    Products read the network's input or what comes from a Relu (through MaxPool, Flatten); convolutions have
    no groups, Gemm has transB = 1; the output is that of a Gemm; every other node's output is read.
    """
    narrow = {network.input_name}
    read = {source for node in network.nodes for source in node.sources} | {network.output_name}
    for node in network.nodes:
        source = node.sources[0]
        if node.op_type in ("Conv", "Gemm"):
            _require(source in narrow, node, "read the input or what a Relu yields", f"'{source}'")
            groups = node.attributes.get("group", 1)
            _require(groups == 1, node, "have one group", groups)
        if node.op_type == "Gemm":
            _require(node.attributes.get("transB", 0) == 1, node, "have transB = 1", 0)
        if node.op_type == "Relu" or node.op_type in ("MaxPool", "Flatten") and source in narrow:
            narrow.add(node.outputs[0])
    for node in network.nodes:
        y = node.outputs[0]
        _require(y in read, node, "have an output that another one reads", f"'{y}'")
    last = network.nodes[-1]
    _require(last.op_type == "Gemm" and last.outputs[0] == network.output_name, last,
             f"be a Gemm with the output '{network.output_name}'", f"{last.op_type} with '{last.outputs[0]}'")


def check_terms(network, batch):
    """Raises ValueError where a sum has more than 2 ** 16 terms: accumulators of 40 bits might then overflow.

    The greatest is a weight's gradient: 255 * 32767 * 2 ** 16 < 2 ** 39.
    """
    for node in network.nodes:
        if node.op_type in ("Conv", "Gemm", "BatchNormalization"):
            images = batch * math.prod(network.shapes[node.outputs[0]][1:])
            _require(images <= MOST_TERMS, node,
                     f"have at most {MOST_TERMS} outputs of a channel in a batch", images)
        if node.op_type in ("Conv", "Gemm"):
            shape = network.arrays[node.inputs[1]].shape
            inputs = max(math.prod(shape[1:]), shape[0] * math.prod(shape[2:]))
            _require(inputs <= MOST_TERMS, node, f"have at most {MOST_TERMS} terms in a sum", inputs)


_FORWARD = {"Relu": Kind.RECTIFY, "MaxPool": Kind.POOL, "Flatten": Kind.FLATTEN, "Add": Kind.ADD}


def forward_operations(network, training=True):
    """Operations of the forward pass, a list; without ``training`` nothing writes statistics."""
    found = []
    for node in network.nodes:
        y, name, arrays = node.outputs[0], node.name, node.inputs[len(node.sources):]
        if node.op_type in _FORWARD:
            found.append(Operation(_FORWARD[node.op_type], name, node.sources, (y,)))
            continue
        trained = arrays[:2]
        rounded = tuple(f"rounded {array}" for array in trained)
        found += [Operation(Kind.ROUND, name, (array,), (to,))
                  for array, to in zip(trained, rounded, strict=True)]
        if node.op_type == "BatchNormalization":
            statistics = f"statistics {name}"
            if training:
                found.append(Operation(Kind.STATISTICS, name, node.sources, (statistics,)))
            found += [Operation(Kind.NORMALIZE, name, (*node.sources, statistics), (f"normal {y}",)),
                      Operation(Kind.SCALE, name, (f"normal {y}", *rounded), (y,))]
        else:
            found.append(Operation(Kind.MULTIPLY, name, (*node.sources, *rounded), (y,)))
    return found


class _Backward:
    """Collects the backward operations; ``errors`` are the names of the errors that reach each activation."""

    def __init__(self, network):
        self.network, self.operations = network, []
        self.errors = {network.output_name: [f"error {network.output_name}"]}
        self.narrow = set()     # errors of 8 bits
        # What depends on no parameter: nobody needs its error.
        self.given = {network.input_name}
        for node in network.nodes:
            if node.op_type in _FORWARD and self.given.issuperset(node.sources):
                self.given.add(node.outputs[0])
        self._split = {}
        # How many nodes read an activation, and so send an error back to it.
        self._uses = Counter(source for node in network.nodes for source in node.sources)

    def add(self, kind, node, reads, *writes):
        self.operations.append(Operation(kind, node.name, tuple(reads), writes))
        return writes[0]

    def pass_on(self, node, source, error):
        self.errors.setdefault(source, []).append(error)

    def written(self, node, source):
        """Name of the error that ``node`` writes for its ``source``."""
        return f"error {source}" if self._uses[source] == 1 else f"error {source} from {node.name}"

    def arriving(self, node):
        """The error at ``node``'s output: one, or the sum of all that reach it."""
        y = node.outputs[0]
        found = self.errors.pop(y)
        if len(found) == 1:
            return found[0]
        return self.add(Kind.JOIN_ERRORS, node, [self.split(node, error) for error in found], f"error {y}")

    def split(self, node, error):
        """``error`` with 16 bits at most; one that a sum sent to several activations is quantized once."""
        if error not in self.narrow and error not in self._split:
            self._split[error] = self.add(Kind.SPLIT_ERROR, node, [error], f"{error}, 16 bits")
        return self._split.get(error, error)

    def narrowed(self, node):
        error = self.arriving(node)
        if error in self.narrow:
            return error
        found = self.add(Kind.ACTIVATION_ERROR, node, [error], f"E1 {node.outputs[0]}")
        self.narrow.add(found)
        return found

    def product(self, node):
        y, x, arrays = node.outputs[0], node.sources[0], node.inputs[1:]
        arriving = self.arriving(node)
        error = self.add(Kind.PRODUCT_ERROR, node, [arriving], f"E2 {y}")
        self.add(Kind.WEIGHT_GRADIENT, node, [x, error], f"gradient {arrays[0]}")
        if len(arrays) > 1:
            self.add(Kind.BIAS_GRADIENT, node, [arriving], f"gradient {arrays[1]}")
        if x not in self.given:
            self.pass_on(node, x, self.add(Kind.INPUT_GRADIENT, node, [error, f"rounded {arrays[0]}"],
                                           self.written(node, x)))

    def norm(self, node):
        y, x, (gamma, beta) = node.outputs[0], node.sources[0], node.inputs[1:3]
        error, normal, sums = self.narrowed(node), f"normal {y}", (f"gradient {beta}", f"gradient {gamma}")
        self.add(Kind.NORM_SUMS, node, [error, normal], *sums)
        if x not in self.given:
            reads = [error, normal, *sums, f"rounded {gamma}", f"statistics {node.name}"]
            self.pass_on(node, x, self.add(Kind.NORM_ERROR, node, reads, self.written(node, x)))

    def plain(self, node, kind, error, *others):
        source = node.sources[0]
        found = self.add(kind, node, [error, *others], self.written(node, source))
        self.pass_on(node, source, found)
        return found

    def node(self, node):
        if node.op_type in ("Conv", "Gemm"):
            self.product(node)
        elif node.op_type == "BatchNormalization":
            self.norm(node)
        elif node.op_type == "Relu":
            self.narrow.add(self.plain(node, Kind.MASK, self.narrowed(node), node.outputs[0]))
        elif node.op_type == "Add":
            error = self.arriving(node)
            for source in node.sources:
                if source not in self.given:
                    self.pass_on(node, source, error)
        else:
            kind = Kind.UNPOOL if node.op_type == "MaxPool" else Kind.UNFLATTEN
            error = self.arriving(node)
            found = self.plain(node, kind, error, node.sources[0])
            window, stride = (node.attributes.get(name, (1, 1)) for name in ("kernel_shape", "strides"))
            # Windows that overlap add errors up.
            if error in self.narrow and all(w <= s for w, s in zip(window, stride, strict=True)):
                self.narrow.add(found)


def step_operations(network):
    """All operations of one training step, a tuple: forward, loss, backward, update (in the nodes' order)."""
    check(network)
    backward = _Backward(network)
    for node in reversed(network.nodes):
        if node.outputs[0] not in backward.given:
            backward.node(node)
    updates = []
    for node in network.nodes:
        if node.op_type in ("Conv", "Gemm", "BatchNormalization"):
            kind = Kind.UPDATE_NORM if node.op_type == "BatchNormalization" else Kind.UPDATE
            updates += [Operation(kind, node.name, (f"gradient {array}",), (array,))
                        for array in node.inputs[1:3]]
    loss = Operation(Kind.LOSS, "", (network.output_name, "labels"), (f"error {network.output_name}", "miss"))
    return (*forward_operations(network), loss, *backward.operations, *updates)
