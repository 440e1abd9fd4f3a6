"""What the controller's instructions compute."""

from amaranth import Cat, Module, Mux, Signal, signed
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
    start : In(1), one cycle, not while ``busy``; op : In(5), constant from then on until the result is taken
    x, y : In(signed(88)), constant from the next cycle on
    busy : Out(1), the result stands from its end, at once for ADD, SUB, AND, OR, ABS, MIN and MAX
    o : Out(signed(88)), increment : Out(1)
    less, equal : Out(1), x < y, x == y; from two cycles after ``start``, of any ``op`` but ADD

    Timing: that of `Divider`, `Multiplier`, `Root` and `Shifter`, which are started a cycle after ``start``;
    the others' result stands two cycles after it.
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
        # A bit of the result is five lookup tables: of two operands, of these and the sum, of two pairs of
        # units, and of all.
        sums, absolute, plain = (self._is(m, *ops) for ops in (
            (Op.ADD, Op.SUB), (Op.ABS,), (Op.ADD, Op.SUB, Op.AND, Op.OR, Op.ABS, Op.MIN, Op.MAX)))
        # Ones of either: those of both are AND, those of x and y OR.
        takes_x, takes_y = (
            Mux(self.less, self._is(m, Op.OR, *below), self._is(m, Op.OR, *above)).replicate(WORD_BITS)
            for below, above in (((Op.ABS, Op.MIN), (Op.ABS, Op.MAX)), ((Op.MAX,), (Op.MIN,))))
        bits = (x & y) | (x & takes_x) | (y & takes_y)
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
        """Whether the instruction is one of ``ops``, a cycle late."""
        return delay(m, self.op.matches(*ops), 1, name="is_" + "_".join(op.name for op in ops))

    def _units(self, m):
        """Those that take their time, started by their instructions, with the operands."""
        m.submodules.shifter = shifter = Shifter(WORD_BITS)
        m.submodules.multiplier = multiplier = Multiplier(WORD_BITS)
        m.submodules.divider = divider = Divider(WORD_BITS)
        m.submodules.root = root = Root(WORD_BITS)
        busy = []
        for unit, ops in ((shifter, SHIFTS), (multiplier, (Op.MUL,)), (divider, (Op.DIV,)),
                          (root, (Op.ROOT,))):
            begin = delay(m, self.start & self.op.matches(*ops), 1, reset_less=False, name="begin")
            busy += [begin, unit.busy]
            m.d.comb += [unit.start.eq(begin), unit.x.eq(self.x)]
            if unit is not root:
                m.d.comb += unit.y.eq(self.y)
        m.d.comb += [shifter.op.eq(self.op), self.busy.eq(Cat(busy).any())]
        return shifter, multiplier, divider, root
