"""Walks the loops of a layer and fetches the basis words of its lists."""

from functools import reduce
from operator import or_

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..common.nest import Nest
from .layouts import DESCRIPTOR, Widths, basis_layout, list_layout

__all__ = ["ListWalk"]


class ListWalk(wiring.Component):
    """Emits every list of a layer, each time that it is computed.

    Their order is that of docs/engines/smartexchange-machine.md, "Descriptors".

    Members
    -------
    descriptor : In(DESCRIPTOR), constant while a layer runs
    start : In(1), one cycle
    address : Out, advance : Out(1), address and enable of the basis memory's read port
    basis : In, its word, one cycle after ``address``
    o : Out(stream of list_layout)

    Timing: the first list is offered 3 cycles after ``start``; then one a cycle. ``advance`` stops all of it
    while ``o`` is stalled.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1),
            "address": Out(Widths(config).basis), "advance": Out(1), "basis": In(basis_layout(config)),
            "o": Out(stream.Signature(list_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        d, w = self.descriptor, Widths(self._config)
        m.submodules.loops = loops = Nest([w.m, w.local, w.pool, w.run, w.column, w.lists])
        names = ("m", "i", "pi", "run", "column")
        m.d.comb += [
            loops.count0.eq(d.m_count), loops.count1.eq(d.i_count), loops.count2.eq(d.pi_count),
            loops.count3.eq(d.run_count), loops.count4.eq(d.column_count), loops.count5.eq(d.lists),
            loops.reset.eq(self.start), self.advance.eq(~self.o.valid | self.o.ready),
        ]
        walking, following, filter_base = Signal(), Signal(w.basis), Signal(w.basis)
        # of the list that ``address`` is for: the first one of its column; the loop that led to that column
        first, initial, moved = Signal(), Signal(), Signal(len(names))
        m.d.comb += [following.eq(self.address + 1), loops.step.eq(walking & self.advance)]
        with m.If(self.start):
            m.d.sync += [walking.eq(1), first.eq(1), initial.eq(1), moved.eq(0)]
            m.d.sync += [self.address.eq(d.basis_base), filter_base.eq(d.basis_base)]
        with m.Elif(loops.step):
            m.d.sync += [walking.eq(~loops.done), first.eq(loops.at_end5), initial.eq(0)]
            m.d.sync += [self.address.eq(following)]
            for k in range(len(names)):
                m.d.sync += moved[k].eq(getattr(loops, f"carry{k}") & ~getattr(loops, f"at_end{k}"))
            with m.If(loops.carry0):
                m.d.sync += filter_base.eq(following)
            with m.Elif(loops.at_end5):
                m.d.sync += self.address.eq(filter_base)

        # in the cycle of the memory's word: the column's position, from where the loop that moved was before
        bases = [Signal(w.row, name=f"base_{name}") for name in names]
        valid, last, begins, again, is_first = Signal(), Signal(), Signal(), Signal(), Signal()
        base = Signal(w.row)
        # at most one of them: no priority, for a short way
        starts = [(initial, d.index_base), *((moved[k], (bases[k] + d[f"index_{name}_stride"])[:w.row])
                                             for k, name in enumerate(names))]
        m.d.comb += base.eq(reduce(or_, (Mux(this, start, 0) for this, start in starts)))
        out = Signal.like(self.o.p, reset_less=True)
        with m.If(self.advance):
            m.d.sync += [valid.eq(walking), last.eq(loops.at_end5), is_first.eq(first)]
            m.d.sync += [begins.eq(initial | moved[0]), again.eq(first & ~initial & ~moved[0])]
            for k, register in enumerate(bases):
                with m.If(initial | moved[:k + 1].any()):
                    m.d.sync += register.eq(base)
            m.d.sync += [
                self.o.valid.eq(valid), out.position.eq(bases[-1]), out.length.eq(self.basis.length),
                out.begins.eq(begins), out.again.eq(again), out.head.first.eq(is_first),
                out.head.last.eq(last), out.head.lift.eq(self.basis.lift), out.head.b.eq(self.basis.b),
            ]
        m.d.comb += self.o.p.eq(out)
        return m
