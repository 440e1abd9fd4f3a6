"""One element a cycle: from what the inverse transform yields to a result, as a row's word says."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.circulant.config import ACT_FRACTION, PRE_WIDTH, RESULT_WIDTH

from ..common.delay import delay
from .activation import ActivationUnit
from .layouts import Activation, Addend, Left, Right
from .rounding_shift import RoundingShift, saturated

__all__ = ["FIELD_CYCLES", "READ_CYCLE", "RESULT_CYCLE", "ElementLine", "element_fields"]

FIELD_CYCLES = {"pre_shift": 0, "zero": 1, "peephole": 1, "add": 2, "right": 2, "act": 5, "left": 10,
                "addend": 10, "out_shift": 14}
"""Cycle of an element in which the line takes each field of its row; ``zero``: C counts as 0."""

READ_CYCLE, RESULT_CYCLE = 1, 14
"""Cycles in which memories must yield what they have of an element, and take its result."""

_FRACTION = 1 << ACT_FRACTION - 1


def element_fields():
    """What the line takes of a row's word."""
    return data.StructLayout({
        "pre_shift": 5, "zero": 1, "peephole": 1, "add": 1, "right": Right, "act": Activation, "left": Left,
        "addend": Addend, "out_shift": 4})


class ElementLine(wiring.Component):
    """v, C, T0, T1 to res and vec, as docs/engines/circulant-machine.md, "Row", has them.

    Parameters
    ----------
    config : CirculantConfig
    width : int
        Bits of v.

    Members
    -------
    v : In(signed(width)), in the element's cycle 0
    fields : In(element_fields()), each in the cycle that `FIELD_CYCLES` says
    c, t0, t1, bias, peephole : In, in cycle `READ_CYCLE`
    res : Out(signed(18)), t : Out(signed(16))
        res and sat_16(res), in cycle `RESULT_CYCLE`.
    vec : Out(signed(vector_width)), in cycle 16

    Timing: an element each cycle. Not reset.
    Cost: a multiplier for the product, one for the activation and, with ``peepholes``, one more; two more
    activations' logic with ``cell_tanh``.
    """

    def __init__(self, config, width):
        self._config = config
        short, long = signed(PRE_WIDTH), signed(RESULT_WIDTH)
        super().__init__({
            "v": In(signed(width)), "fields": In(element_fields()),
            "c": In(long), "t0": In(short), "t1": In(short), "bias": In(short), "peephole": In(short),
            "res": Out(long), "t": Out(short), "vec": Out(signed(config.vector_width))})

    def elaborate(self, platform):
        m = Module()
        fields = self.fields
        # cycle 2: everything in registers
        c = delay(m, Mux(fields.zero, 0, self.c)[:RESULT_WIDTH].as_signed(), 1, name="c")
        t0, t1 = delay(m, self.t0, 1, name="t0_"), delay(m, self.t1, 1, name="t1_")
        m.submodules.activation = activation = ActivationUnit(self._config)
        m.d.comb += [activation.x.eq(self._preactivation(m, c, t1)), activation.act.eq(fields.act)]
        right = self._right(m, c, t0, t1)

        # cycle 10: the activation is there
        a, c = activation.y, delay(m, c, 8, name="c_late")
        reverse, plain = fields.left == Left.C_MINUS_A, fields.left == Left.A
        difference = Mux(reverse, c, a) - Mux(plain, 0, Mux(reverse, a, c))
        p = delay(m, saturated(difference[:RESULT_WIDTH + 1].as_signed(), RESULT_WIDTH), 1, name="p")
        addend = Signal(signed(RESULT_WIDTH))
        with m.Switch(fields.addend):
            with m.Case(Addend.C):
                m.d.comb += addend.eq(c)
            with m.Case(Addend.A):
                m.d.comb += addend.eq(a)
        # cycle 12: the product; 13: the sum; 14: the result
        product = delay(m, p * right, 1, name="product")
        addend = Cat(Const(_FRACTION, ACT_FRACTION), delay(m, addend, 2, name="addend")).as_signed()
        total = delay(m, (product + addend)[ACT_FRACTION:].as_signed(), 1, name="total")
        result = delay(m, saturated(total, RESULT_WIDTH), 1, name="result")
        m.submodules.out_shift = out = RoundingShift(RESULT_WIDTH, len(self.vec), ((3, 2, 1, 0),))
        m.d.comb += [
            self.res.eq(result), self.t.eq(saturated(result, PRE_WIDTH)),
            out.i.eq(result), out.shift.eq(fields.out_shift), self.vec.eq(out.o),
        ]
        return m

    def _preactivation(self, m, c, t1):
        """The sum that the activation is of, in cycle 5."""
        fields = self.fields
        m.submodules.pre_shift = shift = RoundingShift(len(self.v), PRE_WIDTH, ((4, 3, 2), (1, 0)))
        m.d.comb += [shift.i.eq(self.v), shift.shift.eq(fields.pre_shift)]
        bias = delay(m, self.bias, 1, name="bias")
        others = delay(m, bias + Mux(fields.add, t1, 0)[:PRE_WIDTH].as_signed(), 1, name="others")
        if self._config.peepholes:
            weight = Mux(fields.peephole, self.peephole, 0)[:PRE_WIDTH].as_signed()
            product = delay(m, delay(m, weight, 1, name="weight") * c, 1, name="peephole_product")
            others = product + Cat(Const(_FRACTION, ACT_FRACTION), others).as_signed()
            others = others[ACT_FRACTION:].as_signed()
        total = delay(m, shift.o, 1, name="pre") + delay(m, others, 1, name="more")
        return delay(m, saturated(total, PRE_WIDTH), 1, name="sum")

    def _right(self, m, c, t0, t1):
        """The product's right factor, in cycle 11."""
        chosen = Signal(signed(RESULT_WIDTH))
        with m.Switch(self.fields.right):
            for right, value in ((Right.ONE, 1 << ACT_FRACTION), (Right.T0, t0), (Right.T1, t1),
                                 (Right.C, c)):
                with m.Case(right):
                    m.d.comb += chosen.eq(value)
        q = delay(m, chosen, 8, name="q")
        if self._config.cell_tanh:
            m.submodules.tanh = tanh = ActivationUnit(self._config, multiplier=False, tanh=True)
            rounded = saturated((c + 2)[2:].as_signed(), PRE_WIDTH)
            m.d.comb += tanh.x.eq(delay(m, rounded, 1, name="rounded"))
            is_tanh = delay(m, self.fields.right == Right.TANH_C, 8, name="is_tanh")
            q = Mux(is_tanh, delay(m, tanh.y, 7 - tanh.latency, name="tanh_c"), q).as_signed()
        return delay(m, q, 1, name="right")
