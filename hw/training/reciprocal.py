"""The reciprocal of a sum of powers, bit by bit."""

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LIFT", "Reciprocal"]

LIFT = 8
"""So many bits the sum may be shorter than it can be."""

_STEPS = 17 + 1     # bits of the quotient, and one to round


class Reciprocal(wiring.Component):
    """``o = m * 2 ** (24 - L)`` with (m, L) = `arithmetic.reciprocal` (x), for 2 ** 15 <= x < 2 ** 24.

    So p * m / 2 ** L = p * o / 2 ** 24. x is shifted to the left till its highest bit is 1; 2 ** 39 is
    divided by it, one bit of the quotient a cycle, and rounded; then the quotient is shifted as x was.

    Members
    -------
    start : In(1), x : In(24), in this cycle; not while ``busy``
    busy : Out(1), from the next cycle on
    o : Out(25), from the end of ``busy`` until the next start

    Timing: busy for 8 + 18 + 1 + 8 cycles. Cost: an adder of 25 bits, 85 flip-flops.
    """

    def __init__(self):
        super().__init__({"start": In(1), "x": In(24), "busy": Out(1), "o": Out(25)})

    def elaborate(self, platform):
        m = Module()
        x, quotient = Signal(24, reset_less=True), Signal(25, reset_less=True)
        # Twice the true rest minus x: -x to x - 1. Without restoring, as `Divider`.
        rest, follow = Signal(signed(25), reset_less=True), Signal(signed(25))
        count, lift = (Signal(range(n), reset_less=True, name=name)
                       for name, n in (("count", _STEPS), ("lift", LIFT + 1)))
        subtract = rest >= 0
        m.d.comb += [follow.eq(Cat(subtract, rest) + (Cat(x, 0) ^ subtract.replicate(len(rest)))),
                     self.o.eq(quotient), self.busy.eq(1)]
        m.d.sync += count.eq(count - 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [x.eq(self.x), lift.eq(0), count.eq(LIFT - 1)]
                with m.If(self.start):
                    m.next = "NORMALIZE"
            with m.State("NORMALIZE"):
                with m.If(~x[-1]):
                    m.d.sync += [x.eq(x << 1), lift.eq(lift + 1)]
                # Half of 2 ** 23: the quotient begins with the bit of 2 ** 16.
                m.d.sync += rest.eq(1 << 22)
                with m.If(count == 0):
                    m.d.sync += [count.eq(_STEPS - 1), quotient.eq(0)]
                    m.next = "DIVIDE"
            with m.State("DIVIDE"):
                m.d.sync += [rest.eq(follow), quotient.eq(Cat(follow >= 0, quotient))]
                with m.If(count == 0):
                    m.next = "ROUND"
            with m.State("ROUND"):
                # Up if twice the rest is above x. It is never x: 2 ** 40 is no odd multiple of it.
                m.d.sync += [quotient.eq((quotient >> 1) + quotient[0]), count.eq(LIFT - 1)]
                m.next = "LIFT"
            with m.State("LIFT"):
                with m.If(lift.any()):
                    m.d.sync += [quotient.eq(quotient << 1), lift.eq(lift - 1)]
                with m.If(count == 0):
                    m.next = "IDLE"
        return m
