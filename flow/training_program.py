"""Programs of the training engine as the flow keeps them: graph, words, packets, and words as beats."""

import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from shiftwork.golden.common.network import Network, load, save
from shiftwork.golden.training.batch_norm import RUNNING_BITS
from shiftwork.golden.training.config import DEVIATION_FRACTION, TrainingConfig
from shiftwork.golden.training.encode import encode
from shiftwork.golden.training.network import IntegerNetwork
from shiftwork.golden.training.packets import Packets
from shiftwork.golden.training.program import Program
from shiftwork.golden.training.update import Parameter

from .errors import FlowError

__all__ = ["COUNTED", "Prepared", "StepOutput", "TrainingProgram", "beats", "network_bytes",
           "network_of", "step_output", "words"]

COUNTED = ("matrix", "element", "update", "input", "loss", "all")
"""What a step's output counts the busy cycles of, in the order of its words; "all" are the run's."""

_PIXEL = 255 / 128
"""A pixel of 1 is the integer 255, whose value is 255 / 128."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A graph on its way to a program, which depends on the engine's side.

    It begins with the parameters of ``network``, or with random ones of ``seed``; trains in batches of
    ``batch``, or of the engine's tile; ``mode`` is one of `golden.training.plan.MODES`.
    """

    network: Network
    seed: int | None = None
    batch: int | None = None
    mode: str = "dynamic"

    def integers(self, config):
        """The IntegerNetwork for an engine of ``config``; FlowError where a parameter is too great."""
        same = TrainingConfig(random_lanes=config.side, block=config.block)
        if self.seed is not None:
            return IntegerNetwork.random(self.network, same, self.seed)
        arrays, parameters, running, source = self.network.arrays, {}, {}, self.network.input_name
        for node in self.network.nodes:
            for name in _trained(node):
                parameters[name] = Parameter.of(_bounded(name, arrays[name]))
            if node.op_type == "BatchNormalization":
                mean, variance = (np.asarray(arrays[name], np.float64) for name in node.inputs[3:5])
                if mean.any() or (variance != 1).any():
                    scale = _PIXEL if _first(self.network, node, source) else 1
                    deviation = np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
                    running[node.name] = tuple(_fixed(scale * part) for part in (mean, deviation))
        return IntegerNetwork(self.network, same, parameters, running)

    def program(self, config):
        """The TrainingProgram for an engine of ``config``; ValueError where it does not fit."""
        net, batch = self.integers(config), self.batch or config.block
        found = encode(net, config, batch, self.mode, seed=self.seed or 0)
        meta = found.metadata | {"images": batch, "input_scale": 1 / 255, "output_scale": 2.0 ** -14}
        return TrainingProgram(found.config, found.sections, meta, net)


def _trained(node):
    if node.op_type in ("Conv", "Gemm"):
        return node.inputs[1:]
    return node.inputs[1:3] if node.op_type == "BatchNormalization" else ()


def _bounded(name, array):
    if np.abs(array).max(initial=0) > 1:
        raise FlowError(f"Array {name} must be within -1 .. 1 for the training engine, not {array.min():.3g} "
                        f".. {array.max():.3g} (--seed N begins with random ones)")
    return array


def _first(network, norm, source):
    """Whether what ``norm`` normalizes is a product of the images."""
    return any(node.outputs[0] == norm.sources[0] and node.sources[0] == source for node in network.nodes)


def _fixed(values):
    return np.rint(np.ldexp(values, DEVIATION_FRACTION + RUNNING_BITS)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class TrainingProgram(Program):
    """A program with the network, an IntegerNetwork, that its packets are of."""

    net: IntegerNetwork | None = None

    @cached_property
    def packets(self):
        return Packets(self.net, self.config, self.metadata["batch"], self.metadata["mode"])

    @classmethod
    def of(cls, program, network):
        """``program`` with the graph ``network``, whose parameters are those of the program's words alone."""
        config = program.config
        net = IntegerNetwork.random(network, TrainingConfig(random_lanes=config.side, block=config.block))
        return cls(config, program.sections, program.metadata, net)


def network_bytes(net):
    """A network file of an IntegerNetwork: its graph, its parameters in floats."""
    arrays = {name: array.astype(np.float32) for name, array in net.floats().items()}
    with tempfile.TemporaryDirectory() as folder:
        save(replace(net.network, arrays=arrays), Path(folder) / "network.npz")
        return (Path(folder) / "network.npz").read_bytes()


def network_of(data):
    """The Network in a file's bytes ``data``; FlowError where they are no network's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.npz"
        path.write_bytes(data)
        try:
            return load(path)
        except ValueError:
            raise FlowError("network.npz must be the network that the program is of, "
                            "not something else") from None


def beats(packet):
    """Beats of the input stream, uint8 (n, 4), of a packet's words."""
    return np.ascontiguousarray(packet, "<u4").view(np.uint8).reshape(-1, 4)


def words(values):
    """Words, uint32, of the output stream's 16-bit values; the low half of a word is first."""
    return np.ascontiguousarray(values, "<i2").view("<u4").astype(np.uint32)


@dataclass(frozen=True)
class StepOutput:
    """What a training step answers."""

    miss: int                 #: sum of 1 - the label's probability, 2 ** -15
    tolerance: int | None     #: of dynamic precision
    cycles: dict[str, int]    #: of `COUNTED`

    @property
    def checked(self):
        """What the golden model predicts."""
        return self.miss, self.tolerance


def step_output(packets, found):
    """The StepOutput of a step's output words ``found``, uint32."""
    miss, tolerance, cycles = packets.parse_train(found)
    return StepOutput(miss, tolerance, dict(zip(COUNTED, cycles, strict=True)))
