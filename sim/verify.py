"""Holds an engine's Verilog against expected values, bit by bit, under any of the simulators."""

from pathlib import Path

import numpy as np

from .compiled import CompiledSimulator
from .engines import engine_of
from .runner import run_cocotb

__all__ = ["JOB_VARIABLE", "verify", "write_job"]

JOB_VARIABLE = "SHIFTWORK_JOB"
"""Environment variable with the path of the bench's job."""


def verify(verilog, config, program, inputs, expected, folder, simulator=None, *, load_cycles=None,
           run_cycles=None, seed=1, tests=None, progress=None):
    """Runs a program and its inputs on Verilog and compares every bit of the output.

    Parameters
    ----------
    verilog : str
        The engine, a module of the name that `engines` says.
    config : ArrayConfig
        What it was made for: TernaryConfig, or another engine's.
    program : uint32 (words,)
        The packet of the program stream.
    inputs : uint8 (batches, beats, drain_width), uint16 for activations of 16 bits
        Packets of the input stream.
    expected : integers (batches, values)
        What the output stream must yield, -32768 .. 32767.
    folder : Path
        For all files; made where it does not exist.
    simulator : str, optional
        "compiled" runs the batches, and a few of them once more with stalls; "verilator", "icarus", or None
        for the first of these that is there, runs all of `shiftwork.sim.engine_tests`: stalls, resets,
        malformed programs and packets, registers.
    load_cycles, run_cycles : integers (batches,), optional
        What the cycle registers must say after each batch without stalls.
    tests : list of str, optional
        Names of the bench's tests to run; without it all of them.

    Returns a dict: "simulator", "batches", "values" compared, and for "compiled" also "cycles" and
    "cycles_per_second"; for the others "tests" passed.

    Raises AssertionError where anything differs, ToolError where a tool is missing, ValueError for arguments
    of another shape; the compiled simulator also EngineError and SimulationError.
    """
    job = _job(config, program, inputs, expected, load_cycles, run_cycles)
    found = {"simulator": simulator, "batches": len(job["inputs"]), "values": job["expected"].size}
    folder = Path(folder)
    if simulator == "compiled":
        return found | _verify_compiled(verilog, engine_of(config), job, folder, seed, progress)
    path = write_job(folder / "job.npz", job)
    passed = run_cocotb(verilog, engine_of(config).top, "shiftwork.sim.engine_tests", folder, simulator,
                        {JOB_VARIABLE: str(path)}, seed, tests)
    return found | {"tests": passed}


def write_job(path, job):
    """Writes the job of `shiftwork.sim.engine_tests`; its absolute path."""
    path = Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        np.savez(file, **job)
    return path


def _job(config, program, inputs, expected, load_cycles, run_cycles):
    registers = engine_of(config).registers(config)
    inputs, expected = np.asarray(inputs), np.asarray(expected)
    if inputs.ndim != 3 or inputs.shape[2] != config.drain_width or not inputs.size:
        raise ValueError(f"Inputs must have shape (batches, beats, {config.drain_width}), not {inputs.shape}")
    if expected.ndim != 2 or len(expected) != len(inputs) or expected.shape[1] % config.drain_width:
        raise ValueError(f"Expected values must have shape ({len(inputs)}, a multiple of "
                         f"{config.drain_width}), not {expected.shape}")
    if expected.min() < -32768 or expected.max() > 32767:
        raise ValueError("Expected values must be within -32768 .. 32767, "
                         f"not {expected.min()} .. {expected.max()}")
    job = {"program": np.asarray(program, np.uint32),
           "inputs": inputs.astype(f"<u{config.activation_width // 8}"),
           "expected": expected.astype(np.int16), "registers": registers}
    for name, cycles in (("load_cycles", load_cycles), ("run_cycles", run_cycles)):
        if cycles is not None:
            job[name] = np.broadcast_to(np.asarray(cycles, np.int64), len(inputs))
    return job


def _verify_compiled(verilog, engine, job, folder, seed, progress):
    simulator = CompiledSimulator(verilog, folder, engine.top, magic=engine.program.MAGIC)
    output = simulator.run(job["program"], job["inputs"], progress=progress)
    np.testing.assert_array_equal(output.values, job["expected"], "values of the output stream")
    for name in ("load_cycles", "run_cycles"):
        if name in job:
            np.testing.assert_array_equal(getattr(output, name), job[name], f"register {name.upper()}")
    few = slice(0, 4)
    stalled = simulator.run(job["program"], job["inputs"][few], stall_percent=40, seed=seed)
    what = f"values of the output stream with stalls, seed {seed}"
    np.testing.assert_array_equal(stalled.values, job["expected"][few], what)
    return {"cycles": output.total_cycles, "cycles_per_second": output.cycles_per_second}
