"""Counts filters in groups that are computed together."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

__all__ = ["FilterGroups"]


class FilterGroups(wiring.Component):
    """Filters 0 .. ``count`` - 1 in groups of ``size``, the last one of which may be smaller.

    Parameters
    ----------
    width : int, bits of ``count``
    most : int, greatest ``size``

    Members
    -------
    count : In(width), size : In(range(most + 1)), constant from ``start`` on
    start, step : In(1); a step goes to the next filter of the group, behind the last one to the first
    advance : In(1), the next group follows; with a ``step``, behind the group's last filter, or alone
    filter : Out(range(most)), in its group; last : Out(1), it is the group's last one
    final : Out(1), the group is the last one

    Timing: outputs follow in the next cycle, and come from registers. Cost: two counters.
    """

    def __init__(self, width, most):
        self._width, self._most = width, most
        super().__init__({
            "count": In(width), "size": In(range(most + 1)),
            "start": In(1), "step": In(1), "advance": In(1),
            "filter": Out(range(most)), "last": Out(1), "final": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        # of filters, those of this group and of later ones
        left, rest = Signal(self._width + 1), Signal(self._width + 1)
        filters, following = Signal(range(self._most + 1)), Signal(bits_for(self._most))
        with m.If(self.start):
            # a count of 2 ** width is written 0
            m.d.comb += rest.eq(Mux(self.count == 0, 1 << self._width, self.count))
        with m.Else():
            m.d.comb += rest.eq(left - self.size)
        changes = self.start | self.advance
        with m.If(changes):
            m.d.sync += left.eq(rest)
        size = Signal.like(filters)
        m.d.comb += size.eq(Mux(changes, Mux(rest < self.size, rest, self.size), filters))
        m.d.comb += following.eq(Mux(changes | self.last, 0, self.filter + 1))
        with m.If(changes | self.step):
            m.d.sync += [
                filters.eq(size), self.filter.eq(following), self.last.eq(following + 1 == size)]
        with m.If(changes):
            m.d.sync += self.final.eq(rest <= self.size)
        return m
