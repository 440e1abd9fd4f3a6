"""Multiplication by a constant: shifts and additions."""

from amaranth import Cat, Const, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.circulant.transform_config import digits
from shiftwork.golden.common.intervals import signed_width

from ..common.delay import delay

__all__ = ["ConstantProduct"]


class ConstantProduct(wiring.Component):
    """``o = (factor * i + half) >> cut`` where half = 2 ** (cut - 1) if ``rounded``, else 0.

    Canonical signed digits are added from the lowest to the highest, so that each addition leaves the bits
    below its digit alone.

    Parameters: ``width``: bits of ``i``; ``factor``: an integer > 0, if ``rounded`` with its highest digit
    from 2 ** cut on and not the only one; ``cut``: an integer > 0.

    Members: ``i``: In(signed(width)), ``o``: Out, as wide as the product needs.

    Timing: ``latency`` cycles, one less than the factor has digits. Not reset.
    Cost: ``latency`` adders of about ``width`` bits, no multiplier.
    """

    def __init__(self, width, factor, cut, rounded=False):
        self._digits, self._cut, self._rounded = digits(factor), cut, rounded
        self.latency = len(self._digits) - 1
        if rounded and not (self.latency and self._digits[-1][0] >= cut):
            raise ValueError("factor of a rounded product must have two digits, one of them "
                             f"2 ** {cut} or more, not be {factor}")
        half = 1 << cut - 1 if rounded else 0
        least = (factor * -(1 << width - 1) + half) >> cut
        super().__init__({"i": In(signed(width)), "o": Out(signed(signed_width(least, -least)))})

    def elaborate(self, platform):
        m = Module()
        low, high = -(1 << len(self.i) - 1), (1 << len(self.i) - 1) - 1
        (exponent, sign), *rest = self._digits
        # `total` stands for reached * i, and as long as all digits were negative for minus that.
        i, total, reached = self.i, self.i << exponent, 1 << exponent
        for n, (exponent, digit) in enumerate(rest):
            step, at, half = i, exponent, 0
            if self._rounded and n == self.latency - 1:
                at = self._cut - 1
                step, half = Cat(Const(1, 1 + exponent - self._cut), i).as_signed(), 1 << at
            upper, below = total >> at, Cat(total, total[-1].replicate(at))[:at]
            if sign < 0 < digit:
                found, reached, sign = (step << at) - total, (1 << exponent) - reached, 1
            elif sign == digit:
                found, reached = Cat(below, upper + step).as_signed(), reached + (1 << exponent)
            else:
                found, reached = Cat(below, upper - step).as_signed(), reached - (1 << exponent)
            ends = reached * low + half, reached * high + half
            total = Signal(signed(signed_width(min(ends), max(ends))), name=f"total{n}", reset_less=True)
            m.d.sync += total.eq(found)
            i = delay(m, i, 1, name=f"i{n}_")
        m.d.comb += self.o.eq(total >> self._cut)
        return m
