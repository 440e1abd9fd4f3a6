"""Batch normalization backward, of one lane: from a wide error to that of the normalization's input."""

from amaranth import Cat, Const, Module, Mux, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import ACTIVATION_BITS, FACTOR_BITS, GUARD_BITS
from shiftwork.golden.training.engine_config import SUM_BITS

from ..common.delay import delay
from .even_shift import EvenShift, clipped, even
from .normalizer import FRACTION, NORMAL_BITS

__all__ = ["ERROR_LIFT", "ErrorLine"]

ERROR_LIFT = 7
"""The least shift of a wide error is minus that."""

_BITS = 8   # of E1
_LOW = 2    # bits of Q, of 20, that the multiplier of 18 leaves


class ErrorLine(wiring.Component):
    """docs/engines/training-machine.md, "Element unit":

        e = clip_8( round( D / 2^error_shift ) ) where 0 < a < 255 and counts, else 0
        u = clip_18( e * 2^8 - p - round( x_hat * q / 2^12 ) ),    dx = u * factor

    Members
    -------
    error : In(signed(40)), counts : In(1), in cycle 6
        D, and whether this is the error's place.
    shift : In(6)
        error_shift + `ERROR_LIFT`, 0 .. 47, constant while errors are under way.
    x_hat : In(signed(16)), in cycle 7; a : In(8), in cycle 10
    e : Out(signed(8)), weighted : Out(signed(24))
        In cycle 12: e, and e * x_hat.
    q : In(signed(20)), in cycle 9; p : In(signed(18)), in cycle 11; factor : In(signed(18)), in cycle 14
    dx : Out(signed(35)), in cycle 15: u is no -2^17

    Timing: an element each cycle; cycles are `Normalizer`'s. Not reset.
    Cost: three multipliers of 18 bits, a shift of 47 bits.
    """

    def __init__(self):
        factor = signed(FACTOR_BITS)
        super().__init__({
            "error": In(signed(SUM_BITS)), "counts": In(1), "shift": In(6),
            "x_hat": In(signed(NORMAL_BITS)), "a": In(ACTIVATION_BITS),
            "q": In(signed(20)), "p": In(factor), "factor": In(factor),
            "e": Out(signed(_BITS)), "weighted": Out(signed(_BITS + NORMAL_BITS)),
            "dx": Out(signed(2 * FACTOR_BITS - 1))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.shifter = shifter = EvenShift(
            SUM_BITS, _BITS, ERROR_LIFT, (((5, 4), (3,)), ((2,), (1,), (0,))))
        m.d.comb += [shifter.i.eq(self.error), shifter.shift.eq(self.shift)]
        passes = delay(m, self.counts, 4, name="counts") & self.a.any() & ~self.a.all()
        e = delay(m, Mux(passes, shifter.o, 0)[:_BITS].as_signed(), 1, name="e_")
        x_hat = delay(m, self.x_hat, 2, name="x_hat")
        late = delay(m, x_hat, 2, name="x_hat_late")
        m.d.comb += [self.e.eq(delay(m, e, 1, name="e_late")),
                     self.weighted.eq(delay(m, e * late, 1, name="weighted"))]

        # cycle 10: q's upper bits by the multiplier, its lower ones by an adder
        upper = delay(m, x_hat * self.q[_LOW:].as_signed(), 1, name="upper")
        once, twice = Mux(self.q[0], x_hat, 0), Mux(self.q[1], x_hat, 0)
        lower = delay(m, once[:NORMAL_BITS].as_signed() + (twice[:NORMAL_BITS].as_signed() << 1), 1,
                      name="lower")
        product = delay(m, Cat(lower[:_LOW], upper + (lower >> _LOW)).as_signed(), 1, name="product")
        share = delay(m, even(product, FRACTION, self.p), 1, name="share")
        difference = delay(m, Cat(Const(0, GUARD_BITS), self.e).as_signed() - share, 1, name="difference")
        u = delay(m, clipped(difference, FACTOR_BITS), 1, name="u")
        m.d.comb += self.dx.eq(delay(m, (u * self.factor)[:len(self.dx)].as_signed(), 1, name="dx_"))
        return m
