"""A network whose parameters are integers: made from a graph, used, turned into floats."""

from dataclasses import dataclass, field, replace

import numpy as np

from .arithmetic import shift_round
from .batch_norm import RUNNING_BITS, Statistics
from .config import DEVIATION_FRACTION, FRACTION, TrainingConfig
from .interpreter import Interpreter
from .lfsr import RandomLanes
from .operations import check, forward_operations
from .quantize import Scaled
from .update import Parameter

__all__ = ["IntegerNetwork", "pixels"]

_INITIAL_GAMMA = 0.5


def pixels(x):
    """Integers 0 .. 255 of images ``x`` (N, ...) in 0 .. 1, batch last, as Scaled on the activations' grid.

    floor(255 x + 1/2); an activation of 255 means 255/128, and as batch normalization follows the factor does
    not matter. Raises ValueError for values outside 0 .. 1.
    """
    x = np.asarray(x, np.float64)
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(f"images must be within 0 .. 1, not {x.min():g} .. {x.max():g}")
    integers = np.floor(255 * x + 0.5).astype(np.int64)
    return Scaled(np.ascontiguousarray(np.moveaxis(integers, 0, -1)), -FRACTION)


def _truncated_normal(shape, rng):
    """Normal numbers within +-2, drawn again where they are not."""
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(int(outside.sum()))
    return values


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """``network`` is the graph (common.network.Network); its arrays only give shapes and are not used.

    Raises ValueError for a graph that `operations.check` refuses.
    """

    network: object
    config: TrainingConfig
    parameters: dict[str, Parameter]
    running: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __post_init__(self):
        check(self.network)

    @classmethod
    def random(cls, network, config=None, seed=0):
        """Weights normal, variance 1 / inputs, cut at two deviations, grid 2 ** -15; gamma 1/2, others 0."""
        rng, parameters = np.random.default_rng(seed), {}
        for node in network.nodes:
            if node.op_type in ("Conv", "Gemm"):
                shape = network.arrays[node.inputs[1]].shape
                weight = _truncated_normal(shape, rng) / np.sqrt(np.prod(shape[1:]))
                parameters[node.inputs[1]] = Parameter.of(weight)
                for bias in node.inputs[2:]:
                    parameters[bias] = Parameter.of(np.zeros(network.arrays[bias].shape))
            elif node.op_type == "BatchNormalization":
                for name, value in zip(node.inputs[1:3], (_INITIAL_GAMMA, 0), strict=True):
                    parameters[name] = Parameter.of(np.full(network.arrays[name].shape, value))
        return cls(network, config or TrainingConfig(), parameters)

    def interpreter(self, seed=0, precision=None):
        """An Interpreter whose parameters and running statistics are this network's own."""
        return Interpreter(self.network, self.config, self.parameters, self.running,
                           RandomLanes(seed, self.config.random_lanes), precision=precision)

    def copy(self):
        """With arrays of its own."""
        parameters = {name: Parameter(p.master.copy(), p.accumulator.copy())
                      for name, p in self.parameters.items()}
        running = {name: tuple(part.copy() for part in parts) for name, parts in self.running.items()}
        return replace(self, parameters=parameters, running=running)

    def statistics(self, name):
        """Running Statistics of the node ``name``; mean 0, deviation 1 before the first batch."""
        if name not in self.running:
            shape = next(self.parameters[node.inputs[1]].master.shape for node in self.network.nodes
                         if node.name == name)
            return Statistics(np.zeros(shape, np.int64), np.full(shape, 1 << DEVIATION_FRACTION))
        mean, deviation = (shift_round(part, RUNNING_BITS) for part in self.running[name])
        return Statistics(mean, deviation)

    def logits(self, x, batch=256):
        """Integers (N, K) on the grid 2 ** -14 of images ``x`` (N, ...), with running statistics."""
        run, found = self.interpreter(), []
        operations = forward_operations(self.network, training=False)
        fixed = {f"statistics {node.name}": self.statistics(node.name) for node in self.network.nodes
                 if node.op_type == "BatchNormalization"}
        for n in range(0, max(len(x), 1), batch):
            run.tensors = {self.network.input_name: pixels(x[n:n + batch]), **fixed}
            run.run(operations)
            found.append(run.tensors[self.network.output_name].integers.T)
        return np.concatenate(found)

    def accuracy(self, x, labels):
        """Share of ``x`` whose greatest output is the label's."""
        return float(np.mean(self.logits(x).argmax(axis=1) == labels))

    def floats(self):
        """{array name: float64} of what the forward pass reads, running variances as ONNX has them."""
        found = {name: Scaled(p.rounded, -FRACTION).values for name, p in self.parameters.items()}
        for node in self.network.nodes:
            if node.op_type == "BatchNormalization":
                statistics = self.statistics(node.name)
                found[node.inputs[3]] = Scaled(statistics.mean, -DEVIATION_FRACTION).values
                found[node.inputs[4]] = Scaled(statistics.deviation, -DEVIATION_FRACTION).values ** 2
        return found
