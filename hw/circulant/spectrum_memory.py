"""The spectrum memory: blocks of the vectors that are multiplied."""

from amaranth import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..common.delay import delay

__all__ = ["SpectrumMemory"]


class SpectrumMemory(wiring.Component):
    """``spectrum_depth`` blocks of h slots of two numbers: one read and one written a cycle.

    Members
    -------
    address : In, to read
    zero : In(1), of the same cycle: zeros instead
    x : Out(ArrayLayout(ArrayLayout(signed(spectrum_width), 2), h)), two cycles later, registered
    write, write_address, write_data : In
        A block, readable from the next cycle on; not to be read in the same one.

    Cost: spectrum_depth * k * spectrum_width bits of block RAM.
    """

    def __init__(self, config):
        self._depth = config.spectrum_depth
        x = data.ArrayLayout(data.ArrayLayout(signed(config.spectrum_width), 2), config.slots)
        super().__init__({
            "address": In(range(self._depth)), "zero": In(1), "x": Out(x),
            "write": In(1), "write_address": In(range(self._depth)), "write_data": In(x)})

    def elaborate(self, platform):
        m = Module()
        x = Signal.like(self.x, reset_less=True)
        m.submodules.memory = memory = Memory(
            shape=len(x.as_value()), depth=self._depth, init=[], attrs={"no_rw_check": 1})
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.addr.eq(self.write_address), write.data.eq(self.write_data), write.en.eq(self.write),
            read.addr.eq(self.address), self.x.eq(x),
        ]
        m.d.sync += x.eq(read.data)
        with m.If(delay(m, self.zero, 1, name="zero")):
            m.d.sync += x.eq(0)
        return m
