"""From Verilog to a netlist: parts, and the commands of yosys for each."""

import json
import re
from dataclasses import dataclass, field

from .floorplan import Blocks
from .tools import run

__all__ = ["TARGETS", "Script", "Target", "netlist", "script"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A part: how to synthesize for it, and how nextpnr calls it."""

    synth: str
    options: str
    nextpnr: str
    part: tuple[str, ...]
    out_of_context: tuple[str, ...]  #: options; without any, the ports are taken off the netlist instead
    pins: tuple[str, ...]            #: options where ports go on pins that nextpnr chooses
    frequency: float                 #: MHz that placement strives for
    #: for designs of several arrays, or that fill a chip: a command before flip-flops are mapped, and
    #: options of nextpnr
    registers: str = ""
    arrays: tuple[str, ...] = ()
    full: tuple[str, ...] = ()       #: further ones of a chip that is full
    short: tuple[str, ...] = ()      #: and of one that several arrays fill
    #: of a chip that one array fills: what nextpnr has no options for, and takes from the netlist
    settings: dict[str, str] = field(default_factory=dict)
    #: of a chip that is full: where `floorplan` puts cells of some types
    blocks: dict[str, Blocks] = field(default_factory=dict)


_COLUMNS = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)


def _blocks(rows, names):
    """Blocks of the LFE5U-85F: in each of its columns the ``names``, by their distances from it."""
    places = [(column + right, name) for column in _COLUMNS for right, name in names.items()]
    return Blocks(rows, *zip(*places, strict=True))


TARGETS = {
    # -nowidelut: trees of LUTs instead of PFUMX and L6MUX21 cells; insurance, says docs/decisions/0006.
    # registers: a reset or an enable of a few flip-flops becomes logic, and a chip that is full can be
    # placed, says docs/decisions/0019; the cells are those of synth_ecp5's own call. arrays: the default
    # router rips up 4 of 10 connections of such a chip, and goes slower and slower. full: a placer whose
    # wires are shorter. short: it looks at nothing but these. settings: an overused wire costs more with each
    # iteration, says docs/decisions/0026.
    "ecp5-85k": Target(synth="synth_ecp5", options="-nowidelut", nextpnr="nextpnr-ecp5",
                       part=("--85k", "--speed", "6"), frequency=120.0,
                       out_of_context=("--package", "CABGA381", "--out-of-context"),
                       pins=("--package", "CABGA756", "--lpf-allow-unconstrained"),
                       registers="dfflegalize -minsrst 100 -mince 8 -cell $_DFF_?_ 01 -cell $_DFF_?P?_ r "
                                 "-cell $_SDFF_?P?_ r -cell $_DFFE_??_ 01 -cell $_DFFE_?P??_ r "
                                 "-cell $_SDFFE_?P??_ r",
                       arrays=("--router", "router2"),
                       full=("--placer", "static", "--router2-alt-weights"), short=("--no-tmdriv",),
                       settings={"router2/histCongWeight": "1.0", "router2/currCongWeightMult": "0.1"},
                       blocks={
                           "DP16KD": _blocks((22, 46, 70, 82), {2 * n: f"EBR{n}" for n in range(4)}),
                           "MULT18X18D": _blocks((10, 34, 58), {n: f"MULT18_{n}" for n in (0, 1, 4, 5)})}),
    "ice40-up5k": Target(synth="synth_ice40", options="-device u -dsp", nextpnr="nextpnr-ice40",
                         part=("--up5k", "--package", "sg48"), frequency=24.0,
                         out_of_context=(), pins=("--pcf-allow-unconstrained",)),
}
"""Parts by name."""


@dataclass(frozen=True)
class Script:
    """Synthesis in two steps: ``before``, then ``part.synth`` with ``options``, then ``after``.

    Between the steps, names go. With some long names of wires yosys' technology mapper ends without a word;
    numbers instead of names cure it.
    """

    before: str   #: commands, each a line
    options: str
    after: str
    place: tuple[str, ...] = ()  #: options of nextpnr
    several: bool = False        #: of several arrays
    settings: dict[str, str] = field(default_factory=dict)  #: of nextpnr, in the netlist


def script(verilog, part, top=None, full=False):
    """The Script of a design, read already; without a name its ``top`` is the module that no other uses.

    ``full``: the design fills the chip, and is made as those of several arrays are.
    Modules of several arrays, all alike, are made once. Each array keeps its module, and so its registers,
    until everything is mapped: equal registers of several arrays, which stand there because the arrays are
    far from each other, are never made one.
    """
    first = f"{part.synth} {part.options}{f' -top {top}' if top else ''} -run"
    units = re.findall(r"^module \\(\S+\.unit)\d+ *\(", verilog, re.M)
    before, steps, after, several = [], [f"{first} begin:map_luts"], [], len(units) > 1
    if (several or full) and part.registers:
        steps = [f"{first} begin:map_ffs", "opt_clean", part.registers, f"{first} map_ffs:map_luts"]
    if several:
        unit = f"{units[0]}0"
        before = [f"chtype -set {unit} t:{units[0]}? t:{units[0]}??",
                  f"hierarchy -check {f'-top {top}' if top else '-auto-top'}",
                  f"setattr -mod -set keep_hierarchy 1 {unit}"]
        after = [f"setattr -mod -unset keep_hierarchy {unit}", "flatten"]
    if full:  # a name made of all names on the way to a port: most of the netlist's 300 megabytes
        after.append("rename -hide")
    return Script("\n".join([*before, *steps, "rename -hide"]), f"{part.options} -run map_luts:",
                  "\n".join([*after, "tee -q -o cells.json stat -json"]),
                  (*(part.arrays if several or full else ()), *(part.full if full else ())), several,
                  part.settings if full else {})


def netlist(made, verilog, part, folder, out_of_context):
    """Synthesizes by Script ``made`` to ``top.json`` and ``cells.json`` in ``folder``; the log's path.

    Raises ToolError where yosys is missing or fails.
    """
    (folder / "top.v").write_text(verilog)
    (folder / "top.ys").write_text(
        f"read_verilog top.v\nhierarchy -check -auto-top\n{made.before}\n{part.synth} {made.options}\n"
        f"{made.after}\nwrite_json top.json\n")
    log = run("yosys", ["-q", "-l", "yosys.log", "top.ys"], folder, "yosys.log")
    if out_of_context and not part.out_of_context:
        _remove_ports(folder / "top.json")
    if made.settings:
        _set(folder / "top.json", made.settings)
    return log


def _set(path, settings):
    """Puts settings of nextpnr into the netlist's top module."""
    netlist = json.loads(path.read_text())
    for module in netlist["modules"].values():
        if "top" in module["attributes"]:
            module["settings"] = settings
    path.write_text(json.dumps(netlist))


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
