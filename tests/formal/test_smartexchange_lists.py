# amaranth: UnusedElaboratable=no
"""The list reader emits each item of each list once, list after list, in the order of the item memory."""

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.hw.smartexchange import item_reader, list_reader, list_walk
from shiftwork.hw.smartexchange.layouts import DESCRIPTOR, ITEM, basis_layout, item_layout

from .kit import mutant, prove, refuted, stay

ITEMS, WORDS, STALLS = 8, 4, 1  #: items and basis words of the memories; cycles in which ``o`` may stall
END = 13                        #: the last cycle that is looked at
LOOPS = "m", "i", "pi", "run", "column"


class Small(SmartExchangeConfig):
    """Memories smaller than an engine may have."""

    def __post_init__(self):
        pass


CONFIG = Small(lanes=4, grid_rows=2, grid_columns=2, drain_width=1, scatter_width=4, combine_width=2,
               row_depth=8, item_depth=ITEMS, basis_depth=WORDS, table_depth=4, taps=1)


class Reader(wiring.Component):
    """A list reader, and memories that hold what the solver likes: ``basis`` and ``items``, constant."""

    def __init__(self):
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "o": Out(stream.Signature(item_layout(CONFIG))),
            "basis": In(data.ArrayLayout(basis_layout(CONFIG), WORDS)),
            "items": In(data.ArrayLayout(ITEM, ITEMS)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.reader = reader = list_reader.ListReader(CONFIG)
        m.d.comb += [reader.descriptor.eq(self.descriptor), reader.start.eq(self.start)]
        for read, word, advance in (
                (reader.basis, self.basis[reader.basis_address], reader.basis_advance),
                (reader.item_word, self.items.as_value().word_select(reader.item_address, 32),
                 reader.item_advance)):
            register = Signal(len(read.as_value()))
            with m.If(advance):
                m.d.sync += register.eq(word)
            m.d.comb += read.as_value().eq(register)
        wiring.connect(m, reader.o, wiring.flipped(self.o))
        return m


def reader_rules(m, dut):
    """Loops of one or two turns, a start in cycle 0, a stall at any time.

    From cycle ``latency`` on an item is offered in every cycle until the layer's last one is taken, each time
    the one whose turn it is.
    """
    d, cycle, done = dut.descriptor, Signal(range(END + 2)), Signal()
    stalls = Signal(range(STALLS + 1))
    m.d.sync += stalls.eq(stalls + (dut.o.valid & ~dut.o.ready))
    m.d.comb += Assume(dut.o.ready | (stalls < STALLS))
    m.d.sync += cycle.eq(cycle + (cycle <= END))
    m.d.comb += Assume(dut.start == (cycle == 0))
    stay(m, cycle != 0, d.as_value(), dut.basis.as_value(), dut.items.as_value())
    lengths = Array(word.length for word in dut.basis)
    counts = [d[f"{name}_count"] for name in LOOPS] + [d.lists]
    m.d.comb += [Assume((count == 1) | (count == 2)) for count in counts]
    m.d.comb += [Assume((length == 1) | (length == 2)) for length in lengths]

    # whose turn it is, a bit a loop; the items before this list, those of the filter's and of other filters
    turn, item = Signal(len(counts)), Signal()
    number = (d.basis_base + Mux(turn[0], d.lists, 0) + turn[-1])[:2]
    before = sum((Mux(number_before(d, turn, n), lengths[(d.basis_base + n)[:2]], 0) for n in range(3)),
                 start=d.item_base)
    word, expected = dut.basis[number], dut.items[(before + item)[:3]]
    position = sum((Mux(turn[k], d[f"index_{name}_stride"], 0) for k, name in enumerate(LOOPS)),
                   start=d.index_base)
    ends = [~bit ^ (count == 2) for bit, count in zip(turn, counts, strict=True)]
    last = item + 1 == word.length
    with m.If(dut.o.valid & dut.o.ready):
        m.d.sync += item.eq(~last)
        with m.If(last):
            m.d.sync += done.eq(Cat(ends).all())
            for k in range(len(counts)):
                with m.If(Cat(ends[k + 1:]).all()):
                    m.d.sync += turn[k].eq(~ends[k])
    o = dut.o.p
    m.d.comb += Assert((dut.o.valid == ((cycle >= list_reader.ListReader.latency) & ~done)) | (cycle > END))
    with m.If(dut.o.valid & (cycle <= END)):
        m.d.comb += [
            Assert(o.row == (position + expected.offset)[:3]), Assert(o.negative == expected.negative),
            Assert(o.shift == expected.shift), Assert(o.last == last),
        ]
        with m.If(last):
            m.d.comb += [
                Assert(o.head.first == ~turn[-1]), Assert(o.head.last == ends[-1]),
                Assert(o.head.lift == word.lift), Assert(o.head.b.as_value() == word.b.as_value()),
            ]


def number_before(d, turn, n):
    """Whether the layer's ``n``-th list stands before the one whose turn it is."""
    return n < Mux(turn[0], d.lists, 0) + turn[-1]


def test_lists(tmp_path):
    prove(Reader(), reader_rules, tmp_path, depth=END + 1, bounded=True)


@pytest.mark.parametrize("module, old, new", [
    (item_reader, "pointer.eq(Mux(self.i.p.again, filter_base, following))", "pointer.eq(following)"),
    (item_reader, "half.eq(pointer[0])", "half.eq(following[0])"),
    (list_walk, "self.address.eq(filter_base)", "self.address.eq(d.basis_base)"),
], ids=["again", "half", "filter"])
def test_other_readers_are_refuted(tmp_path, monkeypatch, module, old, new):
    name = "ItemReader" if module is item_reader else "ListWalk"
    monkeypatch.setattr(list_reader, name, getattr(mutant(module, old, new), name))
    refuted(Reader(), reader_rules, tmp_path, depth=END + 1, bounded=True)
