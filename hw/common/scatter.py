"""Decides which rows of results are written when, and to which lanes of the row memory."""

from amaranth import Array, Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .layouts import operation_layout
from .scatter_control import ScatterControl

__all__ = ["Scatter"]


class Scatter(wiring.Component):
    """Writes each row of results to the rows of the row memory that need it: what decides; `RowMover` moves.

    For the bit-serial array, which stands for rows of bits, an operation takes a cycle for each bit.

    Row (m, i, j) goes to window pixels (u, v) = (a*Ti + i + top, c*Tj + j + left) for all a, c with
    0 <= u < U and 0 <= v < V:

    row[out_base + u*out_u_row + v*out_v_row + m][b, I, J] = value of lane (b, I+a, J+c), or 0 off the grid

    Members
    -------
    descriptor : In(layout), constant while a layer runs; start : In(1); size : In, of `ScatterControl`
    free : Out(1), a row may be reserved; reserve : In(1)
    fill : In(1), the last part of a row has come
    drain : Out(1), a row was read, its last operation was one or two cycles before
    valid, operation : Out, one operation, registered
    done : Out(1), one cycle: the last row of the layer was read; its last write follows within 3 cycles

    Timing: a row takes #u * #v * P/G * ``step`` cycles and one; its first operation leaves 3 cycles
    after its last part came. ``row_slots`` rows are under way.
    """

    def __init__(self, config, layout, step=1, filters=1):
        self._config, self._layout, self._step, self._filters = config, layout, step, filters
        super().__init__({
            "descriptor": In(layout), "start": In(1), "free": Out(1), "reserve": In(1),
            "fill": In(1), "drain": Out(1), "valid": Out(1), "operation": Out(operation_layout(config, step)),
            "done": Out(1), "size": In(range(filters + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.control = control = ScatterControl(
            config, self._layout, self._step, self._filters)
        reserved, full = (Signal(range(config.row_slots + 1), name=name) for name in ("reserved", "full"))
        m.d.sync += [
            reserved.eq(reserved + self.reserve - control.over),
            full.eq(full + self.fill - control.load),
        ]
        with m.If(self.start):
            m.d.sync += [reserved.eq(0), full.eq(0)]
        m.d.comb += [
            self.free.eq(~reserved[-1]), self.done.eq(control.done), self.drain.eq(control.over),
            control.descriptor.eq(self.descriptor), control.start.eq(self.start),
            control.available.eq(full.any()), control.size.eq(self.size),
        ]
        operation = Signal(operation_layout(config, self._step), reset_less=True)
        m.d.sync += [
            self.valid.eq(control.valid), operation.bit.eq(control.bit), operation.group.eq(control.group),
            operation.row.eq(control.row + control.row_v), operation.inside.eq(self._inside(control)),
            operation.shift.eq(control.a.as_signed() * config.grid_columns + control.c.as_signed()),
        ]
        m.d.comb += self.operation.eq(operation)
        return m

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
