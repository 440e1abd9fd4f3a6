"""Errors of a product, E2: 16 bits, or 8 bits with a flag."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import FRACTION_BITS
from shiftwork.golden.training.engine_config import ERROR_BITS, SUM_BITS

from ..common.delay import delay
from .even_shift import PlainShift

__all__ = ["ErrorQuantizer"]


class ErrorQuantizer(wiring.Component):
    """E2 of x: SQ with n bits, or flag-QE2 as an integer, docs/engines/training.md, "Quantization".

        flagged 0: clip_n( round( x / 2^(r - n + 1) ) )
        flagged 1: t = r - f;  sign(x) * min( round( |x| / 2^t ), 2^f - 1 ) * 2^f  where |x| >= 2^t,
                   round( x / 2^(t - f) ) elsewhere;                               f = fraction

    Halves go to the even integer. For numbers with |x| >= 2^t, t < 0, that is all but 0.

    Parameters
    ----------
    in_width, out_width, fraction : int
        Bits of x; n; f, of which n is more than the double.
    levels : tuple of tuple of int
        Bits of ``shift``, as in `PlainShift`.

    Members
    -------
    i : In(signed(in_width))
    shift : In(bits)
        r, 0 or more; constant while numbers are under way, as is
    flagged : In(1)
    magnitude : Out(in_width)
        |x|, 1 cycle later.
    o : Out(signed(out_width)), ``latency`` cycles later

    Timing: ``latency`` = len(levels) + 4 cycles. Not reset.
    Cost: a `PlainShift`; adders of in_width and 2 out_width bits.
    """

    def __init__(self, in_width=SUM_BITS, out_width=ERROR_BITS, fraction=FRACTION_BITS,
                 levels=((5, 4, 3), (2, 1, 0))):
        self._fraction = fraction
        self._plain = PlainShift(in_width + 1, out_width, out_width - 1, levels)
        self.latency = self._plain.latency + 4
        super().__init__({
            "i": In(signed(in_width)), "shift": In(levels[0][0] + 1), "flagged": In(1),
            "magnitude": Out(in_width), "o": Out(signed(out_width))})

    def elaborate(self, platform):
        m = Module()
        negative = delay(m, self.i[-1], self.latency - 1, name="negative")
        signs = self.i[-1].replicate(len(self.i))
        absolute = Signal(len(self.i), reset_less=True)
        m.d.sync += absolute.eq((self.i ^ signs) + self.i[-1])
        m.submodules.plain = plain = self._plain
        m.d.comb += [self.magnitude.eq(absolute), plain.shift.eq(self.shift),
                     plain.i.eq(Cat(absolute, Const(0, 1)))]

        # The quotient is |x| in steps of SQ, 2^(r - n + 1); its bit 0 is the first one behind the point. In
        # those steps a fine one is 2^cut and a coarse one 2^(cut + f).
        bits = self._fraction
        cut = len(self.o) - 1 - 2 * bits
        quotient, rest = Cat(plain.o.guard, plain.o.floor[:-1]), plain.o.sticky
        great = plain.o.beyond | quotient[1 + cut + bits:].any()
        coarse, limited = self.flagged & great, delay(m, plain.o.beyond, 1, name="limited")
        floor, up = Signal(len(self.o) - 1, reset_less=True), Signal(reset_less=True)
        for condition, low in ((~self.flagged, 0), (coarse, cut + bits), (self.flagged & ~great, cut)):
            with m.If(condition):
                sticky = quotient[:low].any() | rest
                m.d.sync += [floor.eq(quotient[1 + low:]),
                             up.eq(quotient[low] & (sticky | quotient[1 + low]))]
        coarse = delay(m, coarse, 1, name="coarse")

        rounded = floor + up
        most = limited | Mux(coarse, rounded[bits], rounded[-1])
        small, wide = rounded[:bits] | most.replicate(bits), rounded[:-1] | most.replicate(len(floor))
        found = delay(m, Mux(coarse, Cat(Const(0, bits), small), wide), 1, name="found")
        signs = negative.replicate(len(self.o))
        m.d.comb += self.o.eq(delay(m, ((found ^ signs) + negative)[:len(self.o)].as_signed(), 1, name="e2_"))
        return m
