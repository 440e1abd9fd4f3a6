"""The butterfly: a sum and a difference."""

from amaranth import Cat, Const, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay
from .swap import lines

__all__ = ["Butterfly"]


class Butterfly(wiring.Component):
    """``o = (a + b, a - b)`` of ``i = (a, b)``; where ``passed``, (a, -b), or twice that if ``double``.

    With ``shift`` results are halved, rounded half up.

    Members: ``i``: In(lines(in_width)), ``passed``: In(1), of the same cycle, ``o``: Out(lines(out_width)),
    which must suffice for all results.

    Timing: ``latency`` = 2 cycles. Not reset.
    Cost: two adders, 4 * in_width + 2 * out_width flip-flops; with ``double`` 2 * out_width LUTs.
    """

    latency = 2

    def __init__(self, in_width, out_width, *, shift, double):
        self._shift, self._double = shift, double
        super().__init__({"i": In(lines(in_width)), "passed": In(1), "o": Out(lines(out_width))})

    def elaborate(self, platform):
        m = Module()
        # Where a number is passed the other one is 0: a register's synchronous reset, which takes no LUT.
        (a, other_a), (b, other_b) = (
            (delay(m, value, 1, name=name),
             delay(m, Mux(self.passed, 0, value)[:len(value)].as_signed(), 1, name=f"other_{name}"))
            for value, name in zip(self.i, "ab", strict=True))
        if self._shift:
            # (a + b + 1) >> 1, the 1 being the carry out of one more bit
            results = (Cat(Const(1, 1), a).as_signed() + Cat(Const(1, 1), other_b).as_signed() >> 2,
                       other_a - b + 1 >> 1)
            doubled = a, -b
        else:
            results = a + other_b, other_a - b
            doubled = (result << 1 for result in results)
        if self._double:
            passed = delay(m, self.passed, 1, name="passed")
            results = (Mux(passed, twice, result)
                       for twice, result in zip(doubled, results, strict=True))
        for out, result in zip(self.o, results, strict=True):
            m.d.comb += out.eq(delay(m, result[:len(out)].as_signed(), 1))
        return m
