"""Layouts that the parts of the ternary engine exchange."""

from amaranth import signed, unsigned
from amaranth.lib import data
from amaranth.utils import bits_for

from ..common.layouts import ArrayWidths, descriptor_layout, operation_layout

__all__ = ["DESCRIPTOR", "Widths", "planes", "word_layout", "chunk_layout", "item_layout",
           "unit_strobes", "unit_fields"]

DESCRIPTOR = descriptor_layout({
    "segments": 16, "words": 16,
    "fetch_base": 16, "fetch_m_stride": 16,
    "fetch_seg_stride": 16, "index_base": 16,
    "index_i_stride": 16, "index_j_stride": 16,
    "index_pi_stride": 16, "index_pj_stride": 16,
    "index_seg_stride": 16, "outputs": 16,
}, {"activation_bits": 5, "_1": 11})
"""A layer descriptor, as docs/engines/ternary-machine.md lists its fields."""


class Widths(ArrayWidths):
    """Bits of addresses and counters of one engine.

    ``visit`` are the bits of the loop counters of segments and words.
    """

    def __init__(self, config):
        super().__init__(config, config.scatter_step)
        self.visit = config.count_bits["segments"]
        #: of the loops m, i, j, pi, pj; the last three are the convolution's
        self.loops = [
            self.m, self.local, *([self.local, self.pool, self.pool] if config.convolution else [0, 0, 0])]
        self.weight = bits_for(config.weight_depth - 1)
        self.vector = bits_for(config.vector_depth - 1)
        self.bitmap = bits_for(max(2, config.vector_depth * config.drain_width // config.scatter_width) - 1)
        self.index = max(self.row, self.weight)
        self.fetch = max(self.weight, self.bitmap)
        self.chunk = config.chunk
        #: number of a value in the vector memory: bitmap address, chunk of the word, bit of the chunk
        self.value = self.bitmap + bits_for(config.scatter_width - 1)


def planes(config):
    """Bits that go with each weight, "nonzero" first: whether it is a term.

    Without ``skip_zeros`` that does not say that the weight is not zero; so "zero" does.
    """
    return ("nonzero", "negative") if config.skip_zeros else ("nonzero", "negative", "zero")


def word_layout(config):
    """A bitmap word, ``last`` of its dot product.

    Set bit n of ``nonzero`` stands for row or weight word ``index`` + n.
    """
    w = Widths(config)
    return data.StructLayout({
        **dict.fromkeys(planes(config), unsigned(config.word_width)),
        "index": unsigned(w.index), "source": unsigned(w.bitmap), "last": 1})


def chunk_layout(config):
    """A few bits of a word, at least one of them set unless ``null``; ``last`` of its dot product."""
    w = Widths(config)
    return data.StructLayout({
        **dict.fromkeys(planes(config), unsigned(w.chunk)),
        "index": unsigned(w.index), "source": unsigned(w.value - bits_for(w.chunk - 1)),
        "last": 1, "null": 1})


def item_layout(config):
    """One term: a non-zero weight or, without ``skip_zeros``, any.

    ``index`` is of its row or weight word, ``source`` of its activation in the vector memory. ``null`` adds
    nothing: the only item of a dot product without terms.
    """
    w = Widths(config)
    return data.StructLayout({
        "index": unsigned(w.index), "source": unsigned(w.value), "subtract": 1, "last": 1, "null": 1,
        **({} if config.skip_zeros else {"zero": 1})})


def unit_strobes(config):
    """What makes an `ArrayUnit` do something: one cycle each."""
    return data.StructLayout({
        "item": 1,          # a term is here
        "pool": 1,          # a packed vector goes to the pool
        "push": 1,          # a vector reaches the output queue
        **({"write": 1,     # .. the row that is filled
            "fill": 1, "drain": 1, "clear": 1,      # `RowBuffer`'s
            "operation": 1} if config.convolution else {}),
        **({"keep": 1} if config.transposed else {}),   # .. the vector memory
    })


def unit_fields(config):
    """What goes with `unit_strobes`; constants of a layer among it."""
    w = Widths(config)
    serial = {"zero": 1, "bits": range(config.activation_width + 1), "part": range(config.drain_step)}
    return data.StructLayout({
        # the item, and what its layer is
        "row": unsigned(w.index), "subtract": 1, "null": 1, "last": 1, "signed": 1, "dense": 1,
        **(serial if config.bit_serial else {}),
        # results: the array's, their scale, the packed vector, the pool's vector
        "select": range(config.drain_cycles), "scale": unsigned(config.table_width),
        "low": signed(16), "high": signed(16),
        "masked": unsigned(config.drain_width), "lane": range(max(2, config.drain_width)),
        "pool_slot": range(config.drain_cycles), "first": 1,
        # one cycle before the destination: a beat of the input stream, and whether it is what counts
        "loading": 1, "beat": unsigned(config.activation_width * config.drain_width),
        # at the destination
        "slot": range(config.drain_cycles), "layer_ends": 1,
        **({"operation": operation_layout(config, config.scatter_step)} if config.convolution else {}),
        **({"nonzero": unsigned(config.lanes), "negative": unsigned(config.lanes),
            "source": unsigned(w.value), "position": unsigned(w.vector)} if config.transposed else {}),
    })
