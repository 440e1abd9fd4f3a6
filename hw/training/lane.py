"""A lane of the matrix array: sums of products of two-bit digits, shifted and accumulated."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...golden.training.engine_config import PLANE_BITS, SUM_BITS
from ..common.delay import delay

__all__ = ["COARSE_BITS", "COUPLE", "FINE_BITS", "NOTHING", "Lane", "levels", "offset_width", "tree"]

FINE_BITS, COARSE_BITS = 3, 3
"""Bits of a shift: the lower ones, and the upper ones."""

NOTHING = (1 << FINE_BITS + COARSE_BITS) - 1
"""A shift that leaves nothing of a number; as do all from 48 on, modulo 2 ** SUM_BITS."""

COUPLE = data.StructLayout({"a": PLANE_BITS, "b": PLANE_BITS, "upper": 2})
"""Two right digits, 0 .. 3, and what a + b is without its lowest bit."""


def levels(block):
    """Cycles that a `tree` of ``block`` / 2 terms takes."""
    return block.bit_length() - 2


def tree(m, terms, name):
    """Sum of ``terms``, a power of two of them; each level has registers, of as many bits as it needs."""
    for level in range(len(terms).bit_length() - 1):
        terms = [delay(m, terms[2 * n] + terms[2 * n + 1], 1, name=f"{name}_{level}_{n}_")
                 for n in range(len(terms) // 2)]
    return terms[0]


def offset_width(block):
    """Bits of a lane's offset: within +-(3 block + 1)."""
    return (3 * block + 1).bit_length() + 1


class Lane(wiring.Component):
    """A row's left digits times a column's right ones.

        dot = sum over k of left[k] right[k]
        accumulator += dot * 2 ** shift                 modulo 2 ** 40

    A left digit's upper bit counts as -2 where it is ``negative``, else as 2. Right digits are 0 .. 3; one
    that is signed, -2 .. 1, is given as itself plus 2, and ``offset`` makes up for it: ``offset`` =
    ``negative`` - (right signed: sum of left; else 0). It counts twice. (A negative number of the form
    2 ~x + 2 so needs no adder of its own, and all lanes of a row share the offset.)

    Of each two k, the left bits choose from 0, a, b and a + b, which is made once for a column. An addition
    for each pair of planes needs no sum of a tile product, which would have to be shifted as far; its shift
    is 2 (p + q) and both operands' drops: at most 2 * (7 + 3) + 30 where one operand is wide.

    Parameters
    ----------
    block : int
        Digits, B.

    Members
    -------
    left : In(ArrayLayout(2, B)), right : In(ArrayLayout(COUPLE, B / 2))
    negative : In(1), offset : In(signed)
        `levels` cycles after the digits.
    fine, coarse : In(3)
        The shift's lower bits, 2 cycles later, and its upper ones, 3 cycles later. `NOTHING`: no addition.
    ends : In(1)
        4 cycles later: the sum goes to ``o`` for the next cycle, and the accumulator begins from zero.
    i : In(signed(40)), o : Out(signed(40))
        ``o`` is the sum, or else what ``i`` was.

    Timing: a plane pair a cycle; ``o`` is levels + 5 cycles after the digits. Only the accumulator has
    a state, which ``ends`` clears, in a reset, too, when the shifts are `NOTHING`.
    Cost: for B = 16 338 LUTs (92 of them in carry chains) and 225 flip-flops of an ECP5.
    """

    def __init__(self, block):
        self._block = block
        super().__init__({
            "left": In(data.ArrayLayout(PLANE_BITS, block)),
            "right": In(data.ArrayLayout(COUPLE, block // 2)),
            "negative": In(1), "offset": In(signed(offset_width(block))),
            "fine": In(FINE_BITS), "coarse": In(COARSE_BITS), "ends": In(1),
            "i": In(signed(SUM_BITS)), "o": Out(signed(SUM_BITS))})

    def elaborate(self, platform):
        m = Module()
        lower, upper = (self._count(m, plane) for plane in range(PLANE_BITS))
        upper = Cat(upper ^ self.negative.replicate(len(upper)), self.negative).as_signed()
        bit, rest = delay(m, lower[0], 1, name="bit"), delay(m, lower[1:] + self.offset, 1, name="rest")
        # -6 B <= dot <= 9 B
        total = (rest + delay(m, upper, 1, name="upper"))[:(9 * self._block).bit_length()]
        dot = delay(m, Cat(bit, total).as_signed(), 1, name="dot")
        for n in range(FINE_BITS):
            dot = Mux(self.fine[n], dot << (1 << n), dot)
        term = delay(m, self._shifted(delay(m, dot, 1, name="shifted")), 1, name="term")
        accumulator, o = (Signal(signed(SUM_BITS), name=name, reset_less=True)
                          for name in ("accumulator", "sum"))
        total = (accumulator + term)[:SUM_BITS].as_signed()
        m.d.sync += [accumulator.eq(total), o.eq(self.i)]
        with m.If(self.ends):
            m.d.sync += [accumulator.eq(0), o.eq(total)]
        m.d.comb += self.o.eq(o)
        return m

    def _count(self, m, plane):
        """Sum of right digits where bit ``plane`` of the left ones is set, registered."""
        terms = []
        for n, couple in enumerate(self.right):
            first, second = self.left[2 * n][plane], self.left[2 * n + 1][plane]
            a, b = couple.a, couple.b
            terms.append(Cat(first & a[0] ^ second & b[0],
                             Mux(first, Mux(second, couple.upper[0], a[1]), second & b[1]),
                             first & second & couple.upper[1]))
        return tree(m, terms, f"count{plane}")

    def _shifted(self, value):
        """``value`` * 2 ** (8 coarse), modulo 2 ** 40; 0 where coarse is 6 or 7."""
        value = Mux(self.coarse[0], value << 8, value)
        by = self.coarse[1:]
        near, middle, far = (Mux(by == n, value, 0) << 16 * n for n in range(3))
        return (near | middle | far)[:SUM_BITS].as_signed()
