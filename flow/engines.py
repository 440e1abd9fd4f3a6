"""The engines that the flow knows, by name.

An engine is a module with

    TITLE, TOP, PROGRAM_FILES  a line about it, the name of its Verilog module, the files of its program
    PRESETS, DEFAULT           configs by name, and the name of the one taken without --preset
    REGISTERS                  rows (address, name, access, meaning)
    verilog(config)            the RTL as text
    component(config)          the engine without its buses, for a board
    ports(config)              rows {"name", "direction", "width"}
    compress(network, x)       a `golden.common.network.Network` (calibrated on x, where given) to integers
    encode(integer, config)    integers to a program; ValueError where it does not fit
    selftest(config)           the integers of a small network that fits
    save(program)              {file name: bytes}, and load(files, config) back
    describe(integer, program) what the manifest says of a network
    random_input(program, n, rng), quantize(program, x)   integer inputs
    golden(program, x)         `Results` by the golden model
    simulate(program, x, ...)  `Results` by the compiled RTL
    verify(folder, ...)        the cocotb bench on the emitted Verilog

so that another engine is an entry here and a module beside.
"""

from dataclasses import dataclass
from importlib import import_module

import numpy as np

from .errors import choose

__all__ = ["ENGINES", "Results", "engine"]

ENGINES = {"smartexchange": "shiftwork.flow.smartexchange", "ternary": "shiftwork.flow.ternary"}


@dataclass(frozen=True, eq=False)
class Results:
    """What an engine makes of inputs."""

    values: np.ndarray  #: int64 (n, ...)
    load_cycles: np.ndarray  #: int64 (batches,): reading the input
    run_cycles: np.ndarray  #: int64 (batches,): all layers
    rate: float | None = None  #: cycles simulated per second


def engine(name):
    """The module of the engine ``name``; raises FlowError where there is none."""
    return import_module(choose("Engine", name, ENGINES))
