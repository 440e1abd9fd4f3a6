"""Rows of the transforms; the tools take minutes, so a part of made-up cells stands for them."""

from types import SimpleNamespace

import pytest
from shiftwork.boards import synthesis
from shiftwork.flow import bench_circulant
from shiftwork.flow.bench import BENCHES, Bench


@pytest.fixture
def tools(monkeypatch):
    """A transform of k has 50 k cells, 100 k registers and k - 8 multipliers; its clock is 150 - k MHz."""
    monkeypatch.setattr(bench_circulant, "transform_verilog", lambda config: str(config.size))

    def cells(verilog):
        size = int(verilog)
        return {"TRELLIS_COMB": (50 * size, 9999), "TRELLIS_FF": (100 * size, 9999),
                "MULT18X18D": (size - 8, 156)}

    monkeypatch.setattr(synthesis, "pack", lambda verilog, target, folder: cells(verilog))
    monkeypatch.setattr(synthesis, "synthesize", lambda verilog, target, folder, seeds: SimpleNamespace(
        median=150 - int(verilog), utilization=cells(verilog)))


def test_rows(tools, tmp_path):
    assert BENCHES["circulant"] == bench_circulant.__name__
    entries = [bench_circulant.ENTRIES[name] for name in ("fft/comb", "fft/fmax", "peer/fft")]
    rows = {row.name: row for entry in entries for row in entry(Bench(tmp_path))}
    assert rows["ifft/comb@64"].value == 3200 and rows["fft/ff@4"].value == 400
    assert rows["fft/multipliers@16"].value == 8
    assert (rows["fft/fmax@8"].value, rows["fft/fmax@8"].ok) == (142, True)
    assert rows["fft/fmax@16"].ok
    assert (rows["peer/fft@8/comb"].must, rows["peer/fft@8/comb"].ok) == ("<= 661", True)
    assert rows["peer/fft@8/multipliers"].ok and not rows["peer/fft@16/multipliers"].ok


def test_verilog():
    from shiftwork.golden.circulant.transform_config import TransformConfig

    assert "module transform(" in bench_circulant.transform_verilog(TransformConfig(size=4))
