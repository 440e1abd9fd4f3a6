"""What the controller's instructions compute."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...golden.training.isa import WORD_BITS, Op
from ..common.delay import delay
from .divider import Divider
from .multiplier import Multiplier
from .root import Root
from .shifter import Shifter

__all__ = ["Alu"]

SHIFTS = Op.SHL, Op.SHR, Op.RND, Op.LEN, Op.SAT


class Alu(wiring.Component):
    """``o + increment`` modulo 2 ** 88 is what ADD .. ROOT, by ``op``, put into r[d]: golden/training/isa.py.

    The increment, which rounds and negates, is left to whoever writes the result.

    Members
    -------
    start : In(1), one cycle, not while ``busy``
    op : In(5), x, y : In(signed(88)), constant from the cycle before ``start`` until the result is taken
    busy : Out(1), the result stands from its end, at once for ADD, SUB, AND, OR, ABS, MIN and MAX
    o : Out(signed(88)), increment : Out(1)
    less, equal : Out(1), x < y, x == y; from the cycle after ``start``, of any ``op`` but ADD

    Timing: that of `Divider`, `Multiplier`, `Root` and `Shifter`; the others' result stands one cycle after
    ``start``.
    """

    def __init__(self):
        word = signed(WORD_BITS)
        super().__init__({
            "start": In(1), "op": In(5), "x": In(word), "y": In(word), "busy": Out(1),
            "o": Out(word), "increment": Out(1), "less": Out(1), "equal": Out(1)})

    def elaborate(self, platform):
        m = Module()
        x, y = self.x, self.y
        total, subtract = Signal(signed(WORD_BITS + 1), reset_less=True), Signal()
        m.d.comb += [subtract.eq(~self._is(m, Op.ADD)), self.less.eq(total[-1])]
        m.d.sync += self.equal.eq(x == y)
        m.d.sync += total.eq(x + (y ^ subtract.replicate(WORD_BITS).as_signed()) + subtract)

        shifter, multiplier, divider, root = self._units(m)
        m.d.comb += self.busy.eq(shifter.busy | multiplier.busy | divider.busy | root.busy)
        # A bit of the result is five lookup tables: of two operands, of these and the sum, of two pairs of
        # units, and of all.
        sums, absolute, either, picks, plain = (self._is(m, *ops) for ops in (
            (Op.ADD, Op.SUB), (Op.ABS,), (Op.OR,), (Op.ABS, Op.MIN, Op.MAX),
            (Op.ADD, Op.SUB, Op.AND, Op.OR, Op.ABS, Op.MIN, Op.MAX)))
        takes_x = absolute | (self.less ^ self._is(m, Op.MAX))
        bits = Mux(picks, Mux(takes_x, x, y), Mux(either, x | y, x & y))
        found = Mux(sums, total, bits ^ (absolute & x[-1]).replicate(WORD_BITS)) & plain.replicate(WORD_BITS)
        for unit, ops in ((shifter, SHIFTS), (multiplier, (Op.MUL,)), (divider, (Op.DIV,)),
                          (root, (Op.ROOT,))):
            found |= unit.o & self._is(m, *ops).replicate(WORD_BITS)
        m.d.comb += [
            self.o.eq(found),
            self.increment.eq((absolute & x[-1]) | (self._is(m, *SHIFTS) & shifter.increment)
                              | (self._is(m, Op.DIV) & divider.increment)),
        ]
        return m

    def _is(self, m, *ops):
        """Whether the instruction is one of ``ops``, told apart a cycle before."""
        return delay(m, self.op.matches(*ops), 1, name="is_" + "_".join(op.name for op in ops))

    def _units(self, m):
        """Those that take their time, started by their instructions."""
        m.submodules.shifter = shifter = Shifter(WORD_BITS)
        m.submodules.multiplier = multiplier = Multiplier(WORD_BITS)
        m.submodules.divider = divider = Divider(WORD_BITS)
        m.submodules.root = root = Root(WORD_BITS)
        for unit, ops in ((shifter, SHIFTS), (multiplier, (Op.MUL,)), (divider, (Op.DIV,)),
                          (root, (Op.ROOT,))):
            m.d.comb += [unit.start.eq(self.start & self._is(m, *ops)), unit.x.eq(self.x)]
            if unit is not root:
                m.d.comb += unit.y.eq(self.y)
        m.d.comb += shifter.op.eq(delay(m, self.op, 1, name="op_"))
        return shifter, multiplier, divider, root
