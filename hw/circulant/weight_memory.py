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
        A word, readable from two cycles later on; not to be read before. It goes through registers, as banks
        are far from each other.

    Cost: depth * width bits of block RAM, 2 * width flip-flops, and between n = ceil(depth / `BANK`) banks
    (n - 1) * width multiplexers.
    """

    def __init__(self, depth, width):
        self._depth, self._width = depth, width
        super().__init__({
            "address": In(range(depth)), "o": Out(width),
            "write_address": In(range(depth)), "write_data": In(width), "write": In(1)})

    def elaborate(self, platform):
        m = Module()
        inner = (BANK - 1).bit_length()
        written = delay(m, self.write_address, 1, name="write_address")
        data = delay(m, self.write_data, 1, name="write_data")
        enable = delay(m, self.write, 1, reset_less=False, name="write")
        words = []
        for n, first in enumerate(range(0, self._depth, BANK)):
            memory = Memory(shape=self._width, depth=min(BANK, self._depth - first), init=[],
                            attrs={"no_rw_check": 1})
            m.submodules[f"bank{n}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(written[:inner]), write.data.eq(data),
                write.en.eq(enable & (written[inner:] == n)), read.addr.eq(self.address[:inner]),
            ]
            words.append(read.data)
        for bit in delay(m, self.address[inner:], 1, name="bank"):
            words = [Mux(bit, pair[1], pair[0]) if len(pair) > 1 else pair[0]
                     for pair in (words[n:n + 2] for n in range(0, len(words), 2))]
        o = Signal(self._width, reset_less=True)
        m.d.sync += o.eq(words[0])
        m.d.comb += self.o.eq(o)
        return m
