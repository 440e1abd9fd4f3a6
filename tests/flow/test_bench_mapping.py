"""Measurements of mappings, on small layers and without a compiler: the golden model stands for the RTL."""

from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow import bench_mapping, bench_ternary
from shiftwork.flow.bench import Bench
from shiftwork.flow.bench_mapping import CHECKED, ENTRIES, LAYERS, OURS
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.timing import predict
from shiftwork.sim import compiled
from shiftwork.sim.compiled import PassOutput


def rows(entry, folder):
    return {row.name: row for row in ENTRIES[entry](Bench(folder))}


def test_layers_are_those_of_resnet_18():
    """11.7 million weights less 0.5 of the fully connected layer; 1.8 thousand million multiplications."""
    assert sum(layer[0] for layer in LAYERS) == 20
    weights = [n * c * m * k * k for n, c, m, k, *_ in LAYERS]
    assert sum(weights) == 11_166_912
    macs = sum(w * (size // stride) ** 2 for w, (*_, stride, size) in zip(weights, LAYERS, strict=True))
    assert macs == 1_813_561_344


def test_entries_are_the_engines():
    assert ENTRIES.items() <= bench_ternary.ENTRIES.items()


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(bench_mapping, "OURS", replace(CHECKED, arrays=1))
    monkeypatch.setattr(bench_mapping, "IMAGES", 3)
    monkeypatch.setattr(bench_mapping, "LAYERS", ((2, 8, 40, 3, 1, 6), (1, 16, 30, 1, 2, 8)))


def test_rows_of_the_network(small, tmp_path):
    found = rows("mapping/cycles", tmp_path)
    for what in ("cycles", "bits"):
        values = {short: found[f"mapping/{what}-{short}"].value for short in ("cs", "ws", "is", "os")}
        assert 0 < values["cs"] < values["ws"] and values["cs"] < values["is"] < values["os"]
        assert found[f"mapping/{what}-cs"].ok is None
        for short in ("ws", "is", "os"):
            row = found[f"mapping/{what}-{short}"]
            assert row.ok and row.must == f">= {values['cs']:g}"
    assert found["mapping/program-cycles-cs"].value * 32 == found["mapping/program-cs"].value
    assert found["mapping/cycles-cs"].value == sum(
        found[f"mapping/{what}-cycles-cs"].value for what in ("program", "load", "run"))
    assert found["mapping/bits-cs"].value == sum(
        found[f"mapping/{what}-cs"].value for what in ("program", "input", "output"))
    assert found["mapping/memory-cs"].value == sum(
        found[f"mapping/{what.replace('_', '-')}-cs"].value for what in bench_mapping.MEMORIES[1:])


def test_a_mapping_that_is_better_is_not_met():
    least, *others = bench_mapping._beside("x", "bits", dict(zip(bench_mapping.Mapping, (7, 8, 7, 6),
                                                                strict=True)))
    assert least.ok is None and [row.ok for row in others] == [True, True, False]


def test_rows_of_arrays(small, tmp_path):
    found, one = rows("mapping/arrays", tmp_path), rows("mapping/cycles", tmp_path)
    assert set(found) == {f"mapping/{what}-{short}@4" for what in ("cycles", "bits")
                          for short in ("cs", "ws", "is", "os")}
    assert found["mapping/cycles-cs@4"].value < one["mapping/cycles-cs"].value


def test_rows_of_the_rtl(monkeypatch, tmp_path):
    """One value of one pass is made wrong, and one cycle of another mapping."""
    runs = []

    class Simulator:
        def __init__(self, verilog, folder, progress):
            assert "module" in verilog

        def run_passes(self, packets):
            machine, done = Machine(CHECKED), []
            for program, beats in packets:
                if program is not None:
                    machine.load(program)
                values = machine.run([] if beats is None else beats).reshape(-1)
                cycles = predict(machine)
                done.append(PassOutput(values, 0 if program is None else len(program), cycles.load_cycles,
                                       cycles.run_cycles))
            runs.append(len(done))
            if len(runs) == 1:
                done[0].values[0] += 1
            if len(runs) == 3:
                done[0] = replace(done[0], run_cycles=1)
            return done

    monkeypatch.setattr(compiled, "CompiledSimulator", Simulator)
    monkeypatch.setattr(bench_mapping.ternary, "verilog", lambda config: "module\n")
    found = rows("mapping/different", tmp_path)
    assert found["mapping/different"].value == 2 and not found["mapping/different"].ok
    assert len(runs) == 8 and found["mapping/passes"].value == sum(runs)


def test_ours_holds_a_window_of_the_last_layers():
    assert 3 * 3 * 512 <= OURS.row_depth and np.prod((OURS.lanes, OURS.row_depth)) == 1 << 18
