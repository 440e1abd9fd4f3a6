"""The index selector: rows with coefficients and with activations that are not zero."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .rebuild_layouts import RebuildWidths, position_layout, token_layout

__all__ = ["IndexSelector"]


class IndexSelector(wiring.Component):
    """Looks at a line's candidates for one position after the other, one a cycle, and names those to compute.

    Rule 2 of docs/engines/smartexchange-rebuild.md. Of a candidate whose walked rows are all zeros nothing
    is seen; after the last one comes the position's mark.

    Members
    -------
    start : In(1), of a layer
    go : In(1), one cycle, while ``waiting``; position : In(position_layout), with it
    moves : In(ArrayLayout(row, taps)), rows from ``position`` to those of each tap, in this line
    waiting : Out(1), the position's mark has been given, and no other one has begun
    read_half, address, advance : Out, candidate, count : In: of `Candidates`
    flag_row, flag, flag_write : In, of `RowFlags`
    o : Out(stream of token_layout)

    Timing: the first candidate is looked at, and its token offered, ``latency`` cycles after ``go``; a
    token that is not taken stops all behind it.
    Cost: for each tap ``row_depth`` bits of memory and two adders.
    """

    latency = 3

    def __init__(self, config):
        self._config = config
        w = RebuildWidths(config)
        super().__init__({
            "go": In(1), "position": In(position_layout(config)),
            "moves": In(data.ArrayLayout(w.row, config.taps)), "waiting": Out(1, init=1), "start": In(1),
            "read_half": Out(1), "address": Out(w.row), "advance": Out(1), "candidate": In(w.row),
            "count": In(range(config.row_depth + 1)),
            "flag_row": In(w.row), "flag": In(1), "flag_write": In(1),
            "o": Out(stream.Signature(token_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        config, w = self._config, RebuildWidths(self._config)
        # addressed; its offset is here; its rows are known; their flags are here
        active, valids, marks = Signal(), Signal(3), Signal(3)
        pointer = Signal(range(config.row_depth + 1))
        begin, at_end, mask, half = Signal(), Signal(), Signal(config.taps), Signal()
        m.d.comb += [
            self.advance.eq(~self.o.valid | self.o.ready), begin.eq(self.go | active),
            at_end.eq(pointer == self.count), self.address.eq(pointer),
            self.read_half.eq(Mux(self.go, self.position.half, half)),
        ]
        bases = Signal.like(self.moves, reset_less=True)
        with m.If(self.go):
            m.d.sync += [mask.eq(self.position.mask), half.eq(self.position.half)]
            m.d.sync += [base.eq(self.position.row + move)
                         for base, move in zip(bases, self.moves, strict=True)]
        rows, row, flags = Signal.like(bases, reset_less=True), Signal(w.row), []
        offsets = [Signal(w.row, name=f"offset_{n}", reset_less=True) for n in range(2)]
        with m.If(self.advance):
            m.d.sync += [
                valids.eq(Cat(begin, valids)), marks.eq(Cat(at_end, marks)),
                offsets[0].eq(self.candidate), offsets[1].eq(offsets[0]), row.eq(rows[0]),
            ]
            m.d.sync += [at.eq(base + self.candidate) for at, base in zip(rows, bases, strict=True)]
            with m.If(begin):
                m.d.sync += [active.eq(~at_end), pointer.eq(Mux(at_end, 0, pointer + 1))]
        for s in range(config.taps):
            m.submodules[f"flags_{s}"] = memory = Memory(
                shape=1, depth=config.row_depth, init=[], attrs={"no_rw_check": 1})
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(self.flag_row), write.data.eq(self.flag), write.en.eq(self.flag_write),
                read.addr.eq(rows[s]), read.en.eq(self.advance)]
            flags.append(read.data)
        m.d.comb += [
            self.o.valid.eq(valids[-1] & (marks[-1] | (Cat(flags) & mask).any())),
            self.o.p.mark.eq(marks[-1]), self.o.p.row.eq(row), self.o.p.offset.eq(offsets[1]),
            self.o.p.half.eq(half), self.o.p.mask.eq(mask),
        ]
        with m.If(self.go):
            m.d.sync += self.waiting.eq(0)
        with m.Elif(self.o.valid & self.o.ready & marks[-1]):
            m.d.sync += self.waiting.eq(1)
        with m.If(self.start):
            m.d.sync += self.waiting.eq(1)
        return m
