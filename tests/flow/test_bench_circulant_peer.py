"""Rows beside EdgeDRNN's engine; place and route takes minutes, so made-up figures stand for it."""

from types import SimpleNamespace

import pytest
from shiftwork.flow import bench_circulant, bench_circulant_peer
from shiftwork.golden.circulant.timing import multipliers


@pytest.fixture
def made(monkeypatch):
    found = SimpleNamespace(median=100.0, utilization={"TRELLIS_COMB": (8789, 83640), "DP16KD": (30, 208),
                                                       "MULT18X18D": (11, 156)})
    monkeypatch.setattr(bench_circulant_peer, "synthesis", lambda bench, engine, config: found)
    return found


def rows():
    assert bench_circulant.ENTRIES["peer/gru"] is bench_circulant_peer.peer
    return {row.name: row for row in bench_circulant_peer.peer(None)}


def test_the_engine_has_as_many_multipliers_at_most():
    assert multipliers(bench_circulant_peer.CONFIG) <= 11


def test_rows_that_are_met(made):
    found = rows()
    assert all(row.ok is not False for row in found.values())
    rate = 3 * 128 * (64 + 128) / found["peer/gru/cycles"].value * 100e6 / 1e9
    assert found["peer/gru/gmacs"].value == pytest.approx(rate)
    # A block of 4 x 4 a cycle at most.
    assert rate < 16 * 0.1
    assert found["peer/gru/bram"].ok is None


def test_rows_that_are_not(made):
    made.utilization |= {"TRELLIS_COMB": (8790, 83640), "MULT18X18D": (12, 156)}
    made.median = 20.0
    found = rows()
    assert [name for name, row in found.items() if row.ok is False] == [
        "peer/gru/comb", "peer/gru/multipliers", "peer/gru/fmax", "peer/gru/gmacs"]
