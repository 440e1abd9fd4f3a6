"""Walks the loops of a layer and fetches the bitmap words of its dot products."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..common.layouts import Kind
from ..common.nest import Nest
from .layouts import DESCRIPTOR, Widths, word_layout

__all__ = ["Fetcher"]


class Fetcher(wiring.Component):
    """Emits the bitmap words of every dot product of a layer.

    Their order is that of docs/engines/ternary-machine.md, "Dot products".

    Members
    -------
    descriptor : In(DESCRIPTOR), constant while a layer runs; ``two_pass`` must be 0 where it is DENSE
    start : In(1), one cycle
    address : Out, of the weight memory (CONV) or of the bitmap of the vector memory (DENSE)
    advance : Out(1), enable of those memories' read ports and of the registers behind them
    weights : In, weight word, registered by the parent under ``advance``: two cycles after its address
    bitmap : In, likewise; 0 where the layer is none of the transposed mode
    o : Out(stream of word_layout)

    Timing: a dot product takes its number of words and one cycle, both twice in two-pass order; a word
    appears two cycles after its address. ``advance`` stops all of it while ``o`` is stalled.
    """

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR),
            "start": In(1),
            "address": Out(w.fetch),
            "advance": Out(1),
            "weights": In(2 * config.word_width),
            "bitmap": In(config.scatter_width),
            "o": Out(stream.Signature(word_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        config, d, w = self._config, self.descriptor, Widths(self._config)
        m.submodules.loops = loops = Nest(w.loops)
        m.submodules.visit = visit = Nest([1, w.visit, w.visit])
        m.d.comb += [
            loops.count0.eq(d.m_count), loops.count1.eq(d.i_count), loops.count2.eq(d.j_count),
            loops.count3.eq(d.pi_count), loops.count4.eq(d.pj_count),
            # counts of one bit: 1 is one pass; 2, which is 0, two passes
            visit.count0.eq(~d.two_pass), visit.count1.eq(d.segments), visit.count2.eq(d.words),
            loops.reset.eq(self.start), visit.reset.eq(self.start),
        ]
        dense = d.kind == Kind.DENSE
        step = Mux(dense, config.scatter_width, config.word_width)
        fetching, next_dot = Signal(), Signal()
        index, index_seg = Signal(w.index), Signal(w.index)
        fetch_m, fetch_seg = Signal(w.fetch), Signal(w.fetch)
        names = ("i", "j", "pi", "pj") if config.convolution else ("i",)
        bases = [Signal(w.index, name=f"base_{name}") for name in names]
        strides = [d[f"index_{name}_stride"] for name in names]

        # where the next words start: between two dot products, before the first one, and between the passes
        # of one
        initial, again = Signal(), visit.value0
        base, following_m = Signal(w.index), Signal(w.fetch)
        m.d.comb += [base.eq(d.index_base), following_m.eq(fetch_m)]
        for k, stride in enumerate(strides, 1):
            with m.If(getattr(loops, f"carry{k}") & ~getattr(loops, f"at_end{k}")):
                m.d.comb += base.eq(bases[k - 1] + stride)
        with m.If(initial):
            m.d.comb += [base.eq(d.index_base), following_m.eq(d.fetch_base)]
        with m.Elif(again):
            m.d.comb += base.eq(bases[-1])
        with m.Elif(loops.carry0):
            m.d.comb += following_m.eq(fetch_m + d.fetch_m_stride)

        # a reset, which comes with `start`, goes before a step
        m.d.comb += [
            loops.step.eq(next_dot & ~initial & ~again), visit.step.eq(fetching & ~next_dot & self.advance)]
        with m.If(self.start):
            m.d.sync += [fetching.eq(1), next_dot.eq(1), initial.eq(1)]
        with m.Elif(next_dot):
            m.d.sync += [next_dot.eq(0), initial.eq(0), fetching.eq(initial | again | ~loops.done)]
            m.d.sync += [x.eq(base) for x in (index, index_seg)]
            m.d.sync += [x.eq(following_m) for x in (self.address, fetch_seg, fetch_m)]
            for k, b in enumerate(bases, 1):
                with m.If(initial | (~again & getattr(loops, f"carry{k}"))):
                    m.d.sync += b.eq(base)
        with m.Elif(fetching & self.advance):
            m.d.sync += next_dot.eq(visit.carry0)
            m.d.sync += [self.address.eq(self.address + 1), index.eq(index + step)]
            with m.If(visit.at_end2):
                m.d.sync += [x.eq(fetch_seg + d.fetch_seg_stride) for x in (self.address, fetch_seg)]
                m.d.sync += [x.eq(index_seg + d.index_seg_stride) for x in (index, index_seg)]

        # two stages: the memory's output, and the parent's register behind it
        m.d.comb += self.advance.eq(~self.o.valid | self.o.ready)
        valid, payload = fetching & ~next_dot, self.o.p
        sources = (visit.done, visit.value0, index, self.address)
        for n in range(2):
            stage = [Signal.like(source, name=f"stage{n}_{k}") for k, source in enumerate(sources)]
            held = Signal(name=f"valid{n}")
            before, valid, sources = (valid, *sources), held, stage
            with m.If(self.advance):
                m.d.sync += [x.eq(y) for x, y in zip((held, *stage), before, strict=True)]
        last, _, row, source = sources
        # which weights the pass looks for, a register so that the words' way to the controller is short
        negative_pass, plus, minus = before[2], Signal(), Signal()
        with m.If(self.advance):
            m.d.sync += [plus.eq(~dense & ~(d.two_pass & negative_pass)),
                         minus.eq(~dense & ~(d.two_pass & ~negative_pass))]
        nonzero, negative = self.weights[:config.word_width], self.weights[config.word_width:]
        bitmap, terms = self.bitmap, nonzero
        if not config.skip_zeros:
            bitmap, terms = dense.replicate(config.scatter_width), nonzero | ~negative
            m.d.comb += payload.zero.eq(Mux(dense, 0, ~nonzero))
        wanted = Cat(Mux(bit, minus, plus) for bit in negative)
        m.d.comb += [
            self.o.valid.eq(valid),
            payload.nonzero.eq((terms & wanted) | bitmap),
            payload.negative.eq(negative),
            payload.index.eq(row), payload.source.eq(source), payload.last.eq(last),
        ]
        return m
