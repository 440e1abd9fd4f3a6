"""The real Fourier transform and its inverse in integers, bit by bit what the hardware computes.

Specification: docs/engines/circulant-transform.md.
"""

import numpy as np

from ..common.intervals import signed_width
from .transform_config import bins

__all__ = ["error_bound", "forward", "intervals", "inverse", "pack", "responses", "unpack", "widths"]


def pack(spectrum):
    """Slots (..., h, 2) of bins 0 .. h (..., h + 1), complex: real and imaginary parts in order of `bins`."""
    half = spectrum.shape[-1] - 1
    whole = np.concatenate([spectrum, np.conj(spectrum[..., -2:0:-1])], axis=-1)[..., bins(2 * half)]
    slots = np.stack([whole.real, whole.imag], axis=-1)
    slots[..., 0, 1] = spectrum[..., half].real
    return slots


def unpack(slots):
    """Bins 0 .. h (..., h + 1), complex, of ``slots`` (..., h, 2)."""
    half = slots.shape[-2]
    spectrum = np.zeros((*slots.shape[:-2], half + 1), complex)
    for n, f in enumerate(bins(2 * half)[1:], 1):
        value = slots[..., n, 0] + 1j * slots[..., n, 1]
        spectrum[..., min(f, 2 * half - f)] = value if f < half else np.conj(value)
    spectrum[..., 0], spectrum[..., half] = slots[..., 0, 0], slots[..., 0, 1]
    return spectrum


class _Integers:
    """The arithmetic itself, on int64."""

    def __init__(self, config):
        self._config = config

    def rotate(self, values, span):
        """``values`` (..., slots, 2) by the slots' factors."""
        bits = self._config.factor_bits
        c, s = self._config.factors(span)
        r, i = values[..., 0], values[..., 1]
        if span == 8:
            terms = (r + i, i - r) if s[0] > 0 else (r - i, i + r)
            return np.stack([(c * term + (1 << bits - 1)) >> bits for term in terms], axis=-1)
        return np.stack([self._turned(r, i, c, s), self._turned(i, r, c, -s)], axis=-1)

    def _turned(self, a, b, c, s):
        """About (c a + s b) / 2 ** T: products lose all bits but one behind the point."""
        cut = self._config.factor_bits - 1
        p, q = (c * a) >> cut, (abs(s) * b) >> cut
        return (p + np.where(s < 0, ~q, q) + 1) >> 1

    def butterfly(self, a, b):
        return a + b, a - b

    def halve(self, value):
        return (value + 1) >> 1


class _Linear(_Integers):
    """The same without any rounding, on floats; with rounded factors, or ``exact`` ones."""

    def __init__(self, config, exact=False):
        super().__init__(config)
        self._exact = exact

    def factors(self, span):
        if not self._exact:
            return (part / 2 ** self._config.factor_bits for part in self._config.factors(span))
        angles = 2 * np.pi * np.array(bins(span)[2::2]) / span
        return np.cos(angles), np.sin(angles) * (-1 if self._config.inverse else 1)

    def rotate(self, values, span):
        c, s = self.factors(span)
        r, i = values[..., 0], values[..., 1]
        return np.stack([c * r + s * i, c * i - s * r], axis=-1)

    def halve(self, value):
        return value / 2


class _Errors(_Linear):
    """Bounds of the distance from `_Linear`'s values, each rounding's added."""

    def __init__(self, config, amplitudes=None):
        super().__init__(config, exact=amplitudes is not None)
        self._amplitudes = amplitudes

    def rotate(self, values, span):
        rounding = 0.5 if span == 8 else 1.0
        c, s = map(abs, _Linear(self._config).factors(span))
        r, i = values[..., 0], values[..., 1]
        found = np.stack([c * r + s * i, c * i + s * r], axis=-1) + rounding
        if self._amplitudes is None:
            return found
        # Factors are rounded, too: their errors times what they may meet.
        dc, ds = (abs(a - b) for a, b in zip(
            _Linear(self._config, exact=True).factors(span), _Linear(self._config).factors(span),
            strict=True))
        most = self._amplitudes[span]
        r, i = most[..., 0], most[..., 1]
        return found + np.stack([dc * r + ds * i, dc * i + ds * r], axis=-1)

    def butterfly(self, a, b):
        return a + b, a + b

    def halve(self, value):
        return value / 2 + 0.5


def _forward(x, config, arithmetic, trace):
    values = x[..., None, None]                     # (..., spectra, slots, parts)
    for span, shift in zip(config.spans, config.shifts, strict=True):
        count = config.size // span
        even, odd = values[..., :count, :, :], values[..., count:, :, :]
        odd = _rotated(odd, span, arithmetic, trace)
        sums, differences = arithmetic.butterfly(even, odd)
        if span == 2:
            values = np.concatenate([sums, differences], axis=-1)
        else:
            values = np.stack([sums, differences], axis=-2)     # (..., slots, 2, parts)
            values[..., 0, 0, 1] = differences[..., 0, 0]
            values[..., 0, 1, 0] = even[..., 0, 1]
            values[..., 0, 1, 1] = arithmetic.butterfly(0, odd[..., 0, 1])[1]
            values = values.reshape(*sums.shape[:-2], -1, 2)
        values = arithmetic.halve(values) if shift else values
        trace["sums", span] = values
    return values[..., 0, :, :]


def _inverse(slots, config, arithmetic, trace):
    values = slots[..., None, :, :]                 # (..., spectra, slots, parts)
    for span, shift in zip(config.spans, config.shifts, strict=True):
        if span == 2:
            pair = np.stack(arithmetic.butterfly(values[..., :1], values[..., 1:]), axis=-4)
        else:
            slots = values.reshape(*values.shape[:-2], -1, 2, 2)
            pair = np.stack(arithmetic.butterfly(slots[..., 0, :], slots[..., 1, :]), axis=-4)
            ends = arithmetic.butterfly(values[..., 0, 0], values[..., 0, 1])
            pair[..., 0, 0] = np.stack(ends, axis=-2)
            middle = 2 * values[..., 1, 0], arithmetic.butterfly(0, 2 * values[..., 1, 1])[1]
            pair[..., 0, 1] = np.stack(middle, axis=-2)
        pair = arithmetic.halve(pair) if shift else pair
        trace["sums", span] = pair
        odd = _rotated(pair[..., 1, :, :, :], span, arithmetic, trace)
        values = np.concatenate([pair[..., 0, :, :, :], odd], axis=-3)
    return values[..., 0, 0]


def _rotated(odd, span, arithmetic, trace):
    """``odd``, slots from 1 on times their factors; there are none below a span of 8."""
    if span < 8:
        return odd
    trace["turned", span] = odd[..., 1:, :]
    odd = np.concatenate([odd[..., :1, :], arithmetic.rotate(odd[..., 1:, :], span)], axis=-2)
    trace["rotated", span] = odd
    return odd


def _run(values, config, arithmetic):
    """The transform in the arithmetic given: the result, and what passes on the way."""
    trace = {}
    return (_inverse if config.inverse else _forward)(values, config, arithmetic, trace), trace


def responses(config, exact=False):
    """Of a unit in each input, without rounding: the results and what passes on the way, (k, ...) each.

    Factors are rounded, if not ``exact``.
    """
    units = np.eye(config.size)
    if config.inverse:
        units = units.reshape(config.size, -1, 2)
    return _run(units, config, _Linear(config, exact))


def _errors(config, amplitudes=None):
    nothing = np.zeros((config.cycles, 2) if config.inverse else config.size)
    return _run(nothing, config, _Errors(config, amplitudes))


def intervals(config):
    """{(what, span): (least, most)} of all that passes on the way, for any input of ``config.width`` bits.

    "rotated": the odd part behind the rotation, "sums": the results of the butterflies. Each number is a
    linear form of the inputs, whose interval is known exactly, and an error of roundings, which is bounded.
    """
    low, high = -(1 << config.width - 1), (1 << config.width - 1) - 1
    _, errors = _errors(config)
    found = {}
    for key, forms in responses(config)[1].items():
        least = np.minimum(low * forms, high * forms).sum(axis=0) - errors[key]
        most = np.maximum(low * forms, high * forms).sum(axis=0) + errors[key]
        found[key] = int(np.floor(least.min())), int(np.ceil(most.max()))
    return found


def widths(config):
    """{(what, span): bits} of `intervals`."""
    return {key: signed_width(*ends) for key, ends in intervals(config).items()}


def error_bound(config, amplitude=None):
    """Bounds, (h, 2) or (k,), of each result's error against the exact transform / 2 ** sum(shifts).

    ``amplitude`` is the inputs' greatest magnitude, that of ``config.width`` bits if left out; with 0 bounds
    are those of roundings alone, against `responses`.

    The exact transforms are `pack` (numpy.fft.rfft(x)) and k * numpy.fft.irfft(`unpack` (slots)). Errors are
    those of roundings and of rounded factors, each times what later stages make of it.
    """
    amplitude = 1 << config.width - 1 if amplitude is None else amplitude
    amplitudes = {span: np.abs(forms).sum(axis=0) * amplitude
                  for (what, span), forms in responses(config, exact=True)[1].items() if what == "turned"}
    return _errors(config, amplitudes)[0]


def _checked(values, shape, config):
    values = np.asarray(values)
    if values.dtype.kind not in "iu":
        raise TypeError(f"values must be integers, not {values.dtype}")
    if values.shape[-len(shape):] != shape:
        raise ValueError(f"values must be of shape (..., {', '.join(map(str, shape))}), not {values.shape}")
    low, high = -(1 << config.width - 1), (1 << config.width - 1) - 1
    if values.size and (values.min() < low or values.max() > high):
        raise ValueError(f"values must be between {low} and {high}, not {values.min()} to {values.max()}")
    return values.astype(np.int64)


def forward(x, config):
    """Slots (..., h, 2), int64, of blocks ``x`` (..., k).

    About `pack` (numpy.fft.rfft(x)) / 2 ** sum(shifts).

    Raises TypeError for other than integers; ValueError for another shape, values of more than
    ``config.width`` bits, and a config of the inverse transform.
    """
    if config.inverse:
        raise ValueError("config must be of a forward transform, not of an inverse one")
    return _run(_checked(x, (config.size,), config), config, _Integers(config))[0]


def inverse(slots, config):
    """Blocks (..., k), int64, of ``slots`` (..., h, 2).

    About k numpy.fft.irfft(`unpack` (slots)) / 2 ** sum(shifts).

    Raises as `forward`, for a config of the forward transform.
    """
    if not config.inverse:
        raise ValueError("config must be of an inverse transform, not of a forward one")
    return _run(_checked(slots, (config.cycles, 2), config), config, _Integers(config))[0]
