"""The full adders of the bit-serial columns, and the carry's way to the next bit."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["ColumnAdders"]


class ColumnAdders(wiring.Component):
    """One full adder a column, for one bit of the words a and b a cycle, the least significant one first.

        total = a ^ b ^ c        c' = a & b | (a | b) & c        c of bit 0: ``difference`` or ``negative``

    Of ``p``, ``n`` (inverted where ``difference`` is set) and ``x`` two are a and b, the third is 0; so an
    operation of w bits yields

        p + x        p + x + 1 where ``negative`` is set        p - n, of a ``difference``        modulo 2**w

    Parameters
    ----------
    lanes : int, columns
    convolution : bool, without it there is no ``n`` and no difference
    carry_write_back : bool
        The carry goes through a memory of two rows, of which each bit reads one and writes the other, instead
        of through a latch.

    Members
    -------
    p, n, x, negative : In(lanes); total : Out(lanes), of the same cycle
    difference : In(1); begins : In(1), this is bit 0; odd : In(1), the bit's number is odd
    keep : In(1), the carry is written; only with ``carry_write_back``

    Timing: a bit takes one cycle, and the next one follows at once. With ``carry_write_back`` it takes two,
    with the same inputs, and ``keep`` is set in the first.

    Cost: two LUTs and a flip-flop (or two bits of 16-word distributed memory) a column.
    """

    def __init__(self, lanes, convolution=True, carry_write_back=False):
        self._lanes, self._convolution, self._write_back = lanes, convolution, carry_write_back
        super().__init__({
            "p": In(lanes), "n": In(lanes), "x": In(lanes), "negative": In(lanes),
            "difference": In(1), "begins": In(1), "odd": In(1), "keep": In(1), "total": Out(lanes),
        })

    def elaborate(self, platform):
        m = Module()
        carry, previous, c, n = (
            Signal(self._lanes, name=name) for name in ("carry", "previous", "carry_in", "subtracted"))
        difference = self.difference.replicate(self._lanes)
        if self._convolution:
            m.d.comb += n.eq(self.n ^ difference)
        p, x = self.p, self.x
        m.d.comb += [
            c.eq(Mux(self.begins, self.negative | difference, previous)),
            self.total.eq(p ^ n ^ x ^ c), carry.eq((p & n) | ((p | n) & x) | ((p | n | x) & c)),
        ]
        if not self._write_back:
            latch = Signal.like(carry, reset_less=True)
            m.d.sync += latch.eq(carry)
            m.d.comb += previous.eq(latch)
            return m
        m.submodules.carries = carries = Memory(shape=self._lanes, depth=2, init=[])
        read = carries.read_port(domain="comb")
        write = carries.write_port()
        m.d.comb += [
            read.addr.eq(self.odd), previous.eq(read.data),
            write.addr.eq(~self.odd), write.data.eq(carry), write.en.eq(self.keep),
        ]
        return m
