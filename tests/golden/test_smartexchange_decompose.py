from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.smartexchange.decompose import decompose, fit_basis, fit_coefficients, inverses
from shiftwork.golden.smartexchange.options import Normalization, Options
from shiftwork.golden.smartexchange.quantize import column_factors, nearest_power, quantize
from shiftwork.golden.smartexchange.reshape import Layout
from shiftwork.golden.smartexchange.straight import Rounding


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def test_nearest_power():
    values = np.array([1, 1.49, 1.5, 1.51, 2, 2.99, 3, 0.75, 0.7500001, 1e-300, 6e200])
    linear = nearest_power(values, Options()).tolist()
    assert linear == [0, 0, 0, 1, 1, 1, 1, -1, 0, -997, 667]
    up = nearest_power(values, Options(ties_up=True)).tolist()
    assert up == [0, 0, 1, 1, 1, 1, 2, 0, 0, -997, 667]
    values = np.array([1, 1.41, 1.42, 2 * 1.41, 0.7071, 0.7072, 1.5])
    assert nearest_power(values, Options(domain="log")).tolist() == [0, 0, 1, 1, -1, 0, 1]


def test_nearest_power_is_the_authors_rule():
    # papers.md 1.2: e = ceil(log2 v); e - 1 if v - 2^(e-1) <= 2^e - v, else e.
    for v in np.concatenate([2 ** np.random.default_rng(0).uniform(-9, 9, 500), [1.5, 3.0, 12.0, 0.375]]):
        e = int(np.ceil(np.log2(v)))
        wanted = e - 1 if v - 2.0 ** (e - 1) <= 2.0 ** e - v else e
        assert nearest_power(np.array([v]), Options())[0] == wanted


def test_column_factors():
    layout = Layout(shape=(1, 8), size=2, bounds=(0, 1, 4))
    c = np.array([[[3.0, 0], [4, 1], [0, 1], [3, 1]]])
    np.testing.assert_array_equal(column_factors(c, layout, Normalization.NONE), np.ones((1, 4, 2)))
    found = column_factors(c, layout, Normalization.UNIT)
    np.testing.assert_allclose(found[0, :, 0], [1 / 3, 1 / 5, 1 / 5, 1 / 5])
    np.testing.assert_allclose(found[0, :, 1], [1, *[3 ** -0.5] * 3])
    found = column_factors(c, layout, Normalization.MEAN)
    a, b = 2 - np.log2(3), 0     # round(log2 c) - log2 c of 3 and of 4
    np.testing.assert_allclose(found[0, :, 0], 2 ** np.array([a, *[(a + b) / 2] * 3]))
    np.testing.assert_allclose(found[0, :, 1], 1)


def rounded(values, **options):
    c = np.array(values, float).reshape(1, -1, 1)
    found = quantize(c, Layout.of((1, c.size), size=1), Options(normalize="none", **options))
    assert np.all((found.exponents >= 0) & (found.exponents < Options(**options).exponents))
    return found.values().reshape(-1).tolist()


def test_window_of_exponents():
    values = [8, -4.1, 1.4, 0.99, 0.51, 0.5, -0.49, 0]       # exponents 3 .. 0: window of 4
    assert rounded(values, exponents=4, low="flush") == [8, -4, 1, 1, 0, 0, 0, 0]
    assert rounded(values, exponents=4, low="clamp") == [8, -4, 1, 1, 1, 1, -1, 0]
    assert rounded(values, exponents=4, low="nearest") == [8, -4, 1, 1, 1, 1, 0, 0]
    assert rounded(values, exponents=1, low="nearest") == [8, -8, 0, 0, 0, 0, 0, 0]
    assert rounded([0, 0]) == [0, 0]


def test_top_of_least_error():
    few = [4.2, *[1.1] * 9]     # one great value, window of one: 1 is better than 4
    assert rounded(few, exponents=1, low="flush") == [4, *[0] * 9]
    assert rounded(few, exponents=1, low="flush", top="error") == [1] * 10


def test_scope_of_the_top():
    c = np.array([[[64.0], [32.0]], [[1.0], [0.4]]])
    layout = Layout.of((2, 2), size=1)
    options = Options(normalize="none", exponents=3, low="flush")
    assert quantize(c, layout, options).values()[1].ravel().tolist() == [1, 0.5]
    assert quantize(c, layout, replace(options, scope="layer")).values()[1].ravel().tolist() == [0, 0]


@pytest.mark.parametrize("columns", [1, 2, 3, 5])
def test_fits_are_least_squares(columns):
    layout = Layout(shape=(2, 13 * columns), size=columns, bounds=(0, 6, 13))
    w, c, b = normal(2, 13, columns), normal(2, 13, columns, seed=1), normal(2, 2, columns, columns, seed=2)
    kept = np.random.default_rng(3).random(c.shape) < 0.6
    basis, free = fit_basis(w, c, b, layout), fit_coefficients(w, b, layout)
    some = fit_coefficients(w, b, layout, kept)
    for m, (k, (start, end)) in ((m, s) for m in range(2) for s in enumerate(((0, 6), (6, 13)))):
        np.testing.assert_allclose(basis[m, k], np.linalg.lstsq(c[m, start:end], w[m, start:end])[0],
                                   rtol=1e-7, atol=1e-9)
        for i in range(start, end):
            np.testing.assert_allclose(free[m, i], np.linalg.lstsq(b[m, k].T, w[m, i])[0],
                                       rtol=1e-7, atol=1e-9)
            js = np.flatnonzero(kept[m, i])
            assert np.all(some[m, i][~kept[m, i]] == 0)
            if js.size:
                np.testing.assert_allclose(some[m, i, js], np.linalg.lstsq(b[m, k, js].T, w[m, i])[0],
                                           rtol=1e-7, atol=1e-9)
    assert not inverses(b, layout, kept)[~kept.any(axis=2)].any()


def test_an_unused_row_of_the_basis_stays():
    layout = Layout.of((1, 12), size=3)
    c, b = normal(1, 4, 3), normal(1, 1, 3, 3, seed=1)
    c[:, :, 1] = 0
    found = fit_basis(normal(1, 4, 3, seed=2), c, b, layout)
    np.testing.assert_allclose(found[0, 0, 1], b[0, 0, 1], atol=1e-12)
    assert np.abs(found[0, 0, 0] - b[0, 0, 0]).max() > 0.01


@pytest.mark.parametrize("options", [
    {}, dict(normalize="none"), dict(normalize="unit", domain="log"), dict(top="error", scope="layer"),
    dict(element_share=0.6), dict(theta=0.1, row_factor=4, normalize="unit"), dict(exponents=8, low="clamp"),
    dict(row_share=0.4, channel_share=0.2), dict(low="flush", exponents=3)])
@pytest.mark.parametrize("shape", [(6, 8, 3, 3), (5, 100)])
def test_least_squares_steps_never_raise_the_error(options, shape):
    factors, trace = decompose(normal(*shape), Options(height=10, **options))
    # Two steps cannot raise it: B for fixed C, and C for fixed B. B is invertible here, so C is then exact.
    assert all(b <= q + 1e-9 for b, q in zip(trace.basis, trace.quantized, strict=True))
    assert all(c <= b + 1e-9 for c, b in zip(trace.coefficients, trace.basis, strict=False))
    assert max(trace.coefficients) < 1e-9
    assert len(trace.basis) == len(trace.coefficients) + 1 and trace.chosen >= 1
    # The best iteration is taken; B in 8 bits adds little.
    assert trace.basis[trace.chosen] == min(trace.basis[1:])
    assert abs(trace.rounded - trace.basis[trace.chosen]) < 0.02
    apart = np.linalg.norm(normal(*shape) - factors.weights()) / np.linalg.norm(normal(*shape))
    assert trace.rounded == pytest.approx(apart)


def slow(w, iterations, theta, row_factor):
    """papers.md 1.2 and 1.7, loop by loop: unit columns, linear, ties down, 7 powers from the greatest on."""
    def q(c):
        out = np.zeros_like(c)
        scaled = c.copy()
        for j in range(c.shape[1]):
            norm = sum(v ** 2 for v in c[:, j]) ** 0.5
            if norm > 0:
                scaled[:, j] = c[:, j] / norm
        powers = {}
        for (i, j), v in np.ndenumerate(np.abs(scaled)):
            if v > 0:
                e = int(np.ceil(np.log2(v)))
                powers[i, j] = e - 1 if v - 2.0 ** (e - 1) <= 2.0 ** e - v else e
        top = max(powers.values())
        for (i, j), p in powers.items():
            if p >= top - 6:
                out[i, j] = np.sign(c[i, j]) * 2.0 ** p
            elif abs(scaled[i, j]) >= 2.0 ** (top - 6) / 2:
                out[i, j] = np.sign(c[i, j]) * 2.0 ** (top - 6)
        return out

    c, errors = w.copy(), []
    for _ in range(iterations):
        found = q(c)
        b = np.linalg.lstsq(found, w)[0]
        errors.append(np.linalg.norm(w - found @ b) / np.linalg.norm(w))
        c = np.linalg.lstsq(b.T, w.T)[0].T
        for i in range(len(c)):
            if sum(abs(v) for v in c[i]) < row_factor * theta:
                c[i] = 0
            for j in range(c.shape[1]):
                if abs(c[i, j]) < theta:
                    c[i, j] = 0
    found = q(c)
    b = np.linalg.lstsq(found, w)[0]
    return found, b, [*errors, np.linalg.norm(w - found @ b) / np.linalg.norm(w)]


@pytest.mark.parametrize("seed, theta, row_factor", [(0, 0, 0), (1, 0.1, 0), (2, 0.08, 5), (3, 0.15, 3)])
def test_a_slow_reference_agrees(seed, theta, row_factor):
    weights = normal(1, 8, 3, 3, seed=seed)
    options = Options(iterations=4, best=False, tolerance=0, theta=theta, row_factor=row_factor,
                      normalize="unit")
    factors, trace = decompose(weights, options)
    found, b, errors = slow(weights.reshape(24, 3), 4, theta, row_factor)
    np.testing.assert_allclose(trace.basis, errors[:len(trace.basis)], rtol=1e-9)
    assert len(trace.basis) == 5 or errors[-1] == pytest.approx(errors[len(trace.basis) - 1])
    np.testing.assert_array_equal(factors.signs[0], np.sign(found))
    # Same coefficients but for the common power of two; same B within half a step of its 8 bits.
    ratio = factors.coefficients[0] / np.where(found != 0, found, 1)
    unit = ratio[found != 0][0]
    np.testing.assert_array_equal(factors.coefficients[0], found * unit)
    step = factors.scale[0] * unit
    assert np.abs(factors.basis[0, 0] * step - b).max() <= step / 2 * 1.001
    if theta:
        assert 0 < factors.zero_share < 0.9 and (row_factor == 0 or factors.zero_rows.any())


@pytest.mark.parametrize("normalize", ["none", "unit", "mean"])
def test_recovers_an_exact_product(normalize):
    """W = C B is found again, though C and B only up to factors: C D and D^-1 B, D diagonal, of +-2^k, give
    the same W. (So do permuted columns, which the start, C = W and B = 1, rules out for nearly diagonal B.)
    """
    rng = np.random.default_rng(4)
    c = rng.choice([-1.0, 1], (5, 24, 3)) * 2.0 ** rng.integers(0, 4, (5, 24, 3))
    # Off the diagonal B is so small that W, rounded, is C times a diagonal: then one fit of B is exact.
    b = np.eye(3) * rng.uniform(1, 2, (5, 1, 3)) + 0.0003 * rng.standard_normal((5, 3, 3))
    weights = (c @ b).reshape(5, 8, 3, 3)
    factors, trace = decompose(weights, Options(normalize=normalize))
    layout = factors.layout
    assert trace.basis[trace.chosen] < 1e-12
    found = factors.coefficients / c
    np.testing.assert_array_equal(found, np.broadcast_to(found[:, :1], found.shape))     # D
    assert np.all(np.log2(np.abs(found)) % 1 == 0)
    c = factors.coefficients.astype(float)
    exact = fit_basis(layout.matrices(weights), c, np.zeros((5, 1, 3, 3)), layout)
    np.testing.assert_allclose(layout.weights(layout.product(c, exact)), weights, atol=1e-9)
    assert trace.rounded < 0.01      # what 8 bits of B leave


def test_recovers_zeros():
    rng = np.random.default_rng(5)
    c = rng.choice([-1.0, 1], (2, 30, 3)) * 2.0 ** rng.integers(0, 3, (2, 30, 3))
    c *= rng.random(c.shape) < 0.4
    b = np.eye(3) + 0.01 * rng.standard_normal((2, 3, 3))
    factors, trace = decompose((c @ b).reshape(2, 10, 3, 3), Options(normalize="none", exponents=3))
    np.testing.assert_array_equal(factors.signs, np.sign(c))
    assert trace.basis[trace.chosen] < 1e-12


@pytest.mark.parametrize("share", [0.3, 0.85])
def test_shares_of_zeros(share):
    weights = normal(8, 10, 3, 3)
    factors, _ = decompose(weights, Options(element_share=share, low="clamp"))
    assert np.sum(factors.signs == 0) == int(share * 720 + 1e-9)
    factors, _ = decompose(weights, Options(row_share=share))
    assert np.sum(factors.zero_rows) == int(share * 240 + 1e-9)
    factors, _ = decompose(weights, Options(channel_share=share))
    assert np.sum(factors.zero_channels) == int(share * 10)
    options = Options(channel_share=0.2, row_share=share, element_share=0.9, low="clamp")
    factors, _ = decompose(weights, options)
    assert np.sum(factors.zero_channels) >= 2 and np.sum(factors.zero_rows) >= int(share * 240 + 1e-9)
    assert np.sum(factors.signs == 0) == 648


def test_the_least_go():
    weights = normal(4, 6, 3, 3)
    weights[:, [1, 4]] *= 0.1
    factors, _ = decompose(weights, Options(channel_share=0.34))
    assert np.flatnonzero(factors.zero_channels).tolist() == [1, 4]
    weights = normal(2, 9)
    weights[0, 3:6] *= 1e-3
    factors, _ = decompose(weights, Options(row_share=0.17))
    assert np.argwhere(factors.zero_rows).tolist() == [[0, 1]]


def test_better_options_are_better():
    weights = normal(16, 16, 3, 3)

    def error(**options):
        return decompose(weights, Options(**options))[1].rounded

    assert error(exponents=7) < error(exponents=3) < error(exponents=2) < error(exponents=1)
    assert error(basis_bits=8) < error(basis_bits=4) < error(basis_bits=2)
    assert error(iterations=30) < error(iterations=1)
    assert error(height=2) < error(height=64)     # 8 bases a filter instead of one


def test_zeros_and_ones():
    factors, trace = decompose(np.zeros((2, 3, 3, 3)))
    assert not factors.weights().any() and trace.rounded == 0
    weights = normal(3, 2, 3, 3)
    weights[1] = 0
    factors, _ = decompose(weights)
    assert factors.zero_filters.tolist() == [False, True, False] and factors.scale[1] > 0
    factors, trace = decompose(np.array([[-0.3]]), Options(size=1))
    np.testing.assert_allclose(factors.weights(), [[-0.3]], rtol=0.01)


@pytest.mark.parametrize("shape", [(8, 6, 3, 3), (8, 6, 5, 5), (6, 40)])
def test_weights_are_exact_in_float32(shape):
    exact = decompose(normal(*shape), Options(exponents=8))[0].weights()
    np.testing.assert_array_equal(exact.astype(np.float32).astype(np.float64), exact)


def test_kept_zeros_stay_and_the_rest_is_fitted_to_them():
    weights = normal(6, 5, 3, 3)
    kept = np.random.default_rng(1).random((6, 15, 3)) < 0.5
    factors, trace = decompose(weights, kept=kept)
    assert not factors.signs[~kept].any() and factors.signs[kept].any()
    assert all(c <= b + 1e-9 for c, b in zip(trace.coefficients, trace.basis, strict=False))
    layout = factors.layout
    matrices = layout.matrices(weights)
    plain = np.linalg.norm(matrices - matrices * kept) / np.linalg.norm(matrices)
    assert trace.coefficients[-1] < plain     # B turned into the directions that are left


def test_start_goes_on_from_factors():
    weights = normal(6, 5, 3, 3)
    first, trace = decompose(weights, Options(element_share=0.5))
    again, _ = decompose(first.weights(), Options(), kept=first.signs != 0, start=first)
    np.testing.assert_array_equal(again.signs, first.signs)
    np.testing.assert_array_equal(again.exponents, first.exponents)
    _, further = decompose(weights, Options(), kept=first.signs != 0, start=first)
    assert further.rounded <= trace.rounded + 1e-3


@pytest.mark.parametrize("shape, size", [((6, 5, 3, 3), 3), ((6, 40), 1), ((6, 40), 3)])
def test_rounding_projects_to_what_factors_can_be(shape, size):
    weights = normal(*shape)
    options = Options(element_share=0.5, size=size, height=3)
    factors, _ = decompose(weights, options)
    rounding = Rounding(factors, options)
    np.testing.assert_array_equal(rounding(factors.weights()), factors.weights().astype(np.float32))
    moved = factors.weights() + 2 * normal(*shape, seed=1)
    found = rounding.factors(moved)
    np.testing.assert_array_equal(rounding(moved), found.weights().astype(np.float32))
    assert np.array_equal(found.signs != 0, factors.signs != 0) and np.any(found.signs != factors.signs)
    np.testing.assert_array_equal(found.basis, factors.basis)
    # Each kept coefficient is the nearest power (0 .. 6) to the least-squares fit for that B.
    layout = factors.layout
    basis = factors.basis * factors.scale[:, None, None, None]
    c = fit_coefficients(layout.matrices(moved), basis, layout, factors.signs != 0)
    levels = np.ldexp(1.0, np.arange(7))
    nearest = levels[np.abs(np.abs(c)[..., None] - levels).argmin(axis=-1)] * np.where(c < 0, -1, 1)
    np.testing.assert_array_equal(found.coefficients, nearest * (factors.signs != 0))


@pytest.mark.parametrize("weights, message", [
    (np.array([[np.nan, 1]]), "weights must be finite, not contain NaN or infinity"),
    (np.zeros((2, 2, 2)), r"weights must be of 2 or 4 dimensions, none of them empty, not of \(2, 2, 2\)")])
def test_refuses_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        decompose(weights)


def test_refuses_another_layout():
    with pytest.raises(ValueError, match=r"kept must be of shape \(2, 2, 3\), not \(2, 6\)"):
        decompose(normal(2, 6), kept=np.ones((2, 6), bool))
    start, _ = decompose(normal(2, 6), Options(size=2))
    message = r"start must be of the layout Layout\(.*size=3.*, not Layout\(.*size=2"
    with pytest.raises(ValueError, match=message):
        decompose(normal(2, 6), start=start)


@pytest.mark.parametrize("change, message", [
    (dict(normalize="max"), "normalize must be one of unit, mean, none, not 'max'"),
    (dict(domain=2), "domain must be one of linear, log, not 2"),
    (dict(low="zero"), "low must be one of flush, clamp, nearest, not 'zero'"),
    (dict(top="mean"), "top must be one of greatest, error, not 'mean'"),
    (dict(scope="slice"), "scope must be one of layer, filter, not 'slice'"),
    (dict(size=0), "size must be an integer from 1 to 16, not 0"),
    (dict(exponents=9), "exponents must be an integer from 1 to 8, not 9"),
    (dict(basis_bits=8.0), "basis_bits must be an integer from 2 to 8, not 8.0"),
    (dict(height=0), "height must be None or an integer of at least 1, not 0"),
    (dict(iterations=0), "iterations must be an integer of at least 1, not 0"),
    (dict(theta=-1), "theta must be at least 0, not -1"),
    (dict(row_factor=-1), "row_factor must be at least 0, not -1"),
    (dict(channel_scale=-1), "channel_scale must be at least 0, not -1"),
    (dict(tolerance=-1), "tolerance must be at least 0, not -1"),
    (dict(element_share=1.0), "element_share must be at least 0 and less than 1, not 1.0"),
    (dict(row_share=-0.1), "row_share must be at least 0 and less than 1, not -0.1"),
    (dict(channel_share=2), "channel_share must be at least 0 and less than 1, not 2")])
def test_options_refuse(change, message):
    with pytest.raises(ValueError, match=message):
        Options(**change)
