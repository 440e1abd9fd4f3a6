"""The queue of results before the output stream."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay
from ..common.stream import Queue, packet
from .swap import lines

__all__ = ["OutputQueue"]


class OutputQueue(wiring.Component):
    """Pairs of results to beats of the output packet, ``output_depth`` of which it holds.

    Parameters: ``config``: CirculantConfig.

    Members
    -------
    i : In(lines(V)), valid : In(1)
        A pair; it never waits: a step begins only when there is ``room``.
    output_beats : In(16), step_last : In(1)
        Beats of a step, and that this step is the sequence's last one; constant in a step.
    room : Out(1)
        There is room for a step's output, and no beat of zeros waits; a register, so of what came and went up
        to 2 cycles before.
    zeros : In(1)
        One cycle, not while pairs come: a beat of zeros ends the packet, as soon as there is room for it.
    o : Out(stream of packet(32))
        Even element in bits 15:0, odd one in bits 31:16, their signs extended.

    Timing: a beat a cycle; an empty queue passes one on after 4 cycles.
    Cost: 33 * output_depth bits of memory, 66 flip-flops.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "i": In(lines(config.vector_width)), "valid": In(1), "output_beats": In(16), "step_last": In(1),
            "room": Out(1), "zeros": In(1), "o": Out(stream.Signature(packet(32))),
        })

    def elaborate(self, platform):
        m = Module()
        depth = self._config.output_depth
        m.submodules.queue = queue = Queue(packet(32), depth)
        free, zeros = Signal(range(depth + 1), init=depth), Signal()
        number, ends, ending = Signal(16), Signal(), Signal()
        beat = stream.Signature(packet(32)).create()
        extended = [Cat(value, value[-1].replicate(16 - len(value))) for value in self.i]
        m.d.comb += [
            ends.eq(number + 1 == self.output_beats), ending.eq(zeros & (free != 0)),
            beat.valid.eq(self.valid | ending), beat.p.last.eq(ending | (ends & self.step_last)),
            beat.p.data.eq(Mux(ending, 0, Cat(*extended))),
        ]
        m.d.sync += [
            free.eq(free - beat.valid + (self.o.valid & self.o.ready)),
            zeros.eq(self.zeros | (zeros & ~ending)),
            self.room.eq((free >= self.output_beats) & ~(self.zeros | zeros)),
        ]
        with m.If(self.valid):
            m.d.sync += number.eq(Mux(ends, 0, number + 1))
        # The memory stands between registers: it is late in its cycle, and may be far from all others. It has
        # room for every beat that began with `free`.
        m.d.comb += [
            queue.i.valid.eq(delay(m, beat.valid, 1, reset_less=False, name="beat_valid")),
            queue.i.payload.eq(delay(m, beat.payload, 1, name="beat")),
            queue.o.ready.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(queue.o.ready):
            m.d.sync += [self.o.valid.eq(queue.o.valid), self.o.payload.eq(queue.o.payload)]
        return m
