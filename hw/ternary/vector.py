"""The vector memory: activations in order of arrival, and a bitmap of those that are not zero."""

from amaranth import Array, Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .layouts import Widths

__all__ = ["VectorMemory"]


class VectorMemory(wiring.Component):
    """Activations for the transposed mode, of A bits. Value number n is number n mod D of word n div D.

    Members
    -------
    start : In(1), writing goes on at word ``base``
    write, values : In, the next D activations
    source : In, number of the value to read; value : Out(A), that value three cycles later, registered
    address, read : In, of a bitmap word (G values); bitmap : Out, it, one cycle after ``read``

    Cost: A*D bits of ``vector_depth`` in block RAM, G bits of ``vector_depth * D / G`` in any RAM.
    """

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "start": In(1), "base": In(w.vector),
            "write": In(1), "values": In(data.ArrayLayout(config.activation_width, config.drain_width)),
            "source": In(w.value), "value": Out(config.activation_width),
            "address": In(w.bitmap), "read": In(1), "bitmap": Out(config.scatter_width),
        })

    def elaborate(self, platform):
        m = Module()
        config, w = self._config, Widths(self._config)
        drain, size, width = config.drain_width, config.scatter_width, config.activation_width
        # a layer reads what an earlier layer wrote: never one address in one cycle
        m.submodules.words = words = Memory(
            shape=width * drain, depth=config.vector_depth, init=[], attrs={"no_rw_check": 1})
        m.submodules.bitmaps = bitmaps = Memory(
            shape=size, depth=2 ** w.bitmap, init=[], attrs={"no_rw_check": 1})
        words_w, words_r, bitmaps_w, bitmaps_r = (
            words.write_port(), words.read_port(), bitmaps.write_port(), bitmaps.read_port())
        lane_bits = bits_for(drain - 1) if drain > 1 else 0
        steps = bits_for(size // drain - 1) if size > drain else 0

        position, nonzero = Signal(w.vector), Signal(size)
        arrived = Cat(nonzero[drain:], Cat(self.values[n].any() for n in range(drain)))
        with m.If(self.start):
            m.d.sync += position.eq(self.base)
        with m.Elif(self.write):
            m.d.sync += [position.eq(position + 1), nonzero.eq(arrived)]
        m.d.comb += [
            words_w.addr.eq(position), words_w.data.eq(self.values), words_w.en.eq(self.write),
            bitmaps_w.addr.eq(position >> steps), bitmaps_w.data.eq(arrived),
            bitmaps_w.en.eq(self.write & position[:steps].all()),
            bitmaps_r.addr.eq(self.address), bitmaps_r.en.eq(self.read), self.bitmap.eq(bitmaps_r.data),
        ]

        word = Signal(width * drain, reset_less=True)
        lane = self.source[:lane_bits]
        for n in range(2):
            following = Signal(lane_bits, name=f"lane{n}", reset_less=True)
            m.d.sync += following.eq(lane)
            lane = following
        m.d.comb += words_r.addr.eq(self.source >> lane_bits)
        m.d.sync += [
            word.eq(words_r.data),
            self.value.eq(Array(word.word_select(n, width) for n in range(drain))[lane]),
        ]
        return m
