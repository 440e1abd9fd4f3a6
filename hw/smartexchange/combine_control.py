"""Decides when dot products may end, and steps through the combination of each that has."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ...golden.smartexchange.config import FINISHED
from ..common.delay import delay
from .combiner import Combiner
from .layouts import COEFFICIENT_BITS, DESCRIPTOR, Widths, head_layout
from .tap_walk import TapWalk

__all__ = ["CombineControl"]


class CombineControl(wiring.Component):
    """Rules 2 and 3 of docs/engines/smartexchange-machine.md, "Timing".

    Members
    -------
    descriptor, start : In
    ready : Out(1), a last item may be taken; ``head`` is its list's, before that already
    issued : In(1), it is; head, negative : In, with it
    drained : In(1), the last step of a complete sum's drain
    finished : Out(1), a complete sum's first drain step may come from the next cycle on
    select : Out(K), one-hot, for the column array: a step
    flip, coefficient, read_sum, restart, write_sum, write_finished, combine, finish : Out, for `Combiner`,
        each so much after the step as it says there

    Timing: the first step comes ``latency`` cycles after ``issued``; then one a cycle. Last items are at
    least ``least_gap`` cycles apart. ``finished`` comes ``drain - 1`` cycles after the completing tap's first
    step. A sum's place is free ``free`` cycles after ``drained``.
    """

    least_gap = 6
    latency = 5
    drain = 5
    free = 1

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1),
            "ready": Out(1), "issued": In(1), "head": In(head_layout(config)), "negative": In(1),
            "drained": In(1), "finished": Out(1),
            "select": Out(config.combine_cycles), "flip": Out(1),
            "coefficient": Out(signed(COEFFICIENT_BITS)),
            "read_sum": Out(w.sum), "restart": Out(1), "write_sum": Out(w.sum),
            "write_finished": Out(w.finished), "combine": Out(1), "finish": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, w = self._config, Widths(self._config)
        m.submodules.taps = taps = TapWalk(config)
        top = Cat(self.descriptor.tap_count == s + 1 for s in range(config.taps))
        m.d.comb += [
            taps.descriptor.eq(self.descriptor), taps.start.eq(self.start),
            taps.step.eq(self.issued & self.head.last),
        ]
        complete = taps.mask & (top | taps.last.replicate(config.taps))
        self._ready(m, taps.mask, complete)

        # what the issued dot product's combination needs, kept until its sums are there
        meta = data.StructLayout({
            "mask": config.taps, "restart": config.taps, "complete": config.taps, "ring": w.open,
            "lift": self.head.lift.shape(), "b": self.head.b.shape(), "flip": 1})
        pending, active = Signal(meta, reset_less=True), Signal(meta)
        with m.If(self.issued):
            m.d.sync += [
                pending.mask.eq(taps.mask), pending.ring.eq(taps.ring), pending.flip.eq(self.negative),
                pending.lift.eq(self.head.lift), pending.b.eq(self.head.b),
                # tap 0 is the first one of its sum, if the run's first column does not come before it
                pending.restart.eq(Mux(self.head.first, taps.first.replicate(config.taps) | 1, 0)),
                pending.complete.eq(Mux(self.head.last, complete, 0)),
            ]
        arrived = delay(m, self.issued, self.latency - 1, reset_less=False)
        self._step(m, arrived, pending, active)
        return m

    def _ready(self, m, mask, complete):
        """Rule 2: the distance of last items, and room for the sums that one completes."""
        config, cycles = self._config, self._config.combine_cycles
        most = max(self.least_gap, config.taps * cycles)
        gap, following = (Signal(signed(bits_for(most) + 1), init=-1, name=n) for n in ("gap", "following"))
        used, more = Signal(range(FINISHED + 1)), Signal(range(config.taps + 1))
        # a column's first dot product ends at least `least_gap` cycles after the one before: time to count
        count = _count(mask)
        length = Signal(range(most + 1))
        m.d.comb += length.eq(count << bits_for(cycles - 1))
        m.d.sync += [
            following.eq(Mux(length > self.least_gap, length, self.least_gap) - 2), more.eq(_count(complete))]
        with m.If(self.start):
            m.d.sync += gap.eq(-1)
        with m.Elif(self.issued):
            m.d.sync += gap.eq(following)
        with m.Elif(~gap[-1]):
            m.d.sync += gap.eq(gap - 1)
        m.d.sync += used.eq(used + Mux(self.issued & self.head.last, more, 0) - self.drained)
        with m.If(self.start):
            m.d.sync += used.eq(0)
        m.d.comb += self.ready.eq(gap[-1] & (~self.head.last | (used + more <= FINISHED)))

    def _step(self, m, arrived, pending, active):
        """Vectors of each contributing tap, from the highest tap on."""
        config, w = self._config, Widths(self._config)
        hot, vector, place = Signal(config.combine_cycles), Signal(w.vector), Signal(range(FINISHED))
        tap = Signal(config.taps)       # the highest one left
        m.d.comb += tap.eq(Cat(
            active.mask[s] & ~active.mask[s + 1:].any() for s in range(config.taps)))
        running, ends = active.mask.any(), hot[-1]
        complete = (tap & active.complete).any()
        with m.If(arrived):
            m.d.sync += [active.eq(pending), hot.eq(1), vector.eq(0)]
        with m.Elif(running):
            m.d.sync += [hot.eq(hot.rotate_left(1)), vector.eq(vector + 1)]
            with m.If(ends):
                m.d.sync += active.mask.eq(active.mask & ~tap)
        with m.If(self.start):
            m.d.sync += place.eq(0)
        with m.Elif(running & ends & complete):
            m.d.sync += place.eq(place + 1)
        m.d.comb += self.select.eq(hot)

        # one cycle later: the tap's coefficient, and where its sum stands
        b, lift, open_sum = Signal(signed(8)), Signal.like(active.lift), Signal(w.open)
        m.d.sync += [
            b.eq(reduce(or_, (Mux(tap[s], active.b[s], 0) for s in range(config.taps)))),
            lift.eq(active.lift), self.flip.eq(active.flip),
            open_sum.eq(active.ring - reduce(or_, (Mux(tap[s], s, 0) for s in range(config.taps)))),
        ]
        m.d.sync += self.coefficient.eq(b.as_signed() << lift)
        sums = Cat(delay(m, vector, 1), open_sum)
        read, write = Combiner.read, Combiner.write
        m.d.comb += [
            self.read_sum.eq(delay(m, sums, read - 1)),
            self.restart.eq(delay(m, (tap & active.restart).any(), read + 1)),
            self.write_sum.eq(delay(m, self.read_sum, write - read)),
            self.write_finished.eq(delay(m, Cat(vector, place), write)),
            self.combine.eq(delay(m, running, write, reset_less=False)),
            self.finish.eq(delay(m, running & complete, write, reset_less=False)),
            self.finished.eq(delay(m, running & complete & hot[0], self.drain - 1, reset_less=False)),
        ]


def _count(bits):
    """Number of set bits of a few."""
    total = bits[0]
    for bit in bits[1:]:
        total = total + bit
    return total
