"""Measurements of SmartExchange's claims; layers and trainings take minutes, so here they are small ones."""

from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow import bench_smartexchange, bench_tools, smartexchange
from shiftwork.flow import bench_smartexchange_rows as rows
from shiftwork.flow.bench import Bench
from shiftwork.flow.datasets import Dataset
from shiftwork.flow.recipes import convolutional
from shiftwork.flow.recipes_smartexchange import Trained
from shiftwork.golden.common.network import calibrate
from shiftwork.golden.smartexchange.compress import compress
from shiftwork.golden.smartexchange.config import PRESETS
from shiftwork.golden.smartexchange.layers import SmartExchangeNetwork
from shiftwork.golden.smartexchange.options import Options

CONFIG = replace(PRESETS["tiny"], grid_rows=2, grid_columns=1, row_depth=2048)


def fake(monkeypatch, wrong=0):
    """The golden model for the compiled RTL, its first ``wrong`` values made others; programs that it ran."""
    seen = []

    def simulate(program, x, rtl, folder, stage):
        found = smartexchange.golden(program, x)
        found.values.flat[:wrong] += 1
        seen.append(program)
        return found

    monkeypatch.setattr(smartexchange, "simulate", simulate)
    monkeypatch.setattr(smartexchange, "verilog", lambda config: "")
    return seen


@pytest.mark.parametrize("percent, channels, kept", [(50, 24, 108), (95, 224, 100), (70, 5, 13)])
def test_zeros_of_a_filter(percent, channels, kept):
    made = rows.layer(percent, 3, channels, np.random.default_rng(0))
    assert np.array_equal(np.count_nonzero(made.signs, axis=(1, 2)), [kept] * 3)
    assert made.bounds == (0, 3 * channels) and made.kernel == (3, 3)
    assert np.all(made.basis.any(axis=(2, 3))) and set(np.unique(made.exponents)) == set(range(8))


def test_slices():
    made = rows.layer(90, 2, 50, np.random.default_rng(0), 64)
    assert made.bounds == (0, 64, 128, 150) and made.basis.shape == (2, 3, 3, 3)


@pytest.mark.parametrize("percent", rows.SHAPES)
def test_layers_fit_the_board(percent):
    """In the memories of the board's preset, but for the rows of 95 % zeros."""
    shape, rng = rows.SHAPES[percent], np.random.default_rng(percent)
    integer = SmartExchangeNetwork(input_shape=shape, input_scale=1.0, output_scale=1.0,
                                   layers=(rows.layer(percent, rows.FILTERS, shape[0], rng),))
    smaller = replace(rows.OURS, row_depth=PRESETS["ulx3s-85f"].row_depth)
    if percent == 95:
        with pytest.raises(ValueError, match="Row memory must have 2016 rows"):
            smartexchange.encode(integer, smaller)
        smaller = rows.OURS
    about, = smartexchange.encode(integer, smaller).metadata["layers"]
    assert about["non_zeros"] >= rows.LEAST * rows.FILTERS
    assert about["positions"] == shape[1] * shape[2] * smaller.batch


def test_rows_of_utilization(monkeypatch, tmp_path):
    seen = fake(monkeypatch, wrong=2)
    monkeypatch.setattr(rows, "OURS", CONFIG)
    monkeypatch.setattr(rows, "SHAPES", {50: (24, 2, 4), 90: (108, 2, 2)})
    monkeypatch.setattr(rows, "SLICED", (90,))
    monkeypatch.setattr(rows, "FILTERS", 4)
    found = {row.name: row for row in rows.ENTRIES["utilization"](Bench(tmp_path))}
    assert list(found) == ["utilization@50", "utilization@90", "utilization", "utilization@90-slices",
                           "utilization/different"]
    assert found["utilization"].value == min(found[f"utilization@{p}"].value for p in (50, 90))
    machine = smartexchange.golden(seen[0], np.zeros((4, 24, 2, 4), int))
    assert found["utilization@50"].value == 4 * 108 * 8 * 4 / (8 * machine.run_cycles[0])
    assert 0.8 < found["utilization"].value < 1 and found["utilization"].must == ">= 0.93"
    assert found["utilization/different"].value == 2 * 3 and not found["utilization/different"].ok


def test_filters_of_too_few_coefficients(monkeypatch, tmp_path):
    monkeypatch.setattr(rows, "SHAPES", {90: (24, 2, 2)})
    with pytest.raises(ValueError, match="Filters must have at least 96 non-zero coefficients, not 21"):
        list(rows.ENTRIES["utilization"](Bench(tmp_path)))


def trained(seed, images):
    """A network of random weights, decomposed, whose accuracies are said to be 50, 70 and 90 %."""
    network = calibrate(convolutional((1, 8, 8), (4,), 10, {1}, seed), images)
    compressed = compress(network, Options(element_share=0.5))
    compressed = replace(compressed, network=calibrate(compressed.network, images))
    return Trained(network=network, accuracy=0.5 + 0.2 * seed, compressed=compressed, compressed_accuracy=0.0)


@pytest.mark.parametrize("wrong", [0, 3])
def test_rows_of_trained_networks(monkeypatch, tmp_path, wrong):
    images = np.random.default_rng(0).random((12, 1, 8, 8)).astype(np.float32)
    networks = [trained(seed, images) for seed in range(3)]
    labels = networks[0].compressed.network.forward(images).argmax(axis=1)
    seen, told = fake(monkeypatch, wrong), []

    def train(seed, progress):
        progress("float", 1, 2, 0.5)
        return networks[seed]

    bench = Bench(tmp_path)
    monkeypatch.setattr(bench, "note", told.append)
    monkeypatch.setattr(rows, "mnist10k", lambda: Dataset("noise", images, None, images, labels))
    monkeypatch.setattr(rows, "TRAINED", replace(CONFIG, acc_width=24, item_depth=4096, basis_depth=512))
    monkeypatch.setitem(rows.NETWORKS, "cnn", rows.Claim(train=train, rate=4, lost=1.0, images=8))
    found = {row.name.removeprefix("mnist/cnn/"): row for row in rows.ENTRIES["mnist/cnn"](bench)}
    assert found["compression"].value == min(one.rate for one in networks) and found["compression"].ok
    assert 4 < found["compression-all"].value < found["compression"].value
    weights = 4 * 9 + 4 * 16 * 10
    assert found["weights"].value == weights
    bits = min(one.compressed.storage_bits for one in networks)
    assert found["compression"].value <= 32 * weights / bits
    assert found["compression-all"].value <= 32 * (weights + 14) / (bits + 14 * 64)
    assert found["accuracy-float"].value == pytest.approx(70) and "mean of 3 seeds" in found["lost"].unit
    # Integers of the first network agree with its floats, those of the others with nothing
    assert found["lost"].value <= found["lost-most"].value and found["lost-most"].value > 50
    assert found["images"].value == 8 and not found["images"].ok
    assert found["different"].value == wrong and found["different"].ok == (wrong == 0)
    assert 0 < found["utilization"].value < 1 and found["cycles"].value > 0
    assert len(seen) == 1 and "training, seed 2: float, epoch 1 of 2" in told


def test_entries():
    assert {"utilization", "mnist/cnn", "mnist/mlp", "mnist/wide"} <= set(bench_smartexchange.ENTRIES)
    assert rows.simulated is bench_tools.simulated
