"""Rows of coefficients that a line has to look at."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .rebuild_layouts import CLEARED, RebuildWidths

__all__ = ["Candidates"]


class Candidates(wiring.Component):
    """The offsets of a line's coefficients, each one once, in the order in which they came first.

    Two halves: one is filled while the other one is read.

    Members
    -------
    clear : In(1), clear_word : In, from `RebuildLists`: these have not come yet, and half
        ``half`` is empty
    valid : In(1), offset, half : In, a coefficient of this line
    first : Out(1), with ``valid``: it is the first one of its row; combinational
    read_half, address, advance : In, of the read port; candidate : Out, one cycle later
    count : Out, of half ``read_half``

    Timing: what comes is counted, and can be addressed, in the next cycle.
    Cost: ``row_depth`` bits and 2 * ``row_depth`` offsets.
    """

    def __init__(self, config):
        self._config = config
        w = RebuildWidths(config)
        super().__init__({
            "clear": In(1), "clear_word": In(range(w.clear_words)),
            "valid": In(1), "offset": In(w.row), "half": In(1), "first": Out(1),
            "read_half": In(1), "address": In(w.row), "advance": In(1), "candidate": Out(w.row),
            "count": Out(range(config.row_depth + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        config, w = self._config, RebuildWidths(self._config)
        m.submodules.met = met = Memory(shape=CLEARED, depth=w.clear_words, init=[])
        m.submodules.offsets = offsets = Memory(
            shape=w.row, depth=2 * config.row_depth, init=[], attrs={"no_rw_check": 1})
        look, mark = met.read_port(domain="comb"), met.write_port()
        write, read = offsets.write_port(), offsets.read_port()
        bit_width = (CLEARED - 1).bit_length()
        bit, word = self.offset[:bit_width], self.offset[bit_width:]
        m.d.comb += [
            look.addr.eq(word), self.first.eq(~look.data.bit_select(bit, 1)),
            mark.addr.eq(Mux(self.clear, self.clear_word, word)), mark.en.eq(self.clear | self.valid),
            mark.data.eq(Mux(self.clear, 0, look.data | (1 << bit))),
        ]
        counts = [Signal(self.count.shape(), name=f"count_{n}") for n in range(2)]
        m.d.comb += [
            write.addr.eq(Cat(Mux(self.half, counts[1], counts[0])[:w.row], self.half)),
            write.data.eq(self.offset), write.en.eq(self.valid & self.first),
            read.addr.eq(Cat(self.address, self.read_half)), read.en.eq(self.advance),
            self.candidate.eq(read.data), self.count.eq(Mux(self.read_half, counts[1], counts[0])),
        ]
        for n, count in enumerate(counts):
            with m.If(self.half == n):
                with m.If(self.clear):
                    m.d.sync += count.eq(0)
                with m.Elif(write.en):
                    m.d.sync += count.eq(count + 1)
        return m
