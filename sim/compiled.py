"""The fast simulator: the engine's Verilog, compiled to machine code through CXXRTL."""

import ctypes
import hashlib
import os
import re
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from shiftwork.golden.common.program import ErrorCode
from shiftwork.golden.ternary.program import MAGIC

from .tools import ToolError, cxx_compiler, cxxrtl_include, run_compiler, run_yosys

__all__ = ["CompiledSimulator", "EngineError", "Output", "PassOutput", "Session", "SimulationError"]

FLAGS = ["-std=c++17", "-fPIC", "-shared"]

YOSYS_SCRIPT = ("read_verilog {name}.v; hierarchy -check -top {top}; proc; {apart}flatten; opt -fast; "
                "splitnets -driver; clean; write_cxxrtl -O6 -g{debug} {name}.cpp")
"""A wire whose bits depend on others of its own looks like feedback, so each driver gets its own wire."""

_ZEROS = re.compile(r"^ *initial begin\n(?: *\S+ ?\[\d+\] = \d+'h0+;\n)+ *end\n", re.M)
"""A memory that begins with zeros, as CXXRTL's do anyway: a line a word, over which Yosys takes minutes."""

_FELL = "prev_p_clk = p_clk;", "prev_p_clk = value<1>();"
"""What a module keeps of its clock, and what makes every evaluation one at a rising edge."""

DRIVER = Path(__file__).with_name("compiled.cpp")


class EngineError(RuntimeError):
    """The engine reported an error; ``code`` is its ErrorCode."""

    def __init__(self, code, what):
        self.code = ErrorCode(code)
        super().__init__(f"{what} must be accepted by the engine, not refused with error {int(code)}, "
                         f"{self.code.name.lower().replace('_', ' ')}")


class SimulationError(RuntimeError):
    """The engine broke a rule of its buses, or did not come to an end."""


@dataclass(frozen=True, eq=False)
class Output:
    """What a simulation yielded."""

    values: np.ndarray         #: int16 (batches, values), of the output stream
    load_cycles: np.ndarray    #: int64 (batches,), the register LOAD_CYCLES after each batch
    run_cycles: np.ndarray     #: int64 (batches,), the register RUN_CYCLES after each batch
    total_cycles: int          #: cycles of the clock, with reset, program and registers
    cycles_per_second: float   #: of this run, by the clock on the wall


@dataclass(frozen=True, eq=False)
class PassOutput:
    """What one pass of `CompiledSimulator.run_passes` yielded."""

    values: np.ndarray    #: int16 (values,), of the output stream
    program_cycles: int   #: in which its program was taken, from the first word to the last; 0 without one
    load_cycles: int      #: the registers LOAD_CYCLES and RUN_CYCLES after it
    run_cycles: int


class CompiledSimulator:
    """Simulates the Verilog of an engine, half a million cycles per second of a ternary one with 64 lanes.

    Compiling takes seconds, so what it yields stays in ``build_dir``, under a hash of everything that it came
    from, and is used again.

    Parameters
    ----------
    verilog : str or Path
        The engine as Verilog text, or the path of a file with it.
    build_dir : Path
        Where to compile; made where it does not exist.
    top : str
        Name of the module; its ports are those of the specification.
    magic : int
        What its register ID must be; the ternary engine's without it.
    progress : function of str, optional
        Told what is being done.
    trace : bool
        Whether `run` can write waveforms. Takes some times longer to compile.
    optimization : int
        Level of the C++ compiler: 2 compiles 15 % faster than 3 and simulates at half the speed; 1 is for
        great engines and few cycles.
    apart : iterable of str
        Patterns of the names of modules below ``top`` that become functions of their own. The compiler's time
        grows faster than a function. Their outputs should be registers: where some are made of inputs,
        or of more than a register, each cycle is evaluated twice.

    Raises ToolError where Yosys or the C++ compiler is missing or fails.
    """

    def __init__(self, verilog, build_dir, top="shiftwork_ternary", progress=None, trace=False,
                 magic=MAGIC, optimization=3, apart=()):
        text = verilog if isinstance(verilog, str) and "\n" in verilog else Path(verilog).read_text()
        compiler, include = cxx_compiler(), cxxrtl_include()
        version = subprocess.run([*compiler, "--version"], text=True, capture_output=True).stdout
        flags = [*FLAGS, f"-O{optimization}", f"-DMAGIC={magic:#x}u", *(["-DTRACE"] if trace else [])]
        sources = (text, DRIVER.read_text(), (include / "cxxrtl" / "cxxrtl.h").read_text())
        apart = "".join(f"setattr -mod -set keep_hierarchy 1 {top}.{name}; " for name in apart)
        parts = (*sources, YOSYS_SCRIPT, apart, *compiler, version, top, *flags)
        name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
        folder = Path(build_dir).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        self.library = folder / f"{name}.so"   #: the compiled simulator
        if not self.library.exists():
            command = [*compiler, *flags, f"-I{include}"]
            self._build(text, top, name, command, trace, apart, progress or (lambda text: None))
        self._trace = trace
        self._calls = _bind(self.library)

    def _build(self, text, top, name, compile_command, trace, apart, progress):
        folder = self.library.parent
        (folder / f"{name}.v").write_text(_ZEROS.sub("", text))
        progress("Translating Verilog to C++")
        # Debug information is for waveforms only, and the greater part of the code where it is asked for.
        log = run_yosys(YOSYS_SCRIPT.format(name=name, top=top, apart=apart, debug=4 if trace else 0), folder)
        code = folder / f"{name}.cpp"
        if "delta cycles" in log:
            compile_command = [*compile_command, "-DFEEDBACK"]
        elif not trace:
            code.write_text(code.read_text().replace(*_FELL))
        progress("Compiling C++")
        unfinished = folder / f"{name}.{os.getpid()}.so"
        struct = "p_" + top.replace("_", "__")
        run_compiler([*compile_command, f'-DDESIGN="{code}"', f"-DTOP={struct}", str(DRIVER),
                      "-o", str(unfinished)])
        unfinished.replace(self.library)

    def run(self, program, batches, *, stall_percent=0, seed=1, max_cycles=20_000_000, trace=None,
            trace_cycles=10_000, progress=None):
        """Resets the engine, loads a program and runs batches; an `Output`.

        Parameters
        ----------
        program : uint32 (words,)
            The packet of the program stream.
        batches : uint8 (batches, beats, drain_width), uint16 for activations of 16 bits
            Packets of the input stream, or a list of such arrays.
        stall_percent : int
            Probability, 0 .. 95, that a bus does not offer or accept something, each bus, each cycle.
        seed : int
            Of these stalls.
        max_cycles : int
            Cycles that the program, and each batch, may take.
        trace : path, optional
            Where to write the first ``trace_cycles`` cycles as VCD waveforms.
        progress : function of (int, int), optional
            Told the number of batches done and of all batches.

        Raises EngineError where the engine reports an error, SimulationError where it takes too many cycles
        or breaks a rule of a bus, ValueError for arguments that are none of these.
        """
        if trace is not None and not self._trace:
            raise ValueError("Simulator must be made with trace=True for waveforms, not trace=False")
        with self._simulator(stall_percent, seed, max_cycles) as simulator:
            if trace is not None and self._calls.simulator_trace(simulator, os.fsencode(trace), trace_cycles):
                raise ValueError(f"Waveforms must go to a file that can be written, not {trace}")
            start = time.perf_counter()
            _check(self._calls.simulator_reset(simulator), "Program", max_cycles)
            self._load(simulator, "Program", program, max_cycles)
            values, cycles = [], []
            for n, batch in enumerate(batches):
                values.append(self._batch(simulator, f"Batch {n}", batch, max_cycles, cycles))
                if progress:
                    progress(n + 1, len(batches))
            total = self._calls.simulator_cycles(simulator)
            seconds = time.perf_counter() - start
        counts = {len(v) for v in values}
        if len(counts) > 1:
            raise SimulationError(f"Batches must yield the same number of values, not {sorted(counts)}")
        cycles = np.array(cycles, np.int64).reshape(-1, 2)
        return Output(np.array(values, np.int16).reshape(len(values), -1), cycles[:, 0], cycles[:, 1], total,
                      total / seconds)

    def run_passes(self, passes, *, stall_percent=0, seed=1, max_cycles=20_000_000):
        """Resets the engine and runs passes one after the other, memories staying; a list of `PassOutput`.

        Each of ``passes`` is a pair: a program packet, or None to run the program that is there; an input
        packet, or None for a program that takes none. Arguments and exceptions else are those of `run`.
        """
        with self.session(stall_percent=stall_percent, seed=seed, max_cycles=max_cycles) as session:
            return [session.run(batch, program, f"Pass {n}") for n, (program, batch) in enumerate(passes)]

    @contextmanager
    def session(self, *, stall_percent=0, seed=1, max_cycles=20_000_000):
        """Resets the engine; a context manager that yields its `Session`. Arguments are those of `run`."""
        with self._simulator(stall_percent, seed, max_cycles) as simulator:
            _check(self._calls.simulator_reset(simulator), "Engine", max_cycles)
            yield Session(self, simulator, max_cycles)

    @contextmanager
    def _simulator(self, stall_percent, seed, max_cycles):
        if not 0 <= stall_percent <= 95:
            raise ValueError(f"Stalls must be between 0 and 95 percent, not {stall_percent}")
        simulator = self._calls.simulator_create(stall_percent, seed, max_cycles)
        try:
            yield simulator
        finally:
            self._calls.simulator_destroy(simulator)

    def _load(self, simulator, what, program, max_cycles):
        """Cycles in which the program was taken."""
        words, taken = np.ascontiguousarray(program, np.uint32), ctypes.c_uint32()
        code = self._calls.simulator_load(simulator, words.ctypes.data, len(words), ctypes.byref(taken))
        _check(code, what, max_cycles)
        return taken.value

    def _batch(self, simulator, what, batch, max_cycles, cycles):
        width = self._calls.simulator_input_bytes(simulator)
        if batch is None:
            batch = np.zeros((0, width), np.uint8)
        else:
            batch = np.ascontiguousarray(batch, "<u2" if np.asarray(batch).dtype == np.uint16 else np.uint8)
            if batch.ndim != 2 or batch.shape[1] * batch.itemsize != width or not len(batch):
                raise ValueError(f"{what} must have shape (beats, {width // batch.itemsize}), "
                                 f"not {batch.shape}")
        counted = (ctypes.c_uint32 * 2)()
        code = self._calls.simulator_run(simulator, batch.ctypes.data, len(batch), counted)
        _check(code, what, max_cycles)
        cycles.append(list(counted))
        values = ctypes.POINTER(ctypes.c_int16)()
        count = self._calls.simulator_values(simulator, ctypes.byref(values))
        return np.ctypeslib.as_array(values, (count,)).copy() if count else np.zeros(0, np.int16)


class Session:
    """An engine between its passes, of `CompiledSimulator.session`: what it answers may decide what it is
    asked next.
    """

    def __init__(self, compiled, simulator, max_cycles):
        self._compiled, self._simulator, self._max_cycles = compiled, simulator, max_cycles

    @property
    def cycles(self):
        """Cycles of the clock since the reset."""
        return self._compiled._calls.simulator_cycles(self._simulator)

    def run(self, batch, program=None, what="Pass"):
        """The `PassOutput` of an input packet (None for a program that takes none), after loading
        ``program`` unless it is None. Exceptions are those of `CompiledSimulator.run`, about ``what``.
        """
        compiled, taken, cycles = self._compiled, 0, []
        if program is not None:
            taken = compiled._load(self._simulator, f"Program of {what.lower()}", program, self._max_cycles)
        values = compiled._batch(self._simulator, what, batch, self._max_cycles, cycles)
        return PassOutput(values, taken, *cycles[0])


def _check(code, what, max_cycles):
    if code > 0:
        raise EngineError(code, what)
    if code < 0:
        raise SimulationError(f"{what} " + {
            -1: f"must be done within {max_cycles} cycles, not go on",
            -2: "must have its registers answered OKAY once, not otherwise",
            -3: "must have its output end with its last beat, not go on",
            -4: "must run on an engine with the specified register ID, not another",
        }[code])


def _bind(path):
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise ToolError(f"Compiled simulator must be a library that this Python can load: {error}") from None
    simulator, size, u32, u64 = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint64
    for name, result, arguments in (
        ("create", simulator, (u32, u64, u64)),
        ("destroy", None, (simulator,)),
        ("input_bytes", size, (simulator,)),
        ("cycles", u64, (simulator,)),
        ("reset", ctypes.c_int, (simulator,)),
        ("load", ctypes.c_int, (simulator, ctypes.c_void_p, size, ctypes.POINTER(u32))),
        ("run", ctypes.c_int, (simulator, ctypes.c_void_p, size, u32 * 2)),
        ("values", size, (simulator, ctypes.POINTER(ctypes.POINTER(ctypes.c_int16)))),
        ("trace", ctypes.c_int, (simulator, ctypes.c_char_p, u64)),
    ):
        function = getattr(library, f"simulator_{name}")
        function.restype, function.argtypes = result, arguments
    return library
