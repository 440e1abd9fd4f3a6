# amaranth: UnusedElaboratable=no
"""An operation of the bit-serial columns writes the sum, or the difference, of the words that it reads."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Mux, Signal
from shiftwork.hw.ternary.serial_adder import ColumnAdders

from .kit import prove, refuted

COLUMNS, BITS = 2, 6     #: columns, and bits of the longest operation


def adder_rules(m, dut, *, write_back, presets=True):
    """Operations of any length up to BITS, in any order.

    For each column the words that it reads are put together bit by bit, a of p or n, b of x or n, and s of
    what it writes. With bit i they are right modulo 2**(i + 1), so each operation is, whatever its length:

        s = a + b + preset        s = a - b, of a difference

    which follows by induction from s + 2**i * c_i = a + b + preset, or a + (2**i - 1 - b) + 1, before bit i.
    """
    index = Signal(range(BITS + 1))     # bits of this operation that are done
    second = Signal()                   # with ``write_back``: the second cycle of a bit
    inputs = Cat(dut.p, dut.n, dut.x, dut.negative, dut.difference, dut.begins, dut.odd)
    held, before = Signal.like(inputs), Signal(COLUMNS + 1)
    m.d.sync += held.eq(inputs)
    bit, done = (dut.keep | second, second) if write_back else (Const(1), Const(1))
    if write_back:
        m.d.sync += second.eq(dut.keep)
        m.d.comb += Assume(~second | (~dut.keep & (inputs == held)))
    follows = ~dut.begins & (index != 0) & (index != BITS)
    i = Mux(dut.begins, 0, index)
    with m.If(~bit | ~(dut.begins | follows)):
        m.d.sync += index.eq(0)
    with m.Elif(done):
        m.d.sync += [index.eq(i + 1), before.eq(Cat(dut.negative, dut.difference))]
    m.d.comb += [
        Assume(dut.odd == i[0]), Assume(~follows | (before == Cat(dut.negative, dut.difference))),
        Assume(~Mux(dut.difference, dut.x | dut.negative, dut.p & dut.n).any()),
    ]
    with m.If(bit & (dut.begins | follows)):
        for column in range(COLUMNS):
            _column(m, dut, column, i, done, presets)


def _column(m, dut, column, i, done, presets):
    """Assertions of one column in a cycle of bit i."""
    p, n, x, total = (getattr(dut, name)[column] for name in ("p", "n", "x", "total"))
    a_i, b_i = p | (n & ~dut.difference), Mux(dut.difference, n, x)
    words = [Signal(BITS, name=f"{name}{column}") for name in "abs"]
    whole = [Signal(BITS, name=f"whole_{name}{column}") for name in "abs"]
    for word, new, now in zip(words, whole, (a_i, b_i, total), strict=True):
        m.d.comb += new.eq(Mux(dut.begins, 0, word) | (now << i))
        with m.If(done):
            m.d.sync += word.eq(new)
    a, b, s = words
    c = total ^ p ^ (n ^ dut.difference) ^ x
    preset = dut.negative[column] if presets else 0
    with m.If(~dut.begins):
        addend = Mux(dut.difference, (1 << i) - b, b + preset)
        m.d.comb += Assert((a | b | s) >> i == 0)
        m.d.comb += Assert((s + (c << i))[:BITS + 2] == (a + addend)[:BITS + 2])
    a, b, s = whole
    expected = Mux(dut.difference, (a - b).as_unsigned(), a + b + preset)
    places = ((2 << i) - 1)[:BITS]
    m.d.comb += Assert(((s ^ expected) & places) == 0)


@pytest.mark.parametrize("write_back", [False, True])
def test_operations(tmp_path, write_back):
    dut = ColumnAdders(COLUMNS, carry_write_back=write_back)
    prove(dut, lambda m, dut: adder_rules(m, dut, write_back=write_back), tmp_path, depth=4)


def test_operation_without_its_preset_is_refuted(tmp_path):
    refuted(ColumnAdders(COLUMNS), lambda m, dut: adder_rules(m, dut, write_back=False, presets=False),
            tmp_path, depth=4)
