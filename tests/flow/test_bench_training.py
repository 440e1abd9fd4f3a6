"""Rows of the training engine's benches, the golden machine and made-up tools standing for the hardware."""

from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from shiftwork.boards import synthesis
from shiftwork.flow import (
    bench_training_matrix,
    bench_training_rtl,
    bench_training_synthesis,
    datasets,
    rtl_training,
    training,
)
from shiftwork.flow.bench import Bench
from shiftwork.flow.recipes import convolutional

from .training_fakes import GoldenSession

SHAPE = bench_training_matrix.Shape(channels=4, size=4, groups=1)


@pytest.mark.parametrize("mode", bench_training_matrix.PRODUCTS.values())
def test_a_pass_is_of_useful_products_alone(mode):
    """.. as golden counts: 4 quadrants of 16 pairs of planes for each tile product of 4 ** 3."""
    session = GoldenSession(SHAPE.config, counts=False)
    packet = np.zeros((SHAPE.tiles * SHAPE.channels ** 2 // 4, 4), np.uint8)
    found = session.run(packet, bench_training_matrix.pass_program(SHAPE, mode, SHAPE.config).to_words())
    cycles = int(np.ascontiguousarray(found.values).view("<u4")[0])
    # Pixels of the middle, edges and corners meet 9, 6 and 4 taps.
    assert SHAPE.useful == 16 * (4 * 9 + 8 * 6 + 4 * 4) * 4 and cycles == 100 * 64
    assert SHAPE.useful == SHAPE.config.multipliers * cycles


def test_utilization(monkeypatch, tmp_path):
    """Rows are of cycles: with 5 % more of them, 0.95; with 12 % more, not met."""
    extra = iter([1, 1.05, 1.12])
    shape = bench_training_matrix.Shape
    monkeypatch.setattr(bench_training_matrix, "Shape", lambda: shape(channels=4, size=4, groups=1))
    monkeypatch.setattr(bench_training_rtl, "engine", lambda: SHAPE.config)
    monkeypatch.setattr(training, "verilog", str)

    @contextmanager
    def hardware(rtl, folder, note):
        assert rtl == str(SHAPE.config)
        session = GoldenSession(SHAPE.config, counts=False)
        session.change = lambda number, found: np.array([found[0] * next(extra)]).astype(np.uint32)
        yield session

    monkeypatch.setattr(rtl_training, "hardware", hardware)
    rows = list(bench_training_matrix.ENTRIES["matrix/utilization"](Bench(tmp_path)))
    assert [row.name.split("-")[1] for row in rows] == ["forward", "backward", "gradient"]
    assert [row.ok for row in rows] == [True, True, False] and rows[0].value == 1
    assert rows[1].value == pytest.approx(1 / 1.05, abs=0.001)


@pytest.fixture
def small(monkeypatch, request):
    """Digits of two batches, a small network; (change) -> what the hardware answers is changed by it."""
    whole = datasets.digits()
    few = replace(whole, train_x=whole.train_x[:32], train_y=whole.train_y[:32], test_x=whole.test_x[:20],
                  test_y=whole.test_y[:20])
    bench = bench_training_rtl
    monkeypatch.setattr(bench, "digits", lambda: few)
    monkeypatch.setattr(bench, "graph", lambda: convolutional((1, 8, 8), (3,), 10, {1}, 0))
    monkeypatch.setattr(bench, "SETTINGS", replace(bench.SETTINGS, epochs=3, batch=16))
    monkeypatch.setattr(bench, "_STEPS", 4)
    monkeypatch.setattr(bench, "mnist10k", lambda: few)
    monkeypatch.setattr(bench, "mnist_graph", bench.graph)
    monkeypatch.setattr(bench, "mnist_settings", lambda: bench.SETTINGS)
    bench.engine.cache_clear()
    request.addfinalizer(bench.engine.cache_clear)
    monkeypatch.setattr(training, "verilog", lambda config: config)

    def prepared(change=None):
        @contextmanager
        def hardware(config, folder, note):
            yield GoldenSession(config, change)

        monkeypatch.setattr(rtl_training, "hardware", hardware)
    return prepared


def test_trained_by_rtl(small, tmp_path):
    small()
    rows = {row.name: row for row in
            bench_training_rtl.ENTRIES["digits/trained-by-rtl"](Bench(tmp_path))}
    name = "digits/trained-by-rtl"
    assert rows[f"{name}/epochs"].value == 3 and "2 steps" in rows[f"{name}/epochs"].unit
    assert (rows[f"{name}/different"].value, rows[f"{name}/different"].ok) == (0, True)
    assert rows[f"{name}/step"].value == 100 and rows[f"{name}/compared"].value > 6 * 600
    lost = rows[f"{name}/accuracy-float"].value - rows[f"{name}/accuracy"].value
    assert rows[f"{name}/lost"].value == lost and rows[f"{name}/lost"].ok == (lost <= 1.5)
    assert rows[f"{name}/speedup"].value >= 1


def test_what_differs_is_counted(small, tmp_path):
    # The run of a dump: step, maps, dump.
    small(lambda number, words: words + np.uint32(np.arange(len(words)) == 4) if number == 2 else words)
    rows = {row.name: row for row in
            bench_training_rtl.ENTRIES["digits/trained-by-rtl"](Bench(tmp_path))}
    assert rows["digits/trained-by-rtl/different"].value == 1
    assert rows["digits/trained-by-rtl/different"].ok is False


def test_breakdown(small, tmp_path):
    """Cycles are those of `GoldenSession`: 60 %, 10, 5, 5, 3, and 17 of the controller alone."""
    small()
    rows = {row.name: row for row in bench_training_rtl.ENTRIES["step/breakdown"](Bench(tmp_path))}
    for mode, judged in (("", True), ("-digits-fixed", None), ("-digits-dynamic", None)):
        found = {unit: rows[f"step/breakdown{mode}/{unit}"] for unit in
                 ("matrix", "element", "update", "input", "loss", "controller")}
        assert [row.value for row in found.values()] == pytest.approx([60, 10, 5, 5, 3, 17])
        assert found["element"].ok is judged and found["controller"].ok is (False if judged else None)
        assert rows[f"step/breakdown{mode}/different"].ok


def test_maps(small, tmp_path):
    """The last of four steps takes 8 cycles more than the others' 100."""
    def change(number, words):
        return words + np.uint32(8 * (np.arange(len(words)) == len(words) - 1)) if number == STEPS else words

    STEPS = 6   # runs: step and maps, three times; the fourth step
    small(change)
    rows = {row.name: row for row in bench_training_rtl.ENTRIES["step/maps"](Bench(tmp_path))}
    assert rows["step/maps-move"].value == 8
    assert rows["step/maps"].value == pytest.approx(100 * 8 / 408) and rows["step/maps"].ok


@pytest.fixture
def tools(monkeypatch):
    """An engine of 50,000 LUTs at 81 MHz; without measures 49,000."""
    def cells(verilog):
        return {"TRELLIS_COMB": (49_000 if verilog == "bare" else 50_000, 83_640),
                "TRELLIS_FF": (30_000, 83_640), "DP16KD": (209, 208)}

    bench = bench_training_synthesis
    monkeypatch.setattr(training, "verilog", lambda config: "whole")
    monkeypatch.setattr(bench, "unmeasured", lambda config: "bare")
    monkeypatch.setattr(synthesis, "pack",
                        lambda verilog, target, folder, full: cells(verilog) if full else None)
    monkeypatch.setattr(
        synthesis, "synthesize", lambda verilog, target, folder, seeds, full, frequency: SimpleNamespace(
            median=81.5 if full and seeds == (1, 2, 3) else 0))


def test_cells_and_clock(tools, tmp_path):
    bench = Bench(tmp_path)
    rows = {row.name: row for entry in bench_training_synthesis.ENTRIES.values() for row in entry(bench)}
    assert (rows["engine/fmax"].value, rows["engine/fmax"].ok) == (81.5, True)
    assert rows["engine/comb"].ok and rows["engine/comb"].unit == "% of TRELLIS_COMB, 50,000 of 83,640"
    assert not rows["engine/bram"].ok and rows["engine/multipliers"].value == 0
    assert rows["engine/multipliers-8x8"].value == 64
    assert (rows["maps/comb"].value, rows["maps/comb"].ok) == (2, True)
    assert (rows["maps/ff"].value, rows["maps/ff"].ok) == (0, True)
