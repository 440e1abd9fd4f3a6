"""Issues the columns of a step's phases."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .layouts import PHASE

__all__ = ["Issue", "column_layout"]


def column_layout(config):
    """A column: block ``address`` of the spectrum memory, or zeros, times word ``weight``.

    ``last`` of its pass of ``rows`` rows, whose sums are shifted by ``shift``.
    """
    return data.StructLayout({
        "valid": 1, "address": range(config.spectrum_depth), "zero": 1, "weight": range(config.weight_depth),
        "last": 1, "rows": range(config.rows + 1), "shift": 5})


class Issue(wiring.Component):
    """Walks the phases of a step, their passes and columns, each as soon as the specification allows.

    docs/engines/circulant-machine.md, "Order" and "Timing of a step".

    Parameters
    ----------
    config : CirculantConfig

    Members
    -------
    start : In(1)
        The step's cycle 0.
    odd, first : In(1)
        Levels while a step runs: its number is odd; it is the sequence's first.
    phase_address : Out, phase_data : In(PHASE)
        Read port of the phase memory.
    written : In(1)
        Strobe: one more vector of the step will be in the spectrum memory two cycles later.
    count : Out(16)
        Vectors that a column of the next cycle may use.
    o : Out(column_layout(config))
        Registered; addresses are for the memories in the same cycle.
    phase : Out, number of the running phase

    Timing: one column a cycle; phases begin as the specification says. Reset forgets the step.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "start": In(1), "odd": In(1), "first": In(1),
            "phase_address": Out(range(config.phase_depth)), "phase_data": In(PHASE),
            "written": In(1), "count": Out(16), "o": Out(column_layout(config)),
            "phase": Out(range(config.phase_depth))})

    def elaborate(self, platform):
        m = Module()
        config, phase = self._config, Signal(PHASE, reset_less=True)
        rows, weight = Signal(16, reset_less=True), Signal.like(self.o.weight, reset_less=True)
        column = _Column(config)
        final, ends, issued = rows <= config.rows, Signal(), Signal()
        free = self._free(m, issued & ends, Mux(final, rows, config.rows))
        m.d.comb += ends.eq(column.final & (column.segment | (phase.spans[1].count == 0)))
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += self.phase.eq(0)
                    m.next = "LOAD"
            with m.State("FETCH"):
                m.d.comb += self.phase_address.eq(self.phase)
                m.next = "LOAD"
            with m.State("LOAD"):
                fields = self.phase_data
                m.d.sync += [phase.eq(fields), rows.eq(fields.rows), weight.eq(fields.weight_base)]
                m.d.sync += column.enter(fields, 0)
                m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += issued.eq((self.count >= column.needed) & (free | ~ends))
                with m.If(issued):
                    m.d.sync += [weight.eq(weight + 1), *column.advance(phase)]
                    with m.If(column.final & ~ends):
                        m.d.sync += column.enter(phase, 1)
                    with m.If(ends):
                        m.d.sync += [rows.eq(rows - config.rows), *column.enter(phase, 0)]
                    with m.If(ends & final):
                        m.d.sync += self.phase.eq(Mux(phase.last, self.phase, self.phase + 1))
                        m.next = "FETCH"
                    with m.If(ends & final & phase.last):
                        m.next = "IDLE"
        m.d.sync += self.count.eq(self.count + self.written)
        with m.If(self.start):
            m.d.sync += self.count.eq(0)
        self._output(m, issued, column, phase, weight, ends, Mux(final, rows, config.rows))
        return m

    def _free(self, m, issued, rows):
        """Whether a pass's last column may be issued; of the one before it was in the cycle of ``issued``."""
        left = Signal(range(self._config.lanes))
        with m.If(issued):
            m.d.sync += left.eq(rows * self._config.slots - 1)
        with m.Elif(left.any()):
            m.d.sync += left.eq(left - 1)
        return ~left.any()

    def _output(self, m, issued, column, phase, weight, ends, rows):
        o = Signal(column_layout(self._config), reset_less=True)
        wait = phase.waits[column.segment]
        half = Cat(Const(0, len(o.address) - 1), wait.alternate & self.odd)
        m.d.sync += [
            self.o.valid.eq(issued), o.address.eq(column.address ^ half), o.zero.eq(wait.old & self.first),
            o.weight.eq(weight), o.last.eq(ends), o.rows.eq(rows), o.shift.eq(phase.sum_shift),
        ]
        m.d.comb += [self.o[name].eq(o[name]) for name, _ in o.shape() if name != "valid"]


class _Column:
    """The column that is next."""

    def __init__(self, config):
        self.segment, self.final = Signal(), Signal()   # which one; it is the last column of it
        self.address = Signal(range(config.spectrum_depth), reset_less=True)
        self.left, self.needed = (Signal(16, name=name, reset_less=True) for name in ("left", "needed"))

    def enter(self, phase, segment):
        """The first one of a segment."""
        span, wait = phase.spans[segment], phase.waits[segment]
        return [self.segment.eq(segment), self.address.eq(span.base), self.needed.eq(wait.after),
                self.left.eq(span.count), self.final.eq(span.count == 1)]

    def advance(self, phase):
        """The next one of the segment."""
        return [self.address.eq(self.address + 1), self.left.eq(self.left - 1), self.final.eq(self.left == 2),
                self.needed.eq(self.needed + phase.waits[self.segment].following)]
