"""FAT's Sparse Addition Control Unit: bitmap words in, one non-zero weight a cycle out."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..common.bits import encode, lowest
from ..common.stream import Queue
from .layouts import chunk_layout, item_layout, planes, word_layout

__all__ = ["Chunker", "Issuer", "SparseAdditionControl"]


def _single(bits):
    """Whether at most one bit is set."""
    return ~lowest(bits)[1].any()


class Chunker(wiring.Component):
    """Cuts bitmap words into chunks and drops the empty ones.

    A chunk is held back until it is known whether another one of its dot product follows, so that ``last``
    stands on the last chunk with a non-zero even where empty words end the dot product. A dot product without
    any non-zero gives one ``null`` chunk.

    Members: ``i``: In(stream of word_layout), ``o``: Out(stream of chunk_layout).

    Timing: a word takes as many cycles as it has non-empty chunks, an empty word one.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "i": In(stream.Signature(word_layout(config))),
            "o": Out(stream.Signature(chunk_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        size = self._config.chunk
        count = self._config.word_width // size
        word, valid = Signal(word_layout(self._config), reset_less=True), Signal()
        left, held, held_valid = Signal(count), Signal(chunk_layout(self._config), reset_less=True), Signal()
        dot_empty, single = Signal(init=1), Signal()

        rest, arriving = Signal(count), Signal(count)
        onehot, remainder = lowest(left)
        m.d.comb += rest.eq(remainder)
        found, ends = left.any(), Signal()
        replace, blocked = Signal(), Signal()
        m.d.comb += [
            ends.eq(word.last & single),
            replace.eq(valid & (found | (ends & dot_empty))),
            self.o.p.eq(held),
            self.o.valid.eq(held_valid & (held.last | replace)),
            blocked.eq(replace & held_valid & ~self.o.ready),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += held_valid.eq(0)
        with m.If(valid & ~blocked):
            m.d.sync += [left.eq(rest), single.eq(_single(rest)), dot_empty.eq(ends | (dot_empty & ~found))]
            with m.If(replace):
                m.d.sync += held_valid.eq(1)
                m.d.sync += self._chunk(held, word, onehot, ends)
            with m.Elif(ends):
                m.d.sync += held.last.eq(1)
        m.d.comb += [
            arriving.eq(Cat(self.i.p.nonzero.word_select(k, size).any() for k in range(count))),
            self.i.ready.eq(~valid | (~blocked & single)),
        ]
        with m.If(self.i.ready):
            m.d.sync += [valid.eq(self.i.valid), word.eq(self.i.p)]
            m.d.sync += [left.eq(arriving), single.eq(_single(arriving))]
        return m

    def _chunk(self, held, word, onehot, ends):
        """Statements that load ``held`` with the chunk of ``word`` that ``onehot`` names."""
        size = self._config.chunk
        chosen = [
            Cat(bits.word_select(k, size)[n] & onehot[k] for k in range(len(onehot)))
            for bits in (word[name] for name in planes(self._config)) for n in range(size)]
        picked = Cat(c.any() for c in chosen)
        number = encode(onehot) if len(onehot) > 1 else Cat()
        offset_bits = bits_for(size - 1) if size > 1 else 0
        # in transposed mode a word has scatter_width bits: fewer chunks than a weight word
        in_group = bits_for(self._config.scatter_width - 1) - offset_bits
        return [
            *(held[name].eq(picked.word_select(n, size)) for n, name in enumerate(planes(self._config))),
            held.index.eq(word.index + (number << offset_bits if len(onehot) > 1 else 0)),
            held.source.eq(Cat(number[:in_group], word.source)),
            held.last.eq(ends), held.null.eq(~onehot.any()),
        ]


class Issuer(wiring.Component):
    """Takes chunks apart: one item a cycle, least significant bit first, without a gap between chunks.

    Members: ``i``: In(stream of chunk_layout), ``o``: Out(stream of item_layout).

    Timing: a chunk takes as many cycles as it has bits (a null chunk one); its first item appears in the
    cycle after it was taken, and the next chunk is taken together with its last item.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "i": In(stream.Signature(chunk_layout(config))),
            "o": Out(stream.Signature(item_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        chunk, valid = Signal(chunk_layout(self._config), reset_less=True), Signal()
        onehot, remainder = lowest(chunk.nonzero)
        number = encode(onehot)
        final = Signal()  # the chunk's last bit, known one cycle ahead
        rest = Signal(self._config.chunk)
        m.d.comb += [
            rest.eq(remainder),
            self.o.valid.eq(valid),
            self.o.p.index.eq(chunk.index + number),
            self.o.p.source.eq(Cat(number, chunk.source)),
            self.o.p.subtract.eq((chunk.negative & onehot).any()),
            self.o.p.last.eq(chunk.last & final),
            self.o.p.null.eq(chunk.null),
            self.i.ready.eq(~valid | (self.o.ready & final)),
        ]
        if not self._config.skip_zeros:
            m.d.comb += self.o.p.zero.eq((chunk.zero & onehot).any())
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [chunk.nonzero.eq(rest), final.eq(_single(rest))]
        with m.If(self.i.ready):
            m.d.sync += [valid.eq(self.i.valid), chunk.eq(self.i.p), final.eq(_single(self.i.p.nonzero))]
        return m


class SparseAdditionControl(wiring.Component):
    """FAT's Sparse Addition Control Unit, in two steps with a queue between them.

    For each set bit n of each word, in order, one item (index + n, subtract, last). Empty words are passed
    over while the queue has work, so the adders behind ``o`` get one item a cycle at any sparsity.

    Members: ``i``: In(stream of word_layout), ``o``: Out(stream of item_layout).

    Timing: from a word to its first item 6 cycles; then one item a cycle.
    Source: FAT (arXiv 2201.07634), section III; the lookahead over empty words is ours.
    """

    queue_depth = 16

    def __init__(self, config):
        self._config = config
        super().__init__({
            "i": In(stream.Signature(word_layout(config))),
            "o": Out(stream.Signature(item_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.chunker = chunker = Chunker(self._config)
        m.submodules.issuer = issuer = Issuer(self._config)
        m.submodules.queue = queue = Queue(chunk_layout(self._config), self.queue_depth)
        wiring.connect(m, wiring.flipped(self.i), chunker.i)
        wiring.connect(m, chunker.o, queue.i)
        wiring.connect(m, queue.o, issuer.i)
        wiring.connect(m, issuer.o, wiring.flipped(self.o))
        return m
