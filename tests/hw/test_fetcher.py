# amaranth: UnusedElaboratable=no
"""The fetcher against the loop nest of docs/engines/ternary-machine.md, written as Python loops."""

import dataclasses
import itertools
import random

import pytest
from amaranth.hdl import Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from shiftwork.golden.ternary.config import PRESETS
from shiftwork.hw.common.layouts import Kind
from shiftwork.hw.ternary.fetcher import Fetcher
from shiftwork.hw.ternary.layouts import DESCRIPTOR, Widths, word_layout

from .kit import monitor, plain, simulate

CONFIG = PRESETS["tiny"]


class Memories(wiring.Component):
    """A fetcher with the two memories that it reads, and their registers, as in the engine."""

    def __init__(self, config, weights, bitmaps):
        self._config = config
        self._words = ("weights", 2 * config.word_width, weights), ("bitmap", config.scatter_width, bitmaps)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "o": Out(stream.Signature(word_layout(config)))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetcher = fetcher = Fetcher(self._config)
        wiring.connect(m, fetcher.o, wiring.flipped(self.o))
        m.d.comb += [fetcher.descriptor.eq(self.descriptor), fetcher.start.eq(self.start)]
        for name, width, words in self._words:
            m.submodules[name] = memory = Memory(shape=width, depth=len(words), init=words)
            read = memory.read_port()
            m.d.comb += [read.addr.eq(fetcher.address), read.en.eq(fetcher.advance)]
            used = 1 if name == "weights" else self.descriptor.kind == Kind.DENSE
            with m.If(fetcher.advance):
                m.d.sync += getattr(fetcher, name).eq(Mux(used, read.data, 0))
        return m


def random_descriptor(rng, kind):
    d = {f"{name}_count": rng.randint(1, 3) for name in ("m", "i", "j", "pi", "pj")}
    if kind is Kind.DENSE:
        d |= {"j_count": 1, "pi_count": 1, "pj_count": 1}
    d |= {name: rng.randrange(40) for name in (
        "fetch_base", "fetch_m_stride", "fetch_seg_stride", "index_base", "index_i_stride", "index_j_stride",
        "index_pi_stride", "index_pj_stride", "index_seg_stride")}
    two_pass = int(kind is Kind.CONV and rng.random() < 0.5)
    return d | {"kind": kind, "segments": rng.randint(1, 4), "words": rng.randint(1, 4), "two_pass": two_pass}


def loops(d, config, weights, bitmaps):
    """The words of a layer, as the specification lists them."""
    dense = d["kind"] is Kind.DENSE
    words = bitmaps if dense else weights
    widths = Widths(config)
    counts = (d[f"{name}_count"] for name in ("m", "i", "j", "pi", "pj"))
    for m, i, j, pi, pj in itertools.product(*map(range, counts)):
        visits = itertools.product(range(1 + d["two_pass"]), range(d["segments"]), range(d["words"]))
        for sign, g, w in visits:
            address = d["fetch_base"] + m * d["fetch_m_stride"] + g * d["fetch_seg_stride"] + w
            index = (d["index_base"] + i * d["index_i_stride"] + j * d["index_j_stride"]
                     + pi * d["index_pi_stride"] + pj * d["index_pj_stride"] + g * d["index_seg_stride"]
                     + w * (config.scatter_width if dense else config.lanes))
            word = words[address % len(words)]
            every = (1 << (config.scatter_width if dense else config.lanes)) - 1
            nonzero, negative = word & (1 << config.lanes) - 1, word >> config.lanes
            if not config.skip_zeros:
                zero, nonzero = every & ~nonzero, every if dense else every & (nonzero | ~negative)
            if d["two_pass"]:
                nonzero &= negative if sign else ~negative
            last = (sign, g, w) == (d["two_pass"], d["segments"] - 1, d["words"] - 1)
            # The source counts in transposed mode only, the signs only in the other.
            yield {"nonzero": nonzero, "negative": None if dense else negative,
                   "source": address % (1 << widths.bitmap) if dense else None,
                   "index": index % (1 << widths.index), "last": int(last),
                   **({} if config.skip_zeros else {"zero": 0 if dense else zero})}


@pytest.mark.parametrize("p_ready, skip_zeros", [
    (1, True), (0.6, True), (0.2, True), (1, False), (0.6, False)])
@pytest.mark.parametrize("kind", [Kind.CONV, Kind.DENSE], ids=lambda kind: kind.name)
def test_words(kind, p_ready, skip_zeros):
    """Address and index of every word, layer after layer, in both orders and under stalls."""
    rng, config = random.Random(5), dataclasses.replace(CONFIG, skip_zeros=skip_zeros)
    weights = [rng.getrandbits(2 * CONFIG.lanes) for _ in range(CONFIG.weight_depth)]
    bitmaps = [rng.getrandbits(CONFIG.scatter_width) for _ in range(1 << Widths(CONFIG).bitmap)]
    dut = Memories(config, weights, bitmaps)
    layers = [random_descriptor(rng, kind) for _ in range(8)]
    dense = kind is Kind.DENSE

    async def bench(ctx):
        for d in layers:
            expected = list(loops(d, config, weights, bitmaps))
            ctx.set(dut.descriptor, d)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            found, ends, cycle = [], [], 0
            while len(found) < len(expected):
                ready = rng.random() < p_ready
                ctx.set(dut.o.ready, ready)
                _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.p)
                cycle += 1
                if valid and ready:
                    found.append(plain(payload) | ({"negative": None} if dense else {"source": None}))
                    if payload.last:
                        ends.append(cycle)
            assert found == expected
            if p_ready == 1:
                dot = (d["words"] * d["segments"] + 1) * (1 + d["two_pass"])
                assert ends == [dot * (n + 1) + 2 for n in range(len(ends))]
            # Nothing follows the layer's last word.
            ctx.set(dut.o.ready, 1)
            for _ in range(5):
                _, _, valid = await ctx.tick().sample(dut.o.valid)
                assert not valid

    simulate(dut, bench, background=[monitor(dut.o)], timeout=60000)
