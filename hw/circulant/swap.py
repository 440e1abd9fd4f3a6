"""Values of two lines that change places, some cycles apart."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay

__all__ = ["LineSwap", "lines"]


def lines(width):
    """Two numbers of ``width`` bits, two's complement: the upper line is 0, the lower one 1."""
    return data.ArrayLayout(signed(width), 2)


class LineSwap(wiring.Component):
    """The upper value of a cycle t with ``crossed`` changes places with the lower one of t - ``distance``.

    Members
    -------
    i : In(lines(width))
    crossed : In(1)
        Not within ``distance`` cycles after itself.
    o : Out(lines(width))

    Timing: ``latency`` = ``distance`` cycles. Not reset.
    Cost: 2 * distance * width flip-flops, 2 * width LUTs.
    """

    def __init__(self, width, distance):
        self.latency = distance
        super().__init__({"i": In(lines(width)), "crossed": In(1), "o": Out(lines(width))})

    def elaborate(self, platform):
        m = Module()
        upper, lower = self.i[0], delay(m, self.i[1], self.latency, name="lower")
        kept = Signal.like(upper)
        m.d.comb += [
            kept.eq(Mux(self.crossed, lower, upper)),
            self.o[0].eq(delay(m, kept, self.latency, name="upper")),
            self.o[1].eq(Mux(self.crossed, upper, lower)),
        ]
        return m
