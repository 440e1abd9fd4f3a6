"""Lanes: a complex product a cycle, or two real ones, and their sums."""

from amaranth import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay

__all__ = ["ComplexLane", "RealLane", "factors"]


def factors(width):
    """What a column's slot is to the lanes of all rows: a, b - a and a + b of (a, b), of ``width`` bits."""
    return data.StructLayout({"a": signed(width), "difference": signed(width + 1), "sum": signed(width + 1)})


class _Lane(wiring.Component):
    """Sums of products, each modulo 2 ** ``acc_width``; what `ComplexLane` and `RealLane` share.

    Members
    -------
    x
        The left factors, `factors` or the slot itself, registered.
    w : In(ArrayLayout(signed(weight_width), 2))
        The weights c, d, one cycle before ``x``.
    valid, last : In(1), one cycle after ``x``
        ``valid``: the products are added; ``last``: to what becomes ``o``, and the next ones begin from zero.
    o : Out(ArrayLayout(signed(acc_width), products))
        The sums, two cycles after the last ``x``.
    advance : In(1), i : In, as ``o``
        In the next cycle ``o`` is ``i``, unless it is sums.

    Timing: one column a cycle. Reset begins from zero.
    """

    def __init__(self, x, weight_width, acc_width, products):
        sums = data.ArrayLayout(signed(acc_width), products)
        super().__init__({
            "x": In(x), "w": In(data.ArrayLayout(signed(weight_width), 2)), "valid": In(1), "last": In(1),
            "advance": In(1), "i": In(sums), "o": Out(sums)})

    def _accumulate(self, m, products):
        """Sums of ``products``, pairs of registered factors."""
        sums = Signal.like(self.o, reset_less=True)
        for n, (left, right) in enumerate(products):
            product = delay(m, left * right, 1, name=f"product{n}")
            # Beginning from zero is a register's reset; a multiplexer would cost a LUT a bit.
            acc = Signal.like(self.o[n], name=f"acc{n}")
            total = (acc + product)[:len(acc)].as_signed()
            with m.If(self.advance):
                m.d.sync += sums[n].eq(self.i[n])
            with m.If(self.valid):
                m.d.sync += acc.eq(total)
            with m.If(self.valid & self.last):
                m.d.sync += [acc.eq(0), sums[n].eq(total)]
        m.d.comb += self.o.eq(sums)


class ComplexLane(_Lane):
    """Sums over columns of the three products that make (a + j b) (c + j d).

        o = k1, k2, k3 = sum a (c + d), sum c (b - a), sum d (a + b)
        real part k1 - k3, imaginary part k1 + k2

    Parameters: ``width``, bits of a and b; ``weight_width``, of c and d; ``acc_width``, of a sum.

    Members: ``x``: In(factors(width)) and those of `_Lane`.

    Cost: 3 multipliers of (weight_width + 1) x width and weight_width x (width + 1) bits, twice; 4 adders.
    """

    def __init__(self, width, weight_width, acc_width):
        super().__init__(factors(width), weight_width, acc_width, 3)

    def elaborate(self, platform):
        m = Module()
        c, d = self.w
        total = delay(m, c + d, 1, name="total")
        c, d = delay(m, c, 1, name="c"), delay(m, d, 1, name="d")
        self._accumulate(m, ((self.x.a, total), (self.x.difference, c), (self.x.sum, d)))
        return m


class RealLane(_Lane):
    """Sums of a c and of b d: slot 0, whose two numbers are real bins.

    Parameters: those of `ComplexLane`.

    Members: ``x``: In(ArrayLayout(signed(width), 2)) and those of `_Lane`.

    Cost: 2 multipliers of weight_width x width bits; 2 adders.
    """

    def __init__(self, width, weight_width, acc_width):
        super().__init__(data.ArrayLayout(signed(width), 2), weight_width, acc_width, 2)

    def elaborate(self, platform):
        m = Module()
        self._accumulate(m, ((x, delay(m, w, 1, name=f"w{n}"))
                             for n, (x, w) in enumerate(zip(self.x, self.w, strict=True))))
        return m
