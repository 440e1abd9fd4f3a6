"""A stand-in for an engine behind a host link: it gives back what it was sent."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..hw.common.link import UartLink
from ..hw.common.stream import Queue, packet

__all__ = ["EchoEngine", "EchoBoard", "GAIN"]

GAIN = 3


class EchoEngine(wiring.Component):
    """Output value n = 3 * input byte n; a batch is one packet of at most 512 words.

    The exclusive or of a program's words stands at ``load_cycles``, the number of words of the last input
    packet at ``run_cycles``. A start without a program is error 10. A program whose exclusive or has bit 31
    set makes the engine deaf: it takes no input.

    Parameters
    ----------
    config : LinkConfig

    Members: those of ``config.ports``, seen from the engine.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({name: member.flip() for name, member in config.ports.items()})

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = Queue(packet(16 * self.config.width), 512)
        wiring.connect(m, queue.o, wiring.flipped(self.output))

        within = Signal()
        m.d.comb += self.program.ready.eq(1)
        with m.If(self.program.valid):
            m.d.sync += [
                self.load_cycles.eq(self.program.p.data ^ Mux(within, self.load_cycles, 0)),
                within.eq(~self.program.p.last),
                self.loaded.eq(self.program.p.last),
            ]

        wanted = Signal()
        deaf = self.load_cycles[31]
        m.d.comb += [
            self.layer.eq(self.run_cycles),
            queue.i.p.last.eq(self.input.p.last),
            queue.i.valid.eq(self.input.valid & wanted & ~deaf),
            self.input.ready.eq(queue.i.ready & wanted & ~deaf),
        ]
        for n in range(self.config.width):
            byte = self.input.p.data.word_select(n, 8)
            m.d.comb += queue.i.p.data.word_select(n, 16).eq(byte * GAIN)
        with m.If(self.input.valid & self.input.ready):
            m.d.sync += [self.run_cycles.eq(self.run_cycles + 1), wanted.eq(~self.input.p.last)]
        with m.If(self.output.valid & self.output.ready & self.output.p.last):
            m.d.sync += self.busy.eq(0)

        with m.If(self.clear):
            m.d.sync += self.error.eq(0)
        with m.If(self.start & ~self.busy):
            with m.If(self.loaded):
                m.d.sync += [self.busy.eq(1), wanted.eq(1), self.run_cycles.eq(0)]
            with m.Else():
                m.d.sync += self.error.eq(10)

        return m


class EchoBoard(wiring.Component):
    """A board with an echo engine: the serial line ``rx``, ``tx``, and nothing else."""

    rx: In(1)
    tx: Out(1)

    def __init__(self, config, divisor):
        self.config = config
        self.divisor = divisor
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = UartLink(self.config, self.divisor)
        m.submodules.engine = engine = EchoEngine(self.config)
        m.d.comb += [link.rx.eq(self.rx), self.tx.eq(link.tx)]
        for name, member in self.config.ports.items():
            one, other = getattr(link, name), getattr(engine, name)
            if member.is_signature:
                wiring.connect(m, one, other)
            else:
                m.d.comb += other.eq(one) if member.flow == Out else one.eq(other)

        return m
