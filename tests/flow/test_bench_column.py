"""Measurements of columns; packing takes minutes, so a part of made-up cells stands for the tools."""

from dataclasses import replace

import pytest
from shiftwork.boards import synthesis
from shiftwork.flow import bench_column
from shiftwork.flow.bench import Bench
from shiftwork.flow.bench_column import ENTRIES, KINDS, array_verilog, term_cycles
from shiftwork.golden.ternary.config import PRESETS
from shiftwork.golden.ternary.serial import serial_dot

SERIAL = replace(PRESETS["default"], bit_serial=True)


def test_cycles_of_a_term():
    """As many as the columns of the golden model take; the word-parallel array takes one."""
    found = {row.name: row.value for row in ENTRIES["column/cycles"](None)}
    signs = [1, -1] * 57 + [1]
    _, cycles = serial_dot([[255]] * 115, signs, 8, False, SERIAL.acc_width)
    assert found["column/cycles-serial"] == cycles / 115
    assert found["column/cycles-write-back"] == 2 * cycles / 115
    assert found["column/cycles-parallel"] == 1
    # 8 bits, and 9 of the difference
    assert [term_cycles(SERIAL, n) for n in (1, 2)] == [8, (8 + 8 + 9) / 2]


@pytest.mark.parametrize("entry, base", [("comb", "TRELLIS_COMB"), ("lc", "ICESTORM_LC")])
def test_control_cancels(monkeypatch, tmp_path, entry, base):
    """A control of 440 cells and columns of 10, 20, 30; engines have twice as much, and up to 3,000 fit."""
    packed = []

    def pack(verilog, target, folder):
        design, lanes, each = verilog.split()
        packed.append((design, target, folder))
        cells = 440 + int(lanes) * int(each) * (2 if design == "engine" else 1)
        available = 3000 if design == "engine" else 9999
        return {base: (cells, available), "TRELLIS_RAMW": (int(lanes) // 2, 9999)}

    def text(name):
        return lambda c: f"{name} {c.lanes} {10 * (1 + c.bit_serial + c.carry_write_back)}"

    monkeypatch.setattr(synthesis, "pack", pack)
    monkeypatch.setattr(bench_column, "array_verilog", text("array"))
    monkeypatch.setattr(bench_column.ternary, "verilog", text("engine"))
    found = {row.name: row.value for row in ENTRIES[f"column/{entry}"](Bench(tmp_path))}
    assert len(set(packed)) == len(packed)
    for cells, kind in zip((10, 20, 30), KINDS, strict=True):
        assert found[f"column/{entry}-array-{kind}"] == cells
        expected = 1000 / cells / term_cycles(replace(PRESETS["default"], **KINDS[kind]))
        assert found[f"column/rate-{entry}-array-{kind}"] == pytest.approx(expected)
    if entry == "comb":
        assert found["column/comb-engine-serial"] == 40 and found["column/ramw-array-serial"] == 0.5
    assert (f"column/{entry}-engine-write-back" in found) == (entry == "lc")    # of 64 columns: 4,280 cells


@pytest.mark.parametrize("kind", KINDS)
def test_array_alone(kind):
    text = array_verilog(replace(PRESETS["tiny"], **KINDS[kind]))
    assert "module column_array(" in text and ("carry_in" in text) == (kind != "parallel")
