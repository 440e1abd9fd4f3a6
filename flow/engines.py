"""The engines that the flow knows, by name.

An engine is a module with

    TITLE, TOP, PROGRAM_FILES  a line about it, the name of its Verilog module, the files of its program
    WORDS                      `Words`: how a report speaks of it
    PRESETS, DEFAULT           configs by name, and the name of the one taken without --preset
    REGISTERS                  rows (address, name, access, meaning)
    verilog(config)            the RTL as text
    component(config)          the engine without its buses, for a board
    ports(config)              rows {"name", "direction", "width"}
    NETWORK, read(path)        the class of its float networks, and one out of a file
    compress(network, x)       a network (calibrated on x, where given) to integers, or to what encode takes
    encode(integer, config)    integers to a program; ValueError where it does not fit
    selftest(config)           the integers of a small network that fits
    save(program)              {file name: bytes}, and load(files, config) back
    describe(integer, program) what the manifest says of a network
    random_input(program, n, rng), quantize(program, x)   integer inputs
    inputs(program, x)         integer inputs of the arrays that people bring; FlowError for what is none
    golden(program, x)         `Results` by the golden model
    simulate(program, x, ...)  `Results` by the compiled RTL
    verify(folder, ...)        the cocotb bench on the emitted Verilog
    layer_cycles(program, x), memory_use(program)   rows for the report
    figures(program, layers)   numbers and a sentence for it
    classes(program, values, integer)   what a demo's network says of each input
    train_digits(seed, progress)   a network of the demo: `recipes.Trained`, or what has the same names; not
                               of an engine whose demo is another one
    OPTIONS                    keywords of compress that shiftwork build may give; without it none

so that another engine is an entry here and a module beside.
"""

from dataclasses import dataclass
from importlib import import_module

import numpy as np

from .errors import choose

__all__ = ["DEFAULT_ENGINE", "ENGINES", "Results", "Words", "engine"]

ENGINES = {
    "circulant": "shiftwork.flow.circulant",
    "smartexchange": "shiftwork.flow.smartexchange",
    "ternary": "shiftwork.flow.ternary",
    "training": "shiftwork.flow.training",
}
DEFAULT_ENGINE = "ternary"
"""The engine that is taken where none is named."""


@dataclass(frozen=True, eq=False)
class Results:
    """What an engine makes of inputs."""

    values: np.ndarray  #: int64 (n, ...)
    load_cycles: np.ndarray | None  #: int64 (batches,): reading the input; None: not predicted
    run_cycles: np.ndarray | None   #: int64 (batches,): all layers; None: not predicted
    rate: float | None = None  #: cycles simulated per second


@dataclass(frozen=True, kw_only=True)
class Words:
    """How a report speaks of an engine; sentences are whole ones."""

    name: str  #: behind "a", and of a network with its weights
    weights: str  #: what its weights are, behind "became"
    zeros: str  #: what a zero saves, a sentence
    zero: str  #: what may be zero, in the plural
    dense: str  #: the engine that cycles are compared with, behind "an engine"
    ideal: str  #: the cycles that are the least, a sentence
    saved: str = "zeros"  #: what weights are that cost nothing
    are: str = "zero"  #: behind "weights that are"
    unit: str = "batch"  #: what cycles are told of


def engine(name):
    """The module of the engine ``name``; raises FlowError where there is none."""
    return import_module(choose("Engine", name, ENGINES))
