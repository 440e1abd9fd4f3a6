from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.smartexchange.factors import Factors
from shiftwork.golden.smartexchange.reshape import Layout


def random_factors(shape=(3, 4, 3, 3), height=2, seed=0, zeros=0.5):
    rng = np.random.default_rng(seed)
    layout = Layout.of(shape, size=2, height=height)
    signs = rng.integers(-1, 2, (layout.filters, layout.rows, layout.size)).astype(np.int8)
    signs[rng.random(signs.shape) < zeros] = 0
    exponents = (rng.integers(0, 8, signs.shape) * (signs != 0)).astype(np.int8)
    basis = rng.integers(-127, 128, (layout.filters, layout.slices, layout.size, layout.size)).astype(np.int8)
    return Factors(layout=layout, signs=signs, exponents=exponents, basis=basis,
                   scale=rng.uniform(1e-3, 1, layout.filters))


@pytest.mark.parametrize("shape", [(3, 4, 3, 3), (3, 9), (2, 3, 2, 5)])
def test_weights_are_the_formula(shape):
    factors = random_factors(shape)
    layout, exact = factors.layout, np.zeros(shape, object).reshape(shape[0], -1)
    for m in range(shape[0]):
        for n in range(exact.shape[1]):
            if layout.convolution:
                c, r, s = np.unravel_index(n, shape[1:])
                row = c * shape[2] + r
            else:
                row, s = divmod(n, layout.size)
            piece = np.searchsorted(layout.bounds, row, side="right") - 1
            exact[m, n] = sum(int(factors.signs[m, row, j]) * 2 ** int(factors.exponents[m, row, j])
                              * int(factors.basis[m, piece, j, s]) for j in range(layout.size))
    found = factors.integer_weights()
    assert found.dtype == np.int64 and np.array_equal(found, exact.reshape(shape).astype(np.int64))
    scale = factors.scale.reshape((-1,) + (1,) * (len(shape) - 1))
    np.testing.assert_array_equal(factors.weights(), found * scale)
    assert factors.kind == ("convolution" if len(shape) == 4 else "vector")


def test_the_greatest_weight_is_exact():
    layout = Layout.of((1, 3), size=3)
    factors = Factors(layout=layout, signs=np.ones((1, 1, 3), np.int8), scale=np.ones(1),
                      exponents=np.full((1, 1, 3), 7, np.int8), basis=np.full((1, 1, 3, 3), -127, np.int8))
    assert factors.integer_weights().tolist() == [[-48768] * 3]


def factors_of(signs, shape, exponent=2, **layout):
    signs = np.array(signs, np.int8)
    layout = Layout.of(shape, **layout)
    return Factors(layout=layout, signs=signs, exponents=(exponent * (signs != 0)).astype(np.int8),
                   basis=np.ones((layout.filters, layout.slices, layout.size, layout.size), np.int8),
                   scale=np.ones(layout.filters))


def small(exponent=2):
    """Three filters of 3 channels and 2x3 kernels: channel 1 is zero, and so is filter 1."""
    signs = np.zeros((3, 6, 3))
    signs[0, 0], signs[0, 1] = (1, 0, -1), (0, 0, 1)       # channel 0
    signs[0, 5] = 1                                        # channel 2
    signs[2, 4] = (0, -1, 0)                               # channel 2
    return factors_of(signs, (3, 3, 2, 3), exponent)


def test_zeros_are_counted():
    factors = small()
    assert factors.non_zeros == 7 and factors.zero_share == pytest.approx(1 - 7 / 54)
    assert factors.zero_rows.sum() == 18 - 4 and not factors.zero_rows[0, [0, 1, 5]].any()
    assert factors.zero_channels.tolist() == [False, True, False]
    assert factors.zero_filters.tolist() == [False, True, False]


def test_storage_counted_by_hand():
    found = {name: (s.coefficients, s.index, s.basis, s.bits) for name, s in small().accountings().items()}
    assert found == {
        # 7 non-zeros of 4 bits, 54 bits of bitmap, 3 bases of 9 bytes
        "elements": (28, 54, 216, 298),
        # 4 rows of 3 coefficients, 18 bits of bitmap
        "rows": (48, 18, 216, 282),
        "rows, elements": (28, 18 + 12, 216, 274),
        # bitmaps of 3 filters and 3 channels; 2 filters of 4 rows are left
        "channels, elements": (28, 6 + 24, 144, 202),
        "channels, rows": (48, 6 + 8, 144, 206),
        "channels, rows, elements": (28, 6 + 8 + 12, 144, 198)}
    assert small().storage().accounting == "channels, rows, elements" and small().storage_bits() == 198


def test_a_zero_has_no_code_beside_eight_exponents():
    names = set(small(exponent=7).accountings())
    assert names == {"elements", "rows, elements", "channels, elements", "channels, rows, elements"}
    full = factors_of(np.ones((2, 2, 2)), (2, 4), exponent=7, size=2)     # no zeros in kept rows
    assert full.accountings()["rows"].bits == 8 * 4 + 4 + 2 * 4 * 8
    assert full.storage().accounting == "rows"


def test_of_a_vector_a_channel_is_one_row():
    factors = factors_of([[[1], [0], [0], [1]], [[1], [0], [1], [0]]], (2, 4), size=1, height=2)
    assert factors.zero_channels.tolist() == [False, True, False, False]
    assert factors.layout.slices == 2
    assert factors.accountings()["elements"].bits == 4 * 4 + 8 + 8 * 4
    assert factors.accountings()["channels, elements"].bits == 4 * 4 + (2 + 4) + 2 * 3 + 8 * 4


def test_a_layer_of_zeros_costs_its_bitmaps():
    factors = factors_of(np.zeros((2, 3, 2)), (2, 6), size=2)
    assert factors.storage().bits == 2 + 3 and factors.zero_share == 1


@pytest.mark.parametrize("change, message", [
    (dict(signs=np.zeros((3, 12, 2), np.int8)),
     r"signs must be int8 of shape \(3, 12, 3\), not int8 of shape \(3, 12, 2\)"),
    (dict(basis=np.zeros((3, 2, 3, 3))), r"basis must be int8 of shape \(3, 2, 3, 3\), not float64 of shape"),
    (dict(scale=np.ones(2)), r"scale must be float64 of shape \(3,\), not float64 of shape \(2,\)"),
    (dict(signs=np.full((3, 12, 3), 2, np.int8)), "signs must be from -1 to 1, not from 2 to 2"),
    (dict(exponents=np.full((3, 12, 3), 8, np.int8)), "exponents must be from 0 to 7, not from 8 to 8"),
    (dict(basis=np.full((3, 2, 3, 3), -128, np.int8)),
     "basis must be from -127 to 127, not from -128 to -128"),
    (dict(exponents=np.full((3, 12, 3), 5, np.int8)), "exponents must be 0 where the sign is 0, not 5"),
    (dict(scale=np.array([1.0, 0, 1])), "scale must be positive and finite, not 0.0"),
    (dict(scale=np.array([1.0, np.nan, 1])), "scale must be positive and finite, not nan")])
def test_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        replace(random_factors(), **change)
