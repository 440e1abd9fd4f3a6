import numpy as np
import pytest
from shiftwork.golden.common.fixed import normalize_scale, requantize
from shiftwork.golden.common.intervals import dot_interval, signed_width


def test_requantize_rounds_halves_upward():
    assert requantize(np.array([-3, -2, -1, 0, 1, 2, 3]), 0, 128, 8, -99, 99).tolist() == [-1, -1, 0, 0, 1, 1,
                                                                                           2]


def test_requantize_is_the_formula_in_unbounded_integers():
    rng = np.random.default_rng(1)
    for acc_width, scale_width in ((20, 12), (32, 16)):
        top = 2 ** (acc_width - 1)
        acc, bias = rng.integers(-top, top, (2, 500))
        acc[:2], bias[:2] = (-top, top - 1), (-top, top - 1)
        scale, shift = rng.integers(0, 2 ** scale_width, 500), rng.integers(8, 24, 500)
        scale[:2] = 2 ** scale_width - 1
        wanted = [min(max(((int(a) + int(b)) * int(s) + (1 << int(f) - 1)) >> int(f), -32768), 32767)
                  for a, b, s, f in zip(acc, bias, scale, shift, strict=True)]
        assert requantize(acc, bias, scale, shift, -32768, 32767).tolist() == wanted


def test_requantize_stays_within_the_documented_bound():
    rng = np.random.default_rng(2)
    acc, scale, shift = rng.integers(-9999, 9999, 999), rng.integers(0, 4096, 999), rng.integers(8, 24, 999)
    error = requantize(acc, 7, scale, shift, -2 ** 40, 2 ** 40) - (acc + 7) * scale / 2.0 ** shift
    assert error.min() > -0.5 and error.max() <= 0.5


@pytest.mark.parametrize("arguments, error, message", [
    ((0.5, 0, 1, 8, 0, 255), TypeError, "acc must be integer, not float64"),
    ((0, 0, 1, 0, 0, 255), ValueError, "shift must be between 1 and 31, not 0"),
    ((0, 0, -1, 8, 0, 255), ValueError, "scale must not be negative, not -1"),
    ((0, 0, 1, 8, 9, 5), ValueError, "low must be at most high 5, not 9"),
])
def test_requantize_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        requantize(*arguments)


def test_normalize_scale_uses_all_bits_and_rounds_to_nearest():
    rng = np.random.default_rng(3)
    for factor in 2.0 ** rng.uniform(-23, 3.9, 300):
        mantissa, shift = normalize_scale(factor, 12, 8, 23)
        assert abs(mantissa / 2 ** shift - factor) <= 2.0 ** (-shift - 1)
        assert mantissa < 4096 and (mantissa >= 2048 or shift == 23)
    # 4095.6 / 2 ** 10 rounds to 4096, one bit too many: the shift must step down, not the mantissa wrap.
    assert normalize_scale(4095.6 / 2 ** 10, 12, 8, 23) == (2048, 9)
    assert normalize_scale(0.0, 12, 8, 23) == (0, 23)


def test_normalize_scale_refuses_a_factor_that_is_too_large():
    with pytest.raises(ValueError, match="scale must be between 0 and 15.9961, not 16"):
        normalize_scale(16.0, 12, 8, 23)


def test_dot_interval_is_reached_and_never_left_by_any_subset():
    rng = np.random.default_rng(4)
    weights = rng.integers(-1, 2, (5, 2, 2, 2)).astype(np.int8)
    for low, high in ((0, 255), (-128, 127), (3, 9)):
        least, most = dot_interval(weights, low, high)
        for filter_, a, b in zip(weights.reshape(5, -1).astype(int), least, most, strict=True):
            ends = [[min(w * x for x in (low, high)), max(w * x for x in (low, high))] for w in filter_]
            sums = [sum(e[k] for e, bit in zip(ends, f"{subset:08b}", strict=True) if bit == "1")
                    for subset in range(256) for k in (0, 1)]
            assert (min(sums), max(sums)) == (a, b)


def test_dot_interval_refuses_an_empty_range():
    with pytest.raises(ValueError, match="low must be at most high 1, not 2"):
        dot_interval(np.ones((1, 1), np.int8), 2, 1)


@pytest.mark.parametrize("low, high, bits", [
    (0, 0, 1), (-1, 0, 1), (0, 1, 2), (-128, 127, 8), (-129, 0, 9), (0, 128, 9), (-2 ** 19, 2 ** 19 - 1, 20)])
def test_signed_width(low, high, bits):
    assert signed_width(low, high) == bits
