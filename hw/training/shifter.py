"""A serial shifter: shifts, rounding, bit lengths, limits."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...golden.training.isa import Op
from ..common.delay import delay

__all__ = ["STEP", "Shifter"]

STEP = 8
"""Places of a long step."""


class Shifter(wiring.Component):
    """``o + increment`` is, by ``op``,

        SHL     x << y                          SHR     x >> y
        RND     x / 2 ** y rounded to the nearest integer, halves to even; x << -y for y <= 0
        LEN     the bit length of abs(x)        SAT     x clipped to +-(2 ** (y - 1) - 1)

    Shifts are of 0 to ``width`` - 1 places, SAT's y is 1 to ``width`` - 1. The word moves ``step`` places a
    cycle, then one. SAT moves x, or below 0 ~x, by y - 1; if anything is left, y - 1 ones move in.

    Parameters
    ----------
    width : int
        Bits of ``x``, ``y`` and ``o``.
    step : int
        Places of a long step.

    Members
    -------
    start : In(1), one cycle; ignored while ``busy``
    op : In(5), constant from the cycle before ``start`` until the result is taken
    x, y : In, constant from ``start`` on, as long
    busy : Out(1), the result stands from its end until the next start
    o : Out, increment : Out(1)

    Timing: with n = floor(p / step) + p mod step, p the places, busy for n + 1 cycles; SAT n + 2, twice that
    if it clips; LEN, of p bits, at most 2 n + 2 ``step``.
    Cost: 5 * ``width`` multiplexers, ``width`` flip-flops.
    """

    def __init__(self, width, step=STEP):
        self._width, self._step = width, step
        super().__init__({
            "start": In(1), "op": In(5), "x": In(signed(width)), "y": In(signed(width)),
            "busy": Out(1), "o": Out(signed(width)), "increment": Out(1)})

    def elaborate(self, platform):
        m = Module()
        width, step, sign = self._width, self._step, self.x[-1]
        measures, limits, rounds, goes_left = (
            delay(m, self.op == op, 1, name=f"is_{op.name}") for op in (Op.LEN, Op.SAT, Op.RND, Op.SHL))
        back = rounds & self.y[-1]
        # What moves to the left is the word in reverse, moving to the right.
        word, left = Signal(width, reset_less=True), Signal(reset_less=True)
        count, length = (Signal(range(width + 1), name=name, reset_less=True) for name in ("count", "length"))
        # Of what fell off to the right: its highest bit, whether others are 1, whether all are.
        half, sticky, ones, clip = (Signal(name=name, reset_less=True)
                                    for name in ("half", "sticky", "ones", "clip"))
        # Whether there are ones in the word of one cycle before, and whether it was the same.
        high, low, settled = (Signal(name=name, reset_less=True) for name in ("high", "low", "settled"))
        far, moves, fill = Signal(), Signal(), Mux(left, clip, word[-1])
        m.d.comb += [
            far.eq(Mux(measures, settled & high, count >= step)),
            moves.eq(Mux(measures, settled & (high | low), count != 0)),
        ]
        m.d.sync += [high.eq(word[step:].any()), low.eq(word[:step].any()), settled.eq(1)]
        with m.If(self.busy & moves):
            places = Mux(far, step, 1)
            m.d.sync += [
                word.eq(Mux(far, Cat(word[step:], fill.replicate(step)), Cat(word[1:], fill))),
                length.eq(length + places), count.eq(count - places), settled.eq(0),
                half.eq(Mux(far, word[step - 1], word[0])),
                sticky.eq(sticky | half | (far & word[:step - 1].any())),
                ones.eq(ones & Mux(far, word[:step].all(), word[0])),
            ]
        with m.Elif(self.busy & (settled | ~(measures | limits))):
            m.d.sync += self.busy.eq(0)
            with m.If(limits & ~clip & (high | low)):
                m.d.sync += [self.busy.eq(1), clip.eq(1), left.eq(1), word.eq(0), settled.eq(0),
                             count.eq(self.y[:len(count)] - 1)]
        with m.Elif(~self.busy & self.start):
            leftward = goes_left | back
            m.d.sync += [
                self.busy.eq(1), left.eq(leftward), length.eq(0), settled.eq(0),
                word.eq(Mux(leftward, self.x[::-1], self.x ^ (sign & (measures | limits)).replicate(width))),
                count.eq(Mux(back, -self.y[:len(count)], self.y[:len(count)] - limits)),
                Cat(half, sticky, clip, ones).eq(Const(0b1000, 4)),
            ]
        # Of the word nothing is left where LEN or SAT do not want it. `power`: x is -2 ** n, n its places.
        power, up = sign & ones, half & (sticky | word[0]) & ~left
        moved = Mux(left, word[::-1] ^ (sign & clip).replicate(width), word)
        m.d.comb += [
            self.o.eq(moved | Mux(measures, length, 0) | (self.x & (limits & ~clip).replicate(width))),
            self.increment.eq(Mux(clip, sign, Mux(measures | limits, power, up & rounds))),
        ]
        return m
