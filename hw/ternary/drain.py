"""Reads the results of dot products out of the column array, scales and pools them."""

from amaranth import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..common.column import ColumnArray
from ..common.nest import Nest
from ..common.pool import MaxPool
from ..common.requantize import Requantizer
from .layouts import DESCRIPTOR, Destination, Kind, Widths

__all__ = ["DrainControl", "Drain"]


class DrainControl(wiring.Component):
    """Decides when a dot product may end, and steps through the lanes once it has.

    Members
    -------
    descriptor, start : In
    row_free : In(1), the destination can take a row; reserve : Out(1), one of ``vectors`` vectors is taken
    ready : Out(1), a last item may be issued; issued : In(1), it is
    advance_row : In(1), a row of an INPUT layer is complete
    final : Out(1), the loops stand at the last dot product (or row) of the layer
    table_address : Out, of the scale of the lanes in the next-but-one cycle's ``select``
    select : Out, to the column array; slot, lane, masked, first, last, ends : Out, with ``select``

    Timing: the first ``select`` comes ``ColumnArray.latency`` + 1 cycles after ``issued``; then N = P/D of them
    (transposed mode: one for each result, padded to a multiple of G or D), one a cycle. Two last items are at least
    max(N, ``least_gap``) cycles apart.
    """

    least_gap = 6

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1),
            "row_free": In(1), "reserve": Out(1), "vectors": Out(range(config.drain_cycles + 1)), "ready": Out(1), "issued": In(1), "advance_row": In(1),
            "final": Out(1), "table_address": Out(w.table),
            "valid": Out(1), "select": Out(range(config.drain_cycles)), "lane": Out(range(max(2, config.drain_width))),
            "masked": Out(config.drain_width), "first": Out(1), "last": Out(1), "ends": Out(1),
            "layer_ends": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, d, w = self._config, self.descriptor, Widths(self._config)
        m.submodules.loops = loops = Nest([w.m, w.local, w.local, w.pool, w.pool], registered=True)
        m.d.comb += [
            loops.reset.eq(self.start), loops.step.eq(self.issued | self.advance_row),
            loops.count0.eq(d.m_count), loops.count1.eq(d.i_count), loops.count2.eq(d.j_count),
            loops.count3.eq(d.pi_count), loops.count4.eq(d.pj_count), self.final.eq(loops.done),
        ]
        dense = d.kind == Kind.DENSE
        lane_bits = bits_for(config.drain_width - 1) if config.drain_width > 1 else 0
        # transposed mode: results still to come from this image; how many of them now, filled up to whole groups
        remaining, wanted = Signal(16), Signal(range(config.lanes + 1))
        length = Signal(range(config.lanes + 1))
        gap, following_gap = (Signal(signed(bits_for(max(config.lanes, self.least_gap)) + 1), init=-1, name=name)
                              for name in ("gap", "following_gap"))
        window_ends = loops.at_end3 & loops.at_end4
        # dot products end at least `least_gap` cycles apart, so these may follow `remaining` one after the other
        m.d.sync += [
            wanted.eq(Mux(remaining > config.lanes, config.lanes, remaining)),
            length.eq(Mux(d.destination == Destination.VECTOR,
                          _round_up(wanted, config.scatter_width), _round_up(wanted, config.drain_width))),
            following_gap.eq(Mux(length > self.least_gap, length, self.least_gap) - 2),
        ]
        with m.If(~dense):
            m.d.sync += length.eq(config.drain_cycles)
        m.d.comb += [
            self.vectors.eq(Mux(dense, length >> lane_bits, config.drain_cycles)),
            self.reserve.eq(self.issued & window_ends),
            self.ready.eq(gap[-1] & (self.row_free | ~window_ends)),
        ]
        with m.If(self.start):
            m.d.sync += [remaining.eq(d.outputs), gap.eq(-1)]
        with m.Elif(self.issued):
            m.d.sync += gap.eq(following_gap)
            m.d.sync += remaining.eq(Mux(loops.at_end1, d.outputs, remaining - config.lanes))
        with m.Elif(~gap[-1]):
            m.d.sync += gap.eq(gap - 1)

        # what the issued dot product's drain needs, kept until the results are there
        meta = data.StructLayout({
            "length": length.shape(), "wanted": wanted.shape(), "param": w.table,
            "rows": range(config.grid_rows + 1), "columns": range(config.grid_columns + 1),
            "first": 1, "last": 1, "final": 1})
        pending, active = Signal(meta), Signal(meta)
        param = Signal(w.table)
        with m.If(self.start):
            m.d.sync += param.eq(d.param_base)
        with m.Elif(self.issued):
            m.d.sync += [
                pending.length.eq(length), pending.wanted.eq(wanted), pending.param.eq(param),
                pending.rows.eq(d.i_last_cell + (loops.value1 <= d.i_last_local)),
                pending.columns.eq(d.j_last_cell + (loops.value2 <= d.j_last_local)),
                pending.first.eq((loops.value3 == 0) & (loops.value4 == 0)),
                pending.last.eq(window_ends), pending.final.eq(loops.done),
            ]
            with m.If(dense):
                m.d.sync += param.eq(Mux(loops.at_end1, d.param_base, param + config.lanes))
            with m.Elif(loops.carry0):
                m.d.sync += param.eq(param + 1)
        arrival = Signal(ColumnArray.latency - 1)
        m.d.sync += arrival.eq(Cat(self.issued, arrival))
        running, count = Signal(), Signal(range(config.lanes))
        ends = count == active.length - 1
        with m.If(arrival[-1]):
            m.d.sync += [active.eq(pending), count.eq(0), running.eq(1)]
        with m.Elif(running):
            m.d.sync += [count.eq(count + 1), running.eq(~ends)]
        with m.If(self.start):
            m.d.sync += [running.eq(0), arrival.eq(0)]
        m.d.comb += self.table_address.eq(active.param + Mux(dense, count, 0))
        m.d.sync += [
            self.valid.eq(running), self.select.eq(Mux(dense, count >> lane_bits, count)),
            self.lane.eq(count[:lane_bits] if lane_bits else 0),
            self.masked.eq(Mux(dense, (count >= active.wanted).replicate(config.drain_width),
                               self._outside(count, active))),
            self.first.eq(active.first), self.last.eq(active.last), self.ends.eq(ends),
            self.layer_ends.eq(ends & active.final),
        ]
        return m

    def _outside(self, slot, active):
        """For each lane of the slot: whether its cell's pixel is beyond the map."""
        config = self._config
        slots = []
        for s in range(config.drain_cycles):
            cells = [divmod((s * config.drain_width + n) % config.image_lanes, config.grid_columns)
                     for n in range(config.drain_width)]
            slots.append(Cat((i >= active.rows) | (j >= active.columns) for i, j in cells))
        return Array(slots)[slot[:bits_for(config.drain_cycles - 1)]]


def _round_up(value, unit):
    """``value`` up to a multiple of ``unit``, a power of two."""
    bits = bits_for(unit - 1) if unit > 1 else 0
    return ((value + unit - 1) >> bits) << bits


class Drain(wiring.Component):
    """Scales the selected lanes' results, packs those of the transposed mode into vectors, and pools.

    Members
    -------
    descriptor : In(DESCRIPTOR)
    control : the outputs of DrainControl of the same names
    result : In, of the column array; scale : In, table word, both one cycle after ``select``
    o_valid, o_values, o_slot, o_ends, o_layer_ends : Out, D values of 16 bits; ``o_ends``: of a row

    Timing: ``latency`` cycles from ``select`` to ``o_valid``.
    """

    def __init__(self, config):
        self._config = config
        self._scalers = [Requantizer(config.acc_width, config.scale_width) for _ in range(config.drain_width)]
        self._pool = MaxPool(config.drain_width, config.drain_cycles)
        #: the column array's output register, scaling, packing, pooling
        self.latency = 1 + self._scalers[0].latency + 1 + self._pool.latency
        super().__init__({
            "descriptor": In(DESCRIPTOR),
            "valid": In(1), "select": In(range(config.drain_cycles)), "lane": In(range(max(2, config.drain_width))),
            "masked": In(config.drain_width), "first": In(1), "last": In(1), "ends": In(1), "layer_ends": In(1),
            "result": In(data.ArrayLayout(signed(config.acc_width), config.drain_width)),
            "scale": In(config.table_width),
            "o_valid": Out(1), "o_values": Out(data.ArrayLayout(signed(16), config.drain_width)),
            "o_slot": Out(range(config.drain_cycles)), "o_ends": Out(1), "o_layer_ends": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, d, scale = self._config, self.descriptor, self.scale
        dense = d.kind == Kind.DENSE
        flags = Cat(self.masked, self.lane, self.select, self.first, self.last, self.ends, self.layer_ends)
        flags, valid = self._delayed(m, flags, 1 + self._scalers[0].latency)
        fields = []
        for like in (self.masked, self.lane, self.select, self.first, self.last, self.ends, self.layer_ends):
            fields.append(flags[:len(like)])
            flags = flags[len(like):]
        masked, lane, slot, first, last, ends, layer_ends = fields

        packed = Signal(data.ArrayLayout(signed(16), config.drain_width), reset_less=True)
        for n, scaler in enumerate(self._scalers):
            m.submodules[f"scaler{n}"] = scaler
            m.d.comb += [
                scaler.acc.eq(self.result[n]), scaler.bias.eq(scale[:config.acc_width].as_signed()),
                scaler.scale.eq(scale[config.acc_width:][:config.scale_width]), scaler.shift.eq(scale[-4:]),
                scaler.low.eq(d.low.as_signed()), scaler.high.eq(d.high.as_signed()),
            ]
            with m.If(~dense | (lane == n)):
                m.d.sync += packed[n].eq(Mux(masked[n], 0, scaler.y))
        m.submodules.pool = pool = self._pool
        complete = ~dense | (lane == config.drain_width - 1)
        vector = Signal(data.StructLayout({
            "valid": 1, "slot": range(config.drain_cycles), "first": 1, "last": 1, "ends": 1, "layer_ends": 1}))
        m.d.sync += [
            vector.valid.eq(valid & complete), vector.slot.eq(slot), vector.first.eq(first), vector.last.eq(last),
            vector.ends.eq(ends), vector.layer_ends.eq(layer_ends),
        ]
        m.d.comb += [
            pool.i.valid.eq(vector.valid), pool.i.p.x.eq(packed), pool.i.p.slot.eq(vector.slot),
            pool.i.p.first.eq(vector.first), pool.i.p.last.eq(vector.last),
            self.o_valid.eq(pool.o.valid), self.o_values.eq(pool.o.p.y), self.o_slot.eq(pool.o.p.slot),
        ]
        tail = Cat(vector.ends, vector.layer_ends)
        for n in range(pool.latency):
            register = Signal(2, name=f"tail{n}")
            m.d.sync += register.eq(tail)
            tail = register
        m.d.comb += Cat(self.o_ends, self.o_layer_ends).eq(tail)
        return m

    def _delayed(self, m, flags, cycles):
        """``flags`` and ``valid`` as they were ``cycles`` before."""
        valid = self.valid
        for n in range(cycles):
            register, mark = Signal(len(flags), name=f"flags{n}", reset_less=True), Signal(name=f"valid{n}")
            m.d.sync += [register.eq(flags), mark.eq(valid)]
            flags, valid = register, mark
        return flags, valid
