# amaranth: UnusedElaboratable=no
"""The Sparse Addition Control Unit emits exactly the set bits of its words, in order, the last one marked."""

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Const, Mux, Signal
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.hw.ternary import sacu
from shiftwork.hw.ternary.layouts import chunk_layout, item_layout
from shiftwork.hw.ternary.sacu import Chunker, Issuer, SparseAdditionControl

from .kit import Opened, assert_stream_rules, assume_stream_rules, prove, refuted

CONFIG = TernaryConfig(lanes=8, grid_rows=2, grid_columns=2, drain_width=2, scatter_width=4, row_depth=32,
                       weight_depth=32, table_depth=32, vector_depth=32)
LANES, CHUNK, COUNT = 8, 4, 2
assert CONFIG.chunk == CHUNK


def set_bits(bits):
    """For each bit whether it is the lowest one set."""
    return [bits[n] & ~bits[:n].any() if n else bits[0] for n in range(len(bits))]


def issuer_rules(m, dut):
    """Each chunk gives its set bits from the lowest on, the last one marked; a null chunk gives one item."""
    chunk, busy = Signal(chunk_layout(CONFIG)), Signal()     # taken last; whether some of it is left
    inner, o, i = dut.inner, dut.o, dut.i
    assume_stream_rules(m, i)
    m.d.comb += Assume(~i.valid | (i.p.null == (i.p.nonzero == 0)))
    lowest = set_bits(chunk.nonzero)
    rest = Signal(CHUNK)
    m.d.comb += [rest[n].eq(chunk.nonzero[n] & ~lowest[n]) for n in range(CHUNK)]
    with m.If(o.valid & o.ready):
        m.d.sync += [chunk.nonzero.eq(rest), busy.eq(rest.any())]
    with m.If(i.valid & i.ready):
        m.d.sync += [chunk.eq(i.p), busy.eq(1)]
    offset, negative = Signal(2), Signal()
    for n in range(CHUNK):
        with m.If(lowest[n]):
            m.d.comb += [offset.eq(n), negative.eq(chunk.negative[n])]

    m.d.comb += [
        Assert(o.valid == busy),
        Assert(~busy | (o.p.null == chunk.null)),
        Assert(~busy | (o.p.last == (chunk.last & ~rest.any()))),
        Assert(i.ready == (~busy | (o.ready & ~rest.any()))),
    ]
    with m.If(busy & ~chunk.null):
        m.d.comb += [
            Assert(chunk.nonzero.any()), Assert(o.p.subtract == negative),
            Assert(o.p.index == (chunk.index + offset)[:len(o.p.index)]),
            Assert(o.p.source == Cat(offset, chunk.source)),
        ]
    m.d.comb += Assert(inner["valid"] == busy)
    m.d.comb += Assert(~busy | (inner["final"] == ~rest.any()))
    m.d.comb += Assert(~busy | (inner["chunk"].as_value() == chunk.as_value()))
    assert_stream_rules(m, o)


ISSUER = ("chunk", "valid", "final")


def test_issuer(tmp_path, monkeypatch):
    prove(Opened(Issuer(CONFIG), sacu, ISSUER, monkeypatch), issuer_rules, tmp_path, depth=2)


class Expected:
    """The chunks of the words that a Chunker took and has not yet given: at most three.

    They follow from the input alone: each word's chunks with a bit, the last one of a dot product marked, be
    it only by an empty word that comes later; a null chunk for a dot product without any.
    """

    def __init__(self, m, dut):
        layout = chunk_layout(CONFIG)
        self.chunks = [Signal(layout, name=f"expected{n}") for n in range(3)]
        self.count = Signal(range(4))
        self.empty = Signal(init=1)     # the dot product has no chunk yet
        self.lost = Signal()            # its last chunk is given and was not marked
        word, taken, given = dut.i.p, dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
        following = [Signal(layout, name=f"following{n}") for n in range(3)]
        count = self.count - given
        for n in range(3):
            after = self.chunks[n + 1] if n < 2 else Const(0, layout.size)
            m.d.comb += following[n].as_value().eq(Mux(given, after, self.chunks[n]))
        empty = ~word.nonzero.any()
        with m.If(taken):
            nothing = empty & word.last & self.empty
            for there, chunk in [*split(word, word.nonzero), (nothing, null(word))]:
                for place in range(3):
                    with m.If(there & (count == place)):
                        m.d.comb += following[place].as_value().eq(chunk)
                count = (count + there)[:2]
            with m.If(word.last & empty & ~self.empty):
                m.d.comb += self.lost.eq(self.count == given)
                for place in range(3):
                    with m.If(self.count - given == place + 1):
                        m.d.comb += following[place].last.eq(1)
            m.d.sync += self.empty.eq(word.last | (self.empty & empty))
        m.d.sync += self.count.eq(Mux(taken, count, self.count - given))
        m.d.sync += [chunk.eq(new) for chunk, new in zip(self.chunks, following, strict=True)]


def split(word, left):
    """(whether it has a bit, chunk) of the chunks of ``word``, as far as they are in ``left``."""
    for n in range(COUNT):
        part = slice(n * CHUNK, (n + 1) * CHUNK)
        above = left[(n + 1) * CHUNK:].any() if n + 1 < COUNT else Const(0)
        # A word of the vector memory is one chunk, so the source does not tell chunks of a weight word apart.
        index = (word.index + n * CHUNK)[:len(word.index)]
        yield left[part].any(), Cat(
            word.nonzero[part], word.negative[part], index, word.source, word.last & ~above, Const(0, 1))


def null(word):
    """The chunk of a dot product without a set bit; all but its marks is idle."""
    return Cat(Const(0, 2 * CHUNK), word.index, word.source, Const(1, 1), Const(1, 1))


def same(chunk, other):
    """Whether two chunks are the same where it counts; ``last`` is not looked at."""
    null = chunk.null & other.null
    fields = "null", "nonzero", "negative", "index", "source"
    return null | Cat(getattr(chunk, name) == getattr(other, name) for name in fields).all()


def chunker_rules(m, dut):
    """What is given is what is expected, its mark too; no last chunk is given before it is known as such."""
    assume_stream_rules(m, dut.i)
    expected = Expected(m, dut)
    head, given = expected.chunks[0], dut.o.p
    right = (expected.count != 0) & same(given, head) & (given.last == head.last)
    m.d.comb += [Assert(~dut.o.valid | right), Assert(~expected.lost)]
    assert_stream_rules(m, dut.o)
    if isinstance(dut, Opened):
        chunker_invariants(m, dut.inner, expected)


def chunker_invariants(m, inner, expected):
    """How the registers of a Chunker and the expected chunks hang together."""
    valid, word, left = inner["valid"], inner["word"], inner["left"]
    held, held_valid, dot_empty = inner["held"], inner["held_valid"], inner["dot_empty"]
    bits = Cat(word.nonzero.word_select(n, CHUNK) & left[n].replicate(CHUNK) for n in range(COUNT))
    ends = valid & word.last & ~left.any()      # an empty word ends a dot product
    coming = [(valid & there, chunk) for there, chunk in split(word, bits)]
    coming.append((ends & dot_empty, null(word)))
    head = expected.chunks[0]
    m.d.comb += [
        Assert(dot_empty == ~(held_valid & ~held.last)),
        Assert(~valid | (inner["single"] == ~left.all())),
        Assert(expected.empty == Mux(valid, word.last | (dot_empty & ~left.any()), dot_empty)),
        Assert(~held_valid | same(held, head)),
        Assert(~held_valid | (head.last == (held.last | (ends & ~dot_empty)))),
    ]
    for n in range(COUNT):
        m.d.comb += Assert(~(valid & left[n]) | word.nonzero.word_select(n, CHUNK).any())
    layout, total = chunk_layout(CONFIG), held_valid
    for there, chunk in coming:
        place = layout(Array(chunk.as_value() for chunk in expected.chunks)[total])
        chunk = layout(chunk)
        m.d.comb += Assert(~there | (same(chunk, place) & (chunk.last == place.last)))
        total = (total + there)[:2]
    m.d.comb += Assert(expected.count == total)


CHUNKER = ("word", "valid", "left", "held", "held_valid", "dot_empty", "single")


def test_chunker(tmp_path, monkeypatch):
    prove(Opened(Chunker(CONFIG), sacu, CHUNKER, monkeypatch), chunker_rules, tmp_path, depth=2)


def control_rules(items):
    """Rules: each of the first items is the set bit whose turn it is, marked where its dot product ends."""
    def rules(m, dut):
        assume_stream_rules(m, dut.i)
        assert_stream_rules(m, dut.o)
        word, taken, given = dut.i.p, dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
        # Items of the words taken, items before this dot product, items given.
        known, first, done = Signal(8), Signal(8), Signal(8)
        bits = Signal(range(LANES + 1))
        after = Signal(8)
        m.d.comb += [bits.eq(ones(word.nonzero)), after.eq(known + bits)]
        null = word.last & (bits == 0) & (known == first)
        with m.If(taken):
            m.d.sync += known.eq(after + null)
            with m.If(word.last):
                m.d.sync += first.eq(after + null)
        m.d.sync += done.eq(done + given)
        m.d.comb += Assert(~dut.o.valid | (done < known))
        for number in range(items):
            follow(m, dut, number, taken, known, after, null, first, given & (done == number))
    return rules


def follow(m, dut, number, taken, known, after, null, first, given):
    """What item ``number`` must be, by the word that it is in; what it is; and that both agree."""
    word, item = dut.i.p, dut.o.p
    expected, found = Signal(item_layout(CONFIG)), Signal(item_layout(CONFIG))
    there, ended, seen = Signal(), Signal(), Signal()
    with m.If(taken & ~there & (known <= number) & (number < after + null)):
        m.d.sync += [there.eq(1), expected.null.eq(null)]
        for n in range(LANES):
            with m.If(word.nonzero[n] & (known + ones(word.nonzero[:n]) == number)):
                m.d.sync += [expected.index.eq(word.index + n), expected.subtract.eq(word.negative[n])]
    with m.If(taken & word.last & (first <= number) & (number < after + null)):
        m.d.sync += [ended.eq(1), expected.last.eq(after + null == number + 1)]
    with m.If(given):
        m.d.sync += [seen.eq(1), found.eq(item)]
    m.d.comb += [
        Assert(~seen | there),
        Assert(~seen | (found.null == expected.null)),
        Assert(~seen | expected.null | (found.index == expected.index)),
        Assert(~seen | expected.null | (found.subtract == expected.subtract)),
        Assert(~seen | ~ended | (found.last == expected.last)),
        Assert(~seen | ended | ~found.last),
    ]


def ones(bits):
    """Number of set bits."""
    total = Const(0, 1)
    for n in range(len(bits)):
        total = (total + bits[n])[:4]
    return total


def test_control(tmp_path, monkeypatch):
    """Chunker, queue and issuer together, from reset on."""
    monkeypatch.setattr(SparseAdditionControl, "queue_depth", 3)
    prove(SparseAdditionControl(CONFIG), control_rules(3), tmp_path, depth=10, bounded=True)


def drops(bits):
    """Every other bit is lost."""
    onehot, rest = LOWEST(bits)
    return onehot, LOWEST(rest)[1]


def reverses(bits):
    """Bits are numbered from the wrong end."""
    onehot, rest = LOWEST(bits)
    return Cat(reversed(onehot)), rest


LOWEST = sacu.lowest


@pytest.mark.parametrize("broken", [drops, reverses])
def test_broken_control_is_refuted(broken, tmp_path, monkeypatch):
    monkeypatch.setattr(sacu, "lowest", broken)
    refuted(SparseAdditionControl(CONFIG), control_rules(3), tmp_path, depth=10, bounded=True)


class UnmarkedChunker(Chunker):
    """Forgets the mark of the last chunk."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.o.p.last.eq(0)
        return m


def test_unmarked_ends_are_refuted(tmp_path):
    refuted(UnmarkedChunker(CONFIG), chunker_rules, tmp_path, depth=6, bounded=True)
