"""The integer Fourier transform: against numpy's, within derived bounds; no overflow; the order of values."""

import numpy as np
import pytest
from shiftwork.golden.circulant.transform import (
    error_bound,
    forward,
    intervals,
    inverse,
    pack,
    unpack,
    widths,
)
from shiftwork.golden.circulant.transform_config import TransformConfig, bins, digits, schedule

SIZES = (2, 4, 8, 16, 32, 64)


def _blocks(config, rng, count=200):
    """Random blocks, and the inputs that make results greatest: signs of the rows of the transform."""
    low, high = -(1 << config.width - 1), (1 << config.width - 1) - 1
    n = np.arange(config.size)
    waves = np.cos(2 * np.pi * np.outer(n, n) / config.size), np.sin(2 * np.pi * np.outer(n, n) / config.size)
    signs = np.concatenate([*waves, -waves[0], -waves[1]])
    x = np.concatenate([rng.integers(low, high + 1, (count, config.size)), np.where(signs > 0, high, low)])
    return x.reshape(len(x), *((config.cycles, 2) if config.inverse else (config.size,)))


def _transform(x, config):
    return (inverse if config.inverse else forward)(x, config)


def _exact(x, config):
    if config.inverse:
        found = config.size * np.fft.irfft(unpack(x), config.size)
    else:
        found = pack(np.fft.rfft(x))
    return found / 2.0 ** sum(config.shifts)


def _configs():
    rng = np.random.default_rng(3)
    for size in SIZES:
        for inverse_ in (False, True):
            stages = size.bit_length() - 1
            for shifts in ((0,) * stages, (1,) * stages, tuple(map(int, rng.integers(0, 2, stages)))):
                for width, bits in ((16, 14), (12, 9)):
                    yield TransformConfig(size=size, width=width, factor_bits=bits, inverse=inverse_,
                                          shifts=shifts)


@pytest.mark.parametrize("config", list(_configs()), ids=str)
def test_error_and_width(config):
    x = _blocks(config, np.random.default_rng(1))
    found = _transform(x, config)
    errors, bounds = np.abs(found - _exact(x, config)), error_bound(config)
    assert np.all(errors.max(axis=0) <= bounds + 1e-6)
    assert errors.max() >= 0.05 * bounds.max(), "a bound that far away proves little"
    last = ("sums", 2 if config.inverse else config.size)
    least, most = intervals(config)[last]
    assert least <= found.min() and found.max() <= most
    assert -(1 << widths(config)[last] - 1) <= least


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("inverse_", [False, True])
def test_small_transforms_are_exact(size, inverse_):
    config = TransformConfig(size=size, inverse=inverse_, shifts=(0,) * (size.bit_length() - 1), width=4)
    grid = np.stack(np.meshgrid(*[np.arange(-8, 8)] * size, indexing="ij"), axis=-1).reshape(-1, size)
    x = grid.reshape(len(grid), -1, 2) if inverse_ else grid
    assert np.array_equal(_transform(x, config), np.rint(_exact(x, config)))
    assert not np.any(error_bound(config))
    assert np.abs(_transform(x, config)).max() == 8 * size      # the width is needed
    assert max(widths(config).values()) == 3 + size.bit_length()


@pytest.mark.parametrize("size", SIZES)
def test_there_and_back(size):
    there = TransformConfig(size=size, width=12)
    back = TransformConfig(size=size, width=max(widths(there).values()), inverse=True)
    x = _blocks(there, np.random.default_rng(2))
    assert np.abs(inverse(forward(x, there), back) - x).max() <= 3


@pytest.mark.parametrize("size", SIZES)
def test_bins(size):
    """Of each pair of conjugate bins there is one; packing and unpacking are inverse."""
    rest = bins(size)[1:]
    assert bins(size)[0] == 0
    assert sorted(min(f, size - f) for f in rest) == list(range(1, size // 2))
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=(3, size)))
    np.testing.assert_allclose(unpack(pack(spectrum)), spectrum, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_schedule(size):
    """All values are there once; butterflies meet partners; parts to be rotated are ``distance`` apart."""
    for step in schedule(size):
        count = size // step.span
        for labels, slots in ((step.labels, step.span // 4), (step.results, step.span // 2)):
            assert len(np.unique(labels.reshape(-1, 3), axis=0)) == size
            assert labels[..., 1].max() == max(slots - 1, 0)
        assert np.array_equal(step.labels[:, 1] - step.labels[:, 0], np.tile([count, 0, 0], (size // 2, 1)))
        if step.span >= 4:
            late = step.labels[:, 1, 2] == 1
            assert np.array_equal(late, np.arange(size // 2) & step.distance != 0)
            early = step.labels[np.flatnonzero(late) - step.distance]
            assert np.array_equal(early[..., :2], step.labels[late][..., :2])


def test_digits():
    for value in range(1, 3000):
        found = digits(value)
        assert sum(sign << exponent for exponent, sign in found) == value
        assert all(b[0] - a[0] > 1 for a, b in zip(found, found[1:], strict=False))


@pytest.mark.parametrize("change, message", [
    ({"size": 3}, "block size must be one of 2, 4, 8, 16, 32, 64, not 3"),
    ({"width": 1}, "width must be between 2 and 32, not 1"),
    ({"factor_bits": 17}, "factor_bits must be between 4 and 16, not 17"),
    ({"shifts": (0, 2, 0)}, r"shifts must be 3 numbers, each 0 or 1, not \(0, 2, 0\)"),
    ({"shifts": (0,)}, r"shifts must be 3 numbers, each 0 or 1, not \(0,\)"),
])
def test_bad_configs(change, message):
    with pytest.raises(ValueError, match=message):
        TransformConfig(**{"size": 8, **change})


def test_bad_values():
    config = TransformConfig(size=8, width=4)
    with pytest.raises(TypeError, match="values must be integers, not float64"):
        forward(np.zeros(8), config)
    with pytest.raises(ValueError, match=r"values must be of shape \(..., 8\), not \(4,\)"):
        forward(np.zeros(4, int), config)
    with pytest.raises(ValueError, match="values must be between -8 and 7, not 0 to 8"):
        forward(np.arange(8) + (np.arange(8) == 7), config)
    with pytest.raises(ValueError, match="config must be of an inverse transform, not of a forward one"):
        inverse(np.zeros((4, 2), int), config)
    with pytest.raises(ValueError, match="config must be of a forward transform, not of an inverse one"):
        forward(np.zeros(8, int), TransformConfig(size=8, inverse=True))
