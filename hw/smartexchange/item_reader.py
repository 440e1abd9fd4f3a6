"""Fetches the items of lists."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import DESCRIPTOR, ITEM, Widths, head_layout, item_layout, list_layout

__all__ = ["ItemReader"]


class ItemReader(wiring.Component):
    """Emits the items of lists, in order.

    Members
    -------
    descriptor : In(DESCRIPTOR), constant while a layer runs
    start : In(1), one cycle: the next list is the layer's first one
    i : In(stream of list_layout)
    address : Out, advance : Out(1), address and enable of the item memory's read port
    word : In, two items, one cycle after ``address``
    o : Out(stream of item_layout)

    Timing: one item a cycle, without a gap as long as a list is there when the one before ends; the first one
    is offered 4 cycles after its list. ``advance`` stops all of it while ``o`` is stalled.
    """

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1),
            "i": In(stream.Signature(list_layout(config))),
            "address": Out(w.item - 1), "advance": Out(1), "word": In(data.ArrayLayout(ITEM, 2)),
            "o": Out(stream.Signature(item_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        w = Widths(self._config)
        busy, ends, left = Signal(), Signal(), Signal.like(self.i.p.length)
        pointer, filter_base, following = Signal(w.item), Signal(w.item), Signal(w.item)
        now = Signal.like(self.i.p, reset_less=True)
        step = busy & self.advance
        m.d.comb += [
            self.advance.eq(~self.o.valid | self.o.ready), self.i.ready.eq(~busy | (ends & self.advance)),
            following.eq(pointer + busy), self.address.eq(pointer >> 1),
        ]
        with m.If(self.start):
            m.d.sync += pointer.eq(self.descriptor.item_base)
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += [
                busy.eq(1), now.eq(self.i.p), left.eq(self.i.p.length - 1), ends.eq(self.i.p.length == 1),
                pointer.eq(Mux(self.i.p.again, filter_base, following)),
            ]
            with m.If(self.i.p.begins):
                m.d.sync += filter_base.eq(following)
        with m.Elif(step):
            m.d.sync += [busy.eq(~ends), left.eq(left - 1), ends.eq(left == 1), pointer.eq(following)]

        # the memory's word; the item; its row
        stage = data.StructLayout({"position": w.row, "last": 1, "head": head_layout(self._config)})
        second, third = (Signal(stage, name=name, reset_less=True) for name in ("second", "third"))
        half, item, out = Signal(), Signal(ITEM, reset_less=True), Signal.like(self.o.p, reset_less=True)
        valids = Signal(2)
        with m.If(self.advance):
            m.d.sync += [
                Cat(valids, self.o.valid).eq(Cat(busy, valids)), half.eq(pointer[0]),
                second.position.eq(now.position), second.last.eq(ends), second.head.eq(now.head),
                third.eq(second), item.eq(self.word[half]),
                out.row.eq(third.position + item.offset), out.negative.eq(item.negative),
                out.shift.eq(item.shift), out.last.eq(third.last), out.head.eq(third.head),
            ]
        m.d.comb += self.o.p.eq(out)
        return m
