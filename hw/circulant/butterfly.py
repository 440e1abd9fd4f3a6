"""The butterfly: a sum and a difference."""

from amaranth import Cat, Const, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay
from .swap import lines

__all__ = ["Butterfly"]


class Butterfly(wiring.Component):
    """``o = (a + b, a - b)`` of ``i = (a, b)``; where ``passed``, ``o = (a, b)``, or twice that if ``double``.

    With ``shift`` results are halved, rounded half up.

    Members: ``i``: In(lines(in_width)), ``passed``: In(1), of the same cycle, ``o``: Out(lines(out_width)), which
    must suffice for all results.

    Timing: ``latency`` = 1 cycle. Not reset.
    Cost: two adders and 2 * out_width LUTs; with ``shift`` one incrementer more.
    """

    latency = 1

    def __init__(self, in_width, out_width, *, shift, double):
        self._shift, self._double = shift, double
        super().__init__({"i": In(lines(in_width)), "passed": In(1), "o": Out(lines(out_width))})

    def elaborate(self, platform):
        m = Module()
        a, b = self.i
        if self._shift:
            # (a + b + 1) >> 1, the 1 being the carry out of one more bit
            total = Cat(Const(1, 1), a).as_signed() + Cat(Const(1, 1), b).as_signed() >> 2
            results = (total, a - b + 1 >> 1)
            kept = (a, b) if self._double else (a + 1 >> 1, b + 1 >> 1)
        else:
            results = (a + b, a - b)
            kept = (a << 1, b << 1) if self._double else (a, b)
        for out, result, same in zip(self.o, results, kept, strict=True):
            m.d.comb += out.eq(delay(m, Mux(self.passed, same, result)[:len(out)].as_signed(), 1))
        return m
