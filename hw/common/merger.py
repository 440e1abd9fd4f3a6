"""Puts the results of several arrays into one output stream."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from .stream import Queue, packet

__all__ = ["Merger"]


class Merger(wiring.Component):
    """Takes one beat of each array in turn: array 0, 1, .., A-1, 0, ..

    Members
    -------
    i0, i1, .. : In(streams of packet(16*D)), of each array
    o : Out(stream of packet(16*D)); ``last`` is the last array's
    final : Out(1), what ``o`` offers is of the last array

    Timing: one beat a cycle, one cycle from the first array's queue to ``o``.
    Cost: two registers of a beat and A * 16*D inputs of a multiplexer.
    """

    def __init__(self, config):
        self._arrays = config.arrays
        shape = packet(16 * config.drain_width)
        super().__init__({
            **{f"i{n}": In(stream.Signature(shape)) for n in range(config.arrays)},
            "o": Out(stream.Signature(shape)), "final": Out(1)})

    def elaborate(self, platform):
        m = Module()
        ports = [getattr(self, f"i{n}") for n in range(self._arrays)]
        number, final = Signal(range(self._arrays)), Signal()
        beat = StructLayout({"data": len(self.o.p.data), "last": 1, "final": 1})
        m.submodules.queue = queue = Queue(beat, 2)
        m.d.comb += [
            final.eq(number == self._arrays - 1),
            queue.i.valid.eq(Array(port.valid for port in ports)[number]),
            queue.i.p.data.eq(Array(port.p.data for port in ports)[number]),
            queue.i.p.last.eq(ports[-1].p.last & final), queue.i.p.final.eq(final),
            *(port.ready.eq(queue.i.ready & (number == n)) for n, port in enumerate(ports)),
            self.o.valid.eq(queue.o.valid), queue.o.ready.eq(self.o.ready),
            self.o.p.data.eq(queue.o.p.data), self.o.p.last.eq(queue.o.p.last),
            self.final.eq(queue.o.p.final),
        ]
        with m.If(queue.i.valid & queue.i.ready):
            m.d.sync += number.eq(Mux(final, 0, number + 1))
        return m
