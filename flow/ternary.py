"""The ternary engine as the flow sees it; see `engines` for what each name must be."""

import numpy as np
from shiftwork.golden.ternary.compress import TernaryRule, lower
from shiftwork.golden.ternary.config import PRESETS
from shiftwork.golden.ternary.encode import encode
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.program import Program
from shiftwork.golden.ternary.timing import predict

from . import array_engine
from .array_engine import NETWORK, PROGRAM_FILES, ArrayEngine, calibrated, read, registers
from .engines import Words
from .ternary_figures import layer_cycles, memory_use
from .ternary_selftest import selftest

__all__ = [
    "TITLE",
    "WORDS",
    "TOP",
    "PRESETS",
    "DEFAULT",
    "REGISTERS",
    "PROGRAM_FILES",
    "NETWORK",
    "read",
    "verilog",
    "component",
    "ports",
    "compress",
    "encode",
    "selftest",
    "save",
    "load",
    "describe",
    "random_input",
    "quantize",
    "inputs",
    "classes",
    "figures",
    "golden",
    "simulate",
    "verify",
    "layer_cycles",
    "memory_use",
    "train_digits",
]

TITLE = "ternary weights, one addition for each that is not zero"
WORDS = Words(
    name="ternary",
    weights="-1, 0 or 1 times a number",
    zeros="Every non-zero weight costs one addition in each lane; a zero costs nothing.",
    zero="weights",
    dense="that adds zeros, too, with as many lanes and as wide a drain",
    ideal="The ideal is every non-zero addition spread over all lanes without a gap.",
)
DEFAULT = "default"
REGISTERS = registers(Program, ("row_depth", "weight_depth", "table_depth", "vector_depth"))

_ENGINE = ArrayEngine("Ternary", Program, machine=Machine, predict=predict)
TOP, verilog, component = _ENGINE.top, _ENGINE.verilog, _ENGINE.component
ports, save, load = _ENGINE.ports, _ENGINE.save, _ENGINE.load
random_input, quantize, inputs = _ENGINE.random_input, _ENGINE.quantize, _ENGINE.inputs
classes, figures = _ENGINE.classes, _ENGINE.figures
golden, simulate, verify = _ENGINE.golden, _ENGINE.simulate, _ENGINE.verify


def compress(network, x):
    """The integer network: weights projected by the TWN rule unless they are ternary, ranges measured on
    ``x``.
    """
    rule, arrays = TernaryRule(), dict(network.arrays)
    for node in network.nodes:
        if node.op_type in ("Conv", "Gemm"):
            weights = arrays[node.inputs[1]].astype(np.float64)
            flip = node.op_type == "Gemm" and not node.attributes.get("transB", 0)
            filters = weights.T if flip else weights
            if not _is_ternary(filters):
                projected = rule.project(filters)
                arrays[node.inputs[1]] = np.ascontiguousarray(projected.T if flip else projected).astype(
                    np.float32
                )
    network = type(network)(
        nodes=network.nodes,
        arrays=arrays,
        input_shape=network.input_shape,
        ranges=network.ranges,
        input_name=network.input_name,
        output_name=network.output_name,
    )
    return lower(calibrated(network, x))


def _is_ternary(filters):
    return all(len(np.unique(np.abs(f[f != 0]))) <= 1 for f in filters)


def describe(integer, program):
    """Shapes, scales and layers of a network, and what it takes of the memories."""
    return array_engine.describe(program, memory_use(program))


def train_digits(seed, progress=None):
    """The trained network of the demo; see `recipes`."""
    from .recipes import train_digits

    return train_digits(seed, progress)
