# amaranth: UnusedElaboratable=no
"""Dot products of a bit-serial array of two columns, from the first write on, whatever is written."""

import pytest
from amaranth.hdl import Array, Assert, Assume, Mux, Signal, signed
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.hw.ternary.serial_array import SerialColumnArray

from .kit import held, prove, refuted, stay

TERMS, BITS = 2, 2     #: of a dot product, at most; of an activation
LANES, PARTS = 2, 2


class Small(TernaryConfig):
    """An array smaller than an engine may have: two columns, two rows of activations of two bits."""

    def __post_init__(self):
        pass


def config(write_back):
    return Small(lanes=LANES, drain_width=1, scatter_width=LANES, row_depth=2, acc_width=4 * PARTS,
                 activation_width=BITS, bit_serial=True, carry_write_back=write_back, transposed=False)


FIRST = 2 * BITS + 3      #: cycle of the first term


def longest(write_back):
    """Cycle of the result of the longest dot product: two terms with -1, and the difference."""
    return FIRST + (2 + 3 + 4) * (2 if write_back else 1) + SerialColumnArray.latency + PARTS


def array_rules(m, dut, *, end, late=1):
    """Rows are written, then come one or two terms without a gap; the results are their sums.

    ``late``: cycles from the last part to the result, less one.
    """
    cycle, terms, over = Signal(range(end + 2)), Signal(range(TERMS + 1)), Signal()
    wait = Signal(range(16))    # cycles since the last term's last
    rows = Array(Signal(LANES * BITS, name=f"row{n}") for n in range(2))
    totals = Array(Signal(signed(8), name=f"total{n}") for n in range(LANES))
    writing = cycle < 2 * BITS
    m.d.sync += cycle.eq(cycle + (cycle != end + 1))
    m.d.comb += [
        Assume(dut.write_groups == writing), Assume(~writing | (dut.write_row == cycle)),
        Assume(dut.bits == BITS), Assume(dut.valid == ((cycle >= FIRST) & ~over)),
        Assume(~(dut.subtract & dut.zero | dut.null | dut.dense)), Assume((terms != TERMS - 1) | dut.last),
        Assume(dut.part == Mux(wait == dut.latency, 1, 0)),
    ]
    with m.If(writing):
        for lane in range(LANES):
            m.d.sync += rows[cycle[1]].bit_select(lane * BITS + cycle[0], 1).eq(dut.write_data[lane])
    stay(m, cycle != 0, dut.signed, dut.select)
    stay(m, held(m, dut.valid & ~dut.ready), dut.row, dut.subtract, dut.zero, dut.last)

    with m.If(dut.valid & dut.ready):
        m.d.sync += [terms.eq(terms + 1), over.eq(dut.last)]
        for lane, total in enumerate(totals):
            word = rows[dut.row].word_select(lane, BITS)
            x = Mux(dut.signed, word.as_signed(), word)
            with m.If(~dut.zero):
                m.d.sync += total.eq(Mux(dut.subtract, total - x, total + x))
    with m.If(over):
        m.d.sync += wait.eq(wait + (wait != 15))
    read = dut.latency + PARTS - 1 + late
    m.d.comb += [
        Assert((wait != read) | (dut.result[0] == totals[dut.select])),
        Assert((cycle != end) | (wait >= read)),    # all was seen
    ]


@pytest.mark.parametrize("write_back", [False, True])
def test_dot_products(tmp_path, write_back):
    end = longest(write_back)
    prove(SerialColumnArray(config(write_back)), lambda m, dut: array_rules(m, dut, end=end), tmp_path,
          depth=end + 1, bounded=True)


def test_results_are_not_there_earlier(tmp_path):
    refuted(SerialColumnArray(config(False)), lambda m, dut: array_rules(m, dut, end=99, late=0), tmp_path,
            depth=longest(False), bounded=True)
