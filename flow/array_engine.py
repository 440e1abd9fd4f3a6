"""What engines of column arrays have in common, for the flow; `engines` says what each name must be."""

import gc
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from shiftwork.golden.common.activations import input_range
from shiftwork.golden.common.program import ArrayProgram

from .artifacts import dumps
from .engines import Results
from .errors import FlowError

__all__ = ["ArrayEngine", "PROGRAM_FILES", "describe", "registers", "input_range"]

PROGRAM_FILES = ("program.bin", "program.json")
_METADATA = ("images", "input_shape", "output_shape", "layers")


def registers(program, depths):
    """Rows (address, name, access, meaning) of an engine that runs ``program``, a class of ArrayProgram.

    ``depths`` say what DEPTH_ROWS, DEPTH_WEIGHTS, DEPTH_TABLE and DEPTH_VECTOR are.
    """
    rows, weights, table, vector = depths
    return (
        (0x00, "ID", "read", f"0x{program.MAGIC:08x}"),
        (0x04, "VERSION", "read", "bits 7:0 program version, 31:8 fingerprint of the parameters"),
        (0x08, "LANES", "read", "bits 15:0 lanes, 23:16 grid_rows, 31:24 grid_columns"),
        (
            0x0C,
            "WIDTHS",
            "read",
            "bits 7:0 drain_width, 15:8 scatter_width, 23:16 acc_width, 31:24 scale_width",
        ),
        (0x10, "CONTROL", "write", "bit 0 start, bit 1 clear error"),
        (0x14, "STATUS", "read", "bit 0 busy, 1 loaded, 7:4 error, 15:8 layer"),
        (0x18, "LOAD_CYCLES", "read", "cycles of the last batch's input"),
        (0x1C, "RUN_CYCLES", "read", "cycles of the last batch's layers"),
        (0x20, "BATCHES", "read", "batches since reset"),
        (0x24, "DEPTH_ROWS", "read", rows),
        (0x28, "DEPTH_WEIGHTS", "read", weights),
        (0x2C, "DEPTH_TABLE", "read", table),
        (0x30, "DEPTH_VECTOR", "read", vector),
        (0x34, "ARRAYS", "read", "column arrays"),
    )


@dataclass(frozen=True)
class ArrayEngine:
    """An engine's parts, and from them what the flow does with its programs.

    ``buses(config, engine=None)`` makes the component with the engine's ports.
    """

    top: str                         #: name of its Verilog module
    program: type[ArrayProgram]
    machine: type                    #: the interpreter
    predict: Callable                #: (machine) -> Timing of its last batch
    buses: Callable

    def ports(self, config):
        """Ports of the module, clock and reset first."""
        from amaranth.hdl import UnusedElaboratable

        with warnings.catch_warnings():
            # Asked for its ports only, and nothing stands behind them; collected here, while its complaint is
            # not heard.
            warnings.simplefilter("ignore", UnusedElaboratable)
            members = self.buses(config, engine=object()).metadata.as_json()["interface"]["members"]
            gc.collect()
        return [{"name": name, "direction": "input", "width": 1} for name in ("clk", "rst")] + list(
            _leaves(members)
        )

    @staticmethod
    def save(program):
        """The words, little endian, and what `load` needs beside them."""
        return {
            "program.bin": program.to_words().astype("<u4").tobytes(),
            "program.json": dumps(program.metadata).encode(),
        }

    def load(self, files, config):
        """The program of these files for an engine of ``config``.

        Raises FlowError where they are no program's, ProgramError where it is not one of that engine.
        """
        data = files["program.bin"]
        if len(data) % 4:
            raise FlowError(f"program.bin must have words of 4 bytes, not {len(data)} bytes")
        try:
            metadata = json.loads(files["program.json"])
            missing = [name for name in _METADATA if name not in metadata]
        except (ValueError, TypeError):
            missing = _METADATA
        if missing:
            raise FlowError(f"program.json must be a program's metadata, not without {', '.join(missing)}")
        return self.program.from_words(np.frombuffer(data, "<u4"), config, metadata)

    @staticmethod
    def random_input(program, count, rng):
        """``count`` random inputs, integers over the whole range."""
        low, high = input_range(program.metadata["input_signed"], program.metadata["input_bits"])
        return rng.integers(low, high + 1, (count, *program.metadata["input_shape"]))

    @staticmethod
    def quantize(program, x):
        """Integers of float inputs: clip(round_half_even(x / input_scale)) in the first layer's range."""
        low, high = input_range(program.metadata["input_signed"], program.metadata["input_bits"])
        scaled = np.asarray(x, np.float64) / program.metadata["input_scale"]
        return np.clip(np.rint(scaled), low, high).astype(np.int64)

    def golden(self, program, x, progress=lambda done, all_: None):
        """Results of the golden model, the interpreter of the program's words."""
        _, values, load_cycles, run_cycles = self._model(program, x, progress)
        return Results(_values(program, values, len(x)), load_cycles, run_cycles)

    def simulate(self, program, x, rtl, folder, progress=lambda done, all_: None, stage=None):
        """Results of the Verilog file or text ``rtl``, compiled in ``folder``."""
        from shiftwork.sim.compiled import CompiledSimulator

        simulator = CompiledSimulator(rtl, folder, self.top, progress=stage, magic=self.program.MAGIC)
        output = simulator.run(program.to_words(), _batches(program, x), progress=progress)
        return Results(
            _values(program, output.values, len(x)),
            output.load_cycles,
            output.run_cycles,
            output.cycles_per_second,
        )

    def verify(self, rtl, program, x, folder, simulator=None):
        """The bench on the Verilog text ``rtl``, golden beside it; see `shiftwork.sim.verify.verify`."""
        from shiftwork.sim import verify as bench

        packets, expected, load_cycles, run_cycles = self._model(program, x)
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

    def _model(self, program, x, progress=lambda done, all_: None):
        """Input packets, what the interpreter yields for each, and predicted cycles of each."""
        machine = self.machine(program.config)
        machine.load(program.to_words())
        packets, values, cycles = _batches(program, x), [], []
        for n, packet in enumerate(packets):
            values.append(machine.run(packet).reshape(-1))
            cycles.append(self.predict(machine))
            progress(n + 1, len(packets))
        return (
            packets,
            np.array(values),
            np.array([c.load_cycles for c in cycles]),
            np.array([c.run_cycles for c in cycles]),
        )


def describe(program, memory):
    """What the manifest says of a network; ``memory``: what it takes of each."""
    meta = program.metadata
    layers = [
        {**about, "zero_share": 1 - about["non_zeros"] / about.get("coefficients", about["weights"])}
        for about in meta["layers"]
    ]
    return {
        "input_shape": meta["input_shape"],
        "input_scale": meta["input_scale"],
        "input_signed": meta["input_signed"],
        "output_shape": meta["output_shape"],
        "output_scale": meta["output_scale"],
        "images_of_a_batch": meta["images"],
        "layers": layers,
        "memory": memory,
    }


def _leaves(members):
    for member in members.values():
        if member["type"] == "port":
            yield {"name": member["name"], "direction": f"{member['dir']}put", "width": member["width"]}
        else:
            yield from _leaves(member["members"])


def _batches(program, x):
    """Packets of the input stream, uint8 (batches, beats, drain_width)."""
    images = program.metadata["images"]
    return np.array([program.pack_input(x[n : n + images]) for n in range(0, len(x), images)])


def _values(program, batches, count):
    """Outputs (count, ...) of what the output stream yielded for each batch."""
    return np.concatenate([program.unpack_output(values) for values in batches])[:count]
