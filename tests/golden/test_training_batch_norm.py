from fractions import Fraction

import numpy as np
import pytest
from shiftwork.golden.training.batch_norm import (
    Statistics,
    error_sums,
    input_error,
    normalize,
    scale_and_shift,
    statistics,
)
from shiftwork.golden.training.config import TrainingConfig
from shiftwork.golden.training.quantize import Scaled

from . import wageubn


def tensor(seed=0, shape=(5, 3, 7, 6), scale=9000, exponent=-14):
    rng = np.random.default_rng(seed)
    x = scale * (rng.standard_normal(shape) + rng.standard_normal(shape[:1] + (1,) * (len(shape) - 1)))
    return Scaled(np.rint(x).astype(np.int64), exponent)


@pytest.mark.parametrize("shape, exponent, scale", [((5, 3, 7, 6), -14, 9000), ((4, 9), -7, 100),
                                                    ((3, 1, 1, 1), -14, 500), ((2, 8, 8, 4), -14, 1 << 20)])
def test_statistics_are_the_papers_rounded_exactly(shape, exponent, scale):
    x = tensor(1, shape, scale, exponent)
    found = statistics(x)
    for c, values in enumerate(x.integers.reshape(shape[0], -1).tolist()):
        exact = [Fraction(v) * Fraction(2) ** exponent for v in values]
        mean = sum(exact) / len(exact)
        variance = sum((v - mean) ** 2 for v in exact) / len(exact)
        assert found.mean[c] == round(mean * 2 ** 15)
        # |deviation - 1 - root * 2 ** 15| <= 1/2, squared
        above, below = found.deviation[c] - 1 + Fraction(1, 2), found.deviation[c] - 1 - Fraction(1, 2)
        assert max(below, 0) ** 2 <= variance * 2 ** 30 <= above ** 2
    values = x.values.reshape(shape[0], -1)
    assert np.array_equal(found.mean, np.rint(values.mean(axis=1) * 2 ** 15))
    assert np.array_equal(found.deviation, np.rint(values.std(axis=1) * 2 ** 15) + 1)


def test_statistics_round_halves_to_even_and_saturate():
    # Two numbers +-d: deviation d. On the grid 2 ** -15, from 2 ** -15: d itself, no rounding.
    assert statistics(Scaled(np.array([[3, -3]]), -15)).deviation.tolist() == [4]
    # 0 and 1, 1 and 2: means 1/2 and 3/2, deviations 1/2: to even.
    found = statistics(Scaled(np.array([[0, 1], [1, 2], [0, 3]]), -15))
    assert (found.mean.tolist(), found.deviation.tolist()) == ([0, 2, 2], [1, 1, 3])
    most = (1 << 23) - 1
    assert statistics(Scaled(np.array([[most, -most]]), -14)).deviation.tolist() == [(1 << 24) - 2 + 1]
    assert statistics(Scaled(np.zeros((1, 4), np.int64), -14)).deviation.tolist() == [1]


def exact_normal(x, found, fraction):
    centred = x.integers * 2 - wageubn.channel(found.mean, x.integers)
    return centred, [[Fraction(int(c)) * 2 ** fraction / int(s) for c in row.reshape(-1)]
                     for row, s in zip(centred, found.deviation, strict=True)]


@pytest.mark.parametrize("bits, fraction", [(16, 12), (8, 5), (20, 15), (12, 8)])
def test_normalize_is_within_its_bound_and_mostly_the_nearest(bits, fraction):
    config = TrainingConfig(normal_bits=bits, normal_fraction=fraction)
    x = tensor(2)
    found = statistics(x)
    normal = normalize(x, found, config)
    _, exact = exact_normal(x, found, fraction)
    most, bound = (1 << bits - 1) - 1, Fraction(1, 2) + Fraction(2) ** (bits - 17)
    for row, wanted in zip(normal.integers.reshape(len(exact), -1).tolist(), exact, strict=True):
        for value, v in zip(row, wanted, strict=True):
            assert abs(value) <= most
            assert abs(value - v) <= bound or abs(v) >= most - bound and abs(value) == most
    nearest = np.array([[min(max(round(v), -most), most) for v in row] for row in exact])
    share = (normal.integers.reshape(nearest.shape) == nearest).mean()
    assert share > 0.7 if bits == 20 else share > 0.95


def test_normalize_for_deviations_of_every_length_and_at_the_clip():
    config = TrainingConfig()
    deviation = np.array([d for n in range(24) for d in ((1 << n), (1 << n) + 1, (2 << n) - 1)])
    found = Statistics(np.zeros_like(deviation), deviation)
    ratios = np.array([-9, -8.01, -7.9, -1, -0.3, 0, 0.001, 0.5, 1, 3.7, 7.9, 9])
    x = Scaled(np.rint(deviation[:, None] * ratios).astype(np.int64), -15)
    normal = normalize(x, found, config).integers
    exact = x.integers / deviation[:, None] * 2 ** 12
    assert np.abs(normal - np.clip(exact, -32767, 32767)).max() <= 1
    assert normal.min() == -32767 and normal.max() == 32767


def test_scale_and_shift_is_rounded_exactly():
    rng = np.random.default_rng(3)
    normal = Scaled(rng.integers(-32767, 32768, (4, 500)), -12)
    gamma, beta = np.array([127, -127, 64, 0]), np.array([5, -127, 127, -3])
    y = scale_and_shift(normal, gamma, beta)
    exact = gamma[:, None] / 128 * normal.values + beta[:, None] / 128
    assert np.array_equal(y.values, wageubn.q(exact, 8))
    assert np.abs(y.integers).max() < 1 << 11


def test_error_sums_are_exact():
    rng = np.random.default_rng(4)
    error = Scaled(rng.integers(-127, 128, (3, 4, 5, 6)), -11)
    normal = Scaled(rng.integers(-32767, 32768, (3, 4, 5, 6)), -12)
    dbeta, dgamma = error_sums(error, normal)
    assert np.array_equal(dbeta.values, error.values.sum(axis=(1, 2, 3)))
    assert np.array_equal(dgamma.values, (error.values * normal.values).sum(axis=(1, 2, 3)))


def error_bound(error, normal, found, gamma):
    """Bound of input_error, element by element, from its docstring."""
    size = np.abs(normal.values)
    inner = 2.0 ** (error.exponent - 8) * (1 + size / 2)
    factor = wageubn.channel(np.abs(gamma) / 128 / (found.deviation * 2.0 ** -15), size)
    greatest = factor.max()
    u = 2.0 ** error.exponent * (127 + 127 + 127 * 1.01 * size) + inner
    return factor * inner * 1.0001 + u * (factor * 2.0 ** -16 + greatest * 2.0 ** -17)


@pytest.mark.parametrize("config", [TrainingConfig(), TrainingConfig(normal_bits=8, normal_fraction=5)])
@pytest.mark.parametrize("spread", [1, 40])
def test_input_error_is_the_papers_within_its_bound(config, spread):
    rng = np.random.default_rng(5)
    x = tensor(6)
    x = Scaled(x.integers * np.array([1, spread, 2, 3, spread])[:, None, None, None] // spread, -14)
    found = statistics(x)
    normal = normalize(x, found, config)
    error = Scaled(rng.integers(-127, 128, x.integers.shape), -17)
    gamma = np.array([64, -100, 3, 127, 0])
    dx = input_error(error, normal, error_sums(error, normal), gamma, found)
    exact = wageubn.norm_error(error.values, normal.values, gamma / 128, found.deviation * 2.0 ** -15)
    assert (np.abs(dx.values - exact) <= error_bound(error, normal, found, gamma)).all()
    assert np.abs(dx.integers).max() < 1 << 34 and not dx.integers[4].any()
    # Small next to what the error's own rounding to 8 bits does:
    assert np.abs(dx.values - exact).max() < np.abs(exact).max() / 200


def test_input_error_of_gammas_of_zero_is_zero():
    x = tensor(7, (2, 3, 3, 2))
    found, config = statistics(x), TrainingConfig()
    normal = normalize(x, found, config)
    error = Scaled(np.full(x.integers.shape, 100), 0)
    dx = input_error(error, normal, error_sums(error, normal), np.zeros(2, np.int64), found)
    assert not dx.integers.any()


def test_a_constant_channel_has_deviation_epsilon_and_no_error():
    x = Scaled(np.full((1, 4, 4, 2), 77), -14)
    found = statistics(x)
    assert (found.mean.tolist(), found.deviation.tolist()) == ([154], [1])
    normal = normalize(x, found, TrainingConfig())
    assert not normal.integers.any()
    error = Scaled(np.full(x.integers.shape, -5), 0)
    assert not input_error(error, normal, error_sums(error, normal), np.array([64]), found).integers.any()
