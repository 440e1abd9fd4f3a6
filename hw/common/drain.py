"""Scales and pools the results of dot products."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .pool import MaxPool
from .requantize import Requantizer

__all__ = ["Drain"]


class Drain(wiring.Component):
    """Scales the selected lanes' results, packs those of the transposed mode into vectors, and pools.

    What goes with them, and when they are valid, `DrainFlags` knows.

    Parameters
    ----------
    config : ArrayConfig
    width : int, bits of a result and of a bias
    slots : int, windows of pooling that are open together, times vectors of a row
    min_shift : int, of `Requantizer`
    registered : bool, of `MaxPool`

    Members
    -------
    dense : In(1), the layer is of the transposed mode; low, high : In, of its results
    result : In, D results; scale : In, table word; of one cycle
    masked, lane : In, of the results that are packed, ``Requantizer.latency`` cycles later
    pool, slot, first : In, of the vector that is pooled, one cycle later
    values : Out, D values of 16 bits, `MaxPool`'s latency later

    Timing: ``latency`` cycles from ``result`` to ``values``.
    """

    def __init__(self, config, width, slots, min_shift=8, registered=False):
        self._config, self._width, self._min_shift = config, width, min_shift
        self._slots, self._registered = slots, registered
        # scaling, packing, pooling
        self.latency = Requantizer.latency + 1 + MaxPool.latency_of(registered)
        super().__init__({
            "dense": In(1), "low": In(signed(16)), "high": In(signed(16)),
            "result": In(data.ArrayLayout(signed(width), config.drain_width)),
            "scale": In(config.table_width),
            "masked": In(config.drain_width), "lane": In(range(max(2, config.drain_width))),
            "pool": In(1), "slot": In(range(slots)), "first": In(1),
            "values": Out(data.ArrayLayout(signed(16), config.drain_width)),
        })

    def elaborate(self, platform):
        m = Module()
        config, width, scale = self._config, self._width, self.scale
        packed = Signal(data.ArrayLayout(signed(16), config.drain_width), reset_less=True)
        for n in range(config.drain_width):
            m.submodules[f"scaler{n}"] = scaler = Requantizer(
                width, config.scale_width, min_shift=self._min_shift)
            m.d.comb += [
                scaler.acc.eq(self.result[n]), scaler.bias.eq(scale[:width].as_signed()),
                scaler.scale.eq(scale[width:][:config.scale_width]), scaler.shift.eq(scale[-4:]),
                scaler.low.eq(self.low), scaler.high.eq(self.high),
            ]
            with m.If(~self.dense | (self.lane == n)):
                m.d.sync += packed[n].eq(Mux(self.masked[n], 0, scaler.y))
        m.submodules.pool = pool = MaxPool(
            config.drain_width, self._slots, registered=self._registered)
        m.d.comb += [
            pool.i.valid.eq(self.pool), pool.i.p.x.eq(packed), pool.i.p.slot.eq(self.slot),
            pool.i.p.first.eq(self.first), pool.i.p.last.eq(1),
            self.values.eq(pool.o.p.y),
        ]
        return m
