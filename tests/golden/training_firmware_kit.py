"""A network in the training engine's golden machine beside the same one in the interpreter."""

import numpy as np
from shiftwork.golden.common.network import Network
from shiftwork.golden.training.config import TrainingConfig
from shiftwork.golden.training.dynasty import DynastySettings, Precision
from shiftwork.golden.training.encode import encode
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.machine import Machine
from shiftwork.golden.training.network import IntegerNetwork
from shiftwork.golden.training.packets import Packets
from shiftwork.golden.training.trainer import IntegerSettings, Training

from .training_graphs import node, norm

ROOM = dict(data_depth=4096, left_slots=1024, right_slots=1024, z_depth=8192, error_depth=4096,
            winner_depth=2048)


def varied():
    """A stride, pads, an odd map that is pooled, a hidden Gemm, more channels and classes than 4."""
    rng = np.random.default_rng(0)
    arrays = {"w1": rng.standard_normal((5, 6, 3, 2)), "w2": rng.standard_normal((9, 5, 2, 2)),
              "w3": rng.standard_normal((6, 18)), "w4": rng.standard_normal((5, 6)), "b4": np.zeros(5)}
    for name, size in (("n1", 5), ("n2", 9), ("n3", 6)):
        for part, value in (("g", 1), ("b", 0), ("m", 0), ("v", 1)):
            arrays[f"{name}.{part}"] = np.full(size, value)
    nodes = (node("Conv", "c1", "x", "w1", strides=(2, 2), pads=(1, 0, 2, 1), kernel_shape=(3, 2)),
             norm("n1", "c1"), node("Relu", "r1", "n1"),
             node("Conv", "c2", "r1", "w2", pads=(1, 0, 0, 1), kernel_shape=(2, 2)),
             norm("n2", "c2"), node("Relu", "r2", "n2"),
             node("MaxPool", "p", "r2", kernel_shape=(2, 2), strides=(2, 2)), node("Flatten", "f", "p"),
             node("Gemm", "d", "f", "w3", transB=1), norm("n3", "d"), node("Relu", "r3", "n3"),
             node("Gemm", "y", "r3", "w4", "b4", transB=1))
    return Network(nodes=nodes, arrays=arrays, input_shape=(6, 7, 5), output_name="y")


def integer_network(graph, side, seed=1, **config):
    return IntegerNetwork.random(graph, TrainingConfig(random_lanes=side, block=2 * side, **config), seed)


class Pair:
    """``net`` trained by ``machine`` and, a copy, by ``training``; both in ``batch`` images a step."""

    def __init__(self, net, batch, mode, *, settings=None, seed=0, room=None):
        self.net, self.golden, self.batch = net, net.copy(), batch
        config = EngineConfig(side=net.config.random_lanes, **(room or ROOM))
        settings = settings or DynastySettings()
        self.packets = Packets(net, config, batch, mode)
        self.program = encode(net, config, batch, mode, settings=settings, seed=seed)
        self.machine = Machine(config)
        self.machine.load(self.program.to_words())
        if mode == "fixed":
            settings = DynastySettings(interval=0, start=0)
        self.precision = None if mode == "wide" else Precision(self.golden, settings)
        self.training = Training(self.golden, IntegerSettings(epochs=1, batch=batch, seed=seed), 1,
                                 self.precision)

    def step(self, x, labels, rate=200, levels=128):
        """One step of both; asserts that their results are equal. Returns the machine's tolerance."""
        self.training.settings = IntegerSettings(epochs=1, batch=self.batch, rates=((0.0, rate),),
                                                 levels=((0.0, levels),))
        miss = self.training.step(x, labels)
        found, tolerance, cycles = self.packets.parse_train(
            self.machine.run(self.packets.train(x, labels, rate, levels)))
        assert found == miss and cycles[-1] == sum(cycles[:-1]) > 0
        self.check()
        if tolerance is not None:
            assert tolerance == self.precision.controller.tolerance
        return tolerance

    def dump(self):
        return self.packets.parse_dump(self.machine.run(self.packets.dump()))

    def check(self):
        """Asserts that parameters, accumulators and running statistics are equal."""
        dumped = self.dump()
        assert dumped.parameters.keys() == self.golden.parameters.keys()
        for name, parameter in self.golden.parameters.items():
            assert np.array_equal(dumped.parameters[name].master, parameter.master), name
            assert np.array_equal(dumped.parameters[name].accumulator, parameter.accumulator), name
        assert dumped.running.keys() == self.golden.running.keys()
        for name, parts in self.golden.running.items():
            assert np.array_equal(dumped.running[name], parts), name

    def check_widths(self):
        """Asserts that the tiles' widths are equal. Returns all of them."""
        found = self.packets.parse_maps(self.machine.run(self.packets.maps()))
        for layer in self.packets.plan.layers:
            node, widths = layer.node, found[layer.node.name]
            for kind, name in (("x", node.sources[0]), ("error", f"E2 {node.outputs[0]}")):
                assert np.array_equal(widths[kind], self.precision.maps[name].widths[..., 0]), name
            golden = self.precision.maps[node.inputs[1]].widths.transpose(0, 2, 1)
            assert np.array_equal(widths["weight"], golden), node.name
        return np.concatenate([part.reshape(-1) for parts in found.values() for part in parts.values()])
