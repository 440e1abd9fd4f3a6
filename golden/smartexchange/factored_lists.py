"""Lists of items of a layer's filters, in expected values; docs/engines/smartexchange-machine.md."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .config import LENGTH_BITS
from .expectation import binomial, pieces, total
from .layers import MAX_EXPONENT
from .rebuild import HEIGHT

__all__ = ["Lists", "item_count", "lists_of", "signed_digits"]

LONGEST = (1 << LENGTH_BITS) - 1
ITEM, BASIS, TAP = 16, LENGTH_BITS + 3, 8   #: bits of an item; of a basis word, and more for each tap


@lru_cache
def signed_digits():
    """Distribution of the non-zero digits, 0 to 4, of an 8-bit weight as a sum of signed powers of two.

    Of the canonical form, the shortest one, which has no two digits side by side; all 256 values alike: 2.78
    on average. Its digits are the ones of 3 |v| xor |v|.
    """
    counts = [(3 * abs(v) ^ abs(v)).bit_count() for v in range(-128, 128)]
    return np.bincount(counts) / len(counts)


def item_count(coefficients):
    """Expected items of lists of so many coefficients, an array; an empty list has 2.

    Exponents are independent and all 8 alike [ours: those of a trained network lie closer together]. One that
    is missing between two others costs an item; exponent k is missing so with probability
    (7/8)^n - (k/8)^n - ((7-k)/8)^n.
    """
    n, levels = np.asarray(coefficients, float), MAX_EXPONENT + 1
    missing = sum((MAX_EXPONENT / levels) ** n - (k / levels) ** n - ((MAX_EXPONENT - k) / levels) ** n
                  for k in range(levels))
    return np.where(n > 0, n + missing, 2.0)


@dataclass(frozen=True, eq=False)
class Lists:
    """Lists of each filter: pairs (distribution of a list's coefficients, how many such lists)."""

    parts: tuple
    taps: int       #: S, columns of a row of the basis

    def moments(self, cycles):
        """Mean and variance of the sum over a filter's lists of ``cycles`` (an array) of a list's items."""
        average = variance = 0.0
        for part, count in self.parts:
            taken = cycles(item_count(np.arange(len(part))))
            one = float(part @ taken)
            average += count * one
            variance += count * float(part @ (taken - one) ** 2)
        return average, variance

    @property
    def items(self):
        """Expected items of a filter."""
        return self.moments(lambda items: items)[0]

    @property
    def count(self):
        """Lists of a filter."""
        return sum(count for _, count in self.parts)

    @property
    def bits(self):
        """Bits of a filter's items and basis words in a program."""
        return ITEM * self.items + (BASIS + TAP * self.taps) * self.count


@lru_cache(maxsize=4096)
def lists_of(layer, zeros, compressed, single=False):
    """Lists of each filter of ``layer``, of whose coefficients the share ``zeros`` is zero.

    Compressed: S lists for each slice of at most 64 * S rows; zero rows and zero elements are the same to
    them. With ``single``, 1x1 and fully connected layers are powers of two times one number (S = 1), as many
    of them zero. Weights that are left as they are, are sums of signed powers of two (``signed_digits``)
    times 1 (S = 1), in lists of so many that 3 digits of each fit.
    """
    if not compressed:
        return Lists(tuple((total([(signed_digits(), n)]), count)
                           for n, count in pieces(layer.taps, LONGEST // 3)), 1)
    if single and layer.kernel_columns == 1:
        return Lists(tuple((binomial(n, 1 - zeros), count) for n, count in pieces(layer.taps, LONGEST)), 1)
    size = layer.row_size
    return Lists(tuple((binomial(n, 1 - zeros), size * count)
                       for n, count in pieces(layer.coefficient_rows, HEIGHT * size)), size)
