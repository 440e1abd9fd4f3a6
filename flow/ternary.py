"""The ternary engine as the flow sees it; see `engines` for what each name must be."""

import gc
import json
import warnings

import numpy as np
from shiftwork.golden.common.network import calibrate
from shiftwork.golden.ternary.compress import TernaryRule, lower
from shiftwork.golden.ternary.config import PRESETS
from shiftwork.golden.ternary.encode import encode
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.layers import input_range
from shiftwork.golden.ternary.program import Program

from .artifacts import dumps
from .engines import Results
from .ternary_figures import layer_cycles, memory_use
from .ternary_selftest import selftest

__all__ = [
    "TITLE",
    "TOP",
    "PRESETS",
    "DEFAULT",
    "REGISTERS",
    "PROGRAM_FILES",
    "verilog",
    "ports",
    "compress",
    "encode",
    "selftest",
    "save",
    "load",
    "describe",
    "random_input",
    "quantize",
    "input_range",
    "golden",
    "simulate",
    "verify",
    "layer_cycles",
    "memory_use",
]

TITLE = "ternary weights, one addition for each that is not zero"
TOP = "shiftwork_ternary"
DEFAULT = "default"
PROGRAM_FILES = ("program.bin", "program.json")
REGISTERS = (
    (0x00, "ID", "read", "0x31545753"),
    (0x04, "VERSION", "read", "bits 7:0 program version, 31:8 fingerprint of the parameters"),
    (0x08, "LANES", "read", "bits 15:0 lanes, 23:16 grid_rows, 31:24 grid_columns"),
    (0x0C, "WIDTHS", "read", "bits 7:0 drain_width, 15:8 scatter_width, 23:16 acc_width, 31:24 scale_width"),
    (0x10, "CONTROL", "write", "bit 0 start, bit 1 clear error"),
    (0x14, "STATUS", "read", "bit 0 busy, 1 loaded, 7:4 error, 15:8 layer"),
    (0x18, "LOAD_CYCLES", "read", "cycles of the last batch's input"),
    (0x1C, "RUN_CYCLES", "read", "cycles of the last batch's layers"),
    (0x20, "BATCHES", "read", "batches since reset"),
    (0x24, "DEPTH_ROWS", "read", "row_depth"),
    (0x28, "DEPTH_WEIGHTS", "read", "weight_depth"),
    (0x2C, "DEPTH_TABLE", "read", "table_depth"),
    (0x30, "DEPTH_VECTOR", "read", "vector_depth"),
    (0x34, "ARRAYS", "read", "column arrays"),
)


def verilog(config):
    """The RTL of an engine of ``config``."""
    from shiftwork.hw.ternary.top import emit

    return emit(config)


def ports(config):
    """Ports of the module, clock and reset first."""
    from amaranth.hdl import UnusedElaboratable
    from shiftwork.hw.ternary.top import TernaryTop

    with warnings.catch_warnings():
        # Asked for its ports only, and nothing stands behind them; collected here, while its complaint is not
        # heard.
        warnings.simplefilter("ignore", UnusedElaboratable)
        members = TernaryTop(config, engine=object()).metadata.as_json()["interface"]["members"]
        gc.collect()
    return [{"name": name, "direction": "input", "width": 1} for name in ("clk", "rst")] + list(
        _leaves(members)
    )


def _leaves(members):
    for member in members.values():
        if member["type"] == "port":
            yield {"name": member["name"], "direction": f"{member['dir']}put", "width": member["width"]}
        else:
            yield from _leaves(member["members"])


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
    return lower(network if x is None else calibrate(network, x))


def _is_ternary(filters):
    return all(len(np.unique(np.abs(f[f != 0]))) <= 1 for f in filters)


def save(program):
    """The words, little endian, and what `load` needs beside them."""
    return {
        "program.bin": program.to_words().astype("<u4").tobytes(),
        "program.json": dumps(program.metadata).encode(),
    }


def load(files, config):
    """The program of these files for an engine of ``config``."""
    return Program.from_words(
        np.frombuffer(files["program.bin"], "<u4"), config, json.loads(files["program.json"])
    )


def describe(integer, program):
    """Shapes, scales and layers of a network, and what it takes of the memories."""
    meta = program.metadata
    layers = [{**about, "zero_share": 1 - about["non_zeros"] / about["weights"]} for about in meta["layers"]]
    return {
        "input_shape": meta["input_shape"],
        "input_scale": meta["input_scale"],
        "input_signed": meta["input_signed"],
        "output_shape": meta["output_shape"],
        "output_scale": meta["output_scale"],
        "images_of_a_batch": meta["images"],
        "layers": layers,
        "memory": memory_use(program),
    }


def random_input(program, count, rng):
    """``count`` random inputs, integers over the whole range."""
    low, high = input_range(program.metadata["input_signed"], program.metadata["input_bits"])
    return rng.integers(low, high + 1, (count, *program.metadata["input_shape"]))


def quantize(program, x):
    """Integers of float inputs: clip(round_half_even(x / input_scale)) in the range of the first layer."""
    low, high = input_range(program.metadata["input_signed"], program.metadata["input_bits"])
    scaled = np.asarray(x, np.float64) / program.metadata["input_scale"]
    return np.clip(np.rint(scaled), low, high).astype(np.int64)


def _batches(program, x):
    """Packets of the input stream, uint8 (batches, beats, drain_width)."""
    images = program.metadata["images"]
    return np.array([program.pack_input(x[n : n + images]) for n in range(0, len(x), images)])


def _values(program, batches, count):
    """Outputs (count, ...) of what the output stream yielded for each batch."""
    return np.concatenate([program.unpack_output(values) for values in batches])[:count]


def _model(program, x, progress=lambda done, all_: None):
    """Input packets, what the interpreter yields for each, and predicted cycles of each."""
    from shiftwork.golden.ternary.timing import predict

    machine = Machine(program.config)
    machine.load(program.to_words())
    packets, values, cycles = _batches(program, x), [], []
    for n, packet in enumerate(packets):
        values.append(machine.run(packet).reshape(-1))
        cycles.append(predict(machine))
        progress(n + 1, len(packets))
    return (
        packets,
        np.array(values),
        np.array([c.load_cycles for c in cycles]),
        np.array([c.run_cycles for c in cycles]),
    )


def golden(program, x, progress=lambda done, all_: None):
    """Results of the golden model, the interpreter of the program's words."""
    _, values, load_cycles, run_cycles = _model(program, x, progress)
    return Results(_values(program, values, len(x)), load_cycles, run_cycles)


def simulate(program, x, rtl, folder, progress=lambda done, all_: None, stage=None):
    """Results of the Verilog file or text ``rtl``, compiled in ``folder``."""
    from shiftwork.sim.compiled import CompiledSimulator

    simulator = CompiledSimulator(rtl, folder, TOP, progress=stage)
    output = simulator.run(program.to_words(), _batches(program, x), progress=progress)
    return Results(
        _values(program, output.values, len(x)),
        output.load_cycles,
        output.run_cycles,
        output.cycles_per_second,
    )


def verify(rtl, program, x, folder, simulator=None):
    """The bench on the Verilog text ``rtl``, golden beside it; see `shiftwork.sim.verify.verify`."""
    from shiftwork.sim import verify as bench

    packets, expected, load_cycles, run_cycles = _model(program, x)
    return bench.verify(
        rtl,
        program.config,
        program.to_words(),
        packets,
        expected,
        folder,
        simulator,
        load_cycles=load_cycles,
        run_cycles=run_cycles,
    )
