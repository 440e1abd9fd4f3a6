"""Decides when the sums of a position are drained, and says what becomes of them."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay
from ..common.drain_flags import outside
from ..common.filter_groups import FilterGroups
from ..common.nest import Nest
from .layouts import DESCRIPTOR
from .rebuild_layouts import RebuildWidths

__all__ = ["RebuildDrain"]


class RebuildDrain(wiring.Component):
    """Rule 7 of docs/engines/smartexchange-rebuild.md, "Cycles", and what rule 6 must know of drains.

    Members
    -------
    descriptor, start : In; size : In, filters of a group
    end : In(1), a position ends; free : Out(1), it may
    released : Out(1), with ``end``: it is the last position of its group
    row_free : In(1), the destination can take a row; reserve : Out(1), one of ``vectors`` vectors is taken
    advance_row : In(1), a row of an INPUT layer is complete
    final : Out(1), the loops stand at the last sum (or row) of the layer
    table_address : Out, of the sum's scale: one cycle after a step
    valid, select, masked, first, last, ends, layer_ends : Out, for `DrainFlags`, two cycles after a step;
        ``select``: of filters and their vectors

    Timing: P/D steps a sum, one a cycle, without a pause between sums; the first one ``tree`` cycles after
    ``end``. A position may end ``free_after`` cycles after the last step of the one before.
    """

    tree = 8
    free_after = 1

    def __init__(self, config):
        self._config = config
        w = RebuildWidths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "size": In(range(config.slices + 1)),
            "end": In(1), "free": Out(1), "released": Out(1),
            "row_free": In(1), "reserve": Out(1), "vectors": Out(range(config.drain_cycles + 1)),
            "advance_row": In(1), "final": Out(1), "table_address": Out(w.table),
            "valid": Out(1), "select": Out(range(w.sums)), "masked": Out(config.drain_width),
            "first": Out(1), "last": Out(1), "ends": Out(1), "layer_ends": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, d, w = self._config, self.descriptor, RebuildWidths(self._config)
        m.submodules.loops = loops = Nest([w.local, w.local, w.pool, w.pool])
        m.submodules.groups = groups = FilterGroups(w.m, config.slices)
        drained, busy, param = Signal(), Signal(), self._parameter(m, groups)
        m.d.comb += [
            loops.count0.eq(d.i_count), loops.count1.eq(d.j_count), loops.count2.eq(d.pi_count),
            loops.count3.eq(d.pj_count), loops.reset.eq(self.start),
            loops.step.eq(groups.step & groups.last),
            groups.count.eq(d.m_count), groups.size.eq(self.size), groups.start.eq(self.start),
            groups.step.eq(drained | self.advance_row), groups.advance.eq(loops.step & loops.done),
            self.final.eq(loops.done & groups.last & groups.final), self.vectors.eq(config.drain_cycles),
            self.free.eq(~busy), self.released.eq(self.end & loops.done),
        ]
        with m.If(self.start | (drained & groups.last)):
            m.d.sync += busy.eq(0)
        with m.Elif(self.end):
            m.d.sync += busy.eq(1)

        row_ends = loops.at_end2 & loops.at_end3
        waiting, running, begin, step = Signal(), Signal(), Signal(), Signal()
        count, ends = Signal(range(config.drain_cycles)), Signal()
        m.d.comb += [
            begin.eq(waiting & ~running & (self.row_free | ~row_ends)), self.reserve.eq(begin & row_ends),
            step.eq(begin | running), drained.eq(running & ends),
        ]
        with m.If(delay(m, self.end, self.tree - 1, reset_less=False)):
            m.d.sync += waiting.eq(1)
        with m.Elif(begin & groups.last):
            m.d.sync += waiting.eq(0)
        with m.If(step):
            m.d.sync += [
                running.eq(~drained), count.eq(count + 1), ends.eq(count == config.drain_cycles - 2)]
        with m.If(self.start):
            m.d.sync += [waiting.eq(0), running.eq(0), count.eq(0), ends.eq(0)]

        meta = data.StructLayout({
            "count": range(config.drain_cycles), "filter": groups.filter.shape(),
            "rows": range(config.grid_rows + 1), "columns": range(config.grid_columns + 1),
            "first": 1, "last": 1, "ends": 1, "layer_ends": 1})
        now, valid = Signal(meta, reset_less=True), Signal()
        m.d.sync += [
            valid.eq(step), now.count.eq(count), now.filter.eq(groups.filter),
            now.rows.eq(d.i_last_cell + (loops.value0 <= d.i_last_local)),
            now.columns.eq(d.j_last_cell + (loops.value1 <= d.j_last_local)),
            now.first.eq((loops.value2 == 0) & (loops.value3 == 0)), now.last.eq(row_ends),
            now.ends.eq(ends), now.layer_ends.eq(ends & self.final), self.table_address.eq(param),
            self.valid.eq(valid), self.select.eq(Cat(now.count, now.filter)),
            self.masked.eq(outside(config, now.count, now.rows, now.columns)),
            self.first.eq(now.first), self.last.eq(now.last), self.ends.eq(now.ends),
            self.layer_ends.eq(now.layer_ends),
        ]
        return m

    def _parameter(self, m, groups):
        """Address of the filter's scale."""
        w = RebuildWidths(self._config)
        param, base = Signal(w.table), Signal(w.table)
        with m.If(groups.start):
            m.d.sync += [param.eq(self.descriptor.param_base), base.eq(self.descriptor.param_base)]
        with m.Elif(groups.step):
            m.d.sync += param.eq(param + 1)
            with m.If(groups.advance):
                m.d.sync += base.eq(param + 1)
            with m.Elif(groups.last):
                m.d.sync += param.eq(base)
        return param
