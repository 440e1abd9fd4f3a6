"""A lane of the element unit: everything that becomes of one number of a vector."""

from amaranth import Module, Mux, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import WIDE_BITS
from shiftwork.golden.training.engine_config import ERROR_BITS, SUM_BITS
from shiftwork.golden.training.registers import Slot

from ..common.delay import delay
from .error_line import ErrorLine
from .error_quantizer import ErrorQuantizer
from .lane_parameters import MEMORIES, PARAMETERS, LaneParameters
from .lane_sums import QUANTITIES, LaneSums
from .normalizer import Normalizer
from .pool import WindowPool

__all__ = ["CYCLES", "RAW_EARLIER", "STATIC", "TIMED", "ElementLane"]

CYCLES = {"error": 6, "pool": 10, "pooled": 11, "plain": 12, "weighted": 12, "most": 16, "e2": 21}
"""Cycles of an element: D and winner come; a comes to the pool, leaves it; terms of sums; E2."""

RAW_EARLIER = CYCLES["e2"] - 12
"""In RAW, E2 comes so many cycles earlier: D need not wait for what it does without."""

STATIC = data.StructLayout({"raw": 1, "activate": 1, "spread": 1, "flagged": 1, "error_shift": 6,
                            "product_shift": 6, "clear": len(QUANTITIES)})
"""What a pass says to all lanes. ``spread``: errors are of a pooled map; ``clear``: a bit a quantity."""

TIMED = data.StructLayout({
    "load": len(PARAMETERS), "load_half": len(MEMORIES), "number": 2, "inside": 1, "pool_number": 2,
    "pool_first": 1, "half": len(QUANTITIES), "take": len(QUANTITIES)})
"""What goes with elements, each in its own cycle, as `LaneParameters` and `LaneSums` have it."""


class ElementLane(wiring.Component):
    """docs/engines/training-machine.md, "Element unit", of one channel of each half.

    Members
    -------
    static : In(STATIC), constant but for ``clear``; timed : In(TIMED)
    z : In(signed(24)), in cycle 0; error : In(signed(40)), winner : In(2), in cycle 6
    o : Out(signed(16))
        ACTIVATE: the greatest of a window, in cycle 12; RAW: E2, in cycle 13; else E2, in cycle 22.
    best_winner : Out(2), in cycle 11
    parameter_slot, parameter_half, parameter_data, parameter_write : In, of `LaneParameters`
    shown : In(3), in the order of `QUANTITIES`, sum : Out(signed(40)), sum_more : Out(1), of `LaneSums`

    Timing: an element each cycle. Not reset.
    Cost: six multipliers of 18 bits; in an ECP5 904 LUT4, 167 carry cells, 17 distributed memories of 4
    bits, 1150 flip-flops.
    """

    def __init__(self):
        self._parameters = LaneParameters()
        given = self._parameters.signature.members
        super().__init__({
            "static": In(STATIC), "timed": In(TIMED), "z": In(signed(WIDE_BITS)),
            "error": In(signed(SUM_BITS)), "winner": In(2), "o": Out(signed(ERROR_BITS)),
            "best_winner": Out(2), "shown": In(len(QUANTITIES)), "sum": Out(signed(SUM_BITS)),
            "sum_more": Out(1),
            **{f"parameter_{name}": given[name] for name in ("slot", "half", "data", "write")}})

    def elaborate(self, platform):
        m = Module()
        static, timed = self.static, self.timed
        m.submodules.parameters = parameters = self._parameters
        m.submodules.normalizer = normalizer = Normalizer()
        m.submodules.line = line = ErrorLine()
        m.submodules.quantizer = quantizer = ErrorQuantizer()
        m.submodules.pool = pool = WindowPool()
        m.d.comb += [getattr(parameters, name).eq(getattr(self, f"parameter_{name}"))
                     for name in ("slot", "half", "data", "write")]
        m.d.comb += [parameters.load.eq(timed.load), parameters.load_half.eq(timed.load_half)]
        for slot in PARAMETERS:
            name = slot.name.lower()
            part = line if slot in (Slot.Q, Slot.P, Slot.FACTOR) else normalizer
            m.d.comb += getattr(part, name).eq(getattr(parameters, name))

        m.d.comb += [
            normalizer.z.eq(self.z),
            pool.a.eq(normalizer.a), pool.number.eq(timed.pool_number), pool.first.eq(timed.pool_first),
            line.error.eq(self.error), line.shift.eq(static.error_shift),
            line.counts.eq(~static.spread | (timed.inside & (self.winner == timed.number))),
            line.x_hat.eq(normalizer.x_hat), line.a.eq(normalizer.a),
            quantizer.i.eq(Mux(static.raw, self.error, line.dx)), quantizer.flagged.eq(static.flagged),
            quantizer.shift.eq(static.product_shift),
            self.o.eq(delay(m, Mux(static.activate, pool.best, quantizer.o)[:ERROR_BITS].as_signed(), 1,
                            name="o_")),
            self.best_winner.eq(pool.winner),
        ]
        m.submodules.sums = sums = LaneSums()
        for n, name in enumerate(QUANTITIES):
            m.d.comb += [getattr(sums, f"{what}_{name}").eq(value[n]) for what, value in (
                ("clear", static.clear), ("half", timed.half), ("take", timed.take), ("shown", self.shown))]
        m.d.comb += [
            sums.i_plain.eq(Mux(static.raw, quantizer.o, line.e)), sums.i_weighted.eq(line.weighted),
            sums.i_most.eq(quantizer.key), self.sum.eq(sums.o), self.sum_more.eq(sums.more)]
        return m
