"""The SmartExchange engine as the flow sees it; see `engines` for what each name must be."""

from shiftwork.golden.smartexchange.compress import compress as factored
from shiftwork.golden.smartexchange.config import PRESETS
from shiftwork.golden.smartexchange.encode import encode
from shiftwork.golden.smartexchange.interpreter import Machine
from shiftwork.golden.smartexchange.lower import lower
from shiftwork.golden.smartexchange.program import Program
from shiftwork.golden.smartexchange.timing import predict

from . import array_engine
from .array_engine import NETWORK, PROGRAM_FILES, ArrayEngine, calibrated, read, registers
from .engines import Words
from .smartexchange_figures import layer_cycles, memory_use
from .smartexchange_selftest import selftest

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

TITLE = "weights of sparse powers of two times a small basis, one addition for each coefficient but zeros"
WORDS = Words(
    name="SmartExchange",
    weights="sparse powers of two times a small basis",
    zeros="Every non-zero coefficient of a layer costs one shift and addition in each lane for a column of "
    "pixels, which serves all weights of a kernel's row; a zero costs nothing.",
    zero="coefficients",
    dense="of as many lanes that multiplies by each weight and skips no zeros",
    ideal="The ideal is the shifts and additions of the coefficients alone, without those that bridge a gap "
    "between exponents, and with the basis combined in no time.",
)
DEFAULT = "default"
REGISTERS = registers(Program, ("row_depth", "item_depth", "table_depth", "basis_depth"))

_ENGINE = ArrayEngine("SmartExchange", Program, machine=Machine, predict=predict)
TOP, verilog, component = _ENGINE.top, _ENGINE.verilog, _ENGINE.component
ports, save, load = _ENGINE.ports, _ENGINE.save, _ENGINE.load
random_input, quantize, inputs = _ENGINE.random_input, _ENGINE.quantize, _ENGINE.inputs
classes, figures = _ENGINE.classes, _ENGINE.figures
golden, simulate, verify = _ENGINE.golden, _ENGINE.simulate, _ENGINE.verify


def compress(network, x):
    """The integer network: weights decomposed, without retraining, ranges measured on ``x``."""
    found = factored(network)
    return lower(calibrated(found.network, x), found.factors)


def describe(integer, program):
    """Shapes, scales and layers of a network, and what it takes of the memories."""
    return array_engine.describe(program, memory_use(program))


def train_digits(seed, progress=None):
    """The trained network of the demo; see `recipes_smartexchange`."""
    from .recipes_smartexchange import train_digits

    return train_digits(seed, progress)
