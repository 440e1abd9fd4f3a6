# amaranth: UnusedElaboratable=no
"""The index selector names rows of which neither coefficients nor activations are all 0, in order, once."""

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.hw.smartexchange import rebuild_candidates, rebuild_selector
from shiftwork.hw.smartexchange.rebuild_layouts import RebuildWidths, token_layout

from .kit import mutant, prove, refuted, stay

ROWS, TAPS, STALLS = 4, 2, 1


class Small(SmartExchangeConfig):
    """Memories smaller than an engine may have."""

    def __post_init__(self):
        pass


CONFIG = Small(lanes=4, grid_rows=2, grid_columns=2, drain_width=1, scatter_width=4, combine_width=2,
               row_depth=ROWS, taps=TAPS, rebuild=True)
FILL = 1 + ROWS                 #: cycle in which all coefficients and flags are there: after clearing
LAST = FILL + 1 + 3 + ROWS + STALLS     #: the one in which the position's mark is given, at the latest


class Line(wiring.Component):
    """Candidates and index selector as a line has them."""

    def __init__(self, candidates, selector):
        w = RebuildWidths(CONFIG)
        self._parts = candidates.Candidates(CONFIG), selector.IndexSelector(CONFIG)
        super().__init__({
            "clear": In(1), "valid": In(1), "offset": In(w.row), "go": In(1), "row": In(w.row),
            "mask": In(TAPS), "moves": In(data.ArrayLayout(w.row, TAPS)), "first": Out(1),
            "flag_row": In(w.row), "flag": In(1), "flag_write": In(1), "waiting": Out(1),
            "o": Out(stream.Signature(token_layout(CONFIG))),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.candidates, m.submodules.selector = candidates, selector = self._parts
        for part, names in ((candidates, ("clear", "valid", "offset")),
                            (selector, ("go", "moves", "flag_row", "flag", "flag_write"))):
            m.d.comb += [getattr(part, name).eq(getattr(self, name)) for name in names]
        m.d.comb += [getattr(candidates, name).eq(getattr(selector, name))
                     for name in ("read_half", "address", "advance")]
        m.d.comb += [getattr(selector, name).eq(getattr(candidates, name)) for name in ("candidate", "count")]
        m.d.comb += [
            selector.position.row.eq(self.row), selector.position.mask.eq(self.mask),
            self.first.eq(candidates.first), self.waiting.eq(selector.waiting),
        ]
        wiring.connect(m, selector.o, wiring.flipped(self.o))
        return m


def line_rules(m, dut):
    """Any coefficients, in any order and some repeated, any flags, any position; ``o`` may stall once."""
    cycle, stalls = Signal(range(LAST + 2)), Signal(range(STALLS + 1))
    m.d.sync += [cycle.eq(cycle + (cycle <= LAST)), stalls.eq(stalls + (dut.o.valid & ~dut.o.ready))]
    filling = (cycle != 0) & (cycle < FILL)
    m.d.comb += [
        Assume(dut.clear == (cycle == 0)), Assume(filling | ~dut.valid), Assume(dut.go == (cycle == FILL)),
        Assume(dut.flag_write == filling), Assume(~filling | (dut.flag_row == (cycle - 1)[:2])),
        Assume(dut.o.ready | (stalls < STALLS)),
    ]
    stay(m, cycle != 0, dut.row, dut.mask, dut.moves.as_value())

    # both bitmaps, and coefficients' offsets in the order in which they came first
    met, flags = Signal(ROWS), Signal(ROWS)
    order = Array(Signal(range(ROWS), name=f"order_{n}") for n in range(ROWS))
    count, seen = Signal(range(ROWS + 1)), Signal()
    m.d.comb += [seen.eq(met.bit_select(dut.offset, 1)), Assert(~dut.valid | (dut.first == ~seen))]
    with m.If(dut.flag_write & dut.flag):
        m.d.sync += flags.bit_select(dut.flag_row, 1).eq(1)
    with m.If(dut.valid & ~seen):
        m.d.sync += [met.bit_select(dut.offset, 1).eq(1), order[count[:2]].eq(dut.offset),
                     count.eq(count + 1)]

    # tokens to come: of those from ``at`` on in ``order`` with an activation that is not zero
    at, marked, wanted = Signal(range(ROWS + 1)), Signal(), Signal(ROWS)
    for n, offset in enumerate(order):
        rows = [(dut.row + offset + dut.moves[s])[:2] for s in range(TAPS)]
        nonzero = Cat(flags.bit_select(row, 1) & dut.mask[s] for s, row in enumerate(rows)).any()
        m.d.comb += wanted[n].eq((n < count) & nonzero & (n >= at))
    token, taken = dut.o.p, dut.o.valid & dut.o.ready
    with m.If(dut.o.valid):
        m.d.comb += [Assert(cycle > FILL), Assert(~marked), Assert(token.mark == ~wanted.any())]
    for n, offset in enumerate(order):
        with m.If(dut.o.valid & wanted[n] & ~wanted[:n].any()):
            m.d.comb += [Assert(token.offset == offset), Assert(token.mask == dut.mask),
                         Assert(token.row == (dut.row + offset + dut.moves[0])[:2])]
            with m.If(taken):
                m.d.sync += at.eq(n + 1)
    with m.If(taken & token.mark):
        m.d.sync += marked.eq(1)
    m.d.comb += [Assert((cycle <= LAST) | marked), Assert((cycle <= FILL) | (dut.waiting == marked))]


def test_selector(tmp_path):
    prove(Line(rebuild_candidates, rebuild_selector), line_rules, tmp_path, depth=LAST + 2, bounded=True,
          registers=True)


@pytest.mark.parametrize("module, old, new", [
    (rebuild_candidates, "write.en.eq(self.valid & self.first)", "write.en.eq(self.valid)"),
    (rebuild_selector, "(Cat(flags) & mask).any()", "Cat(flags).any()"),
    (rebuild_selector, "at_end.eq(pointer == self.count)", "at_end.eq(pointer + 1 == self.count)"),
], ids=["twice", "mask", "last"])
def test_other_selectors_are_refuted(tmp_path, module, old, new):
    parts = [mutant(module, old, new) if part is module else part
             for part in (rebuild_candidates, rebuild_selector)]
    refuted(Line(*parts), line_rules, tmp_path, depth=LAST + 2, bounded=True, registers=True)
