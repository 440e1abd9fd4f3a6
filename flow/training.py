"""The training engine as the flow sees it; see `engines` for what each name must be.

Inputs are images, integers 0 .. 255, outputs the logits (n, classes) of an inference with the parameters
that the program has. A batch is what one start takes. What trains is `rtl_training`.
"""

import numpy as np
from shiftwork.golden.common.network import Network
from shiftwork.golden.training.engine_config import PRESETS
from shiftwork.golden.training.machine import Machine
from shiftwork.golden.training.plan import MODES
from shiftwork.golden.training.program import Program

from .array_engine import read
from .engines import Results, Words
from .errors import FlowError, choose
from .inputs import as_images
from .program_engine import ProgramEngine, registers
from .recipes import convolutional
from .training_figures import about_layers, figures, memory_use
from .training_figures import layer_cycles as cycles_of_layers
from .training_program import (
    COUNTED,
    Prepared,
    TrainingProgram,
    beats,
    network_bytes,
    network_of,
    words,
)

__all__ = [
    "TITLE",
    "WORDS",
    "TOP",
    "PRESETS",
    "DEFAULT",
    "OPTIONS",
    "REGISTERS",
    "PROGRAM_FILES",
    "NETWORK",
    "Prepared",
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
    "session_packets",
    "verify",
    "layer_cycles",
    "memory_use",
]

TITLE = "convolutional networks with batch normalization, trained in integers by the hardware itself"
WORDS = Words(
    name="training",
    weights="integers of 24 bits, which products read in 8 bits or fewer",
    zeros="Operands are tiles, each in 2, 4, 6 or 8 bits: a product of tiles of a and b bits takes "
    "a * b / 64 of the cycles that 8 bits of both take.",
    zero="multiplications",
    dense="that multiplies all tiles in 8 bits, with as many multipliers,",
    ideal="The ideal is every multiplication of 8 by 8 bits, none for what fills tiles up, and never a wait.",
    saved="cycles of products saved",
    are="saved by narrow tiles",
    unit="step",
)
DEFAULT = "default"
NETWORK = Network
OPTIONS = ("batch", "mode", "seed")
REGISTERS = registers(
    Program,
    lanes="bits 15:0 lanes, 31:16 multipliers",
    widths="bits 7:0 block, 31:8 maps",
    depths=("bits 15:0 left_slots, 31:16 right_slots", "bits 15:0 weight_depth, 31:16 z_depth",
            "bits 15:0 program_depth, 31:16 data_depth", "bits 15:0 error_depth, 31:16 winner_depth"),
    arrays="1",
)

_ENGINE = ProgramEngine(
    "Training", Program,
    ("batch", "mode", "classes", "shape", "instructions", "data", "width", "images", "input_scale",
     "output_scale"))
TOP, verilog, component, ports = _ENGINE.top, _ENGINE.verilog, _ENGINE.component, _ENGINE.ports

_NETWORK_FILE = "network.npz"
PROGRAM_FILES = ("program.bin", "program.json", _NETWORK_FILE)

_STACKS = (((1, 4, 4), (3,), 3, {1}), ((1, 2, 2), (2,), 2, ()))
"""Networks of `selftest`: shape, filters, outputs, layers with a pool; the most telling first."""

_STEPS = ((400, 128), (200, 32), (50, 8), (26, 2))
"""Rate and levels of the bench's training steps, of which each changes all parameters."""


def compress(network, x, *, batch=None, mode="dynamic", seed=None):
    """The graph Prepared for training; ``x`` is not needed. Parameters are the file's, or random of ``seed``.
    """
    choose("Mode", mode, MODES)
    return Prepared(network=network, seed=seed, batch=batch, mode=mode)


def encode(prepared, config):
    """The TrainingProgram of a Prepared network; raises ValueError where it does not fit the engine."""
    return prepared.program(config)


def selftest(config):
    """A small network, Prepared, that fits an engine of ``config``; FlowError where none does."""
    refusal = None
    for shape, filters, outputs, pooled in _STACKS:
        prepared = Prepared(network=convolutional(shape, filters, outputs, pooled, 1), seed=1)
        try:
            encode(prepared, config)
            return prepared
        except ValueError as error:
            refusal = refusal or error
    raise FlowError(f"Memories must be large enough for one small network, not smaller ({refusal})")


def save(program):
    """Words, metadata, and the graph with the parameters that training begins with."""
    return _ENGINE.save(program) | {_NETWORK_FILE: network_bytes(program.net)}


def load(files, config):
    """The TrainingProgram of these files; errors as `ProgramEngine.load`'s."""
    return TrainingProgram.of(_ENGINE.load(files, config), network_of(files[_NETWORK_FILE]))


def describe(prepared, program):
    """Shapes, scales and layers of a network, and what it takes of the memories."""
    meta = program.metadata
    return {
        "input_shape": list(meta["shape"]), "input_scale": meta["input_scale"], "input_signed": False,
        "output_shape": [meta["classes"]], "output_scale": meta["output_scale"],
        "images_of_a_batch": meta["batch"], "mode": meta["mode"], "layers": about_layers(program),
        "memory": memory_use(program),
    }


def random_input(program, count, rng):
    """``count`` random images, integers over the whole range."""
    return rng.integers(0, 256, (count, *program.metadata["shape"]))


def quantize(program, x):
    """Integers of images in 0 .. 1: floor(255 x + 1/2)."""
    return np.floor(255 * np.asarray(x, np.float64) + 0.5).astype(np.int64)


def inputs(program, x):
    """Images that people bring as the engine reads them; FlowError for another shape or range."""
    x = as_images(np.asarray(x), program.metadata["shape"])
    most, kind = (1, "floats") if x.dtype.kind == "f" else (255, "integers")
    if x.min() < 0 or x.max() > most:
        raise FlowError(f"Input of {kind} must be within 0 .. {most}, not {x.min():g} .. {x.max():g}")
    return quantize(program, x) if kind == "floats" else x.astype(np.int64)


def classes(program, values, integer):
    """The class that the network names of each image."""
    return values.argmax(axis=1)


def _inferences(program, x):
    batch = program.metadata["batch"]
    return [program.packets.infer(x[n:n + batch] / 255) for n in range(0, len(x), batch)]


def _logits(program, outputs, count):
    return np.concatenate([program.packets.parse_infer(found) for found in outputs])[:count]


def golden(program, x, progress=lambda done, all_: None):
    """Results of the golden machine on the program's words; it does not predict cycles."""
    machine, packets, outputs = Machine(program.config), _inferences(program, x), []
    machine.load(program.to_words())
    for n, packet in enumerate(packets):
        outputs.append(machine.run(packet))
        progress(n + 1, len(packets))
    return Results(_logits(program, outputs, len(x)), None, None)


def simulate(program, x, rtl, folder, progress=lambda done, all_: None, stage=None):
    """Results of the Verilog file or text ``rtl``, compiled in ``folder``."""
    from shiftwork.sim.compiled import CompiledSimulator
    from shiftwork.sim.engines import TrainingEngine

    simulator = CompiledSimulator(rtl, folder, TOP, progress=stage, magic=Program.MAGIC,
                                  **TrainingEngine.compilation)
    packets = [beats(packet) for packet in _inferences(program, x)]
    output = simulator.run(program.to_words(), packets, progress=progress)
    return Results(_logits(program, map(words, output.values), len(x)), output.load_cycles,
                   output.run_cycles, output.cycles_per_second)


def session_packets(program, x, steps=None):
    """Packets of a bench: inference of ``x``, training steps on it, inference, maps, all parameters.

    ``steps`` are fewer than the bench has without it.
    """
    settings = _STEPS[:steps]
    packets, meta, rng = program.packets, program.metadata, np.random.default_rng(0)
    images = np.resize(x, (meta["batch"], *x.shape[1:])) / 255
    infer = packets.infer(images)
    labels = rng.integers(0, meta["classes"], (len(settings), meta["batch"]))
    trained = [packets.train(images, one, *setting)
               for one, setting in zip(labels, settings, strict=True)]
    return [infer, *trained, infer, packets.maps(), packets.dump()]


def verify(rtl, program, x, folder, simulator=None, *, steps=None, tests=None):
    """The bench on the Verilog text ``rtl``, golden beside it; see `shiftwork.sim.verify.verify`.

    Inference, training steps, inference with what was learned, tiles' widths, and every parameter; ``steps``
    as in `session_packets`.
    """
    from shiftwork.sim import verify as bench

    machine, packets = Machine(program.config), session_packets(program, x, steps)
    machine.load(program.to_words())
    expected = [machine.run(packet) for packet in packets]
    uncounted = 1 + (program.metadata["mode"] == "dynamic")
    # Cycles behind a step's answer are the hardware's own.
    unchecked = [2 * max(0, len(words_) - uncounted) if 1 <= n < len(packets) - 3 else 0
                 for n, words_ in enumerate(expected)]
    assert set(unchecked) <= {0, 2 * len(COUNTED)}
    return bench.verify(
        rtl, program.config, program.to_words(), [beats(packet).view("<u2") for packet in packets],
        [found.astype("<u4").view("<i2") for found in expected], folder, simulator, unchecked=unchecked,
        tests=tests)


def layer_cycles(program, x):
    """Of each layer, for a step: `training_figures.layer_cycles`, with the widths that a program begins with.
    """
    return cycles_of_layers(program)
