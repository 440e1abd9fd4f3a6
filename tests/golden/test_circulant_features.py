import numpy as np
import pytest
from shiftwork.golden.circulant.features import FrontEnd, cosine_transform, deltas, mel_bank


def test_mel_bands_are_triangles_that_add_to_one():
    bank = mel_bank(20, 512, 8000, 100, 3800)
    bins = np.arange(257) * 8000 / 512
    edges = 700 * (10 ** (np.linspace(2595 * np.log10(1 + 100 / 700), 2595 * np.log10(1 + 3800 / 700), 22)
                          / 2595) - 1)
    # Between the first and the last top, neighbors' slopes add to 1; outside of the edges there is nothing.
    inside = (bins >= edges[1]) & (bins <= edges[-2])
    np.testing.assert_allclose(bank.sum(axis=0)[inside], 1)
    assert bank.min() == 0 and np.all(bank[:, (bins <= 100) | (bins >= 3800)] == 0)
    for j in range(20):
        np.testing.assert_allclose(np.interp(bins, edges[j:j + 3], [0, 1, 0]), bank[j], atol=1e-12)


def test_mel_scale_is_1000_at_1000_hertz():
    bank = mel_bank(1, 8000, 8000, 0, 4000)
    top = 700 * (10 ** (2595 * np.log10(1 + 4000 / 700) / 2 / 2595) - 1)
    assert abs(bank[0].argmax() - top) <= 0.5 and bank[0, 0] == 0 and bank[0, 4000] == 0
    assert 2595 * np.log10(1 + 1000 / 700) == pytest.approx(1000, abs=0.1)


def test_cosine_transform_is_the_orthonormal_one():
    x = np.random.default_rng(0).standard_normal((3, 12))
    full = cosine_transform(x, 12)
    np.testing.assert_allclose(np.linalg.norm(full, axis=1), np.linalg.norm(x, axis=1))
    assert np.array_equal(cosine_transform(x, 5), full[:, :5])
    constant = cosine_transform(np.ones((1, 12)), 12)[0]
    np.testing.assert_allclose(constant, [np.sqrt(12), *[0] * 11], atol=1e-12)
    # The real part of a Fourier transform of the sequence and its mirror image.
    mirrored = np.fft.fft(np.concatenate([x, x[:, ::-1]], axis=1))[:, :12]
    turned = (mirrored * np.exp(-1j * np.pi * np.arange(12) / 24)).real / 2
    np.testing.assert_allclose(full, turned * np.where(np.arange(12), np.sqrt(2 / 12), np.sqrt(1 / 12)))


def test_deltas_are_slopes():
    ramp = np.arange(10.0)[:, None] * [3.0, -0.5]
    np.testing.assert_allclose(deltas(ramp)[2:-2], np.tile([3, -0.5], (6, 1)))
    assert np.all(deltas(np.ones((4, 2))) == 0)
    # (1 * (x1 - x0) + 2 * (x2 - x0)) / 10 at the first frame, whose past is itself.
    assert deltas(np.array([[1.0], [2.0], [5.0], [0.0]]))[0, 0] == pytest.approx((1 + 2 * 4) / 10)


def test_features_are_those_of_the_definition():
    end, rng = FrontEnd(window=300, hop=120, bands=10), np.random.default_rng(1)
    sound = rng.uniform(-1, 1, 1000)
    found = end.features(sound)
    assert found.shape == (end.frames(1000), 10) == (6, 10)
    assert found.dtype == np.float32 and end.transform == 512
    bank = mel_bank(10, 512, 8000, 50, 4000)
    for t in range(6):
        frame = sound[120 * t:120 * t + 300] * np.sin(np.pi * np.arange(300) / 300) ** 2
        # By the sum of the definition, bin after bin.
        angles = -2j * np.pi / 512 * np.outer(np.arange(257), np.arange(300))
        power = np.abs(np.exp(angles) @ frame) ** 2
        np.testing.assert_allclose(found[t], np.log(1e-4 + bank @ power), rtol=1e-5)


def test_a_tone_is_in_its_band_and_cepstra_and_slopes_follow():
    times = np.arange(4000) / 8000
    plain = FrontEnd().features(0.5 * np.sin(2 * np.pi * 1000 * times))
    bank = mel_bank(32, 256, 8000, 50, 4000)
    assert np.all(plain.argmax(axis=1) == bank[:, 32].argmax())     # bin 32 of 256 is 1000 hertz
    full = FrontEnd(cepstrum=13, differences=2)
    found = full.features(np.random.default_rng(2).uniform(-1, 1, 2000))
    assert found.shape[1] == full.entries == 39
    logs = FrontEnd().features(np.random.default_rng(2).uniform(-1, 1, 2000))
    np.testing.assert_allclose(found[:, :13], cosine_transform(logs.astype(float), 13), atol=1e-4)
    np.testing.assert_allclose(found[:, 13:26], deltas(found[:, :13]), atol=1e-4)
    np.testing.assert_allclose(found[:, 26:], deltas(found[:, 13:26]), atol=1e-4)


def test_silence_and_short_sounds():
    assert np.allclose(FrontEnd().features(np.zeros(10)), np.log(1e-4)) and FrontEnd().frames(10) == 1
    assert [FrontEnd().frames(n) for n in (256, 415, 416)] == [1, 1, 2]


@pytest.mark.parametrize("settings, message", [
    (dict(hop=0), "hop must be at least 1, not 0"),
    (dict(high=4001.0), "low and high must be from 0 to half the rate, 4000, not 50 and 4001"),
    (dict(cepstrum=33), "cepstrum must be from 1 to 32, the bands, not 33"),
    (dict(differences=3), "differences must be 0, 1 or 2, not 3"),
    (dict(floor=0.0), "floor must be positive, not 0.0")])
def test_front_ends_refuse(settings, message):
    with pytest.raises(ValueError, match=message):
        FrontEnd(**settings)
