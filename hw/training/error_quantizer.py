"""Errors of a product, E2: 16 bits, or 8 bits with a flag."""

from amaranth import Cat, Const, Module, Mux, signed
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
    levels : tuple of tuple of tuple of int
        Bits of ``shift``, as in `PlainShift`.

    Members
    -------
    i : In(signed(in_width))
    shift : In(bits)
        r, 0 or more; where flagged, r + n - 1 - 2 f; with the default ``levels`` 0 .. 47. Constant while
        numbers are under way, as is
    flagged : In(1)
    key : Out(in_width), unsigned
        1 cycle later: 2 x, or -2 x - 1 where x < 0. It goes up with |x| = floor((key + 1) / 2), if not
        strictly.
    o : Out(signed(out_width)), ``latency`` cycles later

    Timing: ``latency`` = len(levels) + 4 cycles. Not reset.
    Cost: a `PlainShift`; an adder of out_width bits.
    """

    def __init__(self, in_width=SUM_BITS, out_width=ERROR_BITS, fraction=FRACTION_BITS,
                 levels=(((5, 4), (3,)), ((2,), (1,), (0,)))):
        self._fraction = fraction
        self._plain = PlainShift(in_width, out_width, out_width - 1, levels)
        self.latency = self._plain.latency + 4
        super().__init__({
            "i": In(signed(in_width)), "shift": In(levels[0][0][0] + 1), "flagged": In(1),
            "key": Out(in_width), "o": Out(signed(out_width))})

    def elaborate(self, platform):
        m = Module()
        # Of a negative x all is done with its complement -x - 1: no adder makes |x|.
        key = delay(m, Cat(self.i[-1], self.i[:-1] ^ self.i[-1].replicate(len(self.i) - 1)), 1, name="key_")
        m.submodules.plain = plain = self._plain
        m.d.comb += [self.key.eq(key), plain.i.eq(Cat(key[1:], Const(0, 1))), plain.fill.eq(key[0]),
                     plain.shift.eq(self.shift)]
        negative = delay(m, key[0], plain.latency, name="negative")

        # A step of the floor is one of SQ, or a fine one; a coarse one is 2^f fine ones. Of |x| = 2^t both
        # make the same.
        bits, found, beyond = self._fraction, plain.o.floor[:-1], plain.o.beyond
        coarse = self.flagged & (beyond | found[bits:].any())
        ups = []
        for value, sticky in ((Cat(plain.o.guard, found), plain.o.sticky),
                              (found[bits - 1:], plain.o.sticky | (Cat(plain.o.guard, found[:bits - 1]) !=
                                                                   negative.replicate(bits)))):
            # From x's floor up: its guard and, if that is a half, its bit 0 are the complement's, too.
            ups.append((value[0] ^ negative) & (sticky | (value[1] ^ negative)))
        most = found[bits:2 * bits].all()
        limited = beyond | Mux(self.flagged, most | found[2 * bits:].any(), found.all())
        coarse, limited, up, found, negative = (delay(m, value, 1, name=name) for value, name in (
            (coarse, "coarse"), (limited, "limited"), (Mux(coarse, ups[1], ups[0]), "up"), (found, "found"),
            (negative, "negative_late")))
        flagged = self.flagged

        # Fine bits of a coarse number are as what is added to them, so that it comes to the coarse ones.
        up = Mux(limited, negative, up)
        low = Mux(coarse, up.replicate(bits),
                  (found[:bits] | limited.replicate(bits)) ^ negative.replicate(bits))
        middle = (found[bits:2 * bits] | limited.replicate(bits)) ^ negative.replicate(bits)
        rest = len(found) - 2 * bits
        high = Mux(limited, (~flagged).replicate(rest), found[2 * bits:]) ^ negative.replicate(rest)
        floor = delay(m, Cat(low, middle, high, negative).as_signed(), 1, name="floor")
        up = delay(m, up, 1, name="up_late")
        m.d.comb += self.o.eq(delay(m, (floor + up)[:len(self.o)].as_signed(), 1, name="e2_"))
        return m
