from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow.datasets import Recordings, spoken_digits
from shiftwork.flow.recipes_circulant import (
    INPUT_EXPONENT,
    STATE_EXPONENT,
    Listening,
    Recipe,
    rows_of_digits,
    run,
    spoken,
    train_rows,
    train_spoken,
)
from shiftwork.golden.circulant.cells import Gru
from shiftwork.golden.circulant.compress import Options, compress
from shiftwork.golden.circulant.features import FrontEnd
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.network import RecurrentNetwork
from shiftwork.golden.circulant.quantize import Rounding
from shiftwork.golden.common.admm import AdmmSettings
from shiftwork.golden.common.trainer import Settings


def tones(count, rng):
    """Sounds of a rising or a falling tone, label 1 or 0."""
    labels, sounds = rng.integers(0, 2, count), []
    for label in labels:
        times = np.arange(rng.integers(1500, 4000)) / 8000
        sweep = np.linspace(-1, 1, len(times)) * (1 if label else -1)
        phase = 2 * np.pi * np.cumsum(1000 + 600 * sweep) / 8000
        sounds.append((0.3 * np.sin(phase) + 0.01 * rng.standard_normal(len(times))).astype(np.float32))
    return tuple(sounds), labels


@pytest.fixture(scope="module")
def recordings():
    rng = np.random.default_rng(0)
    train, test = tones(160, rng), tones(80, rng)
    return Recordings("tones", 8000, train[0], train[1], np.repeat(np.arange(5, 15), 16), *test)


def test_listening_normalizes_by_the_training_part(recordings):
    listening = Listening.to(recordings.train, FrontEnd(window=400, hop=240), most=12)
    found = listening.sequences(recordings.train)
    assert found.x.shape == (160, 12, 32) and found.lengths.max() == 12 and found.x.dtype == np.float32
    whole = Listening.to(recordings.train, most=100).sequences(recordings.train)
    frames = np.concatenate([x[:n] for x, n in zip(whole.x, whole.lengths, strict=True)])
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(frames.std(axis=0), 1, atol=1e-4)
    assert all(np.all(x[n:] == 0) for x, n in zip(whole.x, whole.lengths, strict=True))


def test_validation_leaves_out_takes_of_the_training_part(recordings):
    whole, part = spoken(recordings), spoken(recordings, validate=True)
    assert (len(whole.train), len(whole.test), len(part.train), len(part.test)) == (160, 80, 80, 80)
    assert np.array_equal(part.test_y, recordings.train_y[:80])
    assert np.array_equal(part.train_y, recordings.train_y[80:])


def test_run(recordings):
    data, seen = spoken(recordings), []
    network = RecurrentNetwork.random([Layer(cell=Gru(inputs=32, hidden=16))], 2)
    short = Settings(epochs=6, batch=16, rate=1e-2)
    recipe = Recipe(first=short, finish=short, draw=AdmmSettings(updates=2, train=short), noise=0.1)
    found = run(data, network, recipe, (4, 8), lambda *event: seen.append(event), rounding=Rounding(bits=8))
    assert found.accuracy > 0.95 and min(found.accuracies.values()) > 0.9
    assert found.network.accuracy(data.test, data.test_y) == found.accuracy
    for size, one in found.compressed.items():
        assert one.network.accuracy(data.test, data.test_y) == found.accuracies[size]
        assert one.network.arrays["layer0.forward.recurrent"].shape == (3, 16 // size, 16 // size, size)
        assert one.rate == size
    stages = [event[0] for event in seen]
    assert stages == 6 * ["float"] + 18 * ["k = 4"] + 18 * ["k = 8"]


def test_spoken_digits_recipe_suits_the_engine(recordings):
    """The whole recipe, on few and easy recordings: what an encoder needs is there."""
    whole, few = spoken(recordings), slice(64)
    found = train_spoken(data=replace(whole, train=whole.train[few], train_y=whole.train_y[few]), sizes=(16,))
    one = found.compressed[16]
    assert found.accuracy > 0.95 and found.accuracies[16] > 0.95
    exponents = one.exponents
    assert exponents.keys() == {"layer0.forward.input", "layer0.forward.recurrent"}
    assert INPUT_EXPONENT + exponents["layer0.forward.input"] == \
        STATE_EXPONENT + exponents["layer0.forward.recurrent"]
    for name, e in exponents.items():
        spectra = np.fft.rfft(one.network.arrays[name]) / 2.0 ** e
        parts = np.stack([spectra.real, spectra.imag])
        np.testing.assert_allclose(parts, np.rint(parts), atol=0.02)
        assert -2048.5 < parts.min() and parts.max() < 2047.5


def test_rows_are_the_images():
    data = rows_of_digits()
    assert data.train.x.shape == (1297, 8, 8) and len(data.test) == 500 and np.all(data.test.lengths == 8)
    assert (data.train.x.min(), data.train.x.max()) == (-1, 1)


def test_rows_of_digits_learn():
    """The whole recipe: some seconds of one core."""
    found, data = train_rows(), rows_of_digits()
    assert found.accuracy > 0.94 and found.accuracies[8] > 0.92
    direct = compress(found.network, Options.of(8)).network
    assert direct.accuracy(data.test, data.test_y) < found.accuracies[8] - 0.1


def test_spoken_digits():
    try:
        data = spoken_digits()
    except FileNotFoundError:
        pytest.skip("fsdd.npz is not at hand")
    assert (len(data.train), len(data.test)) == (1800, 200) == (len(data.train_y), len(data.test_y))
    assert np.bincount(data.test_y).tolist() == 10 * [20] and data.takes.min() == 5
    assert all(sound.dtype == np.float32 and np.abs(sound).max() <= 1 for sound in data.train + data.test)
    assert sum(map(len, data.train + data.test)) == 6_784_910


def test_spoken_digits_refuse_absent_and_other_files(tmp_path, monkeypatch):
    monkeypatch.setenv("SHIFTWORK_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="Spoken digits' file must be .*fsdd.npz, not absent"):
        spoken_digits()
    np.savez(tmp_path / "fsdd.npz", audio=np.zeros(3), lengths=np.array([2]), label=0, take=0)
    with pytest.raises(ValueError, match="must hold audio, its lengths, label and take, not"):
        spoken_digits()
