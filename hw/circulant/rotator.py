"""Rotation: complex numbers of the lower line, part behind part, times constants of magnitude 1."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.circulant.transform_config import MOST_CONSTANTS

from ..common.delay import delay
from .product import ConstantProduct
from .swap import lines

__all__ = ["DiagonalRotator", "Rotator", "flag"]


def flag(m, index, bits, cycles, name="flag"):
    """Bit ``bits[index]``, ``cycles`` >= 1 later; ``index``: a Signal."""
    mask = sum(1 << n for n, bit in enumerate(bits) if bit)
    return delay(m, Const(mask, len(bits)).bit_select(index, 1), cycles, name=name)


class _Rotator(wiring.Component):
    """What both rotators share: members, and real and imaginary parts at once.

    Parameters
    ----------
    in_width, out_width : int
        Bits of ``i`` and ``o``.
    distance : int
        Cycles from a real to its imaginary part.
    late : list of bool
        Of each index: it is an imaginary part.
    c, s : list of int
        Of each index its factor's parts times 2 ** ``bits``, c >= 0; where a number is left alone
        c = 2 ** bits and s = 0.
    bits : int

    Members
    -------
    i, o : In(lines(in_width)), Out(lines(out_width))
    following : In(range(len(late)))
        The index of the next cycle's ``i``.
    """

    def __init__(self, in_width, out_width, distance, late, c, s, bits):
        self._distance, self._late, self._c, self._s, self._bits = distance, late, c, s, bits
        super().__init__({"i": In(lines(in_width)), "following": In(range(len(late))),
                          "o": Out(lines(out_width))})

    def _flag(self, m, bits, cycles, name):
        """``bits`` of the index that came in ``cycles`` before."""
        return flag(m, self.following, bits, cycles + 1, name)

    @property
    def _negative(self):
        """Of each index: its part is c a - |s| b, b being the number's other part."""
        return [s != 0 and (s < 0) != late for s, late in zip(self._s, self._late, strict=True)]

    def _partner(self, m, value, cycles):
        """The other part of the number that came in ``distance`` cycles before, negated but for 1: ~b."""
        late = self._flag(m, self._late, cycles + self._distance, "late")
        negative = self._flag(m, self._negative, cycles + self._distance, "negative")
        other = Mux(late, delay(m, value, 2 * self._distance, name="other"), value)
        return (other.as_unsigned() ^ negative.replicate(len(value))).as_signed(), negative


class DiagonalRotator(_Rotator):
    """Rotation by 45 degrees, either way: ``o = (C * (a +- b) + half) >> bits``, C the one c that is used.

    a and b are the parts of one number: sums come before the product, so that one product does.

    Timing: ``latency`` cycles, of the upper line, too. Not reset.
    Cost: the product's adders and one more, 2 * out_width LUTs; flip-flops.
    """

    def __init__(self, in_width, out_width, distance, late, c, s, bits):
        super().__init__(in_width, out_width, distance, late, c, s, bits)
        (factor,) = {c for c, s in zip(c, s, strict=True) if s}
        self._product = ConstantProduct(in_width + 1, factor, bits, rounded=True)
        self.latency = distance + self._product.latency + 2

    def elaborate(self, platform):
        m = Module()
        m.submodules.product = product = self._product
        upper, lower = self.i
        own = delay(m, lower, self._distance, name="own")
        partner, negative = self._partner(m, lower, 0)
        # The carry into own + partner comes out of one more bit.
        total = Cat(Const(1, 1), own).as_signed() + Cat(negative, partner).as_signed()
        m.d.comb += product.i.eq(delay(m, (total >> 1)[:len(product.i)].as_signed(), 1, name="total"))
        turned = self._flag(m, [s != 0 for s in self._s], self.latency - 1, "turned")
        kept = delay(m, own, product.latency + 1, name="kept")
        found = Mux(turned, product.o, kept)[:len(self.o[1])].as_signed()
        m.d.comb += [
            self.o[0].eq(delay(m, upper, self.latency, name="upper")),
            self.o[1].eq(delay(m, found, 1, name="lower")),
        ]
        return m


class Rotator(_Rotator):
    """Rotation by several angles: ``o = (p + q + 1) >> 1`` or ``(p - q) >> 1``,

        p = (c * a) >> (bits - 1),  q = (|s| * b) >> (bits - 1)

    Up to `MOST_CONSTANTS` different constants are products by shifts and additions; if there are more, c and
    |s| come from a table and p and q out of multipliers.

    Timing: ``latency`` cycles, of the upper line, too. Not reset.
    Cost: the products' adders or two multipliers (of more than 18 bits: more), one adder, multiplexers.
    """

    def __init__(self, in_width, out_width, distance, late, c, s, bits):
        super().__init__(in_width, out_width, distance, late, c, s, bits)
        self._part = in_width + 1
        self._constants = sorted({*c, *map(abs, s)} - {0, 1 << bits})
        if len(self._constants) > MOST_CONSTANTS:
            self._products, self._steps = None, 2
        else:
            self._products = [ConstantProduct(in_width, factor, bits - 1) for factor in self._constants]
            self._steps = max(product.latency for product in self._products) + 1
        self.latency = self._steps + distance + 1

    def elaborate(self, platform):
        m = Module()
        factors = self._c, list(map(abs, self._s))
        p, q = (self._chosen(m, *factors) if self._products else
                [self._multiplied(m, factor, name) for factor, name in zip(factors, "cs", strict=True)])
        own = delay(m, p, self._distance, name="own")
        partner, _ = self._partner(m, q, self._steps)
        total = Cat(Const(1, 1), own).as_signed() + Cat(Const(1, 1), partner).as_signed()
        found = (total >> 2)[:len(self.o[1])].as_signed()
        m.d.comb += [
            self.o[0].eq(delay(m, self.i[0], self.latency, name="upper")),
            self.o[1].eq(delay(m, found, 1, name="lower")),
        ]
        return m

    def _chosen(self, m, c, s):
        """p and q, ``_steps`` cycles behind ``i``: one of the products each."""
        steps = self._steps - 1
        results = {1 << self._bits: delay(m, self.i[1], steps, name="one") << 1}
        for n, (factor, product) in enumerate(zip(self._constants, self._products, strict=True)):
            m.submodules[f"product{n}"] = product
            m.d.comb += product.i.eq(self.i[1])
            results[factor] = delay(m, product.o, steps - product.latency, name=f"product{n}_")
        for name, wanted in (("p", c), ("q", s)):
            used = sorted(set(wanted) - {0})
            which = Cat(*(self._flag(m, [used.index(v) >> bit & 1 if v else 0 for v in wanted], steps,
                                     f"{name}_which{bit}")
                          for bit in range((len(used) - 1).bit_length())))
            chosen = Signal(signed(self._part), name=f"{name}_chosen")
            with m.Switch(which):
                for n, factor in enumerate(used):
                    with m.Case(n) if n < len(used) - 1 else m.Default():
                        m.d.comb += chosen.eq(results[factor])
            some = self._flag(m, [v != 0 for v in wanted], steps, f"{name}_some")
            yield delay(m, Mux(some, chosen, 0)[:self._part].as_signed(), 1, name=name)

    def _multiplied(self, m, factors, name):
        """A product, ``_steps`` cycles behind ``i``, of two registers with a register behind."""
        factor = Cat(*(self._flag(m, [v >> bit & 1 for v in factors], 1, f"{name}{bit}")
                       for bit in range(self._bits + 1)), Const(0, 1)).as_signed()
        product = factor * delay(m, self.i[1], 1, name=f"{name}_i")
        return delay(m, (product >> self._bits - 1)[:self._part].as_signed(), 1, name=f"{name}_product")
