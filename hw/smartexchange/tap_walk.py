"""Which taps of a column contribute to a sum."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .layouts import DESCRIPTOR, Widths

__all__ = ["TapWalk"]


class TapWalk(wiring.Component):
    """For each column of a run, one after the other, the taps that contribute.

        mask[s] = 1  where  f = (skip + column - s) / hop  is an integer in 0 .. run_outputs - 1

    With v = skip + column - s that depends on v alone, and the next column moves every v up by one tap: so
    the mask is a shift register, and one counter of v, which runs ahead of tap 0, feeds it.

    Members
    -------
    descriptor : In(DESCRIPTOR), constant while a layer runs; ``skip`` is below ``tap_count``
    start : In(1), the layer's first column is next; step : In(1), the column after this one is
    mask : Out(taps); first, last : Out(1), the column is the run's first, its last
    ring : Out, a counter of columns: what tap s adds to in this column, tap s + 1 adds to in the next one; so
        ``ring - s`` is the same for all contributions to a sum, and differs for sums that are open together

    Timing: outputs are valid ``skip`` + 2 cycles after ``start`` or a ``step`` behind the last column, else 2
    cycles after ``step``.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "step": In(1),
            "mask": Out(config.taps), "first": Out(1), "last": Out(1), "ring": Out(Widths(config).open),
        })

    def elaborate(self, platform):
        m = Module()
        d, w = self.descriptor, Widths(self._config)
        window, moves = Signal(self._config.taps), Signal(range(9))
        # of the v that enters the window next: values until it is a multiple of hop, and sums before it
        until, sums, over = Signal(3), Signal.like(d.run_outputs_less_1), Signal()
        column = Signal(w.column)
        enters = (until == 0) & ~over
        count = Cat(d.tap_count > s for s in range(self._config.taps))
        m.d.comb += self.mask.eq(window & count)
        with m.If(self.start | (self.step & self.last)):
            m.d.sync += [
                window.eq(0), until.eq(0), sums.eq(0), over.eq(0), moves.eq(d.skip + 1), column.eq(0),
                self.first.eq(1), self.last.eq(d.column_count == 1), self.ring.eq(self.ring + 1),
            ]
        with m.Elif(self.step):
            following = (column + 1)[:w.column]
            m.d.sync += [
                moves.eq(1), column.eq(following), self.first.eq(0),
                self.last.eq(following == (d.column_count - 1)[:w.column]), self.ring.eq(self.ring + 1),
            ]
        with m.Elif(moves != 0):
            m.d.sync += [
                moves.eq(moves - 1), window.eq(Cat(enters, window)),
                until.eq(Mux(until == 0, d.hop - 1, until - 1)),
            ]
            with m.If(enters):
                m.d.sync += [sums.eq(sums + 1), over.eq(sums == d.run_outputs_less_1)]
        return m
