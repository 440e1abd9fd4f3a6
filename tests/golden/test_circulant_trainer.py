from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.circulant.cells import Gru, Lstm
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.matrix import project
from shiftwork.golden.circulant.network import RecurrentNetwork, Sequences, gradients
from shiftwork.golden.circulant.trainer import stretch, train
from shiftwork.golden.common.trainer import Hooks, Settings

CELLS = [Lstm(inputs=3, hidden=5), Lstm(inputs=3, hidden=5, peephole=True, forget_bias=1.0),
         Lstm(inputs=3, hidden=5, projection=4, peephole=True, candidate="sigmoid"),
         *(Gru(inputs=3, hidden=5, reset=reset, update=update, candidate=candidate)
           for reset, update, candidate in [("before", "updates", "tanh"), ("before", "keeps", "sigmoid"),
                                            ("after", "keeps", "tanh"), ("after", "updates", "sigmoid")])]


def excited(layers, head, tied=(), seed=0):
    """A network in float64 with all arrays, biases and peepholes too, of normal weights."""
    net, rng = RecurrentNetwork.random(layers, 3, head=head), np.random.default_rng(seed)
    arrays = {name: 0.7 * rng.standard_normal(array.shape) for name, array in net.arrays.items()}
    for name, size in dict(tied).items():
        arrays[name] = project(arrays[name], size)
    return replace(net, arrays=arrays)


def check(net, sequences, labels, rng):
    _, found = gradients(net, net.arrays, sequences, labels)
    assert found.keys() == net.arrays.keys()
    for name, gradient in found.items():
        assert gradient.shape == net.arrays[name].shape and gradient.dtype == np.float64
        for index in rng.permutation(gradient.size)[:6]:
            moved = []
            for step in (1e-5, -1e-5):
                array = net.arrays[name].copy()
                array.flat[index] += step
                moved.append(gradients(net, {**net.arrays, name: array}, sequences, labels)[0])
            # Central difference in float64: error of order step ** 2 plus 1e-16 / step.
            assert gradient.flat[index] == pytest.approx((moved[0] - moved[1]) / 2e-5, rel=1e-5,
                                                         abs=1e-9), name


def problem(seed=1):
    rng = np.random.default_rng(seed)
    return Sequences(rng.standard_normal((4, 6, 3)), np.array([6, 1, 4, 5])), np.array([2, 0, 1, 1]), rng


@pytest.mark.parametrize("head", ["last", "mean"])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_the_numerical_ones(cell, head):
    check(excited([Layer(cell=cell, direction="both")], head), *problem())


@pytest.mark.parametrize("merge", ["concatenate", "sum"])
@pytest.mark.parametrize("head", ["last", "mean"])
def test_gradients_of_stacked_layers_and_tied_weights(merge, head):
    first = Layer(cell=Lstm(inputs=3, hidden=5, projection=4, peephole=True), direction="both", merge=merge)
    second = Layer(cell=Gru(inputs=first.outputs, hidden=6), direction="reverse")
    tied = {"layer0.forward.input": 2, "layer0.forward.recurrent": 4, "layer0.reverse.projection": 4,
            "layer1.reverse.input": 8, "layer1.reverse.recurrent": 2}
    net = excited([first, second], head, tied)
    assert net.arrays["layer0.forward.recurrent"].shape == (4, 2, 1, 4)
    check(net, *problem())


def test_frames_behind_the_end_have_no_part():
    net = excited([Layer(cell=CELLS[2], direction="both"),
                   Layer(cell=Gru(inputs=8, hidden=5), direction="both")], "mean")
    sequences, labels, rng = problem()
    other = sequences.x.copy()
    for n, length in enumerate(sequences.lengths):
        other[n, length:] = rng.standard_normal((6 - length, 3))
    other = Sequences(other, sequences.lengths)
    assert np.array_equal(net.forward(sequences), net.forward(other))
    a, b = (gradients(net, net.arrays, s, labels)[1] for s in (sequences, other))
    for name in a:
        np.testing.assert_allclose(a[name], b[name], atol=1e-14)


def order(count, rng):
    """Two bumps in time; the label is which of two entries has the first one."""
    labels = rng.integers(0, 2, count)
    lengths = rng.integers(6, 11, count)
    x = 0.1 * rng.standard_normal((count, 10, 8)).astype(np.float32)
    for n, (label, length) in enumerate(zip(labels, lengths, strict=True)):
        first, second = np.sort(rng.permutation(length)[:2])
        x[n, first, label] += 2
        x[n, second, 1 - label] += 2
    return Sequences(x, lengths), labels


def test_stretched_sequences_are_the_interpolated_ones():
    rng = np.random.default_rng(7)
    lengths = np.concatenate([rng.integers(1, 31, 200), [1, 2, 30]])
    sequences = Sequences(rng.standard_normal((203, 30, 3)).astype(np.float32), lengths)
    found = stretch(sequences, np.random.default_rng(8), 0.4)
    wanted = np.maximum(np.rint(np.random.default_rng(8).uniform(0.6, 1.4, 203) * lengths), 1)
    assert np.array_equal(found.lengths, wanted) and found.x.dtype == np.float32
    assert found.lengths.max() > 30 and np.all(found.lengths[-3:-1] >= 1)
    for old, n, new, m in zip(sequences.x, lengths, found.x, found.lengths, strict=True):
        times, known = np.linspace(0, n - 1, m), np.arange(n)
        for new_entry, old_entry in zip(new[:m].T, old[:n].T, strict=True):
            np.testing.assert_allclose(new_entry, np.interp(times, known, old_entry), atol=1e-5)
    same = stretch(sequences, rng, 0.0)
    assert np.array_equal(same.lengths, lengths)
    for old, n, new in zip(sequences.x, lengths, same.x, strict=True):
        np.testing.assert_allclose(new[:n], old[:n], atol=1e-5)


def test_stretched_sequences_serve_in_training():
    net = RecurrentNetwork.random([Layer(cell=Gru(inputs=8, hidden=4))], 2)
    sequences, labels = order(64, np.random.default_rng(0))
    plain, stretched = (train(net, sequences, labels, Settings(epochs=1, batch=32), pace=pace)
                        for pace in (0.0, 0.3))
    assert np.any(plain.arrays["head.weight"] != stretched.arrays["head.weight"])
    with pytest.raises(ValueError, match="pace must be from 0 to less than 1, not 1"):
        train(net, sequences, labels, Settings(epochs=1, batch=32), pace=1)


@pytest.mark.parametrize("cell", [Lstm(inputs=8, hidden=16), Gru(inputs=8, hidden=16, reset="after")])
@pytest.mark.parametrize("size", [None, 8])
def test_training_learns_order_repeats_and_leaves_its_argument_alone(cell, size):
    net = RecurrentNetwork.random([Layer(cell=cell)], 2)
    sequences, labels = order(256, np.random.default_rng(0))
    if size:
        net = replace(net, arrays={name: project(array, size) if name in net.matrices else array
                                   for name, array in net.arrays.items()})
    before = {name: array.copy() for name, array in net.arrays.items()}
    settings = Settings(epochs=30, batch=32, rate=2e-2)
    trained = train(net, sequences, labels, settings, noise=0.05)
    assert net.accuracy(sequences, labels) < 0.7 and trained.accuracy(sequences, labels) > 0.95
    again = train(net, sequences, labels, settings, noise=0.05)
    for name, array in before.items():
        assert np.array_equal(net.arrays[name], array)
        assert np.array_equal(trained.arrays[name], again.arrays[name])
        assert trained.arrays[name].shape == array.shape and trained.arrays[name].dtype == np.float32


def test_train_refuses():
    net = RecurrentNetwork.random([Layer(cell=Gru(inputs=8, hidden=4))], 2)
    sequences, labels = order(40, np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 32 sequences with a label each, "
                                         "not 40 sequences and 39 labels"):
        train(net, sequences, labels[:39], Settings(epochs=1, batch=32))
    for settings, hooks in ((Settings(epochs=1, batch=32, shift=1), None),
                            (Settings(epochs=1, batch=32), Hooks(quantize={"y": (1, 0, 1)}))):
        with pytest.raises(ValueError, match="without shift and rounded activations, not with them"):
            train(net, sequences, labels, settings, hooks)
