"""Writes rows of results to every lane whose window they belong to."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..common.nest import Nest
from .layouts import DESCRIPTOR, Widths

__all__ = ["RowBuffer", "WindowWalk", "ScatterControl", "Scatter"]


class RowBuffer(wiring.Component):
    """``row_slots`` rows of P activations: filled D at a time, read G at a time from any lane on.

    Bank n holds the lanes l with l mod G = n, so any G lanes in a row can be read at once:

    bank_values[(shift + k) mod G] = row[(group*G + shift + k) mod P],  k in 0..G

    Members
    -------
    write, slot, values : In, D activations of lanes slot*D .. slot*D + D - 1 of the row that is filled
    fill, drain : In(1), one cycle: go on to the next row, of filling and of reading; clear : In(1): start over
    group, shift : In
    bank_values : Out, combinational
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "write": In(1), "slot": In(range(config.drain_cycles)),
            "values": In(data.ArrayLayout(8, config.drain_width)),
            "fill": In(1), "drain": In(1), "clear": In(1),
            "group": In(range(max(2, config.groups))), "shift": In(range(config.lanes)),
            "bank_values": Out(data.ArrayLayout(8, config.scatter_width)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        size, drain, groups = config.scatter_width, config.drain_width, config.groups
        filled, read = Signal(range(config.row_slots)), Signal(range(config.row_slots))
        m.d.sync += [filled.eq(filled + self.fill), read.eq(read + self.drain)]
        with m.If(self.clear):
            m.d.sync += [filled.eq(0), read.eq(0)]
        steps = bits_for(size // drain - 1) if size > drain else 0
        group_bits = bits_for(groups - 1) if groups > 1 else 0
        offset = self.shift[:bits_for(size - 1)]
        # source lane = group * G + k + shift: bank (k + shift) mod G, entry group + (k + shift) div G
        entry, following = Signal(group_bits), Signal(group_bits)
        m.d.comb += [entry.eq(self.group + (self.shift >> bits_for(size - 1))), following.eq(entry + 1)]
        for n in range(size):
            bank = Memory(shape=8, depth=config.row_slots * groups, init=[])
            m.submodules[f"bank{n}"] = bank
            w, r = bank.write_port(), bank.read_port(domain="comb")
            m.d.comb += [
                w.addr.eq(Cat(self.slot[steps:], filled)), w.data.eq(self.values[n % drain]),
                w.en.eq(self.write & (self.slot[:steps] == n // drain)),
                r.addr.eq(Cat(Mux(offset > n, following, entry), read)),
                self.bank_values[n].eq(r.data),
            ]
        return m


class WindowWalk(wiring.Component):
    """Window coordinates that one local coordinate of a block feeds, along one axis.

    For local coordinates t = 0, 1, .. T-1 (each ``step``) gives the first u = (t + pad) mod T, its cell offset
    a = -((t + pad) div T) and its row offset u * ``row``. ``start`` needs pad mod T + 1 cycles before the first use.

    Members: ``size`` T, ``pad_rest`` = pad mod T, ``pad_cells`` = pad div T, ``row``: In, constant;
    ``wrap``: In(1) with ``step``: start over; ``u``, ``a``, ``offset``: Out.
    """

    def __init__(self, local_width, row_width):
        super().__init__({
            "size": In(local_width), "pad_rest": In(local_width), "pad_cells": In(local_width), "row": In(row_width),
            "start": In(1), "step": In(1), "wrap": In(1), "ready": Out(1),
            "u": Out(local_width), "a": Out(local_width), "offset": Out(row_width),
        })

    def elaborate(self, platform):
        m = Module()
        first = Signal.like(self.offset)
        following = Signal.like(self.u)
        m.d.comb += following.eq(self.u + 1)
        settling = Signal()
        m.d.comb += self.ready.eq(~settling)
        with m.If(self.start):
            m.d.sync += [self.u.eq(0), self.offset.eq(0), self.a.eq(-self.pad_cells), settling.eq(1)]
        with m.Elif(settling):
            with m.If(self.u == self.pad_rest):
                m.d.sync += [settling.eq(0), first.eq(self.offset)]
            with m.Else():
                m.d.sync += [self.u.eq(following), self.offset.eq(self.offset + self.row)]
        with m.Elif(self.step):
            with m.If(self.wrap):
                m.d.sync += [self.u.eq(self.pad_rest), self.offset.eq(first), self.a.eq(-self.pad_cells)]
            with m.Elif(following == self.size):
                m.d.sync += [self.u.eq(0), self.offset.eq(0), self.a.eq(self.a - 1)]
            with m.Else():
                m.d.sync += [self.u.eq(following), self.offset.eq(self.offset + self.row)]
        return m


class ScatterControl(wiring.Component):
    """Names the operations of a layer's rows, one a cycle: lanes ``group``, moved by ``a`` cells down and ``c`` right.

    Members: ``available``: In(1), a row is complete; ``load``: Out(1), it is taken; ``valid``, ``group``, ``a``, ``c``,
    ``row``: Out, one operation; ``over``: Out(1), the cycle after a row's last operation; ``done``: with the last one.
    """

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "available": In(1), "load": Out(1),
            "valid": Out(1), "group": Out(range(max(2, config.groups))), "a": Out(w.local), "c": Out(w.local),
            "row": Out(w.row), "row_v": Out(w.row), "over": Out(1), "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        d, w = self.descriptor, Widths(self._config)
        m.submodules.loops = loops = Nest([w.m, w.local, w.local])
        m.submodules.walk_u = walk_u = WindowWalk(w.local, w.row)
        m.submodules.walk_v = walk_v = WindowWalk(w.local, w.row)
        m.d.comb += [
            loops.reset.eq(self.start),
            loops.count0.eq(d.m_count), loops.count1.eq(d.i_count), loops.count2.eq(d.j_count),
            walk_u.start.eq(self.start), walk_u.size.eq(d.i_count), walk_u.row.eq(d.out_u_row),
            walk_u.pad_rest.eq(d.out_u_first), walk_u.pad_cells.eq(d.out_a_first),
            walk_v.start.eq(self.start), walk_v.size.eq(d.j_count), walk_v.row.eq(d.out_v_row),
            walk_v.pad_rest.eq(d.out_v_first), walk_v.pad_cells.eq(d.out_c_first),
        ]
        channel, u, v = Signal(w.row), Signal(w.local), Signal(w.local)
        u_count, v_count = d.out_u_count[:w.local], d.out_v_count[:w.local]
        u_more, v_more = Signal(), Signal()
        fits, last, group_end = Signal(), Signal(), Signal()
        m.d.comb += [
            fits.eq((walk_u.u < u_count) & (walk_v.u < v_count)),
            group_end.eq(self.group == self._config.groups - 1),
            last.eq(self.valid & group_end & ~u_more & ~v_more),
            self.load.eq(self.available & walk_u.ready & walk_v.ready & ~self.valid),
        ]
        next_row = last | (self.load & ~fits)
        m.d.sync += [self.over.eq(next_row), self.done.eq(next_row & loops.done)]
        v_start = [(self.c, walk_v.a), (self.row_v, walk_v.offset)]

        def go(position, more, to, step, count):
            """Statements for the next position of a window, and whether another one follows it."""
            return [position.eq(to), more.eq(to + step[:w.local] < count)]

        start_v = go(v, v_more, walk_v.u, d.j_count, v_count)
        m.d.comb += [
            loops.step.eq(next_row),
            walk_u.step.eq(next_row & loops.carry1), walk_u.wrap.eq(loops.at_end1),
            walk_v.step.eq(next_row), walk_v.wrap.eq(loops.at_end2),
        ]
        with m.If(self.start):
            m.d.sync += [channel.eq(d.out_base), self.valid.eq(0)]
        with m.Elif(next_row):
            m.d.sync += [self.valid.eq(0), channel.eq(channel + loops.carry0)]
        with m.Elif(self.load):
            m.d.sync += [
                self.valid.eq(1), self.group.eq(0),
                self.a.eq(walk_u.a), self.row.eq(channel + walk_u.offset),
            ]
            m.d.sync += go(u, u_more, walk_u.u, d.i_count, u_count) + start_v
            m.d.sync += [x.eq(start) for x, start in v_start]
        with m.Elif(self.valid):
            m.d.sync += self.group.eq(self.group + 1)
            with m.If(group_end):
                m.d.sync += self.group.eq(0)
                m.d.sync += go(v, v_more, (v + d.j_count)[:w.local], d.j_count, v_count)
                m.d.sync += [self.c.eq(self.c + 1), self.row_v.eq(self.row_v + d.out_v_step)]
                with m.If(~v_more):
                    m.d.sync += start_v + [x.eq(start) for x, start in v_start]
                    m.d.sync += go(u, u_more, (u + d.i_count)[:w.local], d.i_count, u_count)
                    m.d.sync += [self.a.eq(self.a + 1), self.row.eq(self.row + d.out_u_step)]
        return m


class Scatter(wiring.Component):
    """Writes each row of results to the rows of the row memory that need it, shifted by whole lanes.

    Row (m, i, j) goes to window pixels (u, v) = (a*Ti + i + top, c*Tj + j + left) for all a, c with 0 <= u < U and
    0 <= v < V: row[out_base + u*out_u_row + v*out_v_row + m][b, I, J] = value of lane (b, I+a, J+c), or 0 off the grid.

    Members
    -------
    descriptor : In(DESCRIPTOR), constant while a layer runs; start : In(1)
    free : Out(1), a row may be reserved; reserve : In(1)
    write, slot, values : In, part of the row that is filled; row_end : In(1), with its last part
    write_row, write_data, write_groups : Out, to the row memory, registered
    done : Out(1), one cycle: the last row of the layer was read; its last write follows within 3 cycles

    Timing: a row takes #u * #v * P/G cycles and one;
    its first write leaves 6 cycles after its last part came. ``row_slots`` rows are under way.
    Cost: G * 8 * log2(G) multiplexers, ``row_slots`` * P bytes of distributed memory.
    """

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1),
            "free": Out(1), "reserve": In(1),
            "write": In(1), "slot": In(range(config.drain_cycles)),
            "values": In(data.ArrayLayout(8, config.drain_width)), "row_end": In(1),
            "write_row": Out(w.row), "write_data": Out(8 * config.scatter_width), "write_groups": Out(config.groups),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, w = self._config, Widths(self._config)
        m.submodules.buffer = buffer = RowBuffer(config)
        m.submodules.control = control = ScatterControl(config)
        reserved, full = (Signal(range(config.row_slots + 1), name=name) for name in ("reserved", "full"))
        row_written = self.write & self.row_end
        m.d.sync += [
            reserved.eq(reserved + self.reserve - control.over),
            full.eq(full + row_written - control.load),
        ]
        with m.If(self.start):
            m.d.sync += [reserved.eq(0), full.eq(0)]
        m.d.comb += [
            self.free.eq(~reserved[-1]), self.done.eq(control.done),
            control.descriptor.eq(self.descriptor), control.start.eq(self.start), control.available.eq(full.any()),
            buffer.write.eq(self.write), buffer.slot.eq(self.slot), buffer.values.eq(self.values),
            buffer.fill.eq(row_written), buffer.drain.eq(control.over), buffer.clear.eq(self.start),
        ]

        valid = [Signal(name=f"valid{n}") for n in range(3)]
        group = [Signal.like(control.group, name=f"group{n}") for n in range(3)]
        row = [Signal(w.row, name=f"row{n}") for n in range(3)]
        offset_bits = bits_for(config.scatter_width - 1)
        shift = Signal(range(config.lanes))
        offset = [Signal(offset_bits, name=f"offset{n}") for n in range(2)]
        inside = [Signal(config.scatter_width, name=f"inside{n}") for n in range(3)]
        banks = Signal.like(buffer.bank_values)
        # one stage a line: the shift, the banks, the coarse rotation, the fine rotation and the mask
        m.d.sync += [valid[0].eq(control.valid), group[0].eq(control.group), row[0].eq(control.row + control.row_v)]
        m.d.sync += [shift.eq(control.a.as_signed() * config.grid_columns + control.c.as_signed())]
        m.d.sync += inside[0].eq(self._inside(control))
        m.d.comb += [buffer.group.eq(group[0]), buffer.shift.eq(shift)]
        m.d.sync += [banks.eq(buffer.bank_values), offset[0].eq(shift[:offset_bits])]
        coarse = offset_bits // 2
        turned = Signal.like(banks)
        m.d.sync += [turned.as_value().eq(_rotate(banks.as_value(), offset[0], range(coarse, offset_bits)))]
        m.d.sync += [offset[1].eq(offset[0])]
        for n in range(2):
            m.d.sync += [valid[n + 1].eq(valid[n]), group[n + 1].eq(group[n]), row[n + 1].eq(row[n])]
            m.d.sync += inside[n + 1].eq(inside[n])
        mask = Cat(bit.replicate(8) for bit in inside[2])
        m.d.sync += [
            self.write_data.eq(_rotate(turned.as_value(), offset[1], range(coarse)) & mask),
            self.write_row.eq(row[2]),
            self.write_groups.eq(Mux(valid[2], 1 << group[2], 0)),
        ]
        return m

    def _inside(self, control):
        """For each lane of the group that is written: whether the lane that it takes from is on the grid."""
        config = self._config
        row_inside = _reachable(control.a, config.grid_rows)
        column_inside = _reachable(control.c, config.grid_columns)
        groups = []
        for g in range(config.groups):
            lanes = [(g * config.scatter_width + k) % config.image_lanes for k in range(config.scatter_width)]
            groups.append(Cat(
                row_inside[lane // config.grid_columns] & column_inside[lane % config.grid_columns] for lane in lanes))
        return Array(groups)[control.group]


def _reachable(move, cells):
    """For each of ``cells`` positions: whether the one ``move`` (two's complement) further on is one of them, too."""
    moves = [move == n % (1 << len(move)) for n in range(1 - cells, cells)]
    return [Cat(moves[cells - 1 - n:2 * cells - 1 - n]).any() for n in range(cells)]


def _rotate(value, amount, bits):
    """Bytes of ``value`` moved down by ``amount`` (its bits ``bits`` alone), cyclically."""
    for bit in bits:
        value = Mux(amount[bit], value.rotate_right(8 << bit), value)
    return value
