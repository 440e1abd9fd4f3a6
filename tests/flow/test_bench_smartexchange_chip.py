"""Measurements on the ECP5; the tools take minutes, so a part of made-up cells stands for them."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from shiftwork.boards import synthesis
from shiftwork.flow import bench_smartexchange, bench_smartexchange_chip
from shiftwork.flow.bench import Bench
from shiftwork.flow.bench_smartexchange_chip import DEFAULT, ENTRIES, multipliers_verilog
from shiftwork.golden.smartexchange.config import PRESETS


def _rows(entry, tmp_path):
    return {row.name: row for row in ENTRIES[entry](Bench(tmp_path))}


def test_entries_are_the_engines():
    assert ENTRIES.items() <= bench_smartexchange.ENTRIES.items()


@pytest.mark.parametrize("median, ok", [(95.0, True), (94.9, False)])
def test_clock(monkeypatch, tmp_path, median, ok):
    asked = []

    def synthesize(verilog, target, folder, seeds):
        asked.append((verilog, target, seeds))
        return SimpleNamespace(median=median, utilization={"TRELLIS_COMB": (70, 100), "DP16KD": (3, 4)})

    monkeypatch.setattr(synthesis, "synthesize", synthesize)
    monkeypatch.setattr(bench_smartexchange_chip.smartexchange, "verilog", lambda config: f"{config.lanes}")
    found = _rows("engine/fmax", tmp_path)
    assert asked == [("64", "ecp5-85k", (1, 2, 3))]
    assert (found["engine/fmax"].value, found["engine/fmax"].ok) == (median, ok)
    values = [found[f"engine/{name}"].value for name in ("comb", "ff", "bram", "multipliers")]
    assert values == [70, 0, 3, 0]


@pytest.fixture
def cells(monkeypatch):
    """What was packed. A control has 440 cells, a lane 95, a MAC of ``sum_width`` bits three times these."""
    asked = []

    def pack(verilog, target, folder):
        lanes, each = map(int, verilog.split())
        asked.append((lanes, folder))
        return {"TRELLIS_COMB": (440 + lanes * each, 99_999)}

    def mac(config):
        assert config.rebuild
        return f"{config.lanes} {3 * config.sum_width}"

    monkeypatch.setattr(synthesis, "pack", pack)
    monkeypatch.setattr(bench_smartexchange_chip.smartexchange, "verilog", lambda c: f"{c.lanes} 95")
    monkeypatch.setattr(bench_smartexchange_chip, "multipliers_verilog", mac)
    return asked


def test_control_cancels(cells, tmp_path):
    row = _rows("lane/comb", tmp_path)["lane/comb"]
    assert (row.value, row.must, row.ok) == (95, "<= 95", True)
    found = _rows("rebuild/comb", tmp_path)
    assert {name: row.value for name, row in found.items()} == {"rebuild/comb": 96, "rebuild/comb-24": 72}
    assert [lanes for lanes, _ in cells] == [32, 64] * 3
    assert len({folder for _, folder in cells}) == 6


def test_multipliers_alone():
    for width in (24, 32):
        text = multipliers_verilog(replace(PRESETS["tiny"], rebuild=True, sum_width=width))
        assert "module serial_multipliers(" in text and f"[{width - 1}:0]" in text


def test_lanes_are_those_of_the_requirement():
    """64 lanes with 20-bit accumulators, and the combination among them."""
    assert (DEFAULT.lanes, DEFAULT.acc_width, DEFAULT.arrays) == (64, 20, 1)
