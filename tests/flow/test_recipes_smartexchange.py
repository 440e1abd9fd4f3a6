from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow import smartexchange
from shiftwork.flow.datasets import Dataset
from shiftwork.flow.recipes import convolutional
from shiftwork.flow.recipes_smartexchange import Recipe, run, thinned, train_conv, train_dense, train_digits
from shiftwork.golden.common.admm import AdmmSettings
from shiftwork.golden.common.channels import count_weights
from shiftwork.golden.common.trainer import Settings
from shiftwork.golden.smartexchange.options import Options


def quarters(count, rng, size=28):
    """Images whose brightest quarter is the label; the frame of two pixels is black."""
    labels = rng.integers(0, 4, count)
    x = np.zeros((count, 1, size, size), np.float32)
    inner = x[:, 0, 2:-2, 2:-2]
    inner[:] = rng.random(inner.shape) * 0.6
    half = inner.shape[1] // 2
    for image, label in zip(inner, labels, strict=True):
        image[label // 2 * half:label // 2 * half + half, label % 2 * half:label % 2 * half + half] += 0.4
    return x, labels


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return Dataset("quarters", *quarters(192, rng), *quarters(100, rng))


SHORT = Settings(epochs=2, rate=3e-3, batch=32)


def recipe(**settings):
    return Recipe(first=SHORT, refill=SHORT, thin=AdmmSettings(updates=2, train=SHORT),
                  finish=replace(SHORT, epochs=8), **settings)


def test_thinning_takes_neurons_out_and_leaves_pixels_masked(data):
    net = convolutional((1, 28, 28), (), 4, (), 0, hidden=(20, 8))
    shares = recipe(filters={"dense1": 0.5, "dense2": 0.25}, channels={"dense1": 0.5})
    thin, masks = thinned(net, data.train_x, data.train_y, shares)
    assert thin.shapes["dense1"] == (10,) and thin.shapes["dense2"] == (6,) and thin.shapes["flat"] == (784,)
    weights = thin.arrays["dense1.weight"]
    assert np.array_equal(weights != 0, masks["dense1.weight"] == 1)
    live = weights.any(axis=0).reshape(28, 28)
    # Half of the pixels; those of the frame are always black: they went although their weights are not small.
    assert live.sum() == 392 and not live[:2].any() and not live[:, -2:].any()


def test_thinned_filters_leave_no_constant(data):
    net = convolutional((1, 28, 28), (8, 8), 4, {1, 2}, 0)
    thin, _ = thinned(net, data.train_x, data.train_y, recipe(filters={"conv1": 0.5, "conv2": 0.25}))
    assert thin.shapes["conv1"][0] == 4 and thin.shapes["conv2"][0] == 6 and thin.shapes["flat"] == (6 * 49,)


def test_run(data):
    seen = []
    net = convolutional((1, 28, 28), (4,), 4, {1}, 0, hidden=(24,))
    found = run(data, net, recipe(filters={"dense1": 0.5}, options=Options(size=1, element_share=0.5),
                                  zeros={"conv1": 0.0}), lambda *event: seen.append(event[0]))
    assert list(dict.fromkeys(seen)) == ["float", "thin", "factors"]
    factors = found.compressed.factors
    assert factors["dense1"].layout.shape[0] == 12 and factors["conv1"].layout.size == 3
    assert factors["dense1"].zero_share >= 0.5 - 1e-3 and factors["conv1"].zero_share < 0.2
    assert count_weights(found.network)[0] == 36 + 784 * 24 + 24 * 4
    assert found.rate == 32 * count_weights(found.network)[0] / found.compressed.storage_bits > 10
    assert found.accuracy == found.network.accuracy(data.test_x, data.test_y) > 0.9
    assert found.compressed_accuracy == found.compressed.network.accuracy(data.test_x, data.test_y) > 0.8


@pytest.mark.parametrize("train, outputs, rate", [
    (train_dense, {"dense1": 150, "dense2": 60, "logits": 10}, 60),
    (train_conv, {"conv1": 12, "conv2": 24, "dense1": 52, "logits": 10}, 55)])
def test_recipes_on_small_data(data, train, outputs, rate):
    few = replace(data, train_x=data.train_x[:64], train_y=data.train_y[:64])     # one batch an epoch
    found = train(0, data=few)
    assert {name: len(factors.scale) for name, factors in found.compressed.factors.items()} == outputs
    assert found.rate > rate


def test_the_digits_recipe_on_small_data():
    rng, seen = np.random.default_rng(0), []
    small = Dataset("quarters", *quarters(64, rng, 8), *quarters(20, rng, 8))     # one batch an epoch
    found = train_digits(0, lambda *event: seen.append(event[:3]), data=small)
    assert seen == [("float", n, 40) for n in range(1, 41)] + [("factors", n, 48) for n in range(1, 49)]
    shares = {name: factors.zero_share for name, factors in found.compressed.factors.items()}
    assert shares["conv1"] < 0.2 and shares["conv2"] >= 0.6 - 1e-3 and shares["logits"] >= 0.7 - 1e-3
    assert found.rate > 10
    program = smartexchange.encode(found.integer, smartexchange.PRESETS["ulx3s-85f"])
    said = smartexchange.golden(program, smartexchange.quantize(program, small.test_x)).values
    wanted = found.compressed.network.forward(small.test_x)
    assert np.abs(said * found.integer.output_scale - wanted).max() < 0.05 * np.abs(wanted).max()
