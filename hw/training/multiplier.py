"""A multiplier of wide words with one multiplication a cycle."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay

__all__ = ["LIMB_BITS", "Multiplier"]

LIMB_BITS = 18
"""Bits of a part of a word: those of a multiplier of an ECP5."""


class Multiplier(wiring.Component):
    """``o = x * y`` modulo 2 ** width.

    Both are taken apart into n = ceil(width / limb) limbs; the products of limbs are added column by column,
    lowest first. Where y has but one limb, as an unsigned number, so has each column.

    Parameters
    ----------
    width : int
        Bits of ``x``, ``y`` and ``o``.
    limb : int
        Bits of a limb.

    Members
    -------
    start : In(1), one cycle; ignored while ``busy``
    x, y : In(width), constant from ``start`` until the end of ``busy``
    busy : Out(1), the result stands from its end until the next start
    o : Out(width)

    Timing: busy for n (n + 1) / 2 + 3 cycles, n + 3 if 0 <= y < 2 ** limb: 18 or 8 for 88 bits.
    Cost: one multiplier of ``limb`` by ``limb`` bits, 2 * ``limb`` multiplexers of n inputs, an adder of
    2 * ``limb`` + 3 bits, ``width`` + 6 * ``limb`` flip-flops.
    """

    def __init__(self, width, limb=LIMB_BITS):
        self._width, self._limb = width, limb
        super().__init__({"start": In(1), "x": In(width), "y": In(width), "busy": Out(1), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        limb = self._limb
        limbs = -(-self._width // limb)
        column, place = Signal(range(limbs), reset_less=True), Signal(range(limbs), reset_less=True)
        issuing = Signal()
        # Whether y has ones in limbs above the first: an OR of all of them takes two cycles.
        wide = delay(m, Cat(self.y[n:n + limb].any() for n in range(limb, self._width, limb)), 1, name="wide")
        short = ~wide.any()
        ends, last = Signal(), Signal()
        m.d.comb += [ends.eq(place == column), last.eq(ends & (column == limbs - 1))]
        with m.If(issuing):
            m.d.sync += [place.eq(place + 1), issuing.eq(~last)]
            with m.If(ends):
                m.d.sync += [column.eq(column + 1), place.eq(Mux(short, column + 1, 0))]
        with m.Elif(self.start & ~self.busy):
            m.d.sync += [column.eq(0), place.eq(0), issuing.eq(1), self.busy.eq(1)]

        # Limb `place` of x and the one of y that makes the column: then their product, then the sum.
        other = Signal.like(place)
        m.d.comb += other.eq(column - place)
        x, y = (Array(word[n * limb:(n + 1) * limb] for n in range(limbs)) for word in (self.x, self.y))
        factors = delay(m, x[place], 1, name="x"), delay(m, y[other], 1, name="y")
        product = Signal(2 * limb, reset_less=True)
        m.d.sync += product.eq(factors[0] * factors[1])
        valid = delay(m, issuing, 2, reset_less=False, name="valid")
        full = delay(m, issuing & ends, 3, reset_less=False, name="full")
        total = Signal(2 * limb + limbs.bit_length(), reset_less=True)
        with m.If(valid | full):
            m.d.sync += total.eq(Mux(full, total >> limb, total) + (product & valid.replicate(2 * limb)))
        with m.If(self.start & ~self.busy):
            m.d.sync += total.eq(0)
        found = Signal(limbs * limb, reset_less=True)
        with m.If(full):
            m.d.sync += found.eq(Cat(found[limb:], total[:limb]))
        with m.If(delay(m, issuing & last, 3, reset_less=False, name="last")):
            m.d.sync += self.busy.eq(0)
        m.d.comb += self.o.eq(found)
        return m
