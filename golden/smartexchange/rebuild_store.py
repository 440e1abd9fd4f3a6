"""From lists to coefficients: what a group of filters has in the coefficient store of a `rebuild` engine."""

from dataclasses import dataclass

import numpy as np

from .layers import MAX_EXPONENT
from .lists import item_fields

__all__ = ["Group", "group_size", "read_group", "read_list"]


@dataclass(frozen=True, eq=False)
class Group:
    """Filters that are computed together.

    Slice a works on filter ``first`` + a; its codes are those of the row of each offset. ``candidates`` of
    each line are the offsets that it looks at, in their order.
    """

    first: int
    signs: np.ndarray        #: int8 (filters, row_depth, S), -1, 0 or 1
    exponents: np.ndarray    #: int8 (filters, row_depth, S)
    numbers: np.ndarray      #: int8 (filters, row_depth): of the row's basis
    bases: np.ndarray        #: int8 (filters, bases, S, S), row j of a basis at [j]
    candidates: tuple[tuple[int, ...], ...]
    lists: int               #: lists that were read, those left out included
    items: int               #: items that were read

    @property
    def filters(self):
        """Filters of the group."""
        return len(self.signs)

    def weights(self):
        """w[s] = sum over j of code[j] * B[j, s], int64 (filters, row_depth, S)."""
        codes = self.signs.astype(np.int64) << self.exponents
        basis = np.take_along_axis(self.bases.astype(np.int64), self.numbers[:, :, None, None], axis=1)
        return np.einsum("aoj,aojs->aos", codes, basis)


def group_size(config, diagonal):
    """Filters of a group; those of depthwise layers stand on the ``diagonal`` of slices and lines."""
    return min(config.slices, config.lines) if diagonal else config.slices


def read_list(items):
    """Yields (offset, negative, exponent) of each item of an ItemList, backwards.

    The last one of an offset counts. Exponents count from ``lift``, modulo 8; an item of the same offset as
    the one before it keeps that one's.
    """
    level, before, exponent = items.lift, None, 0
    for item in reversed(items.items):
        offset, negative, shift = item_fields(item)
        if offset != before:
            before, exponent = offset, level & MAX_EXPONENT
        yield offset, negative, exponent
        level += int(shift)


def read_group(filters, first, taps, config, diagonal=False):
    """The Group of ``filters``, of each its lists: pairs of an ItemList and its row of the basis.

    ``first`` is the first one's number; ``taps`` is S of the layer, by which list l is column l mod S of
    basis l div S. Raises ValueError for lists that are not whole bases, or of too many.
    """
    lists = len(filters[0])
    if lists % taps or lists > taps * config.filter_bases:
        raise ValueError(f"Lists of a filter must be a multiple of the {taps} taps and at most "
                         f"{taps * config.filter_bases}, not {lists}")
    depth, count = config.row_depth, 0
    signs, exponents = np.zeros((2, len(filters), depth, taps), np.int8)
    numbers = np.zeros((len(filters), depth), np.int8)
    bases = np.zeros((len(filters), lists // taps, taps, taps), np.int8)
    candidates = [{} for _ in range(config.lines)]      # sets that keep their order
    for a, pairs in enumerate(filters):
        for number, (items, basis) in enumerate(pairs):
            k, j = divmod(number, taps)
            if not any(basis):
                continue
            bases[a, k, j] = basis[:taps]
            count += len(items.items)
            for offset, negative, exponent in read_list(items):
                o = offset % depth
                signs[a, o, j], exponents[a, o, j], numbers[a, o] = 1 - 2 * bool(negative), exponent, k
                candidates[a if diagonal else o % config.lines].setdefault(o)
    return Group(first, signs, exponents, numbers, bases, tuple(map(tuple, candidates)), lists * len(filters),
                 count)
