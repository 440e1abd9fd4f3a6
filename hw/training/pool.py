"""The greatest activation of a window, whose taps come one behind the other."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import ACTIVATION_BITS

__all__ = ["WindowPool"]


class WindowPool(wiring.Component):
    """Running maximum of one lane; of equal ones the first wins.

    Members
    -------
    a : In(8), number : In(2), first : In(1)
        A tap, its number in the window, and whether a window begins with it.
    best : Out(8), winner : Out(2)
        Of the taps since ``first``, 1 cycle later.

    Timing: a tap each cycle. Not reset.
    """

    def __init__(self):
        super().__init__({"a": In(ACTIVATION_BITS), "number": In(2), "first": In(1),
                          "best": Out(ACTIVATION_BITS), "winner": Out(2)})

    def elaborate(self, platform):
        m = Module()
        with m.If(self.first | (self.best < self.a)):
            m.d.sync += [self.best.eq(self.a), self.winner.eq(self.number)]
        return m
