"""Holds an engine's Verilog against expected values, bit by bit, under any of the simulators."""

import time
from pathlib import Path

import numpy as np

from .compiled import CompiledSimulator
from .engines import engine_of
from .runner import run_cocotb

__all__ = ["JOB_VARIABLE", "read_job", "verify", "write_job"]

JOB_VARIABLE = "SHIFTWORK_JOB"
"""Environment variable with the path of the bench's job."""


def verify(verilog, config, program, inputs, expected, folder, simulator=None, *, load_cycles=None,
           run_cycles=None, step=None, unchecked=None, seed=1, tests=None, progress=None):
    """Runs a program and its inputs on Verilog and compares every bit of the output.

    Parameters
    ----------
    verilog : str
        The engine, a module of the name that `engines` says.
    config : TernaryConfig
        What it was made for, or another engine's.
    program : uint32 (words,)
        The packet of the program stream.
    inputs : uint8 (batches, beats, drain_width), uint16 for activations of 16 bits
        Packets of the input stream; of the circulant engine a list of uint16 (beats, 2).
    expected : integers (batches, values)
        What the output stream must yield, -32768 .. 32767; of the circulant engine a list of (values,).
    folder : Path
        For all files; made where it does not exist.
    simulator : str, optional
        "compiled" runs the batches, and a few of them (all of an engine that learns) once more with stalls;
        "verilator", "icarus", or None for the first of these that is there, runs all of
        `shiftwork.sim.engine_tests`: stalls, resets, malformed programs and packets, registers. There the
        first batch's output must be the same whenever it comes first.
    load_cycles, run_cycles : integers (batches,), optional
        What the cycle registers must say after each batch without stalls.
    step : (int, int), optional
        Of an engine of sequences: beats of a step's input, values of its output.
    unchecked : integers (batches,), optional
        So many values at the end of each batch's output may be any: counts of cycles.
    tests : list of str, optional
        Names of the bench's tests to run; without it all of them.

    Returns a dict: "simulator", "batches", "values" compared, and for "compiled" also "cycles" and
    "cycles_per_second"; for the others "tests" passed.

    Raises AssertionError where anything differs, ToolError where a tool is missing, ValueError for arguments
    of another shape; the compiled simulator also EngineError and SimulationError.
    """
    job = _job(config, program, inputs, expected, load_cycles, run_cycles)
    job["unchecked"] = np.broadcast_to(np.asarray(0 if unchecked is None else unchecked), len(job["inputs"]))
    found = {"simulator": simulator, "batches": len(job["inputs"]),
             "values": sum(map(len, job["expected"])) - int(job["unchecked"].sum())}
    folder = Path(folder)
    if simulator == "compiled":
        return found | _verify_compiled(verilog, engine_of(config), job, folder, seed, progress)
    path = write_job(folder / "job.npz", job | ({} if step is None else {"step": np.array(step)}))
    passed = run_cocotb(verilog, engine_of(config).top, "shiftwork.sim.engine_tests", folder, simulator,
                        {JOB_VARIABLE: str(path)}, seed, tests)
    return found | {"tests": passed}


def write_job(path, job):
    """Writes the job of `shiftwork.sim.engine_tests`; its absolute path.

    Packets, whose lengths may differ, become one array, and one of their ends in beats or values.
    """
    path = Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    packets = {name: job[name] for name in ("inputs", "expected")}
    with open(path, "wb") as file:
        np.savez(file, **job | {name: np.concatenate(found) for name, found in packets.items()},
                 **{f"{name}_ends": np.cumsum([len(one) for one in found])
                    for name, found in packets.items()})
    return path


def read_job(path):
    """What `write_job` was given, input packets as bytes (beats, bytes of a beat)."""
    with np.load(path, allow_pickle=False) as file:
        job = dict(file)
    for name in ("inputs", "expected"):
        job[name] = np.split(job[name], job.pop(f"{name}_ends")[:-1])
    return job | {"inputs": [np.ascontiguousarray(one).view(np.uint8) for one in job["inputs"]]}


def _job(config, program, inputs, expected, load_cycles, run_cycles):
    engine = engine_of(config)
    registers, (kind, width, out) = engine.registers(config), engine.beat(config)
    inputs, expected = ([np.asarray(one) for one in packets] for packets in (inputs, expected))
    for one in inputs:
        if one.ndim != 2 or one.shape[1] != width or not one.size:
            raise ValueError(f"Inputs must have shape (batches, beats, {width}), "
                             f"not {(len(inputs), *one.shape)}")
    for one in expected:
        if one.ndim != 1 or len(expected) != len(inputs) or len(one) % out:
            raise ValueError(f"Expected values must have shape ({len(inputs)}, a multiple of {out}), "
                             f"not {(len(expected), *one.shape)}")
        if one.min() < -32768 or one.max() > 32767:
            raise ValueError("Expected values must be within -32768 .. 32767, "
                             f"not {one.min()} .. {one.max()}")
    job = {"program": np.asarray(program, np.uint32),
           "inputs": [one.astype(kind) for one in inputs],
           "expected": [one.astype(np.int16) for one in expected], "registers": registers}
    for name, cycles in (("load_cycles", load_cycles), ("run_cycles", run_cycles)):
        if cycles is not None:
            job[name] = np.broadcast_to(np.asarray(cycles, np.int64), len(inputs))
    return job


def _verify_compiled(verilog, engine, job, folder, seed, progress):
    simulator = CompiledSimulator(verilog, folder, engine.top, magic=engine.program.MAGIC,
                                  **engine.compilation)
    if engine.ordered:
        return _verify_ordered(simulator, job, seed, progress)
    lengths, cycles, rates = [len(one) for one in job["inputs"]], 0, []
    for length in sorted(set(lengths)):
        chosen = [n for n, found in enumerate(lengths) if found == length]
        packets, expected = ([job[name][n] for n in chosen] for name in ("inputs", "expected"))
        output = simulator.run(job["program"], packets, progress=progress)
        np.testing.assert_array_equal(output.values, expected, "values of the output stream")
        for name in ("load_cycles", "run_cycles"):
            if name in job:
                np.testing.assert_array_equal(getattr(output, name), job[name][chosen],
                                              f"register {name.upper()}")
        stalled = simulator.run(job["program"], packets[:4], stall_percent=40, seed=seed)
        what = f"values of the output stream with stalls, seed {seed}"
        np.testing.assert_array_equal(stalled.values, expected[:4], what)
        cycles += output.total_cycles
        rates.append(output.cycles_per_second)
    return {"cycles": cycles, "cycles_per_second": sum(rates) / len(rates)}


def _verify_ordered(simulator, job, seed, progress):
    """All batches one behind the other, then once more with stalls: an engine that keeps what it learns."""
    cycles, start = 0, time.perf_counter()
    for stall_percent in (0, 40):
        what = f"values of the output stream with stalls, seed {seed}" if stall_percent else \
            "values of the output stream"
        with simulator.session(stall_percent=stall_percent, seed=seed) as session:
            for n, (packet, expected) in enumerate(zip(job["inputs"], job["expected"], strict=True)):
                found = session.run(packet, None if n else job["program"], f"Batch {n}").values
                checked = len(expected) - int(job["unchecked"][n])
                assert len(found) == len(expected), (
                    f"Batch {n} must yield {len(expected)} values, not {len(found)}")
                np.testing.assert_array_equal(found[:checked], expected[:checked], f"{what}, batch {n}")
                if progress and not stall_percent:
                    progress(n + 1, len(job["inputs"]))
            cycles += session.cycles
    return {"cycles": cycles, "cycles_per_second": cycles / (time.perf_counter() - start)}
