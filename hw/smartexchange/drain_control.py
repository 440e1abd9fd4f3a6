"""Decides when complete sums leave their memory, and says what becomes of them."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ...golden.smartexchange.config import FINISHED
from ..common.drain_flags import outside
from ..common.nest import Nest
from .layouts import DESCRIPTOR, Widths

__all__ = ["DrainControl"]


class DrainControl(wiring.Component):
    """Rule 4 of docs/engines/smartexchange-machine.md, "Timing".

    Members
    -------
    descriptor, start : In
    finished : In(1), one more complete sum may be drained from the next cycle on
    row_free : In(1), the destination can take a row; reserve : Out(1), one of ``vectors`` vectors is taken
    drained : Out(1), the last step of a sum's drain
    advance_row : In(1), a row of an INPUT layer is complete
    final : Out(1), the loops stand at the last sum (or row) of the layer
    read_finished, table_address : Out, of a vector of complete sums and of its scale: one cycle after a step
    part : Out, of ``read_finished``'s vector, one cycle later
    valid, select, masked, first, last, ends, layer_ends : Out, for `DrainFlags`, two cycles after a step

    Timing: N = P/D steps a sum, one a cycle, without a pause between sums.
    """

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "finished": In(1),
            "row_free": In(1), "reserve": Out(1), "vectors": Out(range(config.drain_cycles + 1)),
            "drained": Out(1), "advance_row": In(1), "final": Out(1),
            "read_finished": Out(w.finished), "part": Out(w.part), "table_address": Out(w.table),
            "valid": Out(1), "select": Out(range(w.slots)), "masked": Out(config.drain_width),
            "first": Out(1), "last": Out(1), "ends": Out(1), "layer_ends": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, d, w = self._config, self.descriptor, Widths(self._config)
        m.submodules.loops = loops = Nest([w.m, w.local, w.pool, w.local, w.pool])
        m.d.comb += [
            loops.count0.eq(d.m_count), loops.count1.eq(d.i_count), loops.count2.eq(d.pi_count),
            loops.count3.eq(d.j_count), loops.count4.eq(d.pj_count),
            loops.reset.eq(self.start), loops.step.eq(self.drained | self.advance_row),
            self.final.eq(loops.done), self.vectors.eq(config.drain_cycles),
        ]
        row_ends = loops.at_end2 & loops.at_end4
        waiting, running, begin, step = Signal(range(FINISHED + 1)), Signal(), Signal(), Signal()
        count, ends, place = Signal(range(config.drain_cycles)), Signal(), Signal(range(FINISHED))
        param = Signal(w.table)
        m.d.comb += [
            begin.eq((waiting != 0) & ~running & (self.row_free | ~row_ends)),
            self.reserve.eq(begin & row_ends), step.eq(begin | running), self.drained.eq(running & ends),
        ]
        m.d.sync += waiting.eq(waiting + self.finished - begin)
        with m.If(step):
            m.d.sync += [
                running.eq(~self.drained), count.eq(count + 1), ends.eq(count == config.drain_cycles - 2)]
        with m.If(self.drained):
            m.d.sync += place.eq(place + 1)
            with m.If(loops.carry0):
                m.d.sync += param.eq(param + 1)
        with m.If(self.start):
            m.d.sync += [
                waiting.eq(0), running.eq(0), count.eq(0), ends.eq(0), place.eq(0), param.eq(d.param_base)]

        meta = data.StructLayout({
            "count": range(config.drain_cycles), "j": bits_for(config.pool_columns - 1),
            "rows": range(config.grid_rows + 1), "columns": range(config.grid_columns + 1),
            "first": 1, "last": 1, "ends": 1, "layer_ends": 1})
        now, valid = Signal(meta, reset_less=True), Signal()
        vector = Signal(w.vector)
        m.d.comb += vector.eq(now.count >> w.part)
        m.d.sync += [
            valid.eq(step), now.count.eq(count), now.j.eq(loops.value3),
            now.rows.eq(d.i_last_cell + (loops.value1 <= d.i_last_local)),
            now.columns.eq(d.j_last_cell + (loops.value3 <= d.j_last_local)),
            now.first.eq((loops.value2 == 0) & (loops.value4 == 0)), now.last.eq(row_ends),
            now.ends.eq(ends), now.layer_ends.eq(ends & loops.done), self.table_address.eq(param),
        ]
        held = Signal.like(place)
        m.d.sync += held.eq(place)
        m.d.comb += self.read_finished.eq(Cat(vector, held))
        slot_bits = bits_for(config.drain_cycles - 1)
        m.d.sync += [
            self.valid.eq(valid), self.part.eq(now.count),
            self.select.eq(Cat(now.count, now.j[:bits_for(w.slots - 1) - slot_bits])),
            self.masked.eq(outside(config, now.count, now.rows, now.columns)),
            self.first.eq(now.first), self.last.eq(now.last),
            self.ends.eq(now.ends), self.layer_ends.eq(now.layer_ends),
        ]
        return m
