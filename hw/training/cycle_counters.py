"""Cycles of the units in a run."""

from amaranth import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...golden.training.registers import Unit

__all__ = ["CycleCounters"]


class CycleCounters(wiring.Component):
    """Counts in which cycles each unit is busy, and all of a run.

    Members
    -------
    begin : In(1), all counters to zero
    running : In(1), units : In(len(Unit))
        Whether a run is under way, and which units are busy.
    address : In(3), data : Out(32)
        Cycles of the unit of that number, a cycle later; behind them those of the run.

    Cost: a counter of 32 bits a unit, and one.
    """

    def __init__(self):
        super().__init__({"begin": In(1), "running": In(1), "units": In(len(Unit)), "address": In(3),
                          "data": Out(32)})

    def elaborate(self, platform):
        m = Module()
        counts = Array(Signal(32, name=f"count{n}") for n in range(len(Unit) + 1))
        for count, counted in zip(counts, (*self.units, self.running), strict=True):
            with m.If(self.begin):
                m.d.sync += count.eq(0)
            with m.Elif(counted):
                m.d.sync += count.eq(count + 1)
        m.d.sync += self.data.eq(counts[self.address])
        return m
