# amaranth: UnusedElaboratable=no
"""Netlists of several arrays: modules stay until all is mapped, and few flip-flops' enables become logic."""

import json
from dataclasses import replace

import pytest
from shiftwork.boards.netlist import TARGETS, netlist, script
from shiftwork.boards.tools import run
from shiftwork.boards.tops import BoardTop
from shiftwork.golden.ternary.config import PRESETS

ECP5 = TARGETS["ecp5-85k"]


def _arrays(name, bits):
    """Two arrays, alike, with a register of ``bits`` bits that has an enable and a reset."""
    unit = """module \\top.{name}{n} (clk, en, clear, a, b);
  input clk; input en; input clear; input [{top}:0] a; output [{top}:0] b; reg [{top}:0] b;
  always @(posedge clk) if (clear) b <= 0; else if (en) b <= a;
endmodule
"""
    use = "  \\top.{name}{n} {name}{n} (.clk(clk), .en(en), .clear(clear), .a(a), .b(b{n}));\n"
    ports = f"input clk, input en, input clear, input [{bits - 1}:0] a"
    return ("".join(unit.format(name=name, n=n, top=bits - 1) for n in range(2))
            + f"module top({ports}, output [{bits - 1}:0] b0, output [{bits - 1}:0] b1);\n"
            + "".join(use.format(name=name, n=n) for n in range(2)) + "endmodule\n")


@pytest.mark.parametrize("name, bits, kept", [
    ("unit", 4, (False, False)), ("unit", 99, (False, False)), ("unit", 100, (True, True)),
    ("part", 4, (True, True)),
])
def test_few_flip_flops(tmp_path, name, bits, kept):
    """A reset of fewer than 100 becomes logic, and so does the enable below it; in arrays alone."""
    _few(_arrays(name, bits), tmp_path, bits, kept, copies=2 if name == "unit" else 1)


@pytest.mark.parametrize("full, bits, kept", [(True, 4, (False, False)), (True, 100, (True, True)),
                                              (False, 4, (True, True))])
def test_few_flip_flops_of_a_chip_that_is_full(tmp_path, full, bits, kept):
    _few(_arrays("part", bits), tmp_path, bits, kept, copies=1, full=full)
    top = json.loads((tmp_path / "top.json").read_text())["modules"]["top"]
    assert top.get("settings", {}) == (ECP5.settings if full else {})
    assert all(name.startswith("$") for name in top["cells"]) == full


def test_the_router_takes_settings(tmp_path):
    """nextpnr says what its router worked with."""
    netlist(script(_arrays("part", 4), ECP5, full=True), _arrays("part", 4), ECP5, tmp_path, True)
    run(ECP5.nextpnr, [*ECP5.part, *ECP5.out_of_context, *ECP5.arrays, "--json", "top.json",
                       "--write", "routed.json", "--quiet"], tmp_path, "top.log")
    written = json.loads((tmp_path / "routed.json").read_text())["modules"]["top"]["settings"]
    assert {name: float(written[name]) for name in ECP5.settings} == {
        name: float(value) for name, value in ECP5.settings.items()}


def _few(verilog, tmp_path, bits, kept, copies, **options):
    """Each flip-flop has an enable and a reset, or none, as ``kept``."""
    netlist(script(verilog, ECP5, **options), verilog, ECP5, tmp_path, True)
    cells = json.loads((tmp_path / "top.json").read_text())["modules"]["top"]["cells"].values()
    flip_flops = [cell for cell in cells if cell["type"] == "TRELLIS_FF"]
    assert len(flip_flops) == copies * bits
    for cell in flip_flops:
        reset = cell["connections"]["LSR"][0] not in ("0", "x")
        assert (cell["parameters"]["CEMUX"] == "CE", reset) == kept


@pytest.mark.parametrize("arrays, name, kept", [
    (2, "ulx3s-85f", ["begin:map_ffs", "map_ffs:map_luts"]), (1, "ulx3s-85f", ["begin:map_luts"]),
    (2, "icebreaker", ["begin:map_luts"]),
])
def test_boards_of_arrays(arrays, name, kept):
    """A board's design is mapped as the same design without a board."""
    top = BoardTop(replace(PRESETS["tiny"], arrays=arrays), name)
    part = ECP5 if name == "ulx3s-85f" else TARGETS["ice40-up5k"]
    made = script(top.core, part, "top")
    steps = [line for line in made.before.splitlines() if line.startswith(f"{part.synth} ")]
    assert [line.split()[-1] for line in steps] == kept and all(" -top top " in line for line in steps)
    for text, place in (("keep_hierarchy 1 shiftwork_core.engine.unit0", made.before),
                        ("keep_hierarchy shiftwork_core.engine.unit0\nflatten", made.after),
                        ("hierarchy -check -top top", made.before)):
        assert (text in place) == (arrays > 1)
    assert ("dfflegalize" in made.before) == (made.place == ("--router", "router2")) == (len(kept) == 2)
    full = script(top.core, part, "top", full=True)
    assert ("static" in full.place) == ("dfflegalize" in full.before) == (name == "ulx3s-85f")
    assert full.several == made.several == (arrays > 1)
