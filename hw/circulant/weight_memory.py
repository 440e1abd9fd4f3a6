"""The weight memory, in banks of as many words as a block RAM has of its widest form."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..common.delay import delay

__all__ = ["BANK", "WeightMemory"]

BANK = 1024
"""Words of a bank. An ECP5's block RAM of 1,024 words has 18 bits each, whatever ``depth`` is."""


class WeightMemory(wiring.Component):
    """``depth`` words of ``width`` bits: one read and one written a cycle.

    Members
    -------
    address : In(range(depth)), to read
    o : Out(width), two cycles later, registered
    write_address, write_data, write : In
        A word, readable from the next cycle on; not to be read in the same one.

    Cost: depth * width bits of block RAM, and between ceil(depth / `BANK`) banks as many multiplexers a bit.
    """

    def __init__(self, depth, width):
        self._depth, self._width = depth, width
        super().__init__({
            "address": In(range(depth)), "o": Out(width),
            "write_address": In(range(depth)), "write_data": In(width), "write": In(1)})

    def elaborate(self, platform):
        m = Module()
        inner = (BANK - 1).bit_length()
        bank, written = self.address[inner:], self.write_address[inner:]
        words = []
        for n, first in enumerate(range(0, self._depth, BANK)):
            memory = Memory(shape=self._width, depth=min(BANK, self._depth - first), init=[],
                            attrs={"no_rw_check": 1})
            m.submodules[f"bank{n}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(self.write_address[:inner]), write.data.eq(self.write_data),
                write.en.eq(self.write & (written == n)), read.addr.eq(self.address[:inner]),
            ]
            words.append(read.data)
        bank = delay(m, bank, 1, name="bank")
        for bit in bank:
            words = [Mux(bit, pair[1], pair[0]) if len(pair) > 1 else pair[0]
                     for pair in (words[n:n + 2] for n in range(0, len(words), 2))]
        o = Signal(self._width, reset_less=True)
        m.d.sync += o.eq(words[0])
        m.d.comb += self.o.eq(o)
        return m
