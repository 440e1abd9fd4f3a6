"""The controller's registers."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...golden.training.isa import IMMEDIATE_BITS, REGISTER_COUNT, WORD_BITS

__all__ = ["Operands"]


class Operands(wiring.Component):
    """32 registers of 88 bits; register 0 reads 0.

    Members
    -------
    a, b : In(range(32)), immediate : In(1), value : In(signed(19)), read : In(1)
        Reads ``x`` = r[a] and ``y`` = r[b], or ``value`` where ``immediate``.
    x, y : Out(signed(88)), from the next cycle until the next read
    d : In(range(32)), data : In(signed(88)), write : In(1)
        Writes r[d], to be read from the next cycle on.

    Registers are 0 at the beginning and stay as they are in a reset.
    Cost: two copies of 32 words of distributed memory, 176 flip-flops.
    """

    def __init__(self):
        number, word = range(REGISTER_COUNT), signed(WORD_BITS)
        super().__init__({
            "a": In(number), "b": In(number), "immediate": In(1), "value": In(signed(IMMEDIATE_BITS)),
            "read": In(1), "x": Out(word), "y": Out(word),
            "d": In(number), "data": In(word), "write": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers = registers = Memory(shape=signed(WORD_BITS), depth=REGISTER_COUNT, init=[])
        write = registers.write_port()
        m.d.comb += [write.addr.eq(self.d), write.data.eq(self.data), write.en.eq(self.write & (self.d != 0))]
        words = []
        for number in (self.a, self.b):
            read = registers.read_port(domain="comb")
            m.d.comb += read.addr.eq(number)
            words.append(read.data)
        # r0's copy of the memory need not be 0.
        x, y = (Signal(signed(WORD_BITS), name=name, reset_less=True) for name in "xy")
        with m.If(self.read):
            m.d.sync += [x.eq(Mux(self.a == 0, 0, words[0])),
                         y.eq(Mux(self.immediate, self.value, Mux(self.b == 0, 0, words[1])))]
        m.d.comb += [self.x.eq(x), self.y.eq(y)]
        return m
