"""Words of an input packet, for whoever asks."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..common.stream import Queue, packet

__all__ = ["InputReader"]


class InputReader(wiring.Component):
    """Gives a packet's words, and 0 for every word that is asked for behind the last one.

    Members
    -------
    i : In(stream of packet(32))
    o : Out(stream of 32)
        Words; where the packet has ended, always valid. To be ``ready`` is to take.
    begin : In(1), one cycle: a run begins, and takes one packet
    open : In(1), words may be taken
    swallow : In(1), the rest of the packet is taken
    ended, short : Out(1)
        The packet's last word has been taken; words were taken behind it.

    Timing: a word a cycle, one cycle behind ``i``; no path leads through. Reset forgets the packet.
    """

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(packet(32))), "o": Out(stream.Signature(32)),
            "begin": In(1), "open": In(1), "swallow": In(1), "ended": Out(1), "short": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = Queue(packet(32), 2)
        wiring.connect(m, wiring.flipped(self.i), queue.i)
        word, taken = queue.o, Signal()
        m.d.comb += [
            self.o.valid.eq(self.open & (word.valid | self.ended)),
            self.o.payload.eq(Mux(self.ended, 0, word.p.data)),
            taken.eq(self.o.valid & self.o.ready),
            word.ready.eq(~self.ended & (self.swallow | (self.open & self.o.ready))),
        ]
        with m.If(self.begin):
            m.d.sync += [self.ended.eq(0), self.short.eq(0)]
        with m.Else():
            with m.If(word.valid & word.ready & word.p.last):
                m.d.sync += self.ended.eq(1)
            with m.If(taken & self.ended):
                m.d.sync += self.short.eq(1)
        return m
