"""Batch normalization of one lane: x_hat and the activation."""

from amaranth import Cat, Const, Module, Mux, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import ACTIVATION_BITS, WIDE_BITS

from ..common.delay import delay
from .even_shift import EvenShift, even
from .layouts import UNSIGNED_BITS

__all__ = ["FRACTION", "NORMAL_BITS", "Normalizer"]

NORMAL_BITS, FRACTION = 16, 12
"""Bits of x_hat, and those behind its point: `TrainingConfig`'s normal_bits and normal_fraction."""


class Normalizer(wiring.Component):
    """docs/engines/training-machine.md, "Element unit":

        x_hat = clip_16( round( (2 z - mean) * mantissa / 2^shift ) )
        a = min( max( round( (gamma * x_hat + beta * 2^12) / 2^12 ), 0 ), 255 )

    Members
    -------
    z : In(signed(24)), mean : In(signed(25)), in cycle 0
    mantissa : In(17), in cycle 1
    shift : In(6), 0 .. 63, in cycle 3
    x_hat : Out(signed(16)), in cycle 7
    gamma : In(signed(8)), in cycle 7; beta : In(signed(8)), in cycle 8
    a : Out(8), in cycle 10

    Timing: an element each cycle. Not reset.
    Cost: three multipliers of 18 bits (the first product takes two), a shift of 44 bits.
    """

    def __init__(self):
        super().__init__({
            "z": In(signed(WIDE_BITS)), "mean": In(signed(25)), "mantissa": In(17), "shift": In(6),
            "gamma": In(signed(8)), "beta": In(signed(8)),
            "x_hat": Out(signed(NORMAL_BITS)), "a": Out(ACTIVATION_BITS)})

    def elaborate(self, platform):
        m = Module()
        centred = delay(m, Cat(Const(0, 1), self.z).as_signed() - self.mean, 1, name="centred")
        low = delay(m, centred[:UNSIGNED_BITS] * self.mantissa, 1, name="low")
        high = delay(m, centred[UNSIGNED_BITS:].as_signed() * self.mantissa, 1, name="high")
        width = len(centred) + len(self.mantissa)
        product = Cat(low[:UNSIGNED_BITS], high + low[UNSIGNED_BITS:])[:width].as_signed()
        m.submodules.shifter = shifter = EvenShift(
            width, NORMAL_BITS, 0, (((5,), (4,), (3,)), ((2,), (1,), (0,))))
        m.d.comb += [shifter.i.eq(delay(m, product, 1, name="product")), shifter.shift.eq(self.shift),
                     self.x_hat.eq(shifter.o)]

        scaled = delay(m, self.x_hat * self.gamma, 1, name="scaled")
        y = delay(m, even(scaled, FRACTION, self.beta, whole=True), 1, name="y")
        great = y[ACTIVATION_BITS:].any()
        a = Mux(y[-1], 0, y[:ACTIVATION_BITS] | great.replicate(ACTIVATION_BITS))
        m.d.comb += self.a.eq(delay(m, a, 1, name="a_"))
        return m
