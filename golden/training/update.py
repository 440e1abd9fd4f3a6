"""Momentum and weight update: exact on their grids, but for the rounding of the stored accumulator."""

from dataclasses import dataclass

import numpy as np

from .arithmetic import saturate, shift_round
from .config import FRACTION, GRADIENT_BITS, MASTER_BITS, MASTER_FRACTION, WEIGHT_BITS
from .quantize import CONSTANT_FRACTION, direct

__all__ = ["ACCUMULATOR_FRACTION", "RATE_FRACTION", "Parameter", "plain_gradient"]

ACCUMULATOR_FRACTION = 12
"""The stored accumulator: k_Acc - 1."""

RATE_FRACTION = 9
"""The learning rate: k_lr - 1."""

MOMENTUM_FRACTION = 2
"""The momentum: k_Mom - 1."""

# What makes the update exact: the accumulator is on the gradient's grid, the step on the stored parameter's.
assert MOMENTUM_FRACTION + ACCUMULATOR_FRACTION == CONSTANT_FRACTION
assert CONSTANT_FRACTION + RATE_FRACTION == MASTER_FRACTION


def plain_gradient(total):
    """Gradient of gamma or beta: Q(total, 15), saturated to 16 bits."""
    return direct(total, CONSTANT_FRACTION, GRADIENT_BITS)


@dataclass(eq=False)
class Parameter:
    """A trained array, int64: ``master`` on the grid 2 ** -23, 24 bits, ``accumulator`` on 2 ** -12, 17."""

    master: np.ndarray
    accumulator: np.ndarray

    @classmethod
    def of(cls, values):
        """Of real ``values``, rounded to the grid 2 ** -15 (the paper's Q(W, 16)), accumulator 0."""
        lift = MASTER_FRACTION - 15
        rounded = np.rint(np.asarray(values, np.float64) * 2 ** 15).astype(np.int64)
        master = saturate(rounded << lift, MASTER_BITS)
        return cls(master, np.zeros_like(master))

    @property
    def rounded(self):
        """What products read: clip( round(master), +-127 ) on the grid 2 ** -7, int64."""
        return saturate(shift_round(self.master, MASTER_FRACTION - FRACTION), WEIGHT_BITS)

    def step(self, gradient, rate, momentum):
        """One update: ``gradient`` (Scaled, grid 2 ** -14), ``rate`` in 1 / 512, ``momentum`` in 1 / 4.

            acc' = momentum * acc + gradient        exact on the grid 2 ** -14 (2 + 12 = 14), 19 bits
            master = clip( master - rate * acc' )   exact on the grid 2 ** -23 (14 + 9 = 23), 24 bits
            acc = round( acc' )                     on the grid 2 ** -12: the only rounding

        |gradient| < 2 ** 15 and momentum <= 3/4: |acc'| <= 3/4 (|acc'| + 2) + 2 ** 15 - 1, thus at most 2 **
        17 + 2, and |acc| at most 2 ** 15.
        """
        fresh = momentum * self.accumulator + gradient.integers
        self.master = saturate(self.master - rate * fresh, MASTER_BITS)
        self.accumulator = shift_round(fresh, CONSTANT_FRACTION - ACCUMULATOR_FRACTION)
