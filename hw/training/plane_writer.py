"""From a quadrant's columns of numbers to words of their digits."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.engine_config import ERROR_BITS, MOST_PLANES, PLANE_BITS

from ..common.delay import delay
from .layouts import vector

__all__ = ["PlaneWriter"]


class PlaneWriter(wiring.Component):
    """Collects S columns of S numbers, then writes their planes, the lowest first.

        o = digit ``plane`` of row i, column j at bits 2 (i S + j) + 1 .. 2 (i S + j)

    Parameters: ``config``: EngineConfig.

    Members
    -------
    i_valid : In(1), i : In(vector(S, 16)), i_last : In(1)
        The columns in turn, and with the last one of a quadrant. From one of these to the next there are at
        least as many cycles as planes.
    planes : In(3)
        Planes - 1, in the cycle behind ``i_last``.
    valid : Out(1), plane : Out(3), o : Out(bank_width), last : Out(1)
        A word to write; it is the quadrant's last one.
    busy : Out(1)
        Words are still to come of the columns that have been there.

    Timing: the first word comes 2 cycles after ``i_last``, one a cycle. Reset forgets all.
    Cost: 32 S^2 flip-flops and 16 S^2 lookup tables.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "i_valid": In(1), "i": In(vector(config.side, ERROR_BITS)), "i_last": In(1),
            "planes": In(range(MOST_PLANES)), "valid": Out(1), "plane": Out(range(MOST_PLANES)),
            "o": Out(config.bank_width), "last": Out(1), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        side = self._config.side
        load = delay(m, self.i_valid & self.i_last, 1, reset_less=False, name="load")
        planes = Signal.like(self.planes, reset_less=True)
        digits = []
        for i in range(side):
            columns = Signal(side * ERROR_BITS, name=f"columns{i}", reset_less=True)
            with m.If(self.i_valid):
                m.d.sync += columns.eq(Cat(columns[ERROR_BITS:], self.i[i]))
            for j in range(side):
                number = Signal(ERROR_BITS, name=f"number{i}_{j}", reset_less=True)
                m.d.sync += number.eq(
                    Mux(load, columns.word_select(j, ERROR_BITS), number[PLANE_BITS:]))
                digits.append(number[:PLANE_BITS])
        m.d.comb += [self.o.eq(Cat(digits)), self.last.eq(self.valid & (self.plane == planes)),
                     self.busy.eq(load | self.valid)]
        m.d.sync += [
            self.valid.eq(load | (self.valid & ~self.last)),
            self.plane.eq(Mux(load, 0, self.plane + 1)), planes.eq(Mux(load, self.planes, planes)),
        ]
        return m
