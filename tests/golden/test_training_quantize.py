import itertools
import math

import numpy as np
import pytest
from shiftwork.golden.training.quantize import (
    Flagged,
    Scaled,
    constant,
    direct,
    flagged,
    scale_exponent,
    shifted,
)

from . import wageubn

EXPONENTS = [-20, -7, 0, 3]


def test_scale_exponent_of_all_numbers_of_16_bits():
    most = np.arange(1, 1 << 16)
    assert [scale_exponent(m) for m in most] == np.rint(np.log2(most)).astype(int).tolist()


def test_scale_exponent_at_the_borders_and_of_zero():
    # 2 ** (e - 1/2) squared is 2 ** (2 e - 1), which no integer's square is: there is no tie.
    for e in range(1, 62):
        border = math.isqrt(1 << 2 * e - 1)
        assert border ** 2 < 1 << 2 * e - 1 < (border + 1) ** 2
        assert (scale_exponent(border), scale_exponent(border + 1)) == (e - 1, e)
    assert scale_exponent(0) == scale_exponent(1) == 0


def tensors(bits=9):
    """All pairs of a greatest number, and all numbers up to it: every input that a quantizer can see."""
    for most in range(1 << bits):
        yield np.arange(-most, most + 1)


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_direct_is_q_where_it_does_not_saturate(exponent):
    x = Scaled(np.arange(-600, 601), exponent)
    found = direct(x, 7, 20)
    exact = wageubn.q(x.values, 8)
    inside = np.abs(exact) < 2.0 ** 12
    assert found.exponent == -7
    assert np.array_equal(found.values[inside], exact[inside])
    assert np.array_equal(found.integers, np.clip(exact * 128, -(2 ** 19 - 1), 2 ** 19 - 1))


def test_direct_saturates_without_wrapping():
    for exponent in (0, 40, 300):
        found = direct(Scaled(np.array([1 << 40, -(1 << 40), 1, 0, -3]), exponent), 14, 16)
        most = (1 << 15) - 1
        one = 1 << 14 if exponent == 0 else most
        assert found.integers.tolist() == [most, -most, one, 0, -most]


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_shifted_is_sq_of_all_tensors_of_9_bits(bits):
    for number, integers in enumerate(tensors()):
        x = Scaled(integers, EXPONENTS[number % 4])
        found = shifted(x, bits)
        assert np.array_equal(found.values, wageubn.sq(x.values, bits))
        assert np.abs(found.integers).max(initial=0) < 1 << bits - 1


def test_flagged_is_the_papers_of_all_tensors_of_9_bits_and_of_great_numbers():
    rng = np.random.default_rng(0)
    wide = [np.concatenate([rng.integers(-(1 << n), 1 << n, 300), [0, (1 << n) - 1, 1 << n]])
            for n in range(10, 45)]
    for number, integers in enumerate(itertools.chain(tensors(), wide)):
        x = Scaled(integers, EXPONENTS[number % 4])
        found = flagged(x)
        assert np.array_equal(found.scaled.values, wageubn.flag_e2(x.values))
        assert np.abs(found.mantissa).max(initial=0) <= 127
        assert not found.flag[found.mantissa == 0].any()
        words = found.words
        assert words.min(initial=0) >= 0 and words.max(initial=0) < 512
        again = Flagged.of(words, found.exponent)
        assert np.array_equal(again.mantissa, found.mantissa) and np.array_equal(again.flag, found.flag)


def test_flagged_promotes_what_rounds_to_the_great_step():
    # R = 2 ** 20, steps 2 ** 13 and 2 ** 6: 2 ** 13 - 32 is half a small step below the great one.
    found = flagged(Scaled(np.array([1 << 20, 8192 - 32, 8192 - 33, 8192, -(8192 - 1)]), 0))
    assert found.flag.tolist() == [True, True, False, True, True]
    assert found.mantissa.tolist() == [127, 1, 127, 1, -1]


@pytest.mark.parametrize("levels", [2, 8, 32, 128])
def test_constant_is_cq_of_all_tensors_of_7_bits_and_many_random_numbers(levels):
    rng = np.random.default_rng(levels)
    for integers in tensors(7):
        x = Scaled(np.tile(integers, (8, 1)), -3)
        random = rng.integers(0, 1 << 16, x.integers.shape)
        found = constant(x, levels, random.reshape(-1))
        assert found.exponent == -14
        assert np.array_equal(found.values, wageubn.cq(x.values, levels, random / 2 ** 16))


@pytest.mark.parametrize("integer, shift", [(5, 3), (7 << 10, 13), (3 << 20, 25)])
def test_stochastic_rounding_is_right_in_the_mean_over_all_random_numbers(integer, shift):
    # The greatest, 2 ** (shift + 7), makes one level 2 ** shift: integer is a fraction of one level.
    random = np.arange(1 << 16)
    x = Scaled(np.concatenate([np.full(1 << 16, -integer), [1 << shift + 7]]), 0)
    found = constant(x, 128, np.append(random, 0)).integers[:-1]
    assert found.sum() * 2 ** shift == -integer << 16
    assert set(found.tolist()) == {0, -1}


def test_constant_cuts_the_fraction_to_16_bits():
    x = Scaled(np.array([(1 << 24) - 1, 1 << 31]), 0)     # 1 - 2 ** -24 levels: 65535 / 65536
    assert constant(x, 128, np.array([65534, 0])).integers[0] == 1
    assert constant(x, 128, np.array([65535, 0])).integers[0] == 0


def test_zeros_stay_zeros():
    zeros = Scaled(np.zeros(4, np.int64), -9)
    for found in (shifted(zeros, 8), flagged(zeros).scaled, constant(zeros, 128, np.zeros(4, np.int64)),
                  direct(zeros, 14, 16)):
        assert not found.integers.any()
    assert (shifted(zeros, 8).exponent, flagged(zeros).exponent) == (-16, -23)
