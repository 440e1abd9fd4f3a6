"""SmartExchange's alternating decomposition of one layer (arXiv:2005.03403; papers.md 1.2)."""

from dataclasses import dataclass, replace

import numpy as np
from shiftwork.golden.common.admm import prune

from .factors import Factors
from .options import Normalization, Options
from .quantize import quantize
from .reshape import Layout

__all__ = ["Trace", "decompose", "fit_basis", "fit_coefficients", "inverses"]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Relative errors ||W - C B|| / ||W|| (Frobenius, the padding included) behind each step, by iteration.

    For fixed C the step to ``basis`` cannot raise the error, nor can, for fixed B, the one to
    ``coefficients`` (where ``kept`` leaves all coefficients free, that error is 0 if B is invertible).
    Rounding and sparsifying may. The last iteration has no ``coefficients`` and ``sparsified``.
    """

    quantized: tuple[float, ...]
    basis: tuple[float, ...]
    coefficients: tuple[float, ...]
    sparsified: tuple[float, ...]
    chosen: int         #: the iteration whose C and B were taken
    rounded: float      #: error with B rounded to integers


def fit_basis(matrices, coefficients, basis, layout):
    """B of least ||W - C B||^2, of each filter and slice: the solution that is nearest to ``basis``.

        B + pinv(C^T C) C^T (W - C B)

    So a row of B whose column of C is zero stays as it was. Shapes as in ``Layout.product``.
    """
    out = np.empty_like(basis)
    for k, (start, end) in enumerate(zip(layout.bounds, layout.bounds[1:], strict=False)):
        c, b = coefficients[:, start:end], basis[:, k]
        turned = c.transpose(0, 2, 1)
        inverse = np.linalg.pinv(turned @ c, rcond=1e-12, hermitian=True)
        out[:, k] = b + inverse @ (turned @ (matrices[:, start:end] - c @ b))
    return out


def inverses(basis, layout, kept):
    """The matrix of each row by which the row's weights give its coefficients, (filters, rows, S, S).

    Row i has the pseudo-inverse of those rows j of B for which ``kept`` (bool, (filters, rows, S)) is true,
    and columns of zeros for the others: W[i] times it is the C[i] of least ||W[i] - C[i] B||, zero elsewhere.
    """
    out = np.zeros((*kept.shape, layout.size), basis.dtype)
    patterns = kept @ (1 << np.arange(layout.size))
    for k, (start, end) in enumerate(zip(layout.bounds, layout.bounds[1:], strict=False)):
        for pattern in np.unique(patterns[:, start:end]):
            filters, rows = np.nonzero(patterns[:, start:end] == pattern)
            columns = np.flatnonzero(pattern >> np.arange(layout.size) & 1)
            if columns.size:
                full = np.zeros((layout.filters, layout.size, layout.size), basis.dtype)
                full[:, :, columns] = np.linalg.pinv(basis[:, k, columns], rcond=1e-10)
                out[filters, start + rows] = full[filters]
    return out


def fit_coefficients(matrices, basis, layout, kept=None):
    """C of least ||W - C B||^2 (of least norm), of each row; with ``kept`` (bool) zero where it is False."""
    if kept is None:
        return layout.product(matrices, np.linalg.pinv(basis, rcond=1e-10))
    return np.einsum("fis,fist->fit", matrices, inverses(basis, layout, kept))


def _share(share, norms):
    """Which of ``norms`` stay if ``share`` of them go, the least ones."""
    return prune(share)(norms) != 0 if share else np.ones(norms.shape, bool)


def _sparsify(coefficients, basis, layout, options):
    """``coefficients`` without those below the thresholds, then without the shares, in channels first."""
    c = coefficients
    if options.theta:
        strong = np.abs(c).sum(axis=2, keepdims=True) >= options.row_factor * options.theta
        c = np.where(strong & (np.abs(c) >= options.theta), c, 0)
    if options.channel_share or options.row_share:
        rows = np.sum(layout.product(c, basis) ** 2, axis=2)
        channels = rows.sum(axis=0).reshape(-1, layout.channel_rows).sum(axis=1)
        rows = rows * np.repeat(_share(options.channel_share, channels), layout.channel_rows)
        c = c * (_share(options.row_share, rows) & (rows > 0))[:, :, None]
    if options.element_share:
        norms = np.linalg.norm(basis, axis=3)
        c = c * _share(options.element_share, np.abs(c) * np.repeat(norms, layout.heights, axis=1))
    return c


def _rounded_basis(basis, layout, options):
    """B as integers (int8) and the scale of each filter, 1 where B is zero.

    A scale has so few significant bits (8 where S is 3) that all weights are exact in float32.
    """
    most = 2 ** (options.basis_bits - 1) - 1
    greatest = np.abs(basis).max(axis=(1, 2, 3))
    # Below it the quotients would overflow; such a filter is zero for every purpose.
    greatest = np.where(greatest > 1e-200, greatest, most)
    bits = 24 - int(layout.size * most * 2 ** (options.exponents - 1)).bit_length()
    fraction, exponent = np.frexp(greatest / most)
    scale = np.ldexp(np.ceil(np.ldexp(fraction, bits)), exponent - bits)
    return np.rint(basis / scale[:, None, None, None]).astype(np.int8), scale


def _check(weights, layout, kept, start):
    shape = (layout.filters, layout.rows, layout.size)
    if not np.all(np.isfinite(weights)):
        raise ValueError("weights must be finite, not contain NaN or infinity")
    if kept is not None and kept.shape != shape:
        raise ValueError(f"kept must be of shape {shape}, not {kept.shape}")
    if start is not None and start.layout != layout:
        raise ValueError(f"start must be of the layout {layout}, not {start.layout}")


def decompose(weights, options=None, *, groups=1, kept=None, start=None):
    """``weights`` (filters, inputs) or (filters, channels, R, S) as (Factors, Trace).

    C starts as W and B as the identity; then, until C rests or ``options.iterations`` are done:

        C = Q(C)                                   powers of two, columns normalized
        B = argmin ||W - C B||, then C = argmin ||W - C B||       least squares
        small coefficients, rows and channels of C become 0

    The result is the Q(C) and the B of the iteration of least error (or of the last one); at least one
    sparsifying step lies before it. With ``kept`` (bool, (filters, rows, S)), coefficients are 0 where it is
    False. With ``start`` (Factors of the same layout), B starts as theirs, C fitted to it, and columns are
    not normalized: what C was in ``start`` is a fixed point. Raises ValueError for weights that are not
    finite or not of 2 or 4 dimensions, and for a ``kept`` or ``start`` of another layout.
    """
    options = options or Options()
    layout = Layout.of(weights.shape, size=options.size, height=options.height, groups=groups)
    _check(weights, layout, kept, start)
    w = layout.matrices(np.asarray(weights, np.float64))
    norm = np.linalg.norm(w) or 1.0
    if start is None:
        basis = np.tile(np.eye(layout.size), (layout.filters, layout.slices, 1, 1))
        c = w if kept is None else w * kept
    else:
        options = replace(options, normalize=Normalization.NONE)
        basis = start.basis * start.scale[:, None, None, None]
        c = fit_coefficients(w, basis, layout, kept)
    errors = {name: [] for name in ("quantized", "basis", "coefficients", "sparsified")}
    before = best = None

    def note(name, coefficients):
        errors[name].append(float(np.linalg.norm(w - layout.product(coefficients, basis)) / norm))

    for number in range(options.iterations + 1):
        rounded = quantize(c, layout, options)
        values = rounded.values()
        note("quantized", values)
        basis = fit_basis(w, values, basis, layout)
        note("basis", values)
        # The first C has not been sparsified yet.
        if number and (best is None or not options.best or errors["basis"][-1] < errors["basis"][best[0]]):
            best = number, rounded, basis
        if number == options.iterations or number and np.linalg.norm(values - before) <= options.tolerance:
            break
        before = values
        c = fit_coefficients(w, basis, layout, kept)
        note("coefficients", c)
        c = _sparsify(c, basis, layout, options)
        note("sparsified", c)

    chosen, rounded, basis = best
    # A row of B that no coefficient uses stands for nothing, but would take part in the choice of the scale.
    used = np.stack([rounded.signs[:, a:b].any(axis=1)
                     for a, b in zip(layout.bounds, layout.bounds[1:], strict=False)], axis=1)
    basis = np.ldexp(basis * used[..., None], rounded.lowest[..., None])
    integers, scale = _rounded_basis(basis, layout, options)
    factors = Factors(layout=layout, signs=rounded.signs, exponents=rounded.exponents, basis=integers,
                      scale=scale)
    apart = np.linalg.norm(np.asarray(weights, np.float64) - factors.weights())
    return factors, Trace(**{name: tuple(found) for name, found in errors.items()}, chosen=chosen,
                          rounded=float(apart / norm))
