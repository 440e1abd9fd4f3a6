"""Nested loop counters."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Nest"]


class Nest(wiring.Component):
    """Counters of nested loops, outermost first.

    ``value[k]`` runs through 0 .. ``count[k]`` - 1; a ``step`` advances the innermost counter and carries
    outwards.

    Parameters
    ----------
    widths : sequence of int
        Bits of each counter.

    Members
    -------
    count0.. : In(widths[k]), 1 .. 2 ** width (which is written 0), constant from a ``reset`` on
    reset, step : In(1); the first ``reset`` goes before the first step
    value0.. : Out(widths[k])
    at_end0.. : Out(1), counter k stands at its last value
    carry0.. : Out(1), a step advances (or wraps) counter k: all inner ones stand at their last value
    done : Out(1), all counters stand at their last value; a step then starts over

    Timing: all outputs follow ``step`` and ``reset`` in the next cycle. ``at_end`` comes from a register,
    which looks one value ahead, so that no path from a step to the next one holds a comparison.
    Cost: an adder, two comparisons and a register of each width, and one more bit.
    """

    def __init__(self, widths):
        self._widths = tuple(widths)
        members = {"reset": In(1), "step": In(1), "done": Out(1)}
        for k, width in enumerate(self._widths):
            members |= {f"count{k}": In(width), f"value{k}": Out(width)}
            members |= {f"at_end{k}": Out(1), f"carry{k}": Out(1)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        inner = Signal(init=1)
        m.d.comb += inner.eq(1)
        for k, width in reversed(list(enumerate(self._widths))):
            value, count = getattr(self, f"value{k}"), getattr(self, f"count{k}")
            at_end = getattr(self, f"at_end{k}")
            last = Signal(width, name=f"last{k}")
            m.d.comb += [last.eq(count - 1), getattr(self, f"carry{k}").eq(inner)]
            with m.If(self.reset | (self.step & inner)):
                with m.If(self.reset | at_end):
                    m.d.sync += [value.eq(0), at_end.eq(last == 0)]
                with m.Else():
                    m.d.sync += [value.eq(value + 1), at_end.eq((value + 1)[:width] == last)]
            outer = Signal(name=f"inner{k}")
            m.d.comb += outer.eq(inner & at_end)
            inner = outer
        m.d.comb += self.done.eq(inner)
        return m
