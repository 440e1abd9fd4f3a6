"""The framework of measurements, and the measurements that need no tools."""

import json

import numpy as np
import pytest
from shiftwork.flow import bench
from shiftwork.flow.errors import FlowError
from shiftwork.flow.sacu_bench import dot_cycles
from shiftwork.golden.ternary.config import PRESETS


@pytest.fixture
def entries(monkeypatch):
    class Fake:
        ENTRIES = {
            "good/one": lambda b: [
                bench.at_most("good/one", "cycles", 4, 5),
                bench.reported("good/rate", "Hz", 2.5),
            ],
            "bad/one": lambda b: [bench.at_least("bad/one", "MHz", 99.5, 100)],
        }

    monkeypatch.setattr(bench, "import_module", lambda name: Fake)


def test_rows_and_exit_code(entries, tmp_path):
    path = tmp_path / "b.json"
    assert bench.measure("ternary", path) == 1
    assert json.loads(path.read_text()) == [
        {"name": "good/one", "unit": "cycles", "value": 4, "must": "<= 5", "ok": True},
        {"name": "good/rate", "unit": "Hz", "value": 2.5, "must": "", "ok": None},
        {"name": "bad/one", "unit": "MHz", "value": 99.5, "must": ">= 100", "ok": False},
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["b.json"]


def test_only_chooses(entries, tmp_path):
    assert bench.measure("ternary", tmp_path / "b.json", "good") == 0
    assert len(json.loads((tmp_path / "b.json").read_text())) == 2


def test_rows_are_there_when_a_later_entry_breaks(monkeypatch, tmp_path):
    class Fake:
        ENTRIES = {"one": lambda b: [bench.reported("one", "s", 1)], "two": lambda b: [1 / 0]}

    monkeypatch.setattr(bench, "import_module", lambda name: Fake)
    with pytest.raises(ZeroDivisionError):
        bench.measure("ternary", tmp_path / "b.json")
    assert [row["name"] for row in json.loads((tmp_path / "b.json").read_text())] == ["one"]


def test_only_leaves_the_other_rows(entries, tmp_path):
    path = tmp_path / "b.json"
    old = [{"name": "bad/one", "value": 1}, {"name": "good/one", "value": 2}]
    path.write_text(json.dumps(old))
    assert bench.measure("ternary", path, "good") == 0
    rows = json.loads(path.read_text())
    assert [row["name"] for row in rows] == ["bad/one", "good/one", "good/rate"]
    assert rows[0] == old[0] and rows[1]["value"] == 4
    assert bench.measure("ternary", path) == 1
    assert json.loads(path.read_text())[0]["name"] == "good/one"


@pytest.mark.parametrize("text", ["[", "[1]", "{}x", '[{"value": 1}]'])
def test_no_rows_to_leave(entries, tmp_path, text):
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(FlowError, match=r"^--json with --only must name a file of an earlier bench, or none, "
                                        r"not .*b\.json, which is no list of rows$"):
        bench.measure("ternary", path, "good")
    assert path.read_text() == text


def test_refusals(entries, tmp_path):
    with pytest.raises(
        FlowError, match=r"^Engine must be one of ternary, smartexchange, circulant, training, not 'binary'$"
    ):
        bench.measure("binary")
    with pytest.raises(FlowError, match=r"^--only must be part of one of good/one, bad/one, not 'ugly'$"):
        bench.measure("ternary", None, "ugly")
    with pytest.raises(
        FlowError, match=r"^--json must name a file in a folder that exists, not .*no/b\.json$"
    ):
        bench.measure("ternary", tmp_path / "no" / "b.json")


@pytest.mark.parametrize(
    ("make", "value", "bound", "ok"),
    [
        (bench.at_most, 5, 5, True),
        (bench.at_most, 6, 5, False),
        (bench.at_least, 5, 5, True),
        (bench.at_least, 4, 5, False),
        (bench.exactly, 0, 0, True),
        (bench.exactly, 1, 0, False),
    ],
)
def test_bounds(make, value, bound, ok):
    assert make("n", "u", value, bound).ok is ok


def test_once_computes_once(tmp_path):
    shared, calls = bench.Bench(tmp_path), []
    assert [shared.once("k", lambda: calls.append(1) or len(calls)) for _ in range(3)] == [1, 1, 1]


def test_dot_products_take_a_cycle_a_non_zero():
    config, rng = PRESETS["tiny"], np.random.default_rng(0)
    dots = rng.random((3, 64)) < 0.5
    np.testing.assert_array_equal(dot_cycles(config, dots), dots.sum(axis=1))


def test_every_entry_of_the_ternary_bench_is_a_row_of_the_table():
    from shiftwork.flow.bench_ternary import ENTRIES

    assert {
        "sacu/cycles",
        "network/cycles",
        "lane/comb",
        "engine/fmax",
        "engine/fmax-icebreaker",
        "simulate/rate",
        "peer/conv-8x8x8-8",
        "peer/fc-64-32",
        "mnist/accuracy",
    } <= set(ENTRIES)


def test_a_failure_of_a_tool_is_a_row_that_is_not_met(monkeypatch, tmp_path):
    def failing(shared):
        yield bench.reported("bad/first", "s", 1)
        raise FlowError("Design must fit, not be too large")

    class Fake:
        ENTRIES = {"bad/one": failing, "good/one": lambda b: [bench.exactly("good/one", "", 0, 0)]}

    monkeypatch.setattr(bench, "import_module", lambda name: Fake)
    assert bench.measure("ternary", tmp_path / "b.json") == 1
    rows = json.loads((tmp_path / "b.json").read_text())
    assert [row["ok"] for row in rows] == [None, False, True] and rows[1]["value"] is None
    assert rows[1]["must"] == "must be measured, but: Design must fit, not be too large"
