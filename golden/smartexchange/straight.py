"""The nearest coefficients for a given basis, as a function of the weights: training straight through it."""

from dataclasses import replace

import numpy as np

from .decompose import inverses
from .quantize import nearest_power

__all__ = ["Rounding"]


class Rounding:
    """The function W -> Q(argmin over C of ||W - C B||) B, with B and the zeros of C those of ``factors``.

    Q rounds to signs * 2 ** p, p in 0 .. ``options.exponents`` - 1: no other coefficient becomes zero. The
    factors' own weights are a fixed point. Arrays as in ``decompose``; the results of a call are float32.
    """

    def __init__(self, factors, options):
        self._factors, self._options = factors, options
        self._kept = factors.signs != 0
        self._basis = (factors.basis * factors.scale[:, None, None, None]).astype(np.float32)
        self._back = inverses(self._basis, factors.layout, self._kept)

    def _parts(self, weights):
        matrices = self._factors.layout.matrices(weights)
        c = np.einsum("fis,fist->fit", matrices, self._back)
        power = np.clip(nearest_power(np.abs(c), self._options), 0, self._options.exponents - 1)
        return np.where(c < 0, -1, 1).astype(np.int8) * self._kept, (power * self._kept).astype(np.int8)

    def __call__(self, weights):
        signs, exponents = self._parts(weights)
        layout = self._factors.layout
        return layout.weights(layout.product(np.ldexp(signs.astype(np.float32), exponents), self._basis))

    def factors(self, weights):
        """The Factors whose weights a call gives."""
        signs, exponents = self._parts(weights)
        return replace(self._factors, signs=signs, exponents=exponents)
