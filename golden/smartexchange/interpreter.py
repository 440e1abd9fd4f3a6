"""Interpreter of binary programs, as docs/engines/smartexchange-machine.md specifies the machine.

Engines of the `rebuild` dataflow: docs/engines/smartexchange-rebuild.md.
"""

import numpy as np

from ..common.machine import ArrayMachine
from .column_array import ColumnArray
from .config import LENGTH_BITS
from .descriptor import Descriptor, Destination, Kind
from .layer_run import LayerRun
from .lists import ItemList
from .program import Memory, Program
from .rebuild_array import RebuildArray
from .rebuild_run import RebuildRun, group_order
from .rebuild_store import group_size, read_group
from .runs import contributions

__all__ = ["Machine"]


class Machine(ArrayMachine):
    """Memories of an engine, and what a program does with them; ``arrays`` is a tuple of `ColumnArray`, of
    a `rebuild` engine of one `RebuildArray`.

    ``items``, uint16 (item_depth,), are the item memory, ``basis``, a list of int, the basis memory's words.
    A descriptor that no engine has to understand (`runs.contributions` says which) raises ValueError.
    """

    PROGRAM, DESCRIPTOR = Program, Descriptor

    def __init__(self, config):
        super().__init__(config)
        self.items = np.zeros(config.item_depth, np.uint16)
        self.basis = [0] * config.basis_depth
        array = RebuildArray if config.rebuild else ColumnArray
        self.arrays = tuple(array(config, self.table) for _ in range(config.arrays))

    def _fill(self, memory, span, bits):
        if memory is Memory.ITEMS:
            halves = np.packbits(bits, axis=1, bitorder="little").view("<u2")
            self.items[2 * span.start:2 * span.stop] = halves.reshape(-1)
        else:
            self.basis[span] = [sum(1 << int(n) for n in np.flatnonzero(word)) for word in bits]

    def _execute(self, number, d):
        if d.kind is Kind.INPUT:
            self._take_input(d)
            return LayerRun(number, d, (), ())
        filters, columns = self._filters(d), contributions(d)
        if d.run_count * d.run_outputs != d.j_count * d.pj_count:
            raise ValueError(f"Outputs of all runs must be j_count * pj_count {d.j_count * d.pj_count}, "
                             f"not {d.run_count * d.run_outputs}")
        if self.config.rebuild:
            return self._rebuild(number, d, filters)
        self._store(d, [array.conv(d, filters, columns) for array in self.arrays])
        lengths = tuple(tuple(len(items.items) for items, _ in lists) for lists in filters)
        return LayerRun(number, d, lengths, columns)

    def _rebuild(self, number, d, filters):
        (array,), diagonal = self.arrays, d.index_m_stride != 0
        size = group_size(self.config, diagonal)
        groups = tuple(read_group(filters[first:first + size], first, d.tap_count, self.config, diagonal)
                       for first in range(0, d.m_count, size))
        digits = array.digits(d)
        run = RebuildRun(number, d, groups, np.count_nonzero(digits, axis=0).max(axis=1))
        values = array.conv_groups(d, groups, digits)
        if d.destination is Destination.STREAM:
            values = values.reshape(-1, self.config.lanes)[group_order(*values.shape[:3], size)]
        self._store(d, [values])
        return run

    def _filters(self, d):
        """Of each filter its lists, pairs (ItemList, row of the basis), from item and basis memory."""
        filters, at = [], d.item_base
        for m in range(d.m_count):
            lists = []
            for number in range(m * d.lists, (m + 1) * d.lists):
                word = self.basis[(d.basis_base + number) % len(self.basis)]
                length, lift = word & (1 << LENGTH_BITS) - 1, word >> LENGTH_BITS & 7
                taps = [(word >> LENGTH_BITS + 3 + 8 * s & 255 ^ 128) - 128
                        for s in range(max(d.tap_count, self.config.taps))]
                items = self.items[np.arange(at, at + length) % len(self.items)]
                lists.append((ItemList(tuple(items.tolist()), lift), taps))
                at += length
            filters.append(lists)
        return filters
