"""The rebuild engine: weights from coefficients and a basis, by shifting and adding."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .rebuild_layouts import CODE, RebuildWidths, bases_layout

__all__ = ["RebuildEngine"]


class RebuildEngine(wiring.Component):
    """Weights of a row of coefficients, from one row of its basis a cycle.

        w[s] = sum over the cycles from ``first`` to ``last`` of  (-b[s] if negative else b[s]) * 2**exponent

    where the coefficient is not 0; exact: |w| is at most taps * 128 * 2**7. Two rows are kept, by turns.
    A row takes as many cycles as it has coefficients, and none begins before the one before has ended: so one
    adder with two registers behind it does what the paper's two rebuild engines do.

    Members
    -------
    code : In(CODE), b : In, a row of the basis; first, last : In(1), of a row of coefficients
    turn : In(1), with ``last``: which of the two it is; keep : In(1), with ``last``: it is one
    select : In(1); weights : Out(ArrayLayout(signed, taps)), those of the ``select``-th, combinational

    Timing: weights are readable two cycles after ``last``. Source: SmartExchange (arXiv 2005.03403), section
    IV. Cost: for each tap a shifter of 8 by 0 .. 7 bits and an adder.
    """

    latency = 2

    def __init__(self, config):
        self._config = config
        self._weights = data.ArrayLayout(signed(RebuildWidths(config).weight), config.taps)
        super().__init__({
            "code": In(CODE), "b": In(bases_layout(config)), "first": In(1), "last": In(1),
            "turn": In(1), "keep": In(1), "select": In(1), "weights": Out(self._weights),
        })

    def elaborate(self, platform):
        m = Module()
        flags = Signal(data.StructLayout({"first": 1, "keep": 2, "negative": 1}))
        m.d.sync += [
            flags.first.eq(self.first), flags.negative.eq(self.code.negative & self.code.nonzero),
            flags.keep.eq(Mux(self.last & self.keep, Mux(self.turn, 2, 1), 0)),
        ]
        kept = [Signal(self._weights, name=f"kept_{n}", reset_less=True) for n in range(2)]
        for s in range(self._config.taps):
            width = self._weights.elem_shape.width
            term, acc, total = (Signal(signed(width), name=f"{name}_{s}", reset_less=True)
                                for name in ("term", "acc", "total"))
            # -x = ~x + 1, the 1 in the adder
            shifted = Mux(self.code.nonzero, self.b[s], 0) << self.code.exponent
            m.d.sync += term.eq(Mux(self.code.negative & self.code.nonzero, ~shifted, shifted))
            m.d.comb += total.eq(Mux(flags.first, 0, acc) + term + flags.negative)
            m.d.sync += acc.eq(total)
            for n in range(2):
                with m.If(flags.keep[n]):
                    m.d.sync += kept[n][s].eq(total)
            m.d.comb += self.weights[s].eq(Mux(self.select, kept[1][s], kept[0][s]))
        return m
