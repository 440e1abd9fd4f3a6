"""The matrix array: S by S lanes, and the vectors of their sums."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...golden.training.engine_config import MOST_SHIFT, PLANE_BITS, SUM_BITS
from ..common.delay import delay
from .lane import COUPLE, FAR, Lane, levels, offset_width, tree
from .layouts import UNSIGNED_BITS, vector
from .operand_memory import digits_layout

__all__ = ["NOTHING", "STEP", "MatrixArray", "latency"]

SHIFT_BITS = MOST_SHIFT.bit_length()

NOTHING = (1 << SHIFT_BITS) - 1
"""A shift that stands for a step that adds nothing."""

STEP = data.StructLayout({"shift": SHIFT_BITS, "left_top": 1, "right_top": 1, "ends": 1})
"""What is done with a pair of planes: its shift; the left, the right plane has the top digits of signed
numbers; an output ends with it."""


def latency(config):
    """Cycles from the step that ends an output to the first of its vectors."""
    return levels(config.block) + config.side + 5


class _RowOffset(wiring.Component):
    """What the lanes of a row need beside its digits: left_top - (right_top: sum of the digits; else 0).

    ``o`` is `levels` + 1 cycles after the rest.
    """

    def __init__(self, block):
        self._block = block
        super().__init__({
            "digits": In(data.ArrayLayout(PLANE_BITS, block)), "left_top": In(1), "right_top": In(1),
            "o": Out(signed(offset_width(block)))})

    def elaborate(self, platform):
        m = Module()
        digits = [Cat(digit, digit[1] & self.left_top).as_signed() for digit in self.digits]
        total = tree(m, [a + b for a, b in zip(digits[::2], digits[1::2], strict=True)], "sum")
        left_top, right_top = (delay(m, value, levels(self._block), name=name) for value, name in (
            (self.left_top, "left_top"), (self.right_top, "right_top")))
        m.d.comb += self.o.eq(delay(m, left_top - Mux(right_top, total, 0), 1, name="o"))
        return m


class MatrixArray(wiring.Component):
    """S by S lanes; lane (i, j) multiplies digits of left output i and right output j.

        sum[i][j] += 2 ** shift * sum over k of left[k][i] * right[k][j]        modulo 2 ** 40

    Parameters
    ----------
    config : EngineConfig

    Members
    -------
    left, right : In(digits_layout(config))
        Registered. Bits are 1 and 2; in top planes 1 and -2.
    step : In(STEP)
        Of the same cycle. Shifts are at most `MOST_SHIFT`; `NOTHING` adds nothing. Behind a step that
        ``ends`` an output sums begin from zero; such steps are at least S cycles apart.
    o_valid : Out(1), o : Out(vector(S, 40)), o_last : Out(1)
        sum[0 .. S - 1][j], j = 0 .. S - 1 one a cycle; ``o_last`` with the last. Nothing holds them up.

    Timing: one step a cycle; the first vector is `latency` cycles after the step that ends its output. Row
    i works i cycles behind row 0: right digits and controls go from row to row, and reach only its lanes.
    After a reset no vector of a step before it comes, and sums are zero.
    Cost: S^2 lanes and some 90 registers for each; for S = 8 21,377 LUTs and 20,178 flip-flops of an ECP5.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "left": In(digits_layout(config)), "right": In(digits_layout(config)), "step": In(STEP),
            "o_valid": Out(1), "o": Out(vector(config.side, SUM_BITS)), "o_last": Out(1)})

    def elaborate(self, platform):
        m = Module()
        side, step, late = self._config.side, self.step, levels(self._config.block) + 1
        ends = delay(m, step.ends, late + 3, reset_less=False, name="ends")
        # A reset leaves nothing in the lanes: they add nothing, and end.
        shift = delay(m, step.shift, late + 1, init=NOTHING, reset_less=False, name="shift")
        couples = [self._couples(m, column) for column in range(side)]
        tops, controls = (step.left_top, step.right_top), (
            delay(m, step.left_top, late, name="left_top"),
            delay(m, shift < UNSIGNED_BITS, 1, reset_less=False, name="near"),
            delay(m, (shift >= UNSIGNED_BITS) & (shift != NOTHING), 1, reset_less=False, name="far"),
            delay(m, self._factor(shift), 2, reset_less=False, name="factor"),
            # For the other half of a row. A register has no reset, so that synthesis does not make both one.
            delay(m, delay(m, self._factor(shift), 1, name="first"), 1, reset_less=False, name="second"),
            delay(m, ends, 1, init=1, reset_less=False, name="lane_ends"))
        for row in range(side):
            if row:
                couples = [delay(m, couple, 1, name=f"couple{row}_{n}_") for n, couple in enumerate(couples)]
                tops = [delay(m, top, 1, name=f"top{row}_{n}_") for n, top in enumerate(tops)]
                controls = [delay(m, control, 1, init=control.init, reset_less=control.reset_less,
                                  name=f"control{row}_{n}_") for n, control in enumerate(controls)]
            digits = delay(m, Cat(digits[row] for digits in self.left), row, name=f"left{row}_")
            vectors = self._row(m, row, digits, tops, couples, controls)
            m.d.comb += self.o[row].eq(delay(m, vectors, side - 1 - row, name=f"o{row}_"))
        count = Signal(range(side + 1))
        with m.If(delay(m, ends, side, reset_less=False, name="leaves")):
            m.d.sync += count.eq(side)
        with m.Elif(self.o_valid):
            m.d.sync += count.eq(count - 1)
        m.d.comb += [self.o_valid.eq(count != 0), self.o_last.eq(count == 1)]
        return m

    @staticmethod
    def _factor(shift):
        """The power of two by which lanes multiply; of `NOTHING` 0."""
        return Cat((shift == n) | ((shift == n + FAR) if n + FAR >= UNSIGNED_BITS else 0)
                   for n in range(UNSIGNED_BITS))

    def _couples(self, m, column):
        """Of a column's digits, registered; those of a signed top plane by 2 more."""
        layout = data.ArrayLayout(COUPLE, self._config.side)
        couples = Signal(layout, reset_less=True, name=f"couples{column}_")
        plane = [Cat(digits[column][0], digits[column][1] ^ self.step.right_top) for digits in self.right]
        for couple, a, b in zip(couples, plane[::2], plane[1::2], strict=True):
            m.d.sync += [couple.a.eq(a), couple.b.eq(b), couple.upper.eq((a + b)[1:])]
        return couples

    def _row(self, m, row, digits, tops, couples, controls):
        """Lanes of a row; what its first one lets out."""
        m.submodules[f"offset{row}"] = offset = _RowOffset(self._config.block)
        m.d.comb += [offset.digits.eq(digits), offset.left_top.eq(tops[0]), offset.right_top.eq(tops[1])]
        digits, o = delay(m, digits, 1, name=f"digits{row}_"), Const(0, signed(SUM_BITS))
        negative, near, far, *factors, ends = controls
        for column, couple in reversed(list(enumerate(couples))):
            m.submodules[f"lane{row}_{column}"] = lane = Lane(self._config.block)
            ports = lane.left, lane.right, lane.offset, lane.i
            controlled = lane.negative, lane.near, lane.far, lane.factor, lane.ends
            m.d.comb += [port.eq(value) for port, value in zip(
                (*ports, *controlled),
                (digits, couple, offset.o, o, negative, near, far, factors[2 * column // len(couples)], ends),
                strict=True)]
            o = lane.o
        return o
