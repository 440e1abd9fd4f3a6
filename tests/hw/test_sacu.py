# amaranth: UnusedElaboratable=no
"""The Sparse Addition Control Unit: its items one by one, and not a cycle lost."""

import dataclasses
import random

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from shiftwork.golden.ternary.config import PRESETS, TernaryConfig
from shiftwork.golden.ternary.timing import QUEUE_DEPTH, sacu_cycles
from shiftwork.golden.ternary.timing_controller import Controller
from shiftwork.hw.common.layouts import Kind
from shiftwork.hw.ternary.fetcher import Fetcher
from shiftwork.hw.ternary.layouts import DESCRIPTOR, item_layout
from shiftwork.hw.ternary.sacu import Chunker, Issuer, SparseAdditionControl

from .kit import monitor, simulate, sink, source

DEFAULT = PRESETS["default"]
CONFIGS = {
    "tiny": PRESETS["tiny"],           # chunks of 4, two a word
    "icebreaker": PRESETS["icebreaker"],   # one chunk a word
    "default": DEFAULT,                # chunks of 8, eight a word
}
DENSITIES = 0, 0.03, 0.2, 0.5, 1


def random_dots(config, rng, count):
    """Dot products as lists of (nonzero, negative, index, source), with empty words anywhere."""
    dots = []
    for _ in range(count):
        first, density = rng.randrange(100), rng.choice(DENSITIES)
        dot = []
        for n in range(rng.randint(1, 5)):
            here = density if rng.random() < 0.6 else 0
            nonzero = sum((rng.random() < here) << k for k in range(config.word_width))
            negative = rng.getrandbits(config.word_width) & nonzero
            dot.append((nonzero, negative, first + n * config.word_width, rng.randrange(4)))
        dots.append(dot)
    return dots


def to_words(dots):
    """The words of dot products, as payloads."""
    names = "nonzero", "negative", "index", "source"
    return [dict(zip(names, word, strict=True)) | {"last": n == len(dot) - 1}
            for dot in dots for n, word in enumerate(dot)]


def to_items(dots, config):
    """What must come out: (index, source, subtract, null, last); of a null item only the last two count.

    In transposed mode a word has G bits, so the source is that of the value within G.
    """
    items, layout, group = [], item_layout(config), config.scatter_width
    index_mask, source_mask = ((1 << layout[name].width) - 1 for name in ("index", "source"))
    for dot in dots:
        bits = [(index + n & index_mask, (source * group + n % group) & source_mask, negative >> n & 1, 0)
                for nonzero, negative, index, source in dot for n in range(config.lanes) if nonzero >> n & 1]
        bits = bits or [(None, None, None, 1)]
        items += [(*item, n == len(bits) - 1) for n, item in enumerate(bits)]
    return items


def got(taken):
    return [(None, None, None, 1, item["last"]) if item["null"] else
            (item["index"], item["source"], item["subtract"], 0, item["last"]) for item in taken]


@pytest.mark.parametrize("p_valid, p_ready", [(1, 1), (1, 0.3), (0.3, 1), (0.4, 0.5)])
@pytest.mark.parametrize("name", CONFIGS)
def test_items(name, p_valid, p_ready):
    config = CONFIGS[name]
    rng = random.Random(7)
    dots = random_dots(config, rng, 24 if config.lanes > 8 else 80)
    items = to_items(dots, config)
    dut = SparseAdditionControl(config)
    take = sink(dut.o, len(items), p=p_ready, seed=2, gap=40 if p_ready < 1 else 0)
    simulate(dut, source(dut.i, to_words(dots), p=p_valid, seed=1), take,
             background=[monitor(dut.o)], timeout=8 * (len(items) + 5 * len(dots)) + 2000)
    assert got(take.items) == items


def test_zeros_are_marked():
    """A controller that does not skip: each term's own mark of a weight that is zero."""
    config, rng = dataclasses.replace(PRESETS["default"], skip_zeros=False), random.Random(9)
    dots = random_dots(config, rng, 20)
    words = [word | {"zero": rng.getrandbits(config.word_width)} for word in to_words(dots)]
    marks = [word["zero"] >> n & 1 for word in words for n in range(config.word_width)
             if word["nonzero"] >> n & 1]
    items = to_items(dots, config)
    dut = SparseAdditionControl(config)
    take = sink(dut.o, len(items), p=0.7)
    simulate(dut, source(dut.i, words), take, timeout=4 * len(items) + 1000)
    assert got(take.items) == items
    assert [item["zero"] for item in take.items if not item["null"]] == marks


@pytest.mark.parametrize("empty", [0, 1, 3, 20])
def test_empty_words_after_the_last_item(empty):
    """``last`` stands on the last bit, however many empty words follow it in its dot product."""
    config = PRESETS["tiny"]
    dots = [[(bits, 0, 0, 0)] + [(0, 0, 0, 0)] * empty for bits in (0b1, 0b10000001, 0, 0b11110000, 0)]
    items = to_items(dots, config)
    dut = SparseAdditionControl(config)
    take = sink(dut.o, len(items))
    simulate(dut, source(dut.i, to_words(dots)), take, timeout=300)
    assert got(take.items) == items


@pytest.mark.parametrize("part", [Chunker, Issuer], ids=lambda part: part.__name__)
def test_parts_keep_the_stream_rules(part):
    rng = random.Random(3)
    dut = part(PRESETS["tiny"])
    if part is Chunker:
        offers = to_words(random_dots(PRESETS["tiny"], rng, 60))
    else:
        bits = [0 if rng.random() < 0.1 else rng.randrange(1, 16) for _ in range(100)]
        offers = [{"nonzero": nonzero, "negative": rng.randrange(16), "index": rng.randrange(64), "source": 0,
                   "last": rng.randrange(2), "null": int(not nonzero)} for nonzero in bits]

    async def take(ctx):
        ready = random.Random(4)
        for _ in range(800):
            ctx.set(dut.o.ready, ready.random() < 0.4)
            await ctx.tick()

    simulate(dut, take, background=[source(dut.i, offers, p=0.6, seed=1), monitor(dut.o)], timeout=1000)


class Fetched(wiring.Component):
    """A controller whose words come from a memory through the fetcher, as in the engine."""

    def __init__(self, config, words):
        self._config, self._words = config, words
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "o": Out(stream.Signature(item_layout(config)))})

    def elaborate(self, platform):
        m = Module()
        fetcher = m.submodules.fetcher = Fetcher(self._config)
        sacu = m.submodules.sacu = SparseAdditionControl(self._config)
        width = 2 * self._config.word_width
        memory = m.submodules.memory = Memory(shape=width, depth=self._config.weight_depth, init=self._words)
        read = memory.read_port()
        wiring.connect(m, fetcher.o, sacu.i)
        wiring.connect(m, sacu.o, wiring.flipped(self.o))
        m.d.comb += [
            fetcher.descriptor.eq(self.descriptor), fetcher.start.eq(self.start),
            read.addr.eq(fetcher.address), read.en.eq(fetcher.advance),
        ]
        with m.If(fetcher.advance):
            m.d.sync += fetcher.weights.eq(read.data)
        return m


def dot_product(weights, sparsity, seed):
    """A random bitmap of so many weights with exactly that share of zeros."""
    rng = np.random.default_rng(seed)
    bits = np.ones(weights, bool)
    bits[rng.permutation(weights)[:round(sparsity * weights)]] = False
    return bits


@pytest.mark.parametrize("sparsity", [0, 0.4, 0.6, 0.8, 0.95])
def test_no_bubble(sparsity):
    """4,608 weights, through the fetcher: an item a cycle, or a word a cycle where there are fewer items."""
    config = DEFAULT
    bits = dot_product(4608, sparsity, seed=int(100 * sparsity))
    words = [sum(1 << int(n) for n in np.flatnonzero(word)) for word in bits.reshape(-1, config.word_width)]
    dut = Fetched(config, words)
    loops = {f"{name}_count": 1 for name in ("m", "i", "j", "pi", "pj")}
    descriptor = {"kind": Kind.CONV, "segments": 1, "words": len(words), **loops}
    cycles, indices = [], []

    async def bench(ctx):
        ctx.set(dut.descriptor, descriptor)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        last, cycle = False, 0
        while not last:
            _, _, valid, item = await ctx.tick().sample(dut.o.valid, dut.o.p)
            cycle += 1
            if valid:
                last = item.last
                cycles.append(cycle)
                indices.append(item.index)

    simulate(dut, bench, timeout=6000)
    mask = (1 << item_layout(config)["index"].width) - 1
    assert indices == [int(n) & mask for n in np.flatnonzero(bits)]
    used = cycles[-1] - cycles[0] + 1
    assert used == sacu_cycles(bits, config)
    assert used <= 1.01 * max(bits.sum(), len(words)) + 4


def test_queue_is_as_deep_as_predicted():
    assert SparseAdditionControl.queue_depth == QUEUE_DEPTH


def test_dot_products_follow_without_a_gap():
    """Short dot products, null ones among them: an item a cycle as long as words do not outnumber items."""
    config = TernaryConfig(lanes=16, grid_rows=4, grid_columns=4)
    rng = random.Random(9)
    dots = [[(sum(1 << n for n in rng.sample(range(16), rng.randint(1, 5))), 0, 0, 0)] for _ in range(40)]
    dots[7] = dots[20] = [(0, 0, 0, 0)]
    items = to_items(dots, config)
    dut = SparseAdditionControl(config)
    cycles = []

    async def take(ctx):
        ctx.set(dut.o.ready, 1)
        cycle = 0
        while len(cycles) < len(items):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            cycle += 1
            if valid:
                cycles.append(cycle)

    simulate(dut, source(dut.i, to_words(dots)), take, timeout=2 * len(items) + 50)
    assert cycles == list(range(cycles[0], cycles[0] + len(items)))


@pytest.mark.parametrize("empties", [10, 150])
def test_null_behind_a_full_queue(empties):
    """A dot product without non-zeros waits in the chunker behind a full queue, and so do empty words."""
    config = PRESETS["default"]
    full = (1 << config.word_width) - 1
    words = [(full, k == 3) for _ in range(2) for k in range(4)] + [(0, 1)] + [(0, 0)] * empties + [(1, 1)]
    dut = SparseAdditionControl(config)
    items = []

    async def feed(ctx):
        for nonzero, last in words:
            ctx.set(dut.i.p.nonzero, nonzero)
            ctx.set(dut.i.p.last, last)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)

    async def take(ctx):
        ctx.set(dut.o.ready, 1)
        for cycle in range(512 + 8 + empties + 60):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            if valid:
                items.append(cycle)

    simulate(dut, feed, take, timeout=2000)
    controller = Controller(lambda cycle, span: cycle)
    for _ in range(2):
        controller.dot([[(7, 1)] * 8] * 4)
    controller.dot([[]])
    controller.dot([[]] * empties + [[(0, 1)]])
    controller.finish()
    assert len(items) == 514
    assert items[-1] - items[0] == controller.issued - controller.first_issue
