"""Rows of the training engine; trainings take minutes, so made-up figures stand for them."""

import numpy as np
import pytest
from shiftwork.flow import bench_training as rows
from shiftwork.flow import recipes_training
from shiftwork.flow.bench import BENCHES, Bench
from shiftwork.flow.recipes_training import Result

FLOATS = {0: 0.99, 1: 0.98, 2: 0.97}


def trained(lost, speedup=None):
    """In place of a recipe: accuracies by ``lost`` points below floating point's."""
    def train(seed, progress, *, modes):
        progress(modes[0], 1, 1, 0.5)
        faster = speedup or {}
        return {mode: Result(None, FLOATS[seed % 3] - lost.get(mode, 0) / 100, faster.get(mode, 1.0) + seed)
                for mode in modes}
    return train


def found(entry, tmp_path):
    return {row.name: row for row in rows.ENTRIES[entry](Bench(tmp_path))}


def test_the_engine_has_a_bench():
    assert BENCHES["training"] == rows.__name__


@pytest.mark.parametrize("flagged, wide, met", [(1.0, 0.7, (True, True)), (1.1, 0.8, (False, False))])
def test_rows_of_wageubn(monkeypatch, tmp_path, flagged, wide, met):
    train = trained({"flagged": flagged - 1e-9, "16 bits": wide - 1e-9})
    monkeypatch.setattr(recipes_training, "train_mnist", train)
    seen = found("mnist/wageubn", tmp_path)
    assert list(seen) == ["mnist/wageubn/accuracy-float", "mnist/wageubn/lost-flagged",
                          "mnist/wageubn/lost-flagged-most", "mnist/wageubn/lost-16-bits",
                          "mnist/wageubn/lost-16-bits-most"]
    assert seen["mnist/wageubn/accuracy-float"].value == pytest.approx(98)
    assert (seen["mnist/wageubn/lost-flagged"].ok, seen["mnist/wageubn/lost-16-bits"].ok) == met
    assert seen["mnist/wageubn/lost-flagged-most"].value == pytest.approx(flagged)


def test_rows_of_dynamic_precision(monkeypatch, tmp_path):
    for lost, speedup, met in (({"fixed": 0.2, "dynamic": 0.2}, 2.0, [True, True]),
                               ({"fixed": 0.1, "dynamic": 0.2}, 1.9, [False, False])):
        monkeypatch.setattr(recipes_training, "train_digits", trained(lost, {"dynamic": speedup}))
        seen = found("dynasty/speedup", tmp_path)
        assert [seen[name].ok for name in ("dynasty/speedup", "dynasty/lost")] == met
        assert seen["dynasty/speedup"].value == pytest.approx(speedup + 1)      # 0, 1 and 2 more by seed
        assert seen["dynasty/speedup-least"].value == speedup
        assert seen["dynasty/lost"].value == pytest.approx(lost["dynamic"] - lost["fixed"])
        assert seen["dynasty/lost-of-many"].value == pytest.approx(seen["dynasty/lost"].value)
        assert seen["dynasty/accuracy-fixed"].value == pytest.approx(98 - lost["fixed"])
        assert np.isfinite([row.value for row in seen.values()]).all()
