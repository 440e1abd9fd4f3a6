"""Nested loop counters."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Nest"]


class Nest(wiring.Component):
    """Counters of nested loops, outermost first.

    ``value[k]`` runs through 0 .. ``count[k]`` - 1; a ``step`` advances the innermost counter and carries outwards.

    Parameters
    ----------
    widths : sequence of int
        Bits of each counter.
    registered : bool
        Whether ``at_end``, ``carry`` and ``done`` come from registers, and so a cycle later.

    Members
    -------
    count0.. : In(widths[k]), at least 1, constant while counting
    reset, step : In(1)
    value0.. : Out(widths[k])
    at_end0.. : Out(1), counter k stands at its last value
    carry0.. : Out(1), a step advances (or wraps) counter k: all inner ones stand at their last value
    done : Out(1), all counters stand at their last value; a step then starts over

    Timing: ``value`` follows ``step`` and ``reset`` in the next cycle, the other outputs too or, ``registered``, in the
    one after it; steps are then at least two cycles apart.
    """

    def __init__(self, widths, *, registered=False):
        self._widths = tuple(widths)
        self._registered = registered
        members = {"reset": In(1), "step": In(1), "done": Out(1)}
        for k, width in enumerate(self._widths):
            members |= {f"count{k}": In(width), f"value{k}": Out(width), f"at_end{k}": Out(1), f"carry{k}": Out(1)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        inner = Signal(init=1)
        m.d.comb += inner.eq(1)
        for k, width in reversed(list(enumerate(self._widths))):
            value = getattr(self, f"value{k}")
            at_end = getattr(self, f"at_end{k}")
            following = Signal(width, name=f"following{k}")
            m.d.comb += [following.eq(value + 1), getattr(self, f"carry{k}").eq(inner)]
            m.d["sync" if self._registered else "comb"] += at_end.eq(following == getattr(self, f"count{k}"))
            with m.If(self.reset):
                m.d.sync += value.eq(0)
            with m.Elif(self.step & inner):
                m.d.sync += value.eq(following)
                with m.If(at_end):
                    m.d.sync += value.eq(0)
            outer = Signal(name=f"inner{k}")
            m.d.comb += outer.eq(inner & at_end)
            inner = outer
        m.d.comb += self.done.eq(inner)
        return m
