"""Parameters of integer training, and the number formats that are the same for all."""

from dataclasses import dataclass, fields

__all__ = ["ACTIVATION_BITS", "DEVIATION_FRACTION", "FACTOR_BITS", "FRACTION", "FRACTION_BITS",
           "GRADIENT_BITS", "GUARD_BITS", "MASTER_BITS", "MASTER_FRACTION", "PRODUCT_FRACTION", "RANDOM_BITS",
           "WEIGHT_BITS", "WIDE_BITS", "TrainingConfig"]

WEIGHT_BITS, ACTIVATION_BITS, FRACTION = 8, 8, 7
"""Weights, gammas, betas (signed), activations (unsigned): bits, and those behind the point."""

PRODUCT_FRACTION, WIDE_BITS = 14, 24
"""What products yield: bits behind the point, and bits it is saturated to."""

MASTER_BITS, MASTER_FRACTION = 24, 23
"""Stored parameters: k_WU."""

GRADIENT_BITS = 16
"""Gradients of gamma and beta (grid 2 ** -14) are saturated to so many bits; weights' need 8."""

DEVIATION_FRACTION = 15
"""Means and deviations: bits behind the point."""

GUARD_BITS, FACTOR_BITS = 8, 18
"""Batch normalization backward: extra bits behind the point of the error, and bits of both factors."""

RANDOM_BITS = 16
"""Bits of a random number, and of the fraction it is compared with."""

FRACTION_BITS = 7
"""Distance of the two steps of a flagged number, and bits of its magnitude: k - 1 for k = 8."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """What is open in the arithmetic; docs/engines/training.md.

    Raises ValueError with a sentence that names the parameter, what it must be and what it was.
    """

    error_bits: int = 8         #: errors behind products, E2: 8 (flagged, 9 bits stored) or 16
    normal_bits: int = 16       #: normalized values: bits ..
    normal_fraction: int = 12   #: .. and those behind the point
    momentum: int = 1           #: in quarters
    running_shift: int = 4      #: running statistics move by 2 ** -running_shift of the difference
    random_lanes: int = 8       #: shift registers of the stochastic rounding
    block: int = 16             #: operands of products are tiles of block by block numbers

    def __post_init__(self):
        for f in fields(self):
            if type(getattr(self, f.name)) is not int:
                raise ValueError(f"{f.name} must be an integer, not {getattr(self, f.name)!r}")
        if self.error_bits not in (8, 16):
            raise ValueError(f"error_bits must be 8 or 16, not {self.error_bits}")
        if self.block not in (4, 8, 16, 32):
            raise ValueError(f"block must be 4, 8, 16 or 32, not {self.block}")
        for name, least, most in (("normal_bits", 6, 20), ("normal_fraction", 3, self.normal_bits - 1),
                                  ("momentum", 0, 3), ("running_shift", 0, 15), ("random_lanes", 1, 64)):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be between {least} and {most}, not {getattr(self, name)}")
        if self.block % self.random_lanes:
            raise ValueError(f"block must be a multiple of random_lanes ({self.random_lanes}), "
                             f"not {self.block}")
