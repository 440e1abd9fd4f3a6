"""How weights are split into sparse powers of two and a basis: every choice that the paper leaves open.

Why the defaults are what they are: docs/decisions/0020-smartexchange-choices.md.
"""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Domain", "Low", "Normalization", "Options", "Scope", "Top", "COEFFICIENT_BITS", "MAX_EXPONENTS"]

COEFFICIENT_BITS = 4    #: of a stored coefficient: its sign, and three bits for the exponent
MAX_EXPONENTS = 8


class Normalization(StrEnum):
    """What each column of the coefficients (of each slice) is divided by before it is rounded."""

    UNIT = "unit"       #: its norm (paper)
    MEAN = "mean"       #: 2 ** mean(log2 c - round(log2 c)) over its non-zeros c (follow-up's code)
    NONE = "none"       #: 1


class Domain(StrEnum):
    """In which sense a power of two is the nearest: where 2**p ends and 2**(p+1) begins."""

    LINEAR = "linear"   #: at 1.5 * 2**p
    LOG = "log"         #: at sqrt(2) * 2**p


class Low(StrEnum):
    """What becomes of a coefficient below the lowest power of two."""

    FLUSH = "flush"     #: 0
    CLAMP = "clamp"     #: the lowest power
    NEAREST = "nearest"    #: the lowest power from half of it on, else 0


class Top(StrEnum):
    """How the highest exponent is chosen."""

    GREATEST = "greatest"   #: that of the greatest coefficient
    ERROR = "error"     #: the best of it and the two below, by the squared error of rounding


class Scope(StrEnum):
    """Whose coefficients share the highest exponent."""

    LAYER = "layer"
    FILTER = "filter"


_ENUMS = {"normalize": Normalization, "domain": Domain, "low": Low, "top": Top, "scope": Scope}
_SHARES = ("element_share", "row_share", "channel_share")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Choices of ``decompose``. A share is a least share of zeros, of all coefficients, rows or channels.

    Shares of one layer nest: a zero channel's rows count as zero rows, a zero row's coefficients as zero
    coefficients. Enumerations may be given by their values (``low="flush"``).
    """

    size: int = 3               #: S of fully connected layers and 1x1 convolutions (others: kernel width)
    height: int | None = 64     #: slices have at most height * S rows; None: one slice a filter
    exponents: int = 7          #: number of powers: up to 7 leave a code for zero, 8 need a bitmap of zeros
    top: Top = Top.GREATEST
    scope: Scope = Scope.FILTER
    low: Low = Low.NEAREST
    domain: Domain = Domain.LINEAR
    ties_up: bool = False       #: of a coefficient exactly between two powers: the greater one
    normalize: Normalization = Normalization.MEAN
    theta: float = 0.0          #: coefficients below it, in magnitude and as normalized, become 0
    row_factor: float = 0.0     #: rows whose magnitudes sum to less than row_factor * theta become 0
    channel_scale: float = 0.0  #: filters whose batch normalization has a scale of lesser magnitude become 0
    element_share: float = 0.0  #: of coefficients: the least |c[i,j]| * ||B[j]|| become 0
    row_share: float = 0.0      #: of rows: the least ||c[i] B|| become 0
    channel_share: float = 0.0  #: of channels, the same in all filters: the least ||c B|| become 0
    iterations: int = 30
    tolerance: float = 1e-10    #: stop when the rounded coefficients change by no more (Frobenius norm)
    best: bool = True           #: the iteration of least error, not the last one
    basis_bits: int = 8         #: B is rounded to -(2**(bits-1) - 1) .. 2**(bits-1) - 1, one scale a filter

    def __post_init__(self):
        for name, kind in _ENUMS.items():
            value = getattr(self, name)
            if value not in list(kind):
                raise ValueError(f"{name} must be one of {', '.join(kind)}, not {value!r}")
            object.__setattr__(self, name, kind(value))
        for name, least, most in (("size", 1, 16), ("exponents", 1, MAX_EXPONENTS), ("basis_bits", 2, 8)):
            value = getattr(self, name)
            if not (type(value) is int and least <= value <= most):
                raise ValueError(f"{name} must be an integer from {least} to {most}, not {value!r}")
        if self.height is not None and not (type(self.height) is int and self.height >= 1):
            raise ValueError(f"height must be None or an integer of at least 1, not {self.height!r}")
        if not (type(self.iterations) is int and self.iterations >= 1):
            raise ValueError(f"iterations must be an integer of at least 1, not {self.iterations!r}")
        for name in ("theta", "row_factor", "channel_scale", "tolerance"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}")
        for name in _SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1, not {getattr(self, name)}")
