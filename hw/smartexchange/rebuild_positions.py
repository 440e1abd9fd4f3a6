"""Walks the positions of a layer."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..common.filter_groups import FilterGroups
from ..common.nest import Nest
from .layouts import DESCRIPTOR
from .rebuild_layouts import RebuildWidths, position_layout

__all__ = ["PositionWalk"]


class PositionWalk(wiring.Component):
    """Names the positions of a layer; "Order" of docs/engines/smartexchange-rebuild.md.

    Members
    -------
    descriptor : In(DESCRIPTOR), constant while a layer runs; start : In(1), the layer's first one is next
    size : In, filters of a group
    valid : Out(1), position : Out(position_layout): there is one; ``row`` without a filter's own move
    step : In(1), while ``valid``: it is taken

    Timing: a position is there 3 cycles after ``start`` and after a ``step``.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "size": In(range(config.slices + 1)),
            "valid": Out(1), "position": Out(position_layout(config)), "step": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        d, w = self.descriptor, RebuildWidths(self._config)
        m.submodules.groups = groups = FilterGroups(w.m, self._config.slices)
        m.submodules.loops = loops = Nest([w.local, w.local, w.pool, w.pool])
        m.d.comb += [
            groups.count.eq(d.m_count), groups.size.eq(self.size), groups.start.eq(self.start),
            groups.advance.eq(self.step & loops.done),
            loops.count0.eq(d.i_count), loops.count1.eq(d.j_count), loops.count2.eq(d.pi_count),
            loops.count3.eq(d.pj_count), loops.reset.eq(self.start), loops.step.eq(self.step),
        ]
        pixel = self._pixels(m, loops)
        # rows of the memory: those of the filter, of the block's row and of the pooling window's row
        names, base = ("m", "i", "pi"), Signal(w.row)
        bases = [Signal(w.row, name=f"base_{name}") for name in names]
        moves = Cat(groups.advance, loops.carry0 & ~loops.at_end0, loops.carry2 & ~loops.at_end2)
        m.d.comb += base.eq(bases[1])   # behind the last row of the window
        with m.If(self.start):
            m.d.comb += base.eq(d.index_base)
        for k, stride in enumerate((self._times(d.index_m_stride, self.size), d.index_i_stride,
                                    d.index_pi_stride)):
            with m.Elif(moves[k]):
                m.d.comb += base.eq(bases[k] + stride)
        for k, register in enumerate(bases):
            changes = self.start | (self.step & (loops.carry2 if k == 2 else moves[:k + 1].any()))
            with m.If(changes):
                m.d.sync += register.eq(base)

        busy, out = Signal(2), Signal.like(self.position, reset_less=True)
        last = self.step & loops.done & groups.final
        m.d.sync += [
            busy.eq(Cat(self.start | (self.step & ~last), busy)),
            out.row.eq(bases[2] + pixel.run + pixel.move),
            out.mask.eq(Cat((s < d.tap_count) & (pixel.column + s >= 0)
                            & (pixel.column + s < d.column_count) for s in range(self._config.taps))),
        ]
        m.d.comb += self.position.eq(out)
        with m.If(self.step):
            m.d.sync += [self.valid.eq(0), out.first.eq(loops.done), out.half.eq(out.half ^ loops.done)]
        with m.Elif(busy[1]):
            m.d.sync += self.valid.eq(1)
        with m.If(self.start):
            m.d.sync += [self.valid.eq(0), out.first.eq(1), out.half.eq(0)]
        return m

    def _pixels(self, m, loops):
        """The run, the column in it of tap 0, and rows to both, of q = j*pj_count + pj."""
        d, w = self.descriptor, RebuildWidths(self._config)
        layout = data.StructLayout({
            "f": 5, "column": signed(9), "run": w.row, "move": w.row})
        now, saved, following, initial = (
            Signal(layout, name=name) for name in ("now", "saved", "following", "initial"))
        hop, skip = Signal(w.row), Signal(w.row)
        m.d.sync += [hop.eq(self._times(d.index_column_stride, d.hop)),
                     skip.eq(-self._times(d.index_column_stride, d.skip))]
        run_ends = now.f == d.run_outputs_less_1
        m.d.comb += [
            initial.column.eq(-d.skip), initial.move.eq(skip),
            following.f.eq(Mux(run_ends, 0, now.f + 1)),
            following.column.eq(Mux(run_ends, initial.column, now.column + d.hop)),
            following.run.eq(now.run + Mux(run_ends, d.index_run_stride, 0)),
            following.move.eq(Mux(run_ends, skip, now.move + hop)),
        ]
        with m.If(self.start | (self.step & loops.carry0)):
            m.d.sync += [now.eq(initial), saved.eq(initial)]
        with m.Elif(self.step & loops.carry1):
            m.d.sync += [now.eq(following), saved.eq(following)]
        with m.Elif(self.step & loops.carry2):
            m.d.sync += now.eq(saved)
        with m.Elif(self.step):
            m.d.sync += now.eq(following)
        return now

    def _times(self, stride, number):
        """A product with a small number: of filters, or of columns."""
        product = Mux(number[0], stride, 0)
        for n in range(1, len(number)):
            product = product + Mux(number[n], stride << n, 0)
        return product[:RebuildWidths(self._config).row]
