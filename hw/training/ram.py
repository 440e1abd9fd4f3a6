"""A memory in block RAM, with an output register."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .layouts import MEMORY_CYCLES

__all__ = ["Ram"]


class Ram(wiring.Component):
    """``depth`` words of ``width`` bits, one written and one read a cycle; zeros at first.

    Parameters
    ----------
    width, depth : int
    parts : int
        Of a word, each of which has its own bit of ``write``.

    Members
    -------
    write_address, write_data, write : In
    address, data : In, Out
        The word, MEMORY_CYCLES later; of no meaning if it was written within the cycle of ``address``.
    """

    def __init__(self, width, depth, parts=1):
        self._parts = parts
        self.depth = depth
        super().__init__({
            "write_address": In(ceil_log2(depth)), "write_data": In(width), "write": In(parts),
            "address": In(ceil_log2(depth)), "data": Out(width),
        })

    def elaborate(self, platform):
        m = Module()
        width = len(self.write_data)
        m.submodules.memory = memory = Memory(shape=width, depth=self.depth, init=[],
                                              attrs={"no_rw_check": 1})
        write = memory.write_port(granularity=width // self._parts if self._parts > 1 else None)
        read = memory.read_port()
        m.d.comb += [write.addr.eq(self.write_address), write.data.eq(self.write_data),
                     write.en.eq(self.write), read.addr.eq(self.address)]
        stages = [Signal(width, reset_less=True, name=f"stage{n}") for n in range(MEMORY_CYCLES - 1)]
        for stage, source in zip(stages, [read.data, *stages], strict=False):
            m.d.sync += stage.eq(source)
        m.d.comb += self.data.eq(stages[-1])
        return m
