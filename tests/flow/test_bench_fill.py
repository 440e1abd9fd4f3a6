"""Measurement of a full chip; that one takes an hour, so here it is small, and nothing is placed."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from shiftwork.flow import bench_fill, bench_tools
from shiftwork.flow.bench import Bench
from shiftwork.flow.bench_fill import ENTRIES, FULL, SHAPE
from shiftwork.golden.ternary.config import PRESETS

SMALL = replace(PRESETS["tiny"], transposed=False, arrays=2)


@pytest.fixture
def chip(monkeypatch):
    """A small layer on two small arrays, with golden for the compiled RTL and figures for a routed chip."""
    asked = {}

    def synthesize(verilog, target, folder, **more):
        asked.update(more, target=target, units=verilog.count(" unit1 ("))
        return SimpleNamespace(median=50.0, utilization={
            "TRELLIS_COMB": (75, 100), "TRELLIS_FF": (90, 100), "DP16KD": (91, 100), "MULT18X18D": (1, 4)})

    monkeypatch.setattr(bench_fill, "FULL", SMALL)
    monkeypatch.setattr(bench_fill, "SHAPE", (8, 4, 4))
    monkeypatch.setattr(bench_fill, "FILTERS", 8)
    monkeypatch.setattr("shiftwork.boards.synthesis.synthesize", synthesize)
    monkeypatch.setattr(bench_tools.ternary, "simulate",
                        lambda program, x, *rest, **more: bench_tools.ternary.golden(program, x))
    return asked


def _rows(tmp_path):
    return {row.name.removeprefix("fill-85f/"): row for row in ENTRIES["fill-85f/roofline"](Bench(tmp_path))}


def test_rows_of_a_full_chip(chip, tmp_path):
    found = _rows(tmp_path)
    # 4 images of 4 x 4 positions, 16 lanes
    rate = 8 * 8 * 9 * 16 * 4 / found["cycles"].value
    assert found["macs-per-cycle"].value == rate and 0.7 < rate * 0.2 / 16 < 1
    assert found["load"].value > 0
    assert found["roofline"].value == rate / 4 and found["roofline"].ok == (rate >= 80)
    assert found["roofline"].must == ">= 20" and found["roofline"].unit == "x the 4 multipliers' rate"
    assert found["lanes"].value == 16 and found["different"].ok
    assert [(found[name].value, found[name].ok) for name in ("comb", "ff", "bram", "multipliers")] == [
        (75, True), (90, True), (91, False), (25, True)]
    assert found["ff"].unit == "% of TRELLIS_FF, 90 of 100"
    assert found["fmax"].value == 50 and found["gmacs"].value == rate * 50 / 1000
    assert chip == {"seeds": (1,), "out_of_context": False, "frequency": 12.0, "target": "ecp5-85k",
                    "units": 1}


def test_a_wrong_value_shows(chip, tmp_path, monkeypatch):
    def simulate(program, x, *rest, **more):
        found = bench_tools.ternary.golden(program, x)
        found.values.flat[0] += 1
        return found

    monkeypatch.setattr(bench_tools.ternary, "simulate", simulate)
    assert _rows(tmp_path)["different"].value == 1


def test_the_layer_fills_the_memory():
    """The real one's windows, of 2 x 2 positions a lane and 3 x 3 weights, take all rows."""
    assert FULL.all_lanes == 640 and FULL.array_batch == 2
    assert (2 + 2) ** 2 * SHAPE[0] == FULL.row_depth
