"""Measurements of FAT's claims; its layers take minutes, so here they are small and few columns wide."""

from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow import bench_fat, bench_tools, recipes
from shiftwork.flow.addition_bench import addition_cycles
from shiftwork.flow.bench import Bench
from shiftwork.flow.bench_fat import ENTRIES, layer
from shiftwork.flow.datasets import Dataset
from shiftwork.flow.recipes import Trained
from shiftwork.golden.ternary.config import PRESETS

SERIAL = replace(PRESETS["tiny"], bit_serial=True, row_depth=32)
SERIAL_ALL = replace(PRESETS["tiny"], bit_serial=True)


def test_additions():
    found = {row.name: row for row in ENTRIES["fat/addition"](None)}
    for width in (8, 16):
        assert found[f"fat/addition-{width}"].ok and found[f"fat/addition-{width}-different"].ok
        # a sum has a bit more than its operands
        assert found[f"fat/addition-{width}-latch"].value == width + 1
        assert found[f"fat/addition-{width}-write-back"].value == 2 * (width + 1)


@pytest.mark.parametrize("a, b", [(0, 0), (255, 1), (170, 85), (200, 99)])
def test_an_addition_adds(a, b):
    assert addition_cycles(SERIAL, a, b) == (9, [a + b] * SERIAL.drain_width)


def test_an_addition_without_an_end(monkeypatch):
    monkeypatch.setattr("shiftwork.flow.addition_bench.LIMIT", 7)
    with pytest.raises(TimeoutError, match="Term must be added within 7 cycles"):
        addition_cycles(SERIAL, 1, 1)


@pytest.mark.parametrize("percent, zeros", [(0, 0), (40, 230), (80, 460), (99, 570)])
def test_share_of_zeros(percent, zeros):
    """Never more than asked for: that would be to the faster engine's advantage."""
    weights = layer(percent, 8, 8, np.random.default_rng(0)).weights
    assert weights.shape == (8, 8, 3, 3) and np.count_nonzero(weights == 0) == zeros


def test_rows_of_a_trained_network(monkeypatch, tmp_path):
    """A small network of random weights, with golden for the compiled RTL, on images of noise."""
    monkeypatch.setattr(bench_fat, "TRAINED", SERIAL_ALL)
    integer = bench_tools.ternary.selftest(SERIAL_ALL)
    images = np.random.default_rng(0).random((5, *integer.input_shape))
    data = Dataset("noise", images, None, images, np.zeros(5, np.int64))
    networks = [
        Trained(network=None, accuracy=accuracy, compressed=None, compressed_accuracy=0.5, integer=integer)
        for accuracy in (0.5, 0.7, 0.9)]
    monkeypatch.setattr(bench_fat, "mnist10k", lambda: data)
    monkeypatch.setattr(recipes, "train_mnist_sparse", lambda seed: networks[seed])
    monkeypatch.setattr(bench_tools.ternary, "simulate",
                        lambda program, x, *rest, **more: bench_tools.ternary.golden(program, x))
    found = {row.name: row for row in ENTRIES["fat/trained"](Bench(tmp_path))}
    assert found["fat/trained"].value > 1.5 and found["fat/trained-different"].ok
    floats, lost = (found[f"fat/trained/accuracy-{which}"] for which in ("float", "lost"))
    assert floats.value == pytest.approx(70) and not floats.ok and "mean of 3 seeds" in floats.unit
    assert found["fat/trained/accuracy-lost-most"].value == pytest.approx(lost.value + 20)
    assert found["fat/trained/zeros"].must == ">= 80" and 0 < found["fat/trained/zeros"].value < 80
    assert found["fat/trained/weights"].value == sum(layer.weights.size for layer in integer.layers)


def test_rows_of_a_layer(monkeypatch, tmp_path):
    """Cycles of the golden model stand for the compiled RTL's; one value of each engine is made wrong."""
    seen = []

    def simulate(program, x, rtl, folder, stage):
        found = bench_tools.ternary.golden(program, x)
        seen.append(program.config)
        found.values.flat[0] += 1
        return found

    monkeypatch.setattr(bench_tools.ternary, "simulate", simulate)
    monkeypatch.setattr(bench_fat, "OURS", replace(SERIAL, row_depth=256))
    monkeypatch.setattr(bench_fat, "SHAPE", (8, 4, 4))
    monkeypatch.setattr(bench_fat, "FILTERS", 3)
    found = {row.name: row for row in ENTRIES["fat/layer@60"](Bench(tmp_path))}
    base, ours = (found[f"fat/layer@60-{which}"].value for which in ("baseline", "ours"))
    assert found["fat/layer@60"].value == base / ours and base > 2 * ours
    assert found["fat/layer@60"].must == ">= 5.01" and found["fat/layer@60-different"].value == 2
    assert [(c.carry_write_back, c.skip_zeros, c.bit_serial) for c in seen] == [
        (True, False, True), (False, True, True)]
    assert seen[0].lanes == seen[1].lanes and found["fat/layer@60-ours-load"].value > 0
