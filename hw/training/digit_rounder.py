"""A lane of the packer: a number rounded to the bits that its tile has."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import RANDOM_BITS

from ..common.delay import delay
from .rounding import with_sign

__all__ = ["DigitRounder"]


class DigitRounder(wiring.Component):
    """A magnitude rounded to the nearest number, halves to even, or at random, in two's complement.

        y = magnitude / 2^drop,     o = sign * min( R(y), 2^M - 1 )
        R(y) = round(y), or, ``at_random``, floor y + [first 16 bits of y's fraction > random]

    Parameters: ``width``: bits of the magnitude, 2 .. 17.

    Members
    -------
    magnitude : In(width), negative : In(1)
    drop : In, 0 .. width - 1; beyond : In(width), bits M and above set, M = 1 .. width
        Of the same cycle. magnitude >> drop must be below 2^M.
    at_random : In(1), constant; random : In(16), ``random_latency`` = 2 cycles after the magnitude
    o : Out(signed(width + 1))

    Timing: ``latency`` = 3 cycles; the adder stands behind the registers. A number each cycle. Not reset.
    Cost: a shifter of 2 * ``width`` bits, an adder and a comparator.
    """

    latency, random_latency = 3, 2

    def __init__(self, width=15):
        super().__init__({
            "magnitude": In(width), "negative": In(1), "drop": In(range(width)), "beyond": In(width),
            "at_random": In(1), "random": In(RANDOM_BITS), "o": Out(signed(width + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        # Below the result stands its fraction, of as many bits as may be dropped.
        fraction = len(self.magnitude) - 1
        value, drop = Cat(Const(0, fraction), self.magnitude), self.drop
        bits = range(len(drop))[::-1]
        for n, levels in enumerate((bits[:2], bits[2:])):
            for bit in levels:
                value = Mux(drop[bit], value >> 2 ** bit, value)
            value, drop = delay(m, value, 1, name=f"value{n}_"), delay(m, drop, 1, name=f"drop{n}_")
        fraction, kept = value[:fraction], value[fraction:]
        nearest = fraction[-1] & (fraction[:-1].any() | kept[0])
        # Of 16 bits the fraction's last ones are 0, so the number's have no say. A sign instead of a
        # comparison is a carry chain, and nothing behind it.
        chance = (self.random[RANDOM_BITS - len(fraction):] - fraction)[-1]
        beyond = delay(m, self.beyond, 2, name="beyond_")
        up = Signal(reset_less=True)
        m.d.sync += up.eq(Mux(self.at_random, chance, nearest) & ~(kept | beyond).all())
        m.d.comb += self.o.eq(with_sign(delay(m, kept, 1, name="kept"), up,
                                        delay(m, self.negative, 3, name="negative_")))
        return m
