"""Synthesis, placement and routing with open tools: cells, clock frequency, bitstreams."""

import json
import os
import re
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .floorplan import floorplan
from .netlist import TARGETS, netlist, script
from .tools import ToolError, environment, reason, run
from .tops import BOARDS, BoardTop, clock_settings

__all__ = ["TARGETS", "Result", "ToolError", "synthesize", "pack", "bitstream"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What synthesis and place and route yielded."""

    cells: dict         #: number of cells of each type after synthesis
    fmax: list          #: MHz of the slowest clock, for each seed
    median: float       #: of these
    utilization: dict   #: resource of the part: (used, available), first seed
    logs: list = field(default_factory=list)  #: paths of the tools' logs
    bitstream: Path | None = None


def synthesize(verilog, target, build_dir, seeds=(1,), out_of_context=True, frequency=None, progress=None,
               full=False):
    """Cells and clock frequency of a design on a part; a Result.

    Parameters
    ----------
    verilog : str
        The design; its top module is the one that no other uses.
    target : str
        A name in ``TARGETS``.
    build_dir : Path
        Where scripts, netlists, reports and logs go.
    seeds : iterable of int
        Of placement; each is one run.
    out_of_context : bool
        Leave the ports unconnected instead of placing them on pins, of the ECP5's largest package. A design
        of several arrays that fills the chip needs pins: they hold the placer's first solution apart; it is
        placed for short wires, not for its clock (docs/decisions/0019).
    frequency : float, optional
        MHz to strive for; it changes the result a little, so compare only at the same one.
    progress : function of str, optional
        Told each step.
    full : bool
        The design, of one array, fills the chip: few of its resets and enables stay, block RAMs and
        multipliers have their places before all others, and placer and router are those for such a chip
        (docs/decisions/0019, 0026).

    Raises ValueError for an unknown target, no seeds, or Verilog without a module; ToolError where a tool
    fails.
    """
    seeds = tuple(seeds)
    if not seeds:
        raise ValueError("Seeds must be at least one integer, not none")
    progress = progress or (lambda text: None)
    part, made, folder, logs = _netlist(verilog, target, build_dir, progress, out_of_context, full)
    options = (*part.part, *(part.out_of_context if out_of_context else part.pins), *made.place,
               *((*part.full, *part.short) if made.several and not out_of_context else ()))

    if full and part.blocks:
        progress("places of block RAMs and multipliers")
        floorplan(folder / "top.json", part.blocks)

    def routed(seed):
        name = f"seed{seed}"
        arguments = [*options, "--json", "top.json", "--report", f"{name}.json", "--quiet",
                     "--seed", str(seed), "--freq", f"{frequency or part.frequency:g}", "--timing-allow-fail",
                     "--log", f"{name}.log"]
        return run(part.nextpnr, arguments, folder, f"{name}.log")

    for seed in seeds:
        progress(f"place and route for {target}, seed {seed}")
    # Beside each other: a run takes one core, and of a chip that is full 20 minutes and more.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        logs += pool.map(routed, seeds)
    reports = [json.loads((folder / f"seed{seed}.json").read_text()) for seed in seeds]
    return _result(folder, reports, logs)


def pack(verilog, target, build_dir, progress=None, full=False):
    """What a design takes of a part, synthesized and packed but not placed: {resource: (used, available)}.

    Arguments and errors are those of `synthesize`, out of context.
    """
    part, _, folder, _ = _netlist(verilog, target, build_dir, progress or (lambda text: None), True, full)
    arguments = [*part.part, *part.out_of_context, "--json", "top.json", "--pack-only", "--quiet"]
    log = run(part.nextpnr, [*arguments, "--log", "pack.log"], folder, "pack.log").read_text()
    found = re.findall(r"(\w+): +(\d+)/ *(\d+) +\d+%", log[log.index("Device utilisation"):])
    return {name: (int(used), int(available)) for name, used, available in sorted(found)}


def _netlist(verilog, target, build_dir, progress, out_of_context, full):
    """Synthesizes to ``top.json``; the Target, the Script, the folder, and a list with the log's path."""
    if target not in TARGETS:
        raise ValueError(f"Target must be {' or '.join(sorted(TARGETS))}, not {target!r}")
    if not re.search(r"^\s*module\s", verilog, re.M):
        raise ValueError("Verilog must have a module, and this text has none")
    part, folder = TARGETS[target], Path(build_dir)
    folder.mkdir(parents=True, exist_ok=True)
    progress(f"synthesis for {target}")
    made = script(verilog, part, full=full)
    return part, made, folder, [netlist(made, verilog, part, folder, out_of_context)]


def bitstream(config, board, build_dir, *, frequency=None, seed=None, engine=None, progress=None):
    """The bitstream of an engine on a board; a Result with ``bitstream``, the path of the file.

    Parameters
    ----------
    config : ArrayConfig
        Of the engine.
    board : str
        A name in ``boards.tops.BOARDS``.
    build_dir : Path
    frequency : float, optional
        Engine clock in MHz, which the result must reach.
    seed : int, optional
        Of placement; the board's without it.
    engine : function of config, optional
        Makes the engine, an ArrayEngine; a TernaryEngine without it.
    progress : function of str, optional
        Told each step.

    Raises ValueError for an unknown board or a clock that its PLL cannot make, ToolError where a tool fails,
    the design does not fit, or the clock is not reached.
    """
    progress = progress or (lambda text: None)
    clock_settings(board, frequency)  # before Amaranth sees a top that is never built, and warns
    seed = BOARDS[board].seed if seed is None else seed
    top = BoardTop(config, board, frequency=frequency, engine=engine)
    part = TARGETS[{"ulx3s-85f": "ecp5-85k", "icebreaker": "ice40-up5k"}[board]]
    folder = Path(build_dir)
    progress(f"design of {board}")
    made = script(top.core, part, "top")
    plan = BOARDS[board].platform().build(
        top, do_build=False, script_after_read=made.before, synth_opts=made.options,
        script_after_synth=made.after,
        nextpnr_opts=" ".join([*made.place, f"--seed {seed} --report seed{seed}.json --timing-allow-fail"]))
    plan.extract(folder)
    pack, packed = ("icepack", "top.bin") if board == "icebreaker" else ("ecppack", "top.bit")
    variables = os.environ | environment("yosys", part.nextpnr, pack)
    progress(f"synthesis, place and route for {board}")
    done = subprocess.run(["sh", f"{plan.script}.sh"], cwd=folder, env=variables, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    (folder / "build.log").write_text(done.stdout)
    if done.returncode:
        raise ToolError(f"Build for {board} failed: {reason(done.stdout)} (log: {folder / 'build.log'})")
    report = json.loads((folder / f"seed{seed}.json").read_text())
    result = _result(folder, [report], [folder / "top.rpt", folder / "top.tim"], folder / packed)
    if result.median < top.frequency:
        raise ToolError(f"Clock of {board} must reach {top.frequency:g} MHz, but the design is good for "
                        f"{result.median:.2f} MHz: choose a lower frequency or another seed")
    return result


def _result(folder, reports, logs, packed=None):
    cells = json.loads((folder / "cells.json").read_text())["design"]["num_cells_by_type"]
    fmax = [min((clock["achieved"] for clock in report["fmax"].values()), default=float("inf"))
            for report in reports]
    used = {name: (entry["used"], entry["available"]) for name, entry in reports[0]["utilization"].items()}
    cells = {name: int(n) for name, n in sorted(cells.items()) if name != "$scopeinfo"}
    return Result(cells=cells, fmax=fmax, median=statistics.median(fmax), bitstream=packed,
                  utilization=dict(sorted(used.items())), logs=[Path(log) for log in logs])
