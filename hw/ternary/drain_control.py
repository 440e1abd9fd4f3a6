"""Decides when dot products may end, and which of their results leave the column array when."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..common.drain_flags import outside
from ..common.layouts import Destination, Kind
from ..common.nest import Nest
from .layouts import DESCRIPTOR, Widths

__all__ = ["DrainControl"]


class DrainControl(wiring.Component):
    """Decides when a dot product may end, and steps through the lanes once it has.

    Members
    -------
    descriptor, start : In
    row_free : In(1), the destination can take a row; reserve : Out(1), one of ``vectors`` vectors is taken
    ready : Out(1), a last item may be issued; issued : In(1), it is
    arrived : In(1), the issued dot product's results can be selected from two cycles later on
    advance_row : In(1), a row of an INPUT layer is complete
    final : Out(1), the loops stand at the last dot product (or row) of the layer
    table_address : Out, of the scale that is wanted with the selected results, two cycles before them
    select, part : Out, to the column array
    valid : Out(1), these results are complete (with their last part)
    lane, masked, first, last, ends, layer_ends : Out, with ``select``

    Timing: the first ``select`` comes two cycles after ``arrived``; then N = P/D of them (transposed mode:
    one for each result, padded to a multiple of G or D), one in ``drain_step`` cycles. Two last items are at
    least max(N, ``least_gap``) cycles apart; of a bit-serial array, the second comes after the first one's
    last ``select``.
    """

    least_gap = 6

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1),
            "row_free": In(1), "reserve": Out(1), "vectors": Out(range(config.drain_cycles + 1)),
            "ready": Out(1), "issued": In(1), "arrived": In(1), "advance_row": In(1),
            "final": Out(1), "table_address": Out(w.table),
            "valid": Out(1), "select": Out(range(config.drain_cycles)), "part": Out(range(config.drain_step)),
            "lane": Out(range(max(2, config.drain_width))),
            "masked": Out(config.drain_width), "first": Out(1), "last": Out(1), "ends": Out(1),
            "layer_ends": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, d, w = self._config, self.descriptor, Widths(self._config)
        m.submodules.loops = loops = Nest(w.loops)
        # a cycle late, for what depends on it has time until the next one is issued
        issued = Signal()
        m.d.sync += issued.eq(self.issued)
        window_ends = loops.at_end3 & loops.at_end4
        m.d.comb += [
            loops.reset.eq(self.start), loops.step.eq(issued | self.advance_row),
            loops.count0.eq(d.m_count), loops.count1.eq(d.i_count), loops.count2.eq(d.j_count),
            loops.count3.eq(d.pi_count), loops.count4.eq(d.pj_count), self.final.eq(loops.done),
        ]
        wanted, length = self._lengths(m, loops, issued)
        m.d.comb += [
            self.reserve.eq(issued & window_ends),
            self.ready.eq(self._room(m, length) & (self.row_free | ~window_ends)),
        ]

        # what the issued dot product's drain needs, kept until the results are there
        meta = data.StructLayout({
            "length": length.shape(), "wanted": wanted.shape(), "param": w.table,
            "rows": range(config.grid_rows + 1), "columns": range(config.grid_columns + 1),
            "first": 1, "last": 1, "final": 1})
        pending, active = Signal(meta), Signal(meta)
        param = Signal(w.table)
        with m.If(self.start):
            m.d.sync += param.eq(d.param_base)
        with m.Elif(issued):
            m.d.sync += [
                pending.length.eq(length), pending.wanted.eq(wanted), pending.param.eq(param),
                pending.rows.eq(d.i_last_cell + (loops.value1 <= d.i_last_local)),
                pending.columns.eq(d.j_last_cell + (loops.value2 <= d.j_last_local)),
                pending.first.eq((loops.value3 == 0) & (loops.value4 == 0)),
                pending.last.eq(window_ends), pending.final.eq(loops.done),
            ]
            with m.If(d.kind == Kind.DENSE):
                m.d.sync += param.eq(Mux(loops.at_end1, d.param_base, param + config.lanes))
            with m.Elif(loops.carry0):
                m.d.sync += param.eq(param + 1)
        with m.If(self.arrived):
            m.d.sync += active.eq(pending)
        self._select(m, active)
        return m

    def _lengths(self, m, loops, issued):
        """Results of the next dot product; and these with zeros behind them or, CONV, its vectors."""
        config, d = self._config, self.descriptor
        remaining = Signal(16)      # results still to come from this image
        wanted, length = Signal(range(config.lanes + 1)), Signal(range(config.lanes + 1))
        # dot products end at least `least_gap` cycles apart, so these may follow `remaining` one by one
        m.d.sync += [
            wanted.eq(Mux(remaining > config.lanes, config.lanes, remaining)),
            length.eq(Mux(d.destination == Destination.VECTOR,
                          _round_up(wanted, config.scatter_width), _round_up(wanted, config.drain_width))),
        ]
        with m.If(d.kind != Kind.DENSE):
            m.d.sync += length.eq(config.drain_cycles)
        with m.If(self.start):
            m.d.sync += remaining.eq(d.outputs)
        with m.Elif(issued):
            m.d.sync += remaining.eq(Mux(loops.at_end1, d.outputs, remaining - config.lanes))
        lane_bits = bits_for(config.drain_width - 1) if config.drain_width > 1 else 0
        m.d.comb += self.vectors.eq(Mux(d.kind == Kind.DENSE, length >> lane_bits, config.drain_cycles))
        return wanted, length

    def _room(self, m, length):
        """Whether the array has room for the next dot product's results."""
        if self._config.bit_serial:
            busy = Signal()
            with m.If(self.issued):
                m.d.sync += busy.eq(1)
            with m.Elif(self.valid & self.ends):
                m.d.sync += busy.eq(0)
            return ~busy
        gap_shape = signed(bits_for(max(self._config.lanes, self.least_gap)) + 1)
        gap, following = Signal(gap_shape, init=-1), Signal(gap_shape, init=-1)
        m.d.sync += following.eq(Mux(length > self.least_gap, length, self.least_gap) - 2)
        with m.If(self.start):
            m.d.sync += gap.eq(-1)
        with m.Elif(self.issued):
            m.d.sync += gap.eq(following)
        with m.Elif(~gap[-1]):
            m.d.sync += gap.eq(gap - 1)
        return gap[-1]

    def _select(self, m, active):
        """Steps through the results of the ``active`` dot product."""
        config, dense = self._config, self.descriptor.kind == Kind.DENSE
        lane_bits = bits_for(config.drain_width - 1) if config.drain_width > 1 else 0
        running, count, part = Signal(), Signal(range(config.lanes)), Signal.like(self.part)
        ends, part_ends = count == active.length - 1, part == config.drain_step - 1
        with m.If(self.arrived):
            m.d.sync += [count.eq(0), part.eq(0), running.eq(1)]
        with m.Elif(running & part_ends):
            m.d.sync += [count.eq(count + 1), part.eq(0), running.eq(~ends)]
        with m.Elif(running):
            m.d.sync += part.eq(part + 1)
        with m.If(self.start):
            m.d.sync += running.eq(0)
        # results of a bit-serial array come a cycle later
        m.d["sync" if config.bit_serial else "comb"] += (
            self.table_address.eq(active.param + Mux(dense, count, 0)))
        m.d.sync += [
            self.valid.eq(running & part_ends), self.part.eq(part),
            self.select.eq(Mux(dense, count >> lane_bits, count)),
            self.lane.eq(count[:lane_bits] if lane_bits else 0),
            self.masked.eq(Mux(dense, (count >= active.wanted).replicate(config.drain_width),
                               outside(config, count[:bits_for(config.drain_cycles - 1)], active.rows,
                                       active.columns) if config.convolution else 0)),
            self.first.eq(active.first), self.last.eq(active.last), self.ends.eq(ends),
            self.layer_ends.eq(ends & active.final),
        ]


def _round_up(value, unit):
    """``value`` up to a multiple of ``unit``, a power of two."""
    bits = bits_for(unit - 1) if unit > 1 else 0
    return ((value + unit - 1) >> bits) << bits
