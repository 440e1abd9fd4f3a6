"""From a layer's descriptor to the terms of its dot products."""

from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..common.stream import Queue
from .item_reader import ItemReader
from .layouts import DESCRIPTOR, ITEM, Widths, basis_layout, item_layout, list_layout
from .list_walk import ListWalk

__all__ = ["ListReader"]


class ListReader(wiring.Component):
    """Emits the items of every dot product of a layer.

    Members
    -------
    descriptor : In(DESCRIPTOR), constant while a layer runs
    start : In(1), one cycle
    basis_address, basis_advance, basis : of the basis memory's read port: address, enable, word
    item_address, item_advance, item_word : likewise, of the item memory
    o : Out(stream of item_layout)

    Timing: the first item is offered ``latency`` cycles after ``start``; then one a cycle, without a gap, of
    lists of any length, and also after a stall.
    """

    latency = 9

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1),
            "basis_address": Out(w.basis), "basis_advance": Out(1), "basis": In(basis_layout(config)),
            "item_address": Out(w.item - 1), "item_advance": Out(1),
            "item_word": In(data.ArrayLayout(ITEM, 2)),
            "o": Out(stream.Signature(item_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.walk = walk = ListWalk(self._config)
        m.submodules.items = items = ItemReader(self._config)
        # whether an item is taken is decided late in a cycle, so nobody here learns of it in the same one
        m.submodules.lists = lists = Queue(list_layout(self._config), 2)
        m.submodules.queue = queue = Queue(item_layout(self._config), 2)
        wiring.connect(m, walk.o, lists.i)
        wiring.connect(m, lists.o, items.i)
        wiring.connect(m, items.o, queue.i)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        for part in (walk, items):
            m.d.comb += [part.descriptor.eq(self.descriptor), part.start.eq(self.start)]
        m.d.comb += [
            self.basis_address.eq(walk.address), self.basis_advance.eq(walk.advance),
            walk.basis.eq(self.basis),
            self.item_address.eq(items.address), self.item_advance.eq(items.advance),
            items.word.eq(self.item_word),
        ]
        return m
