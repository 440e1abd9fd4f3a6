"""Sigmoid and hyperbolic tangent, piecewise linear."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.circulant.activation import base as base_table
from shiftwork.golden.circulant.config import ACT_FRACTION, PRE_WIDTH

from ..common.adder_tree import AdderTree
from ..common.delay import delay
from .layouts import Activation

__all__ = ["ActivationUnit"]


def _looked_up(values, index):
    """``values[index]``, a table in logic."""
    bits = range(max(values).bit_length())
    masks = [sum((value >> bit & 1) << n for n, value in enumerate(values)) for bit in bits]
    return Cat(Const(mask, len(values)).bit_select(index, 1) for mask in masks)


class ActivationUnit(wiring.Component):
    """``y = x | sigmoid(x) | tanh(x)`` as docs/engines/circulant-machine.md, "Activation", has them.

    x counts units of 2 ** -12, y of 2 ** -14; x that passes through stays as it is.

    Parameters
    ----------
    config : CirculantConfig
    multiplier : bool
        False: the slope's product is shifts and additions.
    tanh : bool
        It is always tanh, and there is no ``act``.

    Members
    -------
    x : In(signed(16))
    act : In(Activation), of the same cycle
    y : Out(signed(16))

    Timing: ``latency`` cycles, 5 with a multiplier, up to 7 without; a value each cycle. Not reset.
    Cost: one multiplier of about 10 x 10 bits, or as many adders; a table of 2 ** (3 + segment_bits) words of
    about 25 bits, in logic.
    """

    def __init__(self, config, *, multiplier=True, tanh=False):
        self._segment_bits, self._multiplier, self._tanh = config.segment_bits, multiplier, tanh
        #: bits of a position within a segment
        self._bits = 12 - config.segment_bits
        self._terms = 1 << self._bits.bit_length()      # the base and a term of each bit
        self.latency = 5 if multiplier else 3 + (self._terms - 1).bit_length()
        super().__init__({"x": In(signed(PRE_WIDTH)), "y": Out(signed(PRE_WIDTH)),
                          **({} if tanh else {"act": In(Activation)})})

    def elaborate(self, platform):
        m = Module()
        tanh = Const(1, 1) if self._tanh else self.act == Activation.TANH
        negative = self.x[-1]
        magnitude = ((self.x ^ negative.replicate(PRE_WIDTH)).as_unsigned() + negative)[:PRE_WIDTH]
        u = delay(m, Mux(
            Mux(tanh, magnitude[-2:].any(), magnitude[-1]), (1 << PRE_WIDTH - 1) - 1,
            Mux(tanh, magnitude << 1, magnitude))[:PRE_WIDTH - 1], 1, name="u")
        value = self._sigmoid(m, u)

        late = self.latency - 1
        negative = delay(m, negative, late, name="negative")
        if not self._tanh:
            tanh = delay(m, tanh, late, name="tanh")
        # S, 1 - S; 2 S - 1, 1 - 2 S: the value or its complement, and a constant
        value = Mux(tanh, value << 1, value)[:PRE_WIDTH]
        one = Signal(signed(ACT_FRACTION + 2))
        m.d.comb += one.eq(Cat(Const(0, ACT_FRACTION), tanh | negative, tanh & ~negative))
        total = (Cat(Const(1, 1), value ^ negative.replicate(PRE_WIDTH), negative).as_signed()
                 + Cat(negative, one).as_signed()) >> 1
        if not self._tanh:
            none = delay(m, self.act == Activation.NONE, late, name="none")
            total = Mux(none, delay(m, self.x, late, name="x"), total)
        m.d.comb += self.y.eq(delay(m, total[:PRE_WIDTH].as_signed(), 1, name="y"))
        return m

    def _sigmoid(self, m, u):
        """S(``u``), of all cycles but the first and the last."""
        bits, bases = self._bits, base_table(self._segment_bits).tolist()
        slopes = [following - base for base, following in zip(bases[:-1], bases[1:], strict=True)]
        base, slope = (delay(m, _looked_up(values, u[bits:]), 1, name=name)
                       for values, name in ((bases[:-1], "base"), (slopes, "slope")))
        place = delay(m, u[:bits], 1, name="place")
        # base + 1/2, in the unit of the product
        base = Cat(Const(1 << bits - 1, bits), base)
        if self._multiplier:
            product = delay(m, slope * place, 1, name="product")
            total = delay(m, (delay(m, base, 1, name="base_") + product)[:len(base)], 1, name="total")
        else:
            m.submodules.tree = tree = AdderTree(self._terms, len(base))
            terms = [(slope & bit.replicate(len(slope))) << n for n, bit in enumerate(place)]
            m.d.comb += [i.eq(term) for i, term in zip(tree.i, [base, *terms], strict=False)]
            total = tree.o
        return total[bits:]
