"""Softmax, one class a cycle: powers of two of logits, probabilities of powers."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...golden.training.config import PRODUCT_FRACTION, WIDE_BITS
from ...golden.training.softmax import ERROR_FRACTION, LOG2_E, TABLE_BITS, power_table
from ..common.delay import delay
from .layouts import MEMORY_CYCLES

__all__ = ["POWER_BITS", "POWER_CYCLES", "PROBABILITY_CYCLES", "SoftmaxLine"]

POWER_BITS = 16

PROBABILITY_CYCLES = 4
"""From a power to its probability."""

POWER_CYCLES = 4 + MEMORY_CYCLES
"""From a logit to its power."""

_EVEN = (LOG2_E & -LOG2_E).bit_length() - 1     # factors of two of the constant need no multiplication
_POINT = PRODUCT_FRACTION + 16 - _EVEN          # bits behind the point of a logit's product
_FACTOR_POINT = WIDE_BITS                       # .. of a power's: `Reciprocal`
_LIMB = 18


class SoftmaxLine(wiring.Component):
    """docs/engines/training.md, softmax cross entropy, with one multiplier for both of its products.

    Members
    -------
    divides : In(1), whether powers are multiplied, rather than logits
    greatest : In(signed(24)), z : In(signed(24)), at most ``greatest``
    power : Out(16), T[ fraction of v ] >> v, v = (greatest - z) * 94548 / 2 ** 30; POWER_CYCLES behind z
    factor : In(25), p : In(16), with a product below 2 ** 40
    probability : Out(16), round( p * factor / 2 ** 24 ), halves to even; PROBABILITY_CYCLES behind p

    Timing: one a cycle; ``greatest``, ``factor`` and ``divides`` must stand from the cycle of z or p on.
    Cost: two multipliers of 18 bits, a table of 256 words of 16 bits.
    """

    def __init__(self):
        super().__init__({
            "divides": In(1), "greatest": In(signed(WIDE_BITS)), "z": In(signed(WIDE_BITS)),
            "factor": In(WIDE_BITS + 1), "p": In(POWER_BITS),
            "power": Out(POWER_BITS), "probability": Out(ERROR_FRACTION + 1)})

    def elaborate(self, platform):
        m = Module()
        product = self._product(m)
        # Powers: whole octaves are a shift, 16 or more leave nothing.
        m.submodules.table = table = Memory(shape=POWER_BITS, depth=1 << TABLE_BITS,
                                            init=[int(word) for word in power_table()])
        read, above = table.read_port(), product[_POINT:]
        m.d.comb += read.addr.eq(product[_POINT - TABLE_BITS:_POINT])
        octaves = Signal(5, reset_less=True)
        m.d.sync += [
            octaves.eq(Mux(above[4:].any(), POWER_BITS, above[:4])),
            self.power.eq(delay(m, read.data, MEMORY_CYCLES - 1, name="entry")
                          >> delay(m, octaves, MEMORY_CYCLES - 1, name="octaves")),
        ]
        half = (1 << _FACTOR_POINT - 1) - 1
        m.d.sync += self.probability.eq((product + half + product[_FACTOR_POINT]) >> _FACTOR_POINT)
        return m

    def _product(self, m):
        """Registers before the multipliers, behind them and behind their sum."""
        x, y = Signal(WIDE_BITS + 1, reset_less=True), Signal(POWER_BITS, reset_less=True)
        m.d.sync += [x.eq(Mux(self.divides, self.factor, (self.greatest - self.z)[:WIDE_BITS])),
                     y.eq(Mux(self.divides, self.p, LOG2_E >> _EVEN))]
        low, high = (Signal(len(part) + POWER_BITS, reset_less=True, name=name)
                     for name, part in (("low", x[:_LIMB]), ("high", x[_LIMB:])))
        product = Signal(len(x) + POWER_BITS, reset_less=True)
        m.d.sync += [low.eq(x[:_LIMB] * y), high.eq(x[_LIMB:] * y), product.eq(low + (high << _LIMB))]
        return product
