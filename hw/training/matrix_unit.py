"""The matrix unit: loops, array, and what becomes of its outputs."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ...golden.training.registers import Matrix
from .array import MatrixArray
from .issue import Issue
from .layouts import PASS
from .matrix_drain import MatrixDrain
from .operand_memory import READ, digits_layout
from .tile_walk import TileWalk

__all__ = ["MatrixUnit"]

_HALF = 2       # the bit of matrix_mode that is the half of the left operand's outputs


class MatrixUnit(wiring.Component):
    """The three products of docs/engines/training-machine.md, "Matrix unit".

    Parameters: ``config``: EngineConfig.

    Members
    -------
    registers : In(PASS), constant from ``start`` until ``busy`` is low
    start : In(1), busy : Out(1)
    left, right : Out(READ), left_digits, right_digits : In
        The operand memories.
    drain : component
        `MatrixDrain`, whose other members are the engine's to connect.

    Timing: as `TileWalk`, `Issue`, `MatrixArray` and `MatrixDrain`, one behind the other.
    """

    def __init__(self, config):
        self.config = config
        self.drain = MatrixDrain(config)
        super().__init__({
            "registers": In(PASS), "start": In(1), "busy": Out(1), "left": Out(READ), "right": Out(READ),
            "left_digits": In(digits_layout(config)), "right_digits": In(digits_layout(config))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.walk = walk = TileWalk()
        m.submodules.issue = issue = Issue(self.config)
        m.submodules.array = array = MatrixArray(self.config)
        m.submodules.drain = drain = self.drain
        connect(m, walk.o, issue.i)
        connect(m, issue.left, flipped(self.left))
        connect(m, issue.right, flipped(self.right))
        mode = self.registers.matrix_mode
        m.d.comb += [
            walk.registers.eq(self.registers), walk.start.eq(self.start),
            drain.registers.eq(self.registers), drain.start.eq(self.start),
            issue.left_columns.eq(mode[:2] == Matrix.INPUT), issue.left_half.eq(mode[_HALF]),
            issue.right_columns.eq(mode[:2] != Matrix.WEIGHT),
            issue.right_signed.eq(mode[:2] == Matrix.INPUT),
            array.left.eq(self.left_digits), array.right.eq(self.right_digits), array.step.eq(issue.step),
            drain.i_valid.eq(array.o_valid), drain.i.eq(array.o),
            self.busy.eq(walk.busy | issue.busy | drain.busy),
        ]
        return m
