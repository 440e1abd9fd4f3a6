"""Lists of items: the coefficients of one column, as docs/engines/smartexchange-machine.md writes them."""

from dataclasses import dataclass

import numpy as np

from .config import LENGTH_BITS, OFFSET_BITS

__all__ = ["EMPTY", "ItemList", "item_fields", "make_lists"]

_NEGATIVE, _SHIFT = 1 << OFFSET_BITS, 1 << OFFSET_BITS + 1
_LONGEST = (1 << LENGTH_BITS) - 1


def item_fields(items):
    """Fields of items, ints of 16 bits or an array of them: offset, negative, shift."""
    return items & _NEGATIVE - 1, (items & _NEGATIVE) != 0, (items & _SHIFT) != 0


@dataclass(frozen=True)
class ItemList:
    """Items, ints of 16 bits, in their order; what they sum up to counts 2 ** ``lift`` times."""

    items: tuple[int, ...]
    lift: int

    def dot(self, read):
        """The dot product, int64: ``read(offset)`` is an activation or an array of them, int64.

        T <- (T << shift) + (-x if negative else x), x = read(offset), from 0; modulo 2 ** 64.
        """
        total = np.int64(0)
        for item in self.items:
            offset, negative, shift = item_fields(item)
            term = read(offset)
            total = (total << int(shift)) + (-term if negative else term)
        return total

    def coefficients(self):
        """{offset: coefficient}, the sums of each row's terms; rows whose terms are nothing are left out."""
        found, level = {}, self.lift
        for item in reversed(self.items):
            offset, negative, shift = item_fields(item)
            found[offset] = found.get(offset, 0) + (-1 << level if negative else 1 << level)
            level += int(shift)
        return {offset: value for offset, value in found.items() if value}


EMPTY = ItemList((0, _NEGATIVE), 0)
"""The list without coefficients."""


def _terms(offset, negative, gap):
    """Items of a term that stands ``gap`` levels below the one before it (0: on its level)."""
    first = offset | _NEGATIVE * negative | _SHIFT * (gap > 0)
    return [first] + [offset | _NEGATIVE * (not negative) | _SHIFT] * (gap - 1)


def make_lists(signs, exponents, offsets):
    """ItemLists of one column of coefficients signs * 2 ** exponents, rows at ``offsets``.

    All (rows,), offsets of non-zero coefficients distinct. One list, or more where it would be longer than
    511 items: the first one then has as many coefficients as fit, and so on.
    """
    rows = np.flatnonzero(signs)
    rows = rows[np.lexsort((offsets[rows], -exponents[rows].astype(int)))]
    lists, items, level = [], [], 0
    for offset, exponent, negative in zip(offsets[rows].tolist(), exponents[rows].tolist(),
                                          (signs[rows] < 0).tolist(), strict=True):
        terms = _terms(offset, negative, level - exponent if items else 0)
        if len(items) + len(terms) > _LONGEST:
            lists.append(ItemList(tuple(items), level))
            items, terms = [], _terms(offset, negative, 0)
        items, level = items + terms, exponent
    return [*lists, ItemList(tuple(items), level)] if items else [EMPTY]
