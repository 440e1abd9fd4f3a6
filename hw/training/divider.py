"""A serial divider that rounds."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay

__all__ = ["Divider"]


class Divider(wiring.Component):
    """``o + increment = x / y`` rounded to the nearest integer, halves to even, for y > 0.

    One bit of the quotient a cycle without restoring; a step more compares twice the rest with y. For x < 0
    it divides ~x = -x - 1 and complements the quotient: floor(x / y) = ~floor(~x / y).

    Parameters
    ----------
    width : int
        Bits of ``x``, ``y`` and ``o``, two's complement.

    Members
    -------
    start : In(1), one cycle; ignored while ``busy``
    x, y : In, constant from ``start`` until the end of ``busy``
    busy : Out(1), the result stands from its end until the next start
    o : Out, floor(x / y)
    increment : Out(1), whether x / y is rounded up

    Timing: busy for ``width`` + 1 cycles. Cost: an adder of ``width`` bits, 2 * ``width`` flip-flops.
    """

    def __init__(self, width):
        self._width = width
        super().__init__({
            "start": In(1), "x": In(signed(width)), "y": In(signed(width)),
            "busy": Out(1), "o": Out(signed(width)), "increment": Out(1)})

    def elaborate(self, platform):
        m = Module()
        width, sign = self._width, self.x[-1]
        quotient, count = Signal(width, reset_less=True), Signal(range(width + 1), reset_less=True)
        # Twice the true rest and the next bit, minus y: from -y to y - 1, so bits that fall off say nothing.
        rest, follow = Signal(width, reset_less=True), Signal(width)
        rounding, subtract = Signal(reset_less=True), Signal()
        near = delay(m, self.y, 1, name="near")     # of what y comes from, most is far from here
        m.d.comb += [
            subtract.eq(~rest[-1]),
            follow.eq(Cat(Mux(rounding, sign, quotient[-1] ^ sign), rest)
                      + (near ^ subtract.replicate(width)) + subtract),
        ]
        with m.If(self.busy):
            m.d.sync += [rest.eq(follow), count.eq(count + 1), rounding.eq(count == width - 1),
                         self.busy.eq(~rounding)]
            with m.If(~rounding):
                m.d.sync += quotient.eq(Cat(~follow[-1] ^ sign, quotient))
        with m.Else():
            with m.If(self.start):
                m.d.sync += [rest.eq(0), count.eq(0), rounding.eq(0), quotient.eq(self.x), self.busy.eq(1)]
        # 2 rest - y of floor's rest is `rest` for x >= 0, and below 0 its complement.
        half, above = ~(rest ^ sign.replicate(width)).any(), ~(rest[-1] ^ sign)
        m.d.comb += [self.o.eq(quotient), self.increment.eq(above & (~half | quotient[0]))]
        return m
