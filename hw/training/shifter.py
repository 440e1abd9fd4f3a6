"""A serial shifter: shifts, rounding, bit lengths, limits."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...golden.training.isa import Op

__all__ = ["STEP", "Shifter"]

STEP = 8
"""Places of a long step."""


class Shifter(wiring.Component):
    """``o + increment`` is, by ``op``,

        SHL     x << y                          SHR     x >> y
        RND     x / 2 ** y rounded to the nearest integer, halves to even; x << -y for y <= 0
        LEN     the bit length of abs(x)        SAT     x clipped to +-(2 ** (y - 1) - 1)

    Shifts are of 0 to ``width`` - 1 places, SAT's y is 1 to ``width`` - 1. The word moves ``step`` places a
    cycle, then one. SAT moves x's magnitude less one, or x, by y - 1; if anything is left, ones move back.

    Parameters
    ----------
    width : int
        Bits of ``x``, ``y`` and ``o``.
    step : int
        Places of a long step.

    Members
    -------
    start : In(1), one cycle; ignored while ``busy``
    op : In(5), x, y : In, constant from ``start`` until the next
    busy : Out(1), the result stands from its end until the next start
    o : Out, increment : Out(1)

    Timing: busy for 1 + floor(n / step) + n mod step cycles, n the places; for LEN, where n is the bit length
    of x or ~x, at most ``step`` more; for SAT that clips, 1 + 2 n with n each time so counted.
    Cost: 4 * ``width`` multiplexers, ``width`` flip-flops.
    """

    def __init__(self, width, step=STEP):
        self._width, self._step = width, step
        super().__init__({
            "start": In(1), "op": In(5), "x": In(signed(width)), "y": In(signed(width)),
            "busy": Out(1), "o": Out(signed(width)), "increment": Out(1)})

    def elaborate(self, platform):
        m = Module()
        width, step, sign = self._width, self._step, self.x[-1]
        word, left = Signal(signed(width), reset_less=True), Signal(reset_less=True)
        count, length = (Signal(range(width + 1), name=name, reset_less=True) for name in ("count", "length"))
        # Of what fell off to the right: its highest bit, whether others are 1, whether all are.
        half, sticky, ones, clip = (Signal(name=name, reset_less=True)
                                    for name in ("half", "sticky", "ones", "clip"))
        measures, limits, moves = self.op == Op.LEN, self.op == Op.SAT, Signal()
        far, near = Signal(), Signal()
        m.d.comb += [
            far.eq(Mux(measures, word[step:].any(), count >= step)),
            near.eq(Mux(measures, word[:step].any(), count != 0)),
            moves.eq(far | near),
        ]
        with m.If(self.busy & moves):
            places = Mux(far, step, 1)
            m.d.sync += [length.eq(length + places), count.eq(count - places)]
            with m.If(left):
                m.d.sync += word.eq(Mux(far, word << step, word << 1))
            with m.Else():
                m.d.sync += [
                    word.eq(Mux(far, word >> step, word >> 1)), half.eq(Mux(far, word[step - 1], word[0])),
                    sticky.eq(sticky | half | (far & word[:step - 1].any())),
                    ones.eq(ones & Mux(far, word[:step].all(), word[0])),
                ]
        with m.Elif(self.busy):
            m.d.sync += self.busy.eq(0)
            with m.If(limits & ~clip & word.any()):
                m.d.sync += [self.busy.eq(1), clip.eq(1), left.eq(1), word.eq(-1),
                             count.eq(self.y[:len(count)] - 1)]
        with m.Elif(self.start):
            back = (self.op == Op.RND) & self.y[-1]
            m.d.sync += [
                self.busy.eq(1), word.eq(self.x ^ (sign & (measures | limits)).replicate(width)),
                left.eq((self.op == Op.SHL) | back), length.eq(0),
                count.eq(Mux(back, -self.y[:len(count)], self.y[:len(count)] - limits)),
                Cat(half, sticky, clip, ones).eq(Const(0b1000, 4)),
            ]
        self._result(m, word, length, half & (sticky | word[0]), sign & ones, clip)
        return m

    def _result(self, m, word, length, up, power, clip):
        """The result from what is left; ``power`` says that x is -2 ** n, n the places that it moved."""
        sign = self.x[-1]
        with m.Switch(self.op):
            with m.Case(Op.RND):
                m.d.comb += [self.o.eq(word), self.increment.eq(up)]
            with m.Case(Op.LEN):
                m.d.comb += [self.o.eq(length), self.increment.eq(power)]
            with m.Case(Op.SAT):
                # ones << y - 1 are -2 ** (y - 1)
                m.d.comb += [self.o.eq(Mux(clip, word ^ (~sign).replicate(self._width), self.x)),
                             self.increment.eq(Mux(clip, sign, power))]
            with m.Default():
                m.d.comb += self.o.eq(word)
