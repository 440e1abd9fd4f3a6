"""A lane of the packer: a number rounded to the bits that its tile has."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay
from .rounding import shifted, with_sign

__all__ = ["DigitRounder"]


class DigitRounder(wiring.Component):
    """``o = sign * min( round(magnitude / 2^drop), 2^M - 1 )``, halves to even, in two's complement.

    Parameters: ``width``: bits of the magnitude.

    Members
    -------
    magnitude : In(width), negative : In(1)
    drop : In, 0 .. width - 1; beyond : In(width), bits M and above set, M = 1 .. width
        Of the same cycle. magnitude >> drop must be below 2^M.
    o : Out(signed(width + 1))

    Timing: ``latency`` = 3 cycles; the adder stands behind the registers. A number each cycle. Not reset.
    Cost: a shifter and an adder of ``width`` bits.
    """

    latency = 3

    def __init__(self, width=15):
        super().__init__({
            "magnitude": In(width), "negative": In(1), "drop": In(range(width)), "beyond": In(width),
            "o": Out(signed(width + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        # Two bits stand below the result: the highest one that is dropped, and whether any other one is set.
        value, drop = Cat(Const(0, 2), self.magnitude), self.drop
        bits = range(len(drop))[::-1]
        for n, levels in enumerate((bits[:2], bits[2:])):
            for bit in levels:
                value = Mux(drop[bit], shifted(value, 2 ** bit), value)
            value, drop = delay(m, value, 1, name=f"value{n}_"), delay(m, drop, 1, name=f"drop{n}_")
        kept, beyond = value[2:], delay(m, self.beyond, 2, name="beyond_")
        up = Signal(reset_less=True)
        m.d.sync += up.eq(value[1] & (value[0] | value[2]) & ~(kept | beyond).all())
        m.d.comb += self.o.eq(with_sign(delay(m, kept, 1, name="kept"), up,
                                        delay(m, self.negative, 3, name="negative_")))
        return m
