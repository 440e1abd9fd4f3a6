"""Sigmoid and tanh in integers: the table, symmetry, and the greatest errors."""

import math

import numpy as np
import pytest
from shiftwork.golden.circulant.activation import base, max_error, sigmoid, tanh

ALL = np.arange(-32768, 32768)


def test_the_table_is_that_of_the_specification():
    """Entry by entry in plain Python, of w = 1/4."""
    table = base(2)
    assert len(table) == 33 and table[0] == 8192
    for n in range(1, 33):
        s = 1 / (1 + math.exp(-n / 4))
        assert table[n] == math.floor(16384 * (s - s * (1 - s) * (1 - 2 * s) / 256) + 0.5)


@pytest.mark.parametrize("segment_bits", range(1, 6))
def test_values_are_those_of_the_specification(segment_bits):
    """S(u) and both functions in plain Python, at random inputs and at the ends."""
    table, m = base(segment_bits).tolist(), 12 - segment_bits

    def s(u):
        n = u >> m
        return table[n] + (((table[n + 1] - table[n]) * (u % 2 ** m) + 2 ** (m - 1)) >> m)

    rng = np.random.default_rng(segment_bits)
    for x in (-32768, -32767, -1, 0, 1, 16383, 16384, 32767, *rng.integers(-32768, 32768, 200).tolist()):
        size = min(abs(x), 32767)
        assert sigmoid(np.int64(x), segment_bits) == (s(size) if x >= 0 else 16384 - s(size))
        twice = 2 * s(min(2 * abs(x), 32767)) - 16384
        assert tanh(np.int64(x), segment_bits) == (twice if x >= 0 else -twice)


@pytest.mark.parametrize("segment_bits", range(1, 6))
def test_symmetry_order_and_range(segment_bits):
    s, t = sigmoid(ALL, segment_bits), tanh(ALL, segment_bits)
    assert (np.diff(s) >= 0).all() and (np.diff(t) >= 0).all()
    assert (s[1:][::-1] + s[1:] == 16384).all() and (t[1:][::-1] == -t[1:]).all()
    assert s.min() >= 0 and s.max() <= 16384 and np.abs(t).max() <= 16384 and t[32768] == 0


# 0.0962 w^2 / 16, sig'' being 0.0962 at most, and half a unit of the table and of the result, 2^-14; twice
# that for tanh. Of narrow segments the last input counts: sig(8) is 0.00034 from 1, tanh(4) twice that.
@pytest.mark.parametrize(("segment_bits", "of_sigmoid", "of_tanh"), [
    (1, 0.00158, 0.00316), (2, 0.00043, 0.00086), (3, 0.00034, 0.00068), (4, 0.00034, 0.00068),
    (5, 0.00034, 0.00068)])
def test_greatest_errors(segment_bits, of_sigmoid, of_tanh):
    found = max_error(segment_bits)
    assert found[0] < of_sigmoid and found[1] < of_tanh
    # Sharp: some input has the error, or it is that of the limit beyond the last one.
    errors = np.abs(sigmoid(ALL, segment_bits) / 16384 - 1 / (1 + np.exp(-ALL / 4096)))
    beyond = 1 - sigmoid(np.int64(32767), segment_bits) / 16384
    assert found[0] == pytest.approx(max(errors.max(), beyond), rel=1e-9)


def test_finer_segments_are_more_exact_in_the_middle():
    inside = np.arange(-16000, 16000)
    errors = [np.abs(sigmoid(inside, n) / 16384 - 1 / (1 + np.exp(-inside / 4096))).max()
              for n in range(1, 5)]
    assert all(later < 0.6 * earlier for earlier, later in zip(errors, errors[1:], strict=False))
