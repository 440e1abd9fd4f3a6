"""Runs the steps of a sequence one after the other."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Begins a step when its input and room for its output are there, and waits for its end.

    Members
    -------
    start : In(1), run a sequence; ignored while ``busy``
    busy, finished : Out(1), between; one cycle: its output was taken
    enable : Out(1), input may be taken; a register, as it goes far
    ready, last, short : In(1)
        The next step's input is there, and it is the sequence's last; strobe: there is no further step, and
        the input ended too early.
    room : In(1), the output queue has room for a step's output
    closed : In(1), strobe: the output's last beat is taken; ``finished`` in the next cycle, or at the end
    vectors, count : In(16), of a step in all; those that are written
    begin : Out(1), strobe: a step's cycle 0
    odd, first, final : Out(1)
        Levels while a step runs: its number is odd; it is the first; it is the last one.
    zeros : Out(1), strobe: the output needs a beat of zeros, its last one
    load_cycles, run_cycles : Out(32)

    Timing: a step begins one cycle after input and room are there, or with the end of the step before. Reset
    forgets the sequence.
    """

    def __init__(self):
        super().__init__({
            "start": In(1), "busy": Out(1), "finished": Out(1), "enable": Out(1),
            "ready": In(1), "last": In(1), "short": In(1), "room": In(1), "closed": In(1),
            "vectors": In(16), "count": In(16), "begin": Out(1),
            "odd": Out(1), "first": Out(1), "final": Out(1), "zeros": Out(1),
            "load_cycles": Out(32), "run_cycles": Out(32)})

    def elaborate(self, platform):
        m = Module()
        begun, short, closed, may = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [may.eq(self.ready & self.room), self.busy.eq(1)]
        m.d.sync += [short.eq(short | self.short), closed.eq(closed | self.closed)]

        def begin():
            m.d.sync += [self.odd.eq(begun & ~self.odd), self.first.eq(~begun), self.final.eq(self.last),
                         begun.eq(1)]
            m.next = "BEGIN"

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [begun.eq(0), short.eq(0), closed.eq(0)]
                with m.If(self.start):
                    m.d.sync += [self.load_cycles.eq(0), self.run_cycles.eq(0), self.enable.eq(1)]
                    m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += self.load_cycles.eq(self.load_cycles + 1)
                with m.If(may):
                    begin()
                with m.Elif(short):
                    m.d.comb += self.zeros.eq(1)
                    m.d.sync += self.enable.eq(0)
                    m.next = "CLOSE"
            with m.State("BEGIN"):
                m.d.comb += self.begin.eq(1)
                m.d.sync += self.run_cycles.eq(self.run_cycles + 1)
                m.next = "STEP"
            with m.State("STEP"):
                m.d.sync += self.run_cycles.eq(self.run_cycles + 1)
                with m.If(self.count == self.vectors):
                    m.next = "WAIT"
                    with m.If(self.final):
                        m.d.sync += self.enable.eq(0)
                        m.next = "CLOSE"
                    with m.Elif(may):
                        begin()
            with m.State("CLOSE"):
                with m.If(closed):
                    m.d.comb += self.finished.eq(1)
                    m.next = "IDLE"
        return m
