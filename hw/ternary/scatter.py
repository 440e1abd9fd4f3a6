"""Writes rows of results to every lane whose window they belong to."""

from itertools import pairwise

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..common.nest import Nest
from .layouts import DESCRIPTOR, Widths
from .row_buffer import RowBuffer
from .window_walk import WindowWalk

__all__ = ["ScatterControl", "Scatter"]


class ScatterControl(wiring.Component):
    """Names the operations of a layer's rows, one in ``scatter_step`` cycles.

    An operation: lanes ``group``, moved by ``a`` cells down and ``c`` right, to ``row`` + ``row_v``; in its
    cycle number ``bit`` (serial engines).

    Members
    -------
    descriptor : In(DESCRIPTOR), constant while a layer runs; start : In(1)
    available : In(1), a row is complete; load : Out(1), it is taken
    valid, bit, group, a, c, row, row_v : Out, one operation
    over : Out(1), the cycle after a row's last operation; done : Out(1), with the layer's last one
    """

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "available": In(1), "load": Out(1),
            "valid": Out(1), "bit": Out(range(config.scatter_step)),
            "group": Out(range(max(2, config.groups))), "a": Out(w.local), "c": Out(w.local),
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
        fits, last, group_end, step_end = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            fits.eq(walk_u.fits & walk_v.fits), walk_u.count.eq(u_count), walk_v.count.eq(v_count),
            group_end.eq(self.group == self._config.groups - 1),
            step_end.eq(self.bit == self._config.scatter_step - 1),
            last.eq(self.valid & step_end & group_end & ~u_more & ~v_more),
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
            m.d.sync += [self.valid.eq(0), self.bit.eq(0), channel.eq(d.out_base)]
        with m.Elif(next_row):
            m.d.sync += [self.valid.eq(0), self.bit.eq(0)]
            with m.If(loops.carry0):
                m.d.sync += channel.eq(channel + 1)
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


class Scatter(wiring.Component):
    """Writes each row of results to the rows of the row memory that need it, shifted by whole lanes.

    For the bit-serial array, which stands for rows of bits, an operation takes a cycle for each bit.

    Row (m, i, j) goes to window pixels (u, v) = (a*Ti + i + top, c*Tj + j + left) for all a, c with
    0 <= u < U and 0 <= v < V:

    row[out_base + u*out_u_row + v*out_v_row + m][b, I, J] = value of lane (b, I+a, J+c), or 0 off the grid

    Members
    -------
    descriptor : In(DESCRIPTOR), constant while a layer runs; start : In(1)
    free : Out(1), a row may be reserved; reserve : In(1)
    write, slot, values : In, part of the row that is filled; row_end : In(1), with its last part
    write_row, write_data, write_groups : Out, to the row memory, registered
    done : Out(1), one cycle: the last row of the layer was read; its last write follows within 3 cycles

    Timing: a row takes #u * #v * P/G * ``scatter_step`` cycles and one;
    its first write leaves 6 cycles after its last part came. ``row_slots`` rows are under way.
    Cost: G * log2(G) multiplexers for each bit that is written at once (A, or 1), ``row_slots`` * P
    activations of distributed memory.
    """

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1),
            "free": Out(1), "reserve": In(1),
            "write": In(1), "slot": In(range(config.drain_cycles)),
            "values": In(data.ArrayLayout(config.activation_width, config.drain_width)), "row_end": In(1),
            "write_row": Out(w.write_row), "write_data": Out(w.piece * config.scatter_width),
            "write_groups": Out(config.groups),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
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
            control.descriptor.eq(self.descriptor), control.start.eq(self.start),
            control.available.eq(full.any()),
            buffer.write.eq(self.write), buffer.slot.eq(self.slot), buffer.values.eq(self.values),
            buffer.fill.eq(row_written), buffer.drain.eq(control.over), buffer.clear.eq(self.start),
        ]
        self._move(m, control, buffer)
        return m

    def _move(self, m, control, buffer):
        """Stage by stage: the shift, the banks, the coarse rotation, the fine rotation and the mask."""
        config, piece = self._config, Widths(self._config).piece
        offset_bits = bits_for(config.scatter_width - 1)
        coarse = offset_bits // 2
        operation = data.StructLayout({
            "valid": 1, "bit": control.bit.shape(), "group": control.group.shape(),
            "row": control.row.shape(), "offset": offset_bits, "inside": config.scatter_width})
        stages = [Signal(operation, name=f"stage{n}") for n in range(3)]
        for before, after in pairwise(stages):
            m.d.sync += after.eq(before)

        lanes_moved = control.a.as_signed() * config.grid_columns + control.c.as_signed()
        shift = Signal(range(config.lanes))
        first, second, last = stages
        m.d.sync += [
            first.valid.eq(control.valid), first.bit.eq(control.bit), first.group.eq(control.group),
            first.row.eq(control.row + control.row_v), first.inside.eq(self._inside(control)),
            shift.eq(lanes_moved), first.offset.eq(lanes_moved),
        ]
        banks = Signal.like(buffer.bank_values)
        m.d.comb += [buffer.group.eq(first.group), buffer.shift.eq(shift)]
        m.d.sync += banks.eq(buffer.bank_values)
        values = Cat(bank.word_select(second.bit, piece) for bank in banks)
        turned = Signal.like(values)
        m.d.sync += turned.eq(_rotate(values, second.offset, range(coarse, offset_bits), piece))
        mask = Cat(bit.replicate(piece) for bit in last.inside)
        m.d.sync += [
            self.write_data.eq(_rotate(turned, last.offset, range(coarse), piece) & mask),
            self.write_row.eq(Cat(last.bit, last.row)),
            self.write_groups.eq(Mux(last.valid, 1 << last.group, 0)),
        ]

    def _inside(self, control):
        """For each lane of the group that is written: whether the lane that it takes from is on the grid."""
        config = self._config
        row_inside = _reachable(control.a, config.grid_rows)
        column_inside = _reachable(control.c, config.grid_columns)
        groups = []
        for g in range(config.groups):
            lanes = [(g * config.scatter_width + k) % config.image_lanes for k in range(config.scatter_width)]
            cells = [divmod(lane, config.grid_columns) for lane in lanes]
            groups.append(Cat(row_inside[i] & column_inside[j] for i, j in cells))
        return Array(groups)[control.group]


def _reachable(move, cells):
    """For each of ``cells`` positions: whether the one ``move`` (two's complement) further on is one, too."""
    moves = [move == n % (1 << len(move)) for n in range(1 - cells, cells)]
    return [Cat(moves[cells - 1 - n:2 * cells - 1 - n]).any() for n in range(cells)]


def _rotate(value, amount, bits, piece):
    """Pieces of ``value`` moved down by ``amount`` (its bits ``bits`` alone), cyclically."""
    for bit in bits:
        value = Mux(amount[bit], value.rotate_right(piece << bit), value)
    return value
