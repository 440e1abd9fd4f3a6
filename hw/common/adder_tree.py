"""A balanced tree of adders."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["AdderTree"]


class AdderTree(wiring.Component):
    """The sum of all terms.

        o = i[0] + i[1] + ... + i[terms - 1]    modulo 2 ** width

    Parameters
    ----------
    terms : int
        How many, a power of two.
    width : int
        Bits of a term and of the sum.

    Raises ValueError where ``terms`` is none of these.

    Members: ``i``: In(ArrayLayout(width, terms)), ``o``: Out(width).

    Timing: ``o`` is the sum of the terms ``latency`` = log2(terms) cycles before: each level has registers.
    Cost: ``terms`` - 1 adders of ``width`` bits.
    """

    def __init__(self, terms, width):
        if terms < 1 or terms & terms - 1:
            raise ValueError(f"terms must be a power of two, not {terms!r}")
        self.latency = terms.bit_length() - 1
        self._width = width
        super().__init__({"i": In(data.ArrayLayout(width, terms)), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        level = list(self.i)
        for depth in range(self.latency):
            sums = [Signal(self._width, name=f"sum{depth}_{n}", reset_less=True)
                    for n in range(len(level) // 2)]
            m.d.sync += [total.eq(level[2 * n] + level[2 * n + 1]) for n, total in enumerate(sums)]
            level = sums
        m.d.comb += self.o.eq(level[0])
        return m
