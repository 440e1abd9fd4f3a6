"""When a run begins, what came of it, and what it took."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...golden.common.program import ErrorCode

__all__ = ["RunStatus"]


class RunStatus(wiring.Component):
    """Start, error and cycles of the runs.

    Members
    -------
    start, clear : In(1), of the engine
    begins : Out(1), a run begins: two cycles after ``start``, where a program is loaded and no run under way
    busy : Out(1), from a cycle after ``start`` on, while the controller is
    controller_busy, failed, code : In, of the controller
    loaded, load_failed, load_code, load_done : In, of the loader
    taken : In(1), the last word of an input packet is taken
    error : Out(4), of the last run or program; gone with ``clear`` and with the next good program
    load_cycles, run_cycles : Out(32), of a run: until its packet has been taken, and from there on
    """

    def __init__(self):
        super().__init__({
            "start": In(1), "clear": In(1), "begins": Out(1), "busy": Out(1),
            "controller_busy": In(1), "failed": In(1), "code": In(4),
            "loaded": In(1), "load_failed": In(1), "load_code": In(4), "load_done": In(1), "taken": In(1),
            "error": Out(4), "load_cycles": Out(32), "run_cycles": Out(32)})

    def elaborate(self, platform):
        m = Module()
        start, whole = Signal(), Signal()
        m.d.sync += [start.eq(self.start & ~self.busy), self.begins.eq(start & self.loaded)]
        m.d.comb += self.busy.eq(self.controller_busy | start | self.begins)
        with m.If(self.begins):
            m.d.sync += [whole.eq(0), self.load_cycles.eq(0), self.run_cycles.eq(0)]
        with m.Elif(self.controller_busy):
            m.d.sync += [whole.eq(whole | self.taken), self.load_cycles.eq(self.load_cycles + ~whole),
                         self.run_cycles.eq(self.run_cycles + whole)]
        with m.If(self.load_failed):
            m.d.sync += self.error.eq(self.load_code)
        with m.Elif(self.failed):
            m.d.sync += self.error.eq(self.code)
        with m.Elif(start & ~self.loaded):
            m.d.sync += self.error.eq(ErrorCode.NO_PROGRAM)
        with m.Elif(self.clear | self.load_done):
            m.d.sync += self.error.eq(0)
        return m
