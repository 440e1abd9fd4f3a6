# amaranth: UnusedElaboratable=no
"""A dot product of the column array is the sum of sign * 2**exponent * x over its list, for any list, any x."""

import pytest
from amaranth.hdl import Array, Assert, Assume, Mux, Signal, signed
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.hw.smartexchange import shift_add

from .kit import NotProved, mutant, prove, stay

ITEMS, BITS, SUM = 3, 2, 8      #: items of a list, at most; bits of an activation, of an accumulator
LANES = ROWS = 2


class Small(SmartExchangeConfig):
    """An array smaller than an engine may have: two lanes, each a group of its own."""

    def __post_init__(self):
        pass


CONFIG = Small(lanes=LANES, grid_rows=1, grid_columns=1, drain_width=1, scatter_width=1, combine_width=1,
               row_depth=ROWS, acc_width=SUM, activation_width=BITS)
FIRST = LANES * ROWS + CONFIG.combine_cycles    #: cycle of the first term, behind writing
END = FIRST + 2 * ITEMS + 1 + shift_add.ShiftAddColumn.latency + LANES


def column_rules(m, dut):
    """Rows are written, then come lists of one to ITEMS items, with gaps or without; one lane is read.

    What is read is the sum of the lane's terms, each with the power of two that its exponent says: the number
    of items with ``shift`` behind it.
    """
    cycle, lane = Signal(range(END + 2)), dut.select[1]
    rows = Array(Signal(LANES * BITS, name=f"row_{n}") for n in range(ROWS))
    m.d.sync += cycle.eq(cycle + (cycle <= END))
    writing = cycle < LANES * ROWS
    m.d.comb += [
        Assume(dut.write_groups == Mux(writing, Mux(cycle[0], 2, 1), 0)),
        Assume(~writing | (dut.write_row == cycle[1])), Assume((cycle >= FIRST) | ~dut.valid),
        Assume((dut.select == 1) | (dut.select == 2)),
    ]
    stay(m, cycle != 0, dut.signed, dut.select)
    with m.If(writing):
        m.d.sync += rows[cycle[1]].word_select(cycle[0], BITS).eq(dut.write_data)

    # the list so far: of each item what it is and its exponent
    terms = [Signal(signed(BITS + 2), name=f"term_{n}") for n in range(ITEMS)]
    exponents = [Signal(range(ITEMS + 1), name=f"exponent_{n}") for n in range(ITEMS)]
    count, total = Signal(range(ITEMS + 1)), Signal(signed(SUM))
    word = rows[dut.row].word_select(lane, BITS)
    x = Mux(dut.signed, word.as_signed(), word)
    term = Mux(dut.negative, -x, x)
    m.d.comb += Assume(~dut.valid | dut.last | (count < ITEMS - 1))
    m.d.comb += total.eq(sum(
        (Mux(count > n, terms[n] << (exponents[n] + dut.shift)[:2], 0)
         for n in range(ITEMS)), start=term))
    # the last two dot products: their sums, as snapshots have them, and the cycles since
    sums = [Signal(SUM, name=f"sum_{n}") for n in range(2)]
    ages = [Signal(range(END + 2), name=f"age_{n}") for n in range(2)]
    m.d.sync += [age.eq(age + (age != 0)) for age in ages]
    with m.If(dut.valid):
        for n in range(ITEMS):
            m.d.sync += exponents[n].eq(exponents[n] + dut.shift)
            with m.If(count == n):
                m.d.sync += [terms[n].eq(term), exponents[n].eq(0)]
        m.d.sync += count.eq(Mux(dut.last, 0, count + 1))
        with m.If(dut.last):
            m.d.sync += [sums[0].eq(total ^ dut.negative.replicate(SUM).as_signed()), ages[0].eq(1),
                         sums[1].eq(sums[0]), ages[1].eq(Mux(ages[0] == 0, 0, ages[0] + 1))]
    readable = dut.latency + lane + 1       # cycles behind the last term, that of the register among them
    m.d.comb += [
        Assert((ages[0] < readable) | (dut.result[0] == sums[0].as_signed())),
        Assert((ages[0] > dut.latency) | (ages[1] < readable) | (dut.result[0] == sums[1].as_signed())),
    ]


def test_dot_products(tmp_path):
    prove(shift_add.ShiftAddColumn(CONFIG), column_rules, tmp_path, depth=END + 1, bounded=True)


@pytest.mark.parametrize("old, new", [
    ("double.eq(valid & shift)", "double.eq(shift)"),                   # idle cycles double, too
    ("Cat(fill, turned)", "Cat(0, turned)"),                            # a complement is doubled with a 0
    ("complemented.eq(0)", "complemented.eq(negative)"),                # begins as the list before ended
], ids=["idle", "fill", "begin"])
def test_other_columns_are_refuted(tmp_path, old, new):
    dut = mutant(shift_add, old, new).ShiftAddColumn(CONFIG)
    with pytest.raises(NotProved, match="^Property must hold, not be refuted:"):
        prove(dut, column_rules, tmp_path, depth=END + 1, bounded=True)
