"""Names the operations of a layer's rows on their way to the row memory."""

from amaranth import Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .filter_groups import FilterGroups
from .layouts import ArrayWidths
from .nest import Nest
from .window_walk import WindowWalk

__all__ = ["ScatterControl"]


class ScatterControl(wiring.Component):
    """Names the operations of a layer's rows, one in ``step`` cycles.

    Rows come in the order m, i, j; where ``filters`` is more than 1, in the order group, i, j, filter of the
    group, of groups of ``size`` filters.

    An operation: lanes ``group``, moved by ``a`` cells down and ``c`` right, to ``row`` + ``row_v``; in its
    cycle number ``bit`` (serial engines).

    Members
    -------
    descriptor : In(layout), constant while a layer runs; start : In(1)
    size : In, filters of a group; without groups of no meaning
    available : In(1), a row is complete; load : Out(1), it is taken
    valid, bit, group, a, c, row, row_v : Out, one operation
    over : Out(1), the cycle after a row's last operation; done : Out(1), with the layer's last one
    """

    def __init__(self, config, layout, step=1, filters=1):
        self._config, self._step, self._filters = config, step, filters
        w = ArrayWidths(config)
        super().__init__({
            "descriptor": In(layout), "start": In(1), "available": In(1), "load": Out(1),
            "valid": Out(1), "bit": Out(range(step)),
            "group": Out(range(max(2, config.groups))), "a": Out(w.local), "c": Out(w.local),
            "row": Out(w.row), "row_v": Out(w.row), "over": Out(1), "done": Out(1),
            "size": In(range(filters + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        d, w = self.descriptor, ArrayWidths(self._config)
        m.submodules.loops = loops = Nest([w.m, w.local, w.local])
        m.submodules.walk_u = walk_u = WindowWalk(w.local, w.row)
        m.submodules.walk_v = walk_v = WindowWalk(w.local, w.row)
        m.d.comb += [
            loops.reset.eq(self.start),
            loops.count1.eq(d.i_count), loops.count2.eq(d.j_count),
            walk_u.start.eq(self.start), walk_u.size.eq(d.i_count), walk_u.row.eq(d.out_u_row),
            walk_u.pad_rest.eq(d.out_u_first), walk_u.pad_cells.eq(d.out_a_first),
            walk_v.start.eq(self.start), walk_v.size.eq(d.j_count), walk_v.row.eq(d.out_v_row),
            walk_v.pad_rest.eq(d.out_v_first), walk_v.pad_cells.eq(d.out_c_first),
        ]
        channel, base, u, v = Signal(w.row), Signal(w.row), Signal(w.local), Signal(w.local)
        u_count, v_count = d.out_u_count[:w.local], d.out_v_count[:w.local]
        u_more, v_more = Signal(), Signal()
        fits, last, group_end, step_end = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            fits.eq(walk_u.fits & walk_v.fits), walk_u.count.eq(u_count), walk_v.count.eq(v_count),
            group_end.eq(self.group == self._config.groups - 1),
            step_end.eq(self.bit == self._step - 1),
            last.eq(self.valid & step_end & group_end & ~u_more & ~v_more),
            self.load.eq(self.available & walk_u.ready & walk_v.ready & ~self.valid),
        ]
        next_row = last | (self.load & ~fits)
        pixel_ends, final = self._filters_of(m, loops, next_row)
        m.d.sync += [self.over.eq(next_row), self.done.eq(next_row & loops.done & final)]
        v_start = [(self.c, walk_v.a), (self.row_v, walk_v.offset)]

        def go(position, more, to, step, count):
            """Statements for the next position of a window, and whether another one follows it."""
            return [position.eq(to), more.eq(to + step[:w.local] < count)]

        start_v = go(v, v_more, walk_v.u, d.j_count, v_count)
        m.d.comb += [
            loops.step.eq(next_row & pixel_ends),
            walk_u.step.eq(loops.step & loops.carry1), walk_u.wrap.eq(loops.at_end1),
            walk_v.step.eq(loops.step), walk_v.wrap.eq(loops.at_end2),
        ]
        with m.If(self.start):
            m.d.sync += [self.valid.eq(0), self.bit.eq(0), channel.eq(d.out_base), base.eq(d.out_base)]
        with m.Elif(next_row):
            m.d.sync += [self.valid.eq(0), self.bit.eq(0)]
            with m.If(~pixel_ends | loops.carry0):
                m.d.sync += channel.eq(channel + 1)
            with m.Elif(self._filters > 1):
                m.d.sync += channel.eq(base)
            with m.If(pixel_ends & loops.carry0):
                m.d.sync += base.eq(channel + 1)
        with m.Elif(self.load):
            m.d.sync += [
                self.valid.eq(1), self.group.eq(0),
                self.a.eq(walk_u.a), self.row.eq(channel + walk_u.offset),
            ]
            m.d.sync += go(u, u_more, walk_u.u, d.i_count, u_count) + start_v
            m.d.sync += [x.eq(start) for x, start in v_start]
        with m.Elif(self.valid & ~step_end):
            m.d.sync += self.bit.eq(self.bit + 1)
        with m.Elif(self.valid):
            m.d.sync += [self.group.eq(self.group + 1), self.bit.eq(0)]
            with m.If(group_end):
                m.d.sync += self.group.eq(0)
                m.d.sync += go(v, v_more, (v + d.j_count)[:w.local], d.j_count, v_count)
                m.d.sync += [self.c.eq(self.c + 1), self.row_v.eq(self.row_v + d.out_v_step)]
                with m.If(~v_more):
                    m.d.sync += start_v + [x.eq(start) for x, start in v_start]
                    m.d.sync += go(u, u_more, (u + d.i_count)[:w.local], d.i_count, u_count)
                    m.d.sync += [self.a.eq(self.a + 1), self.row.eq(self.row + d.out_u_step)]
        return m

    def _filters_of(self, m, loops, next_row):
        """Counts filters; whether the row is its pixel's last one of the group, and of the last group."""
        d = self.descriptor
        if self._filters == 1:
            m.d.comb += loops.count0.eq(d.m_count)
            return Const(1), Const(1)
        m.submodules.groups = groups = FilterGroups(ArrayWidths(self._config).m, self._filters)
        m.d.comb += [
            loops.count0.eq(1), groups.count.eq(d.m_count), groups.size.eq(self.size),
            groups.start.eq(self.start), groups.step.eq(next_row),
            groups.advance.eq(loops.step & loops.carry0),
        ]
        return groups.last, groups.last & groups.final
