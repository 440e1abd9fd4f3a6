from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow.recipes import convolutional
from shiftwork.golden.common.trainer import gradients
from shiftwork.golden.training.config import TrainingConfig
from shiftwork.golden.training.interpreter import add_errors
from shiftwork.golden.training.network import IntegerNetwork, pixels
from shiftwork.golden.training.quantize import Scaled
from shiftwork.golden.training.trainer import IntegerSettings, Training, train

from .training_graphs import before, residual

FAST = dict(rates=((0.0, 400), (0.7, 100)), levels=((0.0, 128),))


def bars(count, seed=0):
    """6x6 images with a bright row, column or diagonal and noise: three classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    x = rng.random((count, 1, 6, 6)) * 0.5
    for image, label in zip(x[:, 0], labels, strict=True):
        place = rng.integers(0, 6)
        line = np.arange(6)
        cells = [(place, line), (line, place), (line, (line + place) % 6)][label]
        image[cells] += 0.5
    return x, labels


GRAPH = convolutional((1, 6, 6), (6, 8), 3, {2}, 0)


@pytest.mark.parametrize("config", [TrainingConfig(), TrainingConfig(error_bits=16),
                                    TrainingConfig(normal_bits=8, normal_fraction=5)])
def test_training_learns_bars(config):
    x, labels = bars(768)
    held_x, held_labels = bars(200, seed=1)
    net = IntegerNetwork.random(GRAPH, config)
    losses = []
    trained = train(net, x, labels, IntegerSettings(epochs=8, batch=32, **FAST),
                    progress=lambda epoch, epochs, loss: losses.append(loss))
    assert net.accuracy(held_x, held_labels) < 0.6
    assert trained.accuracy(held_x, held_labels) > 0.97
    assert len(losses) == 8 and losses[-1] < 0.1 < losses[0]


def test_training_repeats_bit_by_bit_and_leaves_its_argument_alone():
    x, labels = bars(96)
    net = IntegerNetwork.random(GRAPH)
    masters = {name: p.master.copy() for name, p in net.parameters.items()}
    settings = IntegerSettings(epochs=2, batch=32, shift=1, seed=3, **FAST)
    a, b = train(net, x, labels, settings), train(net, x, labels, settings)
    other = train(net, x, labels, replace(settings, seed=4))
    for name, master in masters.items():
        assert np.array_equal(net.parameters[name].master, master)
        assert np.array_equal(a.parameters[name].master, b.parameters[name].master)
        assert np.array_equal(a.parameters[name].accumulator, b.parameters[name].accumulator)
        assert not np.array_equal(a.parameters[name].master, master)
    assert not net.running and a.running.keys() == {"norm1", "norm2"}
    assert any((a.parameters[name].master != other.parameters[name].master).any() for name in masters)


@pytest.mark.parametrize("graph, cosine", [(residual, 0.85), (before, 0.99)])
def test_integer_gradients_point_where_float_gradients_do(graph, cosine):
    """Same parameters, same batch: the angle is what rounded activations and errors of 8 bits leave."""
    rng, network = np.random.default_rng(0), graph()
    net = IntegerNetwork.random(network, TrainingConfig(error_bits=16))
    x = rng.random((64, *network.input_shape))
    labels = (x[:, 0, :3].mean(axis=(1, 2)) > x[:, 0, 3:].mean(axis=(1, 2))).astype(int)
    training = Training(net, IntegerSettings(epochs=1, batch=64, rates=((0, 0),)), 1)
    training.step(x, labels)
    arrays = {name: array.astype(np.float64) for name, array in (network.arrays | net.floats()).items()}
    _, found, _ = gradients(network, arrays, pixels(x).values, labels)
    for name in sorted(found.keys() & {"w1", "w2", "w3", "w4", "w5"}):
        a, b = training.interpreter.tensors[f"gradient {name}"].values.ravel(), found[name].ravel()
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > cosine, name
        # Both are means over the batch: the size agrees, too.
        assert np.linalg.norm(a) == pytest.approx(np.linalg.norm(b), rel=0.12), name


def test_float_gradients_of_the_graphs_are_the_numerical_ones():
    rng = np.random.default_rng(1)
    for network in (residual(), before()):
        arrays = {name: array.astype(np.float64) for name, array in network.arrays.items()}
        x, labels = rng.random((*network.input_shape, 5)), rng.integers(0, 2, 5)
        _, found, _ = gradients(network, arrays, x, labels)
        for name in found:
            index = rng.integers(0, arrays[name].size)
            moved = []
            for step in (1e-5, -1e-5):
                array = arrays[name].copy()
                array.flat[index] += step
                moved.append(gradients(network, {**arrays, name: array}, x, labels)[0])
            assert found[name].flat[index] == pytest.approx((moved[0] - moved[1]) / 2e-5, rel=1e-4, abs=1e-7)


def test_running_statistics_start_with_the_first_batch_and_follow():
    x, labels = bars(64)
    net = IntegerNetwork.random(GRAPH, TrainingConfig(running_shift=2))
    assert net.statistics("norm1").deviation.tolist() == [1 << 15] * 6
    training = Training(net, IntegerSettings(epochs=1, batch=32, **FAST), 2)
    training.step(x[:32], labels[:32])
    first = training.interpreter.tensors["statistics norm1"]
    assert np.array_equal(net.statistics("norm1").mean, first.mean)
    training.step(x[32:], labels[32:])
    second = training.interpreter.tensors["statistics norm1"]
    exact = first.deviation + (second.deviation - first.deviation) / 4
    assert np.abs(net.statistics("norm1").deviation - exact).max() <= 0.51


def test_logits_are_the_forward_pass_with_running_statistics():
    """After one step with rate 0 the running statistics are the batch's: the same integers."""
    x, labels = bars(32)
    net = IntegerNetwork.random(GRAPH)
    training = Training(net, IntegerSettings(epochs=1, batch=32, rates=((0, 0),)), 1)
    training.step(x, labels)
    assert np.array_equal(net.logits(x, batch=10), training.interpreter.tensors["logits"].integers.T)


def test_floats_are_close_to_the_integers():
    x, labels = bars(96)
    net = train(IntegerNetwork.random(GRAPH), x, labels, IntegerSettings(epochs=1, batch=32, **FAST))
    arrays = {name: array.astype(np.float32) for name, array in net.floats().items()}
    found = replace(GRAPH, arrays=arrays).forward(pixels(x).values.transpose(3, 0, 1, 2))
    # Activations are rounded to 1/128, which is all the difference.
    assert np.sqrt(np.mean((found - net.logits(x) / 2 ** 14) ** 2)) < 0.02


def test_weights_start_as_the_paper_says():
    graph = convolutional((8, 6, 6), (64,), 10, set(), 0)
    weight = IntegerNetwork.random(graph, seed=2).parameters["conv1.weight"].master / 2 ** 23
    # Cut at two deviations, a normal number's deviation is 0.8796 of what it was.
    assert weight.std() == pytest.approx(0.8796 / np.sqrt(72), rel=0.05)
    assert np.abs(weight).max() <= 2 / np.sqrt(72) + 2.0 ** -16 and not (weight * 2 ** 15 % 1).any()


def test_errors_are_aligned_by_at_most_16_bits():
    a, b = Scaled(np.array([3, -3]), 0), Scaled(np.array([32767, 32768 * 3]), -17)
    assert add_errors([a, b]).exponent == -16
    assert add_errors([b, a]).integers.tolist() == [(3 << 16) + 16384, (-3 << 16) + 49152]
    near = add_errors([a, Scaled(np.array([1, 1]), -16)])
    assert (near.exponent, near.integers.tolist()) == (-16, [(3 << 16) + 1, (-3 << 16) + 1])


def test_refusals():
    x, labels = bars(40)
    net = IntegerNetwork.random(GRAPH)
    with pytest.raises(ValueError, match="at least 32 images with a label each, not 40 images and 39 labels"):
        train(net, x, labels[:39], IntegerSettings(epochs=1, batch=32))
    with pytest.raises(ValueError, match="images must be within 0 .. 1, not 0 .. 2"):
        pixels(np.array([[0.0, 2.0]]))
    for wrong, message in (({"epochs": 0}, "epochs must be at least 1, not 0"),
                           ({"batch": 1}, "batch must be at least 2, not 1"),
                           ({"rates": ((0.1, 3),)}, r"rates must begin at 0 and go on in order, not \(\("),
                           ({"rates": ((0, 512),)}, r"rates must be of range\(0, 512\), not 512"),
                           ({"levels": ((0, 3),)}, r"levels must be of \[2, 4, .* not 3")):
        with pytest.raises(ValueError, match=message):
            IntegerSettings(**{"epochs": 1, **wrong})
    for wrong, message in (({"error_bits": 9}, "error_bits must be 8 or 16, not 9"),
                           ({"normal_bits": 21}, "normal_bits must be between 6 and 20, not 21"),
                           ({"normal_fraction": 16}, "normal_fraction must be between 3 and 15, not 16"),
                           ({"momentum": 4}, "momentum must be between 0 and 3, not 4"),
                           ({"block": 12}, "block must be 4, 8, 16 or 32, not 12"),
                           ({"block": 4}, r"block must be a multiple of random_lanes \(8\), not 4"),
                           ({"random_lanes": 0}, "random_lanes must be between 1 and 64, not 0"),
                           ({"running_shift": 1.0}, "running_shift must be an integer, not 1.0")):
        with pytest.raises(ValueError, match=message):
            TrainingConfig(**wrong)
