"""Momentum and step of a parameter."""

from amaranth import Module, Mux, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import MASTER_BITS
from shiftwork.golden.training.engine_config import ACCUMULATOR_BITS

from ..common.delay import delay
from .rounding import clipped, rounded

__all__ = ["Optimizer"]


class Optimizer(wiring.Component):
    """A lane of the update, exact but for the accumulator's rounding: docs/engines/training.md, "Update".

        fresh = momentum * accumulator + gradient
        new_stored = clip( stored - rate * fresh ),    new_accumulator = round( fresh / 4 )

    Parameters
    ----------
    stored_bits, accumulator_bits, rate_bits, gradient_bits : int
        Formats; accumulator_bits > gradient_bits, so that fresh has 2 bits more than the accumulator.

    Members
    -------
    gradient : In(signed), stored : In(signed), accumulator : In(signed), of one cycle
    rate : In(rate_bits), momentum : In(2), constant
    new_stored, new_accumulator : Out(signed)

    Timing: ``latency`` = 6 cycles; a parameter each cycle. Not reset.
    Cost: a multiplier of ``rate_bits`` by ``accumulator_bits``, unsigned; five adders.
    """

    latency = 6

    def __init__(self, stored_bits=MASTER_BITS, accumulator_bits=ACCUMULATOR_BITS, rate_bits=9,
                 gradient_bits=8):
        self._stored_bits, self._fresh_bits = stored_bits, accumulator_bits + 2
        stored, accumulator = signed(stored_bits), signed(accumulator_bits)
        super().__init__({
            "gradient": In(signed(gradient_bits)), "stored": In(stored), "accumulator": In(accumulator),
            "rate": In(rate_bits), "momentum": In(2),
            "new_stored": Out(stored), "new_accumulator": Out(accumulator),
        })

    def elaborate(self, platform):
        m = Module()
        bits, acc = self._fresh_bits, self.accumulator
        scaled = Mux(self.momentum[0], acc, 0) + (Mux(self.momentum[1], acc, 0) << 1)
        scaled = delay(m, scaled[:bits].as_signed(), 1, name="scaled")
        fresh = (scaled + delay(m, self.gradient, 1, name="gradient_"))[:bits].as_signed()
        fresh = delay(m, fresh, 1, name="fresh")
        m.d.comb += self.new_accumulator.eq(
            delay(m, rounded(fresh, 2)[:bits - 2].as_signed(), self.latency - 2, name="accumulator_"))

        # The multiplier's factor has two bits less than fresh: so it fits one of 18 by 18 bits, signed.
        low = delay(m, fresh[:-2] * self.rate, 1, name="low")
        high = Mux(fresh[-2], self.rate, 0) - (Mux(fresh[-1], self.rate, 0) << 1)
        high = delay(m, high, 2, name="high")
        value = delay(m, delay(m, self.stored, 3, name="stored_") - low, 1, name="above")
        value = delay(m, value - (high << bits - 2), 1, name="value")
        m.d.comb += self.new_stored.eq(delay(m, clipped(value, self._stored_bits), 1, name="clipped"))
        return m
