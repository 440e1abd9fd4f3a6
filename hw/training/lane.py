"""A lane of the matrix array: sums of products of two-bit digits, shifted and accumulated."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...golden.training.engine_config import MOST_SHIFT, PLANE_BITS, SUM_BITS
from ..common.delay import delay
from .layouts import UNSIGNED_BITS

__all__ = ["COUPLE", "FAR", "Lane", "levels", "offset_width", "tree"]

FAR = MOST_SHIFT + 1 - UNSIGNED_BITS
"""What a shift by `UNSIGNED_BITS` or more, to which the factor does not reach, is made of before it."""

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
        accumulator += dot * (near + 2 ** FAR far) * factor     modulo 2 ** 40

    A left digit's upper bit counts as -2 where it is ``negative``, else as 2. Right digits are 0 .. 3; one
    that is signed, -2 .. 1, is given as itself plus 2, and ``offset`` makes up for it: ``offset`` =
    ``negative`` - (right signed: sum of left; else 0). It counts twice. (A negative number of the form
    2 ~x + 2 so needs no adder of its own, and all lanes of a row share the offset.)

    Of each two k, the left bits choose from 0, a, b and a + b, which is made once for a column. An addition
    for each pair of planes needs no sum of a tile product, which would have to be shifted as far. A
    multiplier shifts: its factor is a power of two, made once for the array.

    Parameters
    ----------
    block : int
        Digits, B.

    Members
    -------
    left : In(ArrayLayout(2, B)), right : In(ArrayLayout(COUPLE, B / 2))
    negative : In(1), offset : In(signed)
        `levels` cycles after the digits.
    near, far : In(1), factor : In(17)
        2 cycles later, one of them or, where nothing is added, none; 3 cycles later.
    ends : In(1)
        4 cycles later: the sum goes to ``o`` for the next cycle, and the accumulator begins from zero.
    i : In(signed(40)), o : Out(signed(40))
        ``o`` is the sum, or else what ``i`` was.

    Timing: a plane pair a cycle; ``o`` is levels + 5 cycles after the digits. Only the accumulator has
    a state, which ``ends`` clears, in a reset, too, when nothing is added.
    Cost: for B = 16 263 LUTs (92 of them in carry chains), 211 flip-flops and a multiplier of an ECP5.
    """

    def __init__(self, block):
        self._block = block
        super().__init__({
            "left": In(data.ArrayLayout(PLANE_BITS, block)),
            "right": In(data.ArrayLayout(COUPLE, block // 2)),
            "negative": In(1), "offset": In(signed(offset_width(block))),
            "near": In(1), "far": In(1), "factor": In(UNSIGNED_BITS), "ends": In(1),
            "i": In(signed(SUM_BITS)), "o": Out(signed(SUM_BITS))})

    def elaborate(self, platform):
        m = Module()
        lower, upper = (self._count(m, plane) for plane in range(PLANE_BITS))
        upper = Cat(upper ^ self.negative.replicate(len(upper)), self.negative).as_signed()
        bit, rest = delay(m, lower[0], 1, name="bit"), delay(m, lower[1:] + self.offset, 1, name="rest")
        # -6 B <= dot <= 9 B
        total = (rest + delay(m, upper, 1, name="upper"))[:(9 * self._block).bit_length()]
        dot = delay(m, Cat(bit, total).as_signed(), 1, name="dot")
        near, far = (chosen.replicate(len(dot) + FAR).as_signed() for chosen in (self.near, self.far))
        moved = delay(m, (dot & near) | (dot << FAR & far), 1, name="moved")
        term = delay(m, (moved * self.factor)[:len(dot) + MOST_SHIFT].as_signed(), 1, name="term")
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
