"""Scales and pools the results of dot products."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..common.pool import MaxPool
from ..common.requantize import Requantizer
from .layouts import DESCRIPTOR, Kind

__all__ = ["Drain"]


class Drain(wiring.Component):
    """Scales the selected lanes' results, packs those of the transposed mode into vectors, and pools.

    Members
    -------
    descriptor : In(DESCRIPTOR)
    control : the outputs of DrainControl of the same names
    result : In, of the column array; scale : In, table word, both one cycle after ``valid`` (two with a
        bit-serial array)
    o_valid, o_values, o_slot, o_ends, o_layer_ends : Out, D values of 16 bits; ``o_ends``: of a row

    Timing: ``latency`` cycles from ``valid`` to ``o_valid``.
    """

    def __init__(self, config):
        self._config = config
        self._array_latency = 2 if config.bit_serial else 1   # from selecting to ``result``
        #: ``array_latency``, scaling, packing, pooling
        self.latency = self._array_latency + Requantizer.latency + 1 + MaxPool.latency
        super().__init__({
            "descriptor": In(DESCRIPTOR),
            "valid": In(1), "select": In(range(config.drain_cycles)),
            "lane": In(range(max(2, config.drain_width))),
            "masked": In(config.drain_width), "first": In(1), "last": In(1), "ends": In(1),
            "layer_ends": In(1),
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
        flags, valid = self._delayed(m, flags, self._array_latency + Requantizer.latency)
        fields = []
        for like in (self.masked, self.lane, self.select, self.first, self.last, self.ends, self.layer_ends):
            fields.append(flags[:len(like)])
            flags = flags[len(like):]
        masked, lane, slot, first, last, ends, layer_ends = fields

        packed = Signal(data.ArrayLayout(signed(16), config.drain_width), reset_less=True)
        for n in range(config.drain_width):
            m.submodules[f"scaler{n}"] = scaler = Requantizer(config.acc_width, config.scale_width)
            m.d.comb += [
                scaler.acc.eq(self.result[n]), scaler.bias.eq(scale[:config.acc_width].as_signed()),
                scaler.scale.eq(scale[config.acc_width:][:config.scale_width]), scaler.shift.eq(scale[-4:]),
                scaler.low.eq(d.low.as_signed()), scaler.high.eq(d.high.as_signed()),
            ]
            with m.If(~dense | (lane == n)):
                m.d.sync += packed[n].eq(Mux(masked[n], 0, scaler.y))
        m.submodules.pool = pool = MaxPool(config.drain_width, config.drain_cycles)
        complete = ~dense | (lane == config.drain_width - 1)
        vector = Signal(data.StructLayout({
            "valid": 1, "slot": range(config.drain_cycles),
            "first": 1, "last": 1, "ends": 1, "layer_ends": 1}))
        m.d.sync += [
            vector.valid.eq(valid & complete), vector.slot.eq(slot),
            vector.first.eq(first), vector.last.eq(last),
            vector.ends.eq(ends), vector.layer_ends.eq(layer_ends),
        ]
        m.d.comb += [
            pool.i.valid.eq(vector.valid), pool.i.p.x.eq(packed), pool.i.p.slot.eq(vector.slot),
            pool.i.p.first.eq(vector.first if config.convolution else 1), pool.i.p.last.eq(vector.last),
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
