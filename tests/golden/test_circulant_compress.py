from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest
from shiftwork.golden.circulant.cells import Gru, Lstm
from shiftwork.golden.circulant.compress import Compressed, Options, compress, retrain
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.matrix import expand, project
from shiftwork.golden.circulant.network import RecurrentNetwork, Sequences
from shiftwork.golden.circulant.quantize import Rounding, exponent, round_to_grid, tied_exponents
from shiftwork.golden.circulant.trainer import train
from shiftwork.golden.common.admm import AdmmSettings
from shiftwork.golden.common.trainer import Settings


def test_grids_of_known_values():
    values = np.array([0.5, 0.74, -0.76, 1.0, -1.0, 0.125, 0.375])
    assert round_to_grid(values, -2, 3).tolist() == [0.5, 0.75, -0.75, 0.75, -1, 0, 0.5]  # ties to even
    assert round_to_grid(np.float32([0.3]), -4, 8).dtype == np.float32
    assert exponent(np.zeros(4), 8) == 0 and exponent(np.zeros(0), 8) == 0
    # 127 steps reach the greatest value exactly: the least step, and no error.
    assert exponent(np.array([127 * 2.0 ** -9, -2.0 ** -9]), 8) == -9
    assert exponent(np.array([128 * 2.0 ** -9, -2.0 ** -8]), 8) == -8
    # One outlier among many small values is clipped.
    assert exponent(np.array([1.01] + 1000 * [0.3 / 4, -0.11]), 3) == -3


@pytest.mark.parametrize("bits, size", [*product((2, 3), (2, 4))])
def test_rounding_is_the_nearest_of_all_levels(bits, size):
    """By brute force over all first columns of levels, in time, and over all spectra of levels."""
    limit = 1 << bits - 1
    for seed in range(3):
        w = np.random.default_rng(seed).standard_normal(size)
        for domain in ("time", "spectrum"):
            found = Rounding(bits=bits, domain=domain)(w)
            spectrum = np.fft.rfft(w)
            e = exponent(w if domain == "time" else np.stack([spectrum.real, spectrum.imag]), bits)
            levels = np.array(list(product(np.arange(-limit, limit), repeat=size))) * 2.0 ** e
            if domain == "spectrum":    # k reals: bin 0, bin k / 2, then real and imaginary parts between
                inner = levels[:, 2:size // 2 + 1] + 1j * levels[:, size // 2 + 1:]
                levels = np.fft.irfft(np.concatenate([levels[:, :1], inner, levels[:, 1:2]], axis=1), size)
            best = np.min(np.sum((levels - w) ** 2, axis=1))
            assert np.sum((found - w) ** 2) == pytest.approx(best)


@pytest.mark.parametrize("domain", ["time", "spectrum"])
def test_rounding_keeps_what_is_on_the_grid_and_errs_by_half_a_step(domain):
    columns = np.random.default_rng(3).standard_normal((3, 4, 2, 16))
    rounding = Rounding(bits=12, domain=domain)
    once = rounding(columns)
    np.testing.assert_allclose(rounding(once), once, atol=1e-12)
    spectra = np.fft.rfft(columns)
    values, found = (columns, once) if domain == "time" else (spectra, np.fft.rfft(once))
    step = 2.0 ** exponent(values if domain == "time" else np.stack([values.real, values.imag]), 12)
    apart = found - values
    assert np.abs(apart.real).max() <= step / 2 + 1e-12 and np.abs(apart.imag).max() <= step / 2 + 1e-12
    np.testing.assert_allclose(found / step, np.rint(found.real / step) + 1j * np.rint(found.imag / step),
                               atol=1e-8)


@pytest.mark.parametrize("bits, offset, scale", [*product((3, 6, 12), (-3, 0, 2), (0.1, 1.0, 20.0))])
def test_tied_exponents_are_the_best_of_all(bits, offset, scale):
    """By brute force over all exponents; either array may be the one that needs the greater step."""
    rng = np.random.default_rng(5)
    arrays = rng.standard_normal((3, 2, 2, 8)), scale * rng.standard_normal((3, 2, 4, 8))
    limit = 1 << bits - 1

    def error(e):
        steps = 2.0 ** e, 2.0 ** (e + offset)
        return sum(np.sum((np.clip(np.round(a / s), -limit, limit - 1) * s - a) ** 2)
                   for a, s in zip(arrays, steps, strict=True))

    first, second = tied_exponents(arrays, (0, offset), bits)
    assert second - first == offset
    assert error(first) == min(error(e) for e in range(-30, 20))


def test_tied_exponents_of_zeros():
    zeros, ones = np.zeros(4), np.ones(4)
    assert tied_exponents([zeros, zeros], (0, 2), 8) == [0, 2]
    # Ones alone have a step of 2**-6; that of the other array follows.
    assert tied_exponents([zeros, ones], (0, 2), 8) == [-8, -6]
    assert tied_exponents([ones, zeros], (0, 2), 8) == [-6, -4]


@pytest.mark.parametrize("domain", ["time", "spectrum"])
def test_a_cells_roundings_can_be_read_back(domain):
    """From float32 columns an encoder gets integers of 12 bits, and exponents that differ by the offset."""
    rng, rounding = np.random.default_rng(6), Rounding(domain=domain, offset=2)
    for scale in (0.2, 1, 7):
        cell = [(s * rng.standard_normal((3, 4, q, 8))).astype(np.float32) for s, q in ((1, 2), (scale, 4))]
        found = rounding.cell(*cell)
        exponents = rounding.exponents(*found)
        assert exponents[1] - exponents[0] == 2 and exponents == rounding.exponents(*cell)
        for columns, before, e in zip(found, cell, exponents, strict=True):
            assert columns.dtype == np.float32 and np.abs(columns - before).max() < 2.0 ** e * 4
            values = np.fft.rfft(columns) if domain == "spectrum" else columns.astype(complex)
            numbers = np.stack([values.real, values.imag]) / 2.0 ** e
            np.testing.assert_allclose(numbers, np.rint(numbers), atol=0.01)
            assert -2048 <= np.rint(numbers.min()) and np.rint(numbers.max()) <= 2047
        for columns, again in zip(found, rounding.cell(*found), strict=True):
            np.testing.assert_allclose(again, columns, atol=1e-6)


def test_the_projection_onto_rounded_circulant_matrices_is_the_nearest_one():
    """All entries of a full block's diagonal weigh the same, so rounding the means is the nearest choice."""
    dense = np.random.default_rng(4).standard_normal((2, 2))
    e = exponent(project(dense, 2), 3)
    found = expand(Rounding(bits=3)(project(dense, 2)), (2, 2))
    every = [expand(np.array([[w]]) * 2.0 ** e, (2, 2)) for w in product(range(-4, 4), repeat=2)]
    assert np.linalg.norm(found - dense) == pytest.approx(min(np.linalg.norm(m - dense) for m in every))


def memory(count, rng):
    """Eight entries a frame; the label is the entry that had the bump, which comes early."""
    labels, lengths = rng.integers(0, 4, count), rng.integers(5, 9, count)
    x = 0.3 * rng.standard_normal((count, 8, 8)).astype(np.float32)
    x[np.arange(count), rng.integers(0, 3, count), labels] += 2
    return Sequences(x, lengths), labels


@pytest.fixture(scope="module")
def trained():
    sequences, labels = memory(256, np.random.default_rng(0))
    layers = [Layer(cell=Lstm(inputs=8, hidden=32, projection=16, peephole=True))]
    net = RecurrentNetwork.random(layers, 4)
    return train(net, sequences, labels, Settings(epochs=20, batch=32, rate=1e-2)), sequences, labels


STEPS = AdmmSettings(updates=3, rho=3e-2, growth=3.0, train=Settings(epochs=4, batch=32, rate=5e-3))


def test_compressing_projects_and_rounds(trained):
    net = trained[0]
    found = compress(net, Options(input=8, recurrent=4, projection=None, rounding=Rounding(bits=6)))
    arrays = found.network.arrays
    assert arrays["layer0.forward.input"].shape == (4, 4, 1, 8)
    assert arrays["layer0.forward.recurrent"].shape == (4, 8, 4, 4)
    for name in net.arrays.keys() - {"layer0.forward.input", "layer0.forward.recurrent"}:
        assert arrays[name] is net.arrays[name]
    wanted = Rounding(bits=6)(project(net.arrays["layer0.forward.recurrent"], 4))
    assert np.array_equal(arrays["layer0.forward.recurrent"], wanted) and len(np.unique(wanted)) <= 64
    assert found.dense_weights == 4 * 32 * (8 + 16) and found.stored_weights == 4 * 32 + 4 * 128
    assert found.rate == pytest.approx(24 / 5)
    assert found.exponents == {f"layer0.forward.{part}": exponent(arrays[f"layer0.forward.{part}"], 6)
                               for part in ("input", "recurrent")}
    assert compress(net, Options.of(8, rounding=None)).exponents == {}
    plain = compress(net, Options.of(8, rounding=None)).network
    for name in net.matrices:
        assert np.array_equal(plain.arrays[name], project(net.arrays[name], 8))


@pytest.mark.parametrize("domain", ["time", "spectrum"])
def test_retraining_wins_back_what_projection_costs(trained, domain):
    net, sequences, labels = trained
    options = Options.of(4, rounding=Rounding(bits=8, domain=domain))
    seen = []
    found = retrain(net, sequences, labels, options=options, admm_settings=STEPS,
                    finish=Settings(epochs=10, batch=32, rate=1e-2), progress=lambda *now: seen.append(now))
    assert isinstance(found, Compressed) and len(seen) == 3 * 4 + 10
    accuracies = [n.accuracy(sequences, labels) for n in (net, compress(net, options).network, found.network)]
    assert accuracies[0] > 0.95 and accuracies[1] < accuracies[0] - 0.1 and accuracies[2] > 0.93
    for name in net.matrices:
        array = found.network.arrays[name]
        assert array.shape == project(net.arrays[name], 4).shape
        np.testing.assert_allclose(options.rounding(array), array, atol=1e-6)


@pytest.mark.parametrize("settings", [dict(admm_settings=STEPS), dict(finish=Settings(epochs=2, batch=32))])
def test_each_stage_ends_on_tied_grids(trained, settings):
    rounding = Rounding(bits=8, domain="spectrum", offset=3)
    options = Options(input=4, recurrent=8, projection=4, rounding=rounding)
    found = retrain(*trained, options=options, **settings)
    exponents = {name.removeprefix("layer0.forward."): e for name, e in found.exponents.items()}
    assert exponents.keys() == {"input", "recurrent", "projection"}
    assert exponents["recurrent"] - exponents["input"] == 3
    for part, e in exponents.items():
        spectrum = np.fft.rfft(found.network.arrays[f"layer0.forward.{part}"]) / 2.0 ** e
        assert np.abs(spectrum.real).max() < 128.5 and np.abs(spectrum.imag).max() < 128.5
        np.testing.assert_allclose(spectrum, np.rint(spectrum.real) + 1j * np.rint(spectrum.imag), atol=1e-3)


def test_admm_draws_the_weights_to_the_projection(trained):
    net, sequences, labels = trained
    options = Options.of(4, rounding=None)

    def apart(arrays):
        return sum(float(np.sum((arrays[n] - expand(project(arrays[n], 4), s)) ** 2)) for n, s in
                   net.matrices.items()) / sum(float(np.sum(arrays[n] ** 2)) for n in net.matrices)

    seen = []

    def watched(network, *arguments):
        result = train(network, *arguments)
        seen.append(apart(result.arrays))
        return result

    retrain(net, sequences, labels, options=options, admm_settings=replace(STEPS, updates=4, rho=0.3),
            train=watched)
    assert apart(net.arrays) > 0.6 and seen == sorted(seen, reverse=True) and seen[-1] < 0.1


def test_a_trainer_with_noise_is_used_in_all_stages(trained):
    net, sequences, labels = trained
    plain, noisy = (retrain(net, sequences, labels, options=Options.of(4), admm_settings=STEPS,
                            train=partial(train, noise=noise)) for noise in (0.0, 0.5))
    assert np.any(plain.network.arrays["head.weight"] != noisy.network.arrays["head.weight"])


@pytest.mark.parametrize("call, message", [
    (lambda: Rounding(bits=1), "bits must be an integer from 2 to 24, not 1"),
    (lambda: Rounding(domain="wavelet"), "domain must be one of time, spectrum, not 'wavelet'"),
    (lambda: Rounding(offset=0.5), "offset must be None or an integer, not 0.5"),
    (lambda: Options(input=None, rounding=Rounding(offset=2)),
     "block sizes of input and recurrent must be numbers if their steps are tied, not None and 8"),
    (lambda: Options(recurrent=3), "block size of recurrent must be None or one of 2, .*, not 3")])
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_networks_refuse():
    gru = Layer(cell=Gru(inputs=3, hidden=4))
    net = RecurrentNetwork.random([gru], 2)
    with pytest.raises(ValueError, match="head must be last or mean, not 'first'"):
        replace(net, head="first")
    with pytest.raises(ValueError, match="inputs of a layer must be the 4 outputs of the one before, not 3"):
        RecurrentNetwork.random([gru, gru], 2)
    with pytest.raises(ValueError, match=r"arrays must be \['head.bias', .*\], not \[.*'surplus'\]"):
        replace(net, arrays={**net.arrays, "surplus": np.zeros(2)})
    with pytest.raises(ValueError, match=r"head must have a weight \(3, 4\) and a bias \(3,\), not \(2, 4\)"):
        replace(net, classes=3)
    with pytest.raises(ValueError, match=r"sequences must be \(N, T, entries\) with N lengths, not \(2, 3\)"):
        Sequences(np.zeros((2, 3)), np.array([3, 3]))
    with pytest.raises(ValueError, match="lengths must be from 1 to 3, not 0 to 3"):
        Sequences(np.zeros((2, 3, 1)), np.array([0, 3]))
