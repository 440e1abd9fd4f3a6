"""What all engines have in common, for the flow: files of programs, ports, registers; see `engines`."""

import gc
import json
import warnings
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from shiftwork.golden.common.program import EngineProgram

from .artifacts import dumps
from .errors import FlowError

__all__ = ["PROGRAM_FILES", "ProgramEngine", "registers"]

PROGRAM_FILES = ("program.bin", "program.json")


def registers(program, *, lanes, widths, depths, arrays):
    """Rows (address, name, access, meaning) of an engine that runs ``program``, a class of EngineProgram.

    ``depths`` say what DEPTH_ROWS, DEPTH_WEIGHTS, DEPTH_TABLE and DEPTH_VECTOR are.
    """
    rows, weights, table, vector = depths
    return (
        (0x00, "ID", "read", f"0x{program.MAGIC:08x}"),
        (0x04, "VERSION", "read", "bits 7:0 program version, 31:8 fingerprint of the parameters"),
        (0x08, "LANES", "read", lanes),
        (0x0C, "WIDTHS", "read", widths),
        (0x10, "CONTROL", "write", "bit 0 start, bit 1 clear error"),
        (0x14, "STATUS", "read", "bit 0 busy, 1 loaded, 7:4 error, 15:8 layer"),
        (0x18, "LOAD_CYCLES", "read", "cycles of the last batch's input"),
        (0x1C, "RUN_CYCLES", "read", "cycles of the last batch's layers"),
        (0x20, "BATCHES", "read", "batches since reset"),
        (0x24, "DEPTH_ROWS", "read", rows),
        (0x28, "DEPTH_WEIGHTS", "read", weights),
        (0x2C, "DEPTH_TABLE", "read", table),
        (0x30, "DEPTH_VECTOR", "read", vector),
        (0x34, "ARRAYS", "read", arrays),
    )


@dataclass(frozen=True)
class ProgramEngine:
    """An engine's parts, and from them its Verilog, and what the flow does with its programs' files.

    ``name`` is that of its hardware's classes, hw/<name>/: Ternary is TernaryEngine, TernaryTop. ``keys``
    are those that a program's metadata must have.
    """

    name: str
    program: type[EngineProgram]
    keys: tuple[str, ...]

    @property
    def top(self):
        """Name of its Verilog module."""
        return f"shiftwork_{self.name.lower()}"

    def _hardware(self, part):
        # Imported here: Amaranth takes its time, and few commands need it.
        return import_module(f"shiftwork.hw.{self.name.lower()}.{part}")

    def verilog(self, config):
        """The RTL of an engine of ``config``."""
        return self._hardware("top").emit(config)

    def component(self, config):
        """The engine without its buses."""
        return getattr(self._hardware("engine"), f"{self.name}Engine")(config)

    def ports(self, config):
        """Ports of the module, clock and reset first."""
        from amaranth.hdl import UnusedElaboratable

        with warnings.catch_warnings():
            # Asked for its ports only, and nothing stands behind them; collected here, while its complaint is
            # not heard.
            warnings.simplefilter("ignore", UnusedElaboratable)
            top = getattr(self._hardware("top"), f"{self.name}Top")(config, engine=object())
            members = top.metadata.as_json()["interface"]["members"]
            del top
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
            missing = [name for name in self.keys if name not in metadata]
        except (ValueError, TypeError):
            missing = self.keys
        if missing:
            raise FlowError(f"program.json must be a program's metadata, not without {', '.join(missing)}")
        return self.program.from_words(np.frombuffer(data, "<u4"), config, metadata)


def _leaves(members):
    for member in members.values():
        if member["type"] == "port":
            yield {"name": member["name"], "direction": f"{member['dir']}put", "width": member["width"]}
        else:
            yield from _leaves(member["members"])
