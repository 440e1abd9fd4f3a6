"""The vector memory: activations in order of arrival, and a bitmap of those that are not zero."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..common.delay import delay
from .layouts import Widths

__all__ = ["VectorMemory", "BitmapMemory"]


class VectorMemory(wiring.Component):
    """One array's activations of the transposed mode, of A bits. Value n is number n mod D of word n div D.

    Members
    -------
    write, position, values : In, D activations and their word
    source : In, number of the value to read; value : Out(A), that value three cycles later, registered

    Cost: A*D bits of ``vector_depth`` in block RAM.
    """

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "write": In(1), "position": In(w.vector),
            "values": In(data.ArrayLayout(config.activation_width, config.drain_width)),
            "source": In(w.value), "value": Out(config.activation_width),
        })

    def elaborate(self, platform):
        m = Module()
        drain, width = self._config.drain_width, self._config.activation_width
        # a layer reads what an earlier layer wrote: never one address in one cycle
        m.submodules.words = words = Memory(
            shape=width * drain, depth=self._config.vector_depth, init=[], attrs={"no_rw_check": 1})
        words_w, words_r = words.write_port(), words.read_port()
        m.d.comb += [
            words_w.addr.eq(self.position), words_w.data.eq(self.values), words_w.en.eq(self.write)]
        lane_bits = bits_for(drain - 1) if drain > 1 else 0
        word = Signal(width * drain, reset_less=True)
        lane = delay(m, self.source[:lane_bits], 2, name="lane")
        m.d.comb += words_r.addr.eq(self.source >> lane_bits)
        m.d.sync += [
            word.eq(words_r.data),
            self.value.eq(Array(word.word_select(n, width) for n in range(drain))[lane]),
        ]
        return m


class BitmapMemory(wiring.Component):
    """Counts the vectors that arrive, and keeps which of their values are not zero (in any array).

    Of several arrays, an INPUT row comes first from array 0, .., last from array A-1: its vectors take the
    same words of each array's memory.

    Members
    -------
    start : In(1), writing goes on at word ``base``
    write : In(1), D activations come, to word ``position`` : Out
    slot, first, final : In, with ``write``
        Place of the vector in its row; it is of array 0, or of all; of the last array, or of all. Ignored
        where there is one array.
    nonzero : In(D), which of them are not zero in any array: with ``write``, of several arrays 2 cycles later
    address, read : In, of a bitmap word (G values); bitmap : Out, it, one cycle after ``read``

    Cost: G bits of ``vector_depth * D / G`` in any RAM; several arrays: P bits of distributed memory.
    """

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "start": In(1), "base": In(w.vector), "write": In(1), "position": Out(w.vector),
            "slot": In(range(config.drain_cycles)), "first": In(1), "final": In(1),
            "nonzero": In(config.drain_width),
            "address": In(w.bitmap), "read": In(1), "bitmap": Out(config.scatter_width),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        drain, size = config.drain_width, config.scatter_width
        step, write, position, nonzero = 1, self.write, self.position, self.nonzero
        if config.arrays > 1:
            write, position, nonzero = self._union(m)
            # the next array's part of a row takes the same words
            again = (self.slot == config.drain_cycles - 1) & ~self.final
            step = Mux(again, 1 - config.drain_cycles, 1)
        with m.If(self.start):
            m.d.sync += self.position.eq(self.base)
        with m.Elif(self.write):
            m.d.sync += self.position.eq(self.position + step)

        m.submodules.memory = memory = Memory(
            shape=size, depth=2 ** Widths(config).bitmap, init=[], attrs={"no_rw_check": 1})
        w, r = memory.write_port(), memory.read_port()
        steps = bits_for(size // drain - 1) if size > drain else 0
        before = Signal(size, reset_less=True)
        arrived = Cat(before[drain:], nonzero)
        with m.If(write):
            m.d.sync += before.eq(arrived)
        m.d.comb += [
            w.addr.eq(position >> steps), w.data.eq(arrived), w.en.eq(write & position[:steps].all()),
            r.addr.eq(self.address), r.en.eq(self.read), self.bitmap.eq(r.data),
        ]
        return m

    def _union(self, m):
        """Of several arrays: (write, position, flags) of what all of them have given, two cycles later."""
        now = Signal(data.StructLayout({
            "slot": self.slot.shape(), "first": 1, "final": 1, "position": self.position.shape()}))
        m.d.comb += now.eq(Cat(self.slot, self.first, self.final, self.position))
        now, write = delay(m, now, 2, name="late"), delay(m, self.write, 2, reset_less=False, name="write")
        m.submodules.partial = partial = Memory(
            shape=self._config.drain_width, depth=self._config.drain_cycles, init=[])
        w, r = partial.write_port(), partial.read_port(domain="comb")
        union = Signal(self._config.drain_width)
        m.d.comb += [
            r.addr.eq(now.slot), union.eq(self.nonzero | Mux(now.first, 0, r.data)),
            w.addr.eq(now.slot), w.data.eq(union), w.en.eq(write),
        ]
        return write & now.final, now.position, union
