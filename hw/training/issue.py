"""Issues the pairs of planes of tile products, one a cycle."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ...golden.training.engine_config import PLANE_BITS
from ..common.delay import delay
from ..common.stream import Queue
from .array import NOTHING, STEP, latency
from .layouts import DESCRIPTOR, MEMORY_CYCLES, PAIR
from .operand_memory import READ, READ_CYCLES

__all__ = ["Issue"]

AHEAD = 8
"""Tile products whose descriptors are read or known: the queue and the memory take 5 cycles."""


_PRODUCT = data.StructLayout({"pair": PAIR, "left_planes": DESCRIPTOR["planes"].shape,
                              "right_planes": DESCRIPTOR["planes"].shape, "drop": 5})


class Issue(wiring.Component):
    """Walks the planes of tile products; docs/engines/training-machine.md, "Cycles".

        a step for each plane p of the left tile and q of the right one, of shift 2 (p + q) + both drops

    Parameters
    ----------
    config : EngineConfig

    Members
    -------
    i : In(stream of PAIR)
        Pairs of an output, the last one marked. An empty one is a step that adds nothing. ``first`` is of no
        use here: sums are zero behind an output.
    left_columns, left_half, right_columns, right_signed : In(1)
        How both operands are read, and whether the right one is signed; constant while ``busy``.
    left, right : Out(READ), of the operand memories
    step : Out(STEP), for the array, of the cycle in which the memories yield its digits
    busy : Out(1)
        Pairs are under way, or vectors of outputs that have ended have not left the array.

    Timing: a pair's first step comes `READ_CYCLES` + 5 cycles after the pair was accepted, at the earliest.
    Each pair takes planes * planes cycles (empty: 1) without a gap, but outputs end at least S cycles
    apart. A reset forgets all.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "i": In(stream.Signature(PAIR)), "left_columns": In(1), "left_half": In(1),
            "right_columns": In(1), "right_signed": In(1),
            "left": Out(READ), "right": Out(READ), "step": Out(STEP), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = Queue(_PRODUCT, AHEAD)
        product, step = queue.o.payload, Signal(STEP, init={"shift": NOTHING})
        pair = product.pair
        p, q = (Signal.like(read.plane, name=name) for name, read in (("p", self.left), ("q", self.right)))
        left_top, right_top = p == product.left_planes, q == product.right_planes
        final, go, ends = Signal(), Signal(), Signal()
        apart = Signal(range(self._config.side))
        m.d.comb += [
            final.eq(pair.empty | left_top & right_top),
            go.eq(queue.o.valid & ~(final & pair.last & (apart != 0))),
            ends.eq(go & final & pair.last), queue.o.ready.eq(go & final)]
        m.d.sync += [
            apart.eq(Mux(ends, self._config.side - 1, apart - (apart != 0))),
            self.left.slot.eq(pair.left), self.left.plane.eq(p), self.right.slot.eq(pair.right),
            self.right.plane.eq(q), self.right.half.eq(pair.right_half),
            step.shift.eq(Mux(go & ~pair.empty, product.drop + PLANE_BITS * (p + q), NOTHING)),
            step.left_top.eq(left_top), step.right_top.eq(self.right_signed & right_top), step.ends.eq(ends)]
        with m.If(go):
            m.d.sync += p.eq(Mux(left_top | final, 0, p + 1))
            with m.If(left_top | final):
                m.d.sync += q.eq(Mux(final, 0, q + 1))
        m.d.comb += [
            self.left.columns.eq(self.left_columns), self.left.half.eq(self.left_half),
            self.right.columns.eq(self.right_columns),
            self.step.eq(delay(m, step, READ_CYCLES, init={"shift": NOTHING}, reset_less=False, name="step")),
            self.busy.eq(self._accept(m, queue) | self._leaving(m, ends))]
        return m

    def _accept(self, m, queue):
        """Pairs to the queue, with what their descriptors say; whether there are any."""
        waiting, enters = Signal(range(AHEAD + 1)), Signal()
        m.d.comb += [
            self.i.ready.eq(waiting != AHEAD), enters.eq(self.i.valid & self.i.ready),
            self.left.descriptor_slot.eq(self.i.payload.left),
            self.right.descriptor_slot.eq(self.i.payload.right)]
        m.d.sync += waiting.eq(waiting + enters - (queue.o.valid & queue.o.ready))
        left, right, product = self.left.descriptor, self.right.descriptor, queue.i.payload
        m.d.comb += [
            queue.i.valid.eq(delay(m, enters, MEMORY_CYCLES, reset_less=False, name="enters")),
            product.pair.eq(delay(m, self.i.payload, MEMORY_CYCLES, name="pair")),
            product.left_planes.eq(left.planes), product.right_planes.eq(right.planes),
            product.drop.eq(left.drop + right.drop)]
        return waiting != 0

    def _leaving(self, m, ends):
        """Whether vectors have not left the array."""
        cycles = READ_CYCLES + latency(self._config) + self._config.side
        left = Signal(range(cycles + 1))
        m.d.sync += left.eq(Mux(ends, cycles, left - (left != 0)))
        return left != 0
