"""The forward path: rows and input blocks in one transform, steps held, short packets, sequences, resets."""

import random

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.golden.circulant.transform import forward
from shiftwork.golden.circulant.transform_config import latency
from shiftwork.hw.circulant.forward_path import ForwardPath

from .kit import simulate, source

CONFIGS = [
    CirculantConfig(block=4, spectrum_depth=16, vector_width=8),
    CirculantConfig(block=8, spectrum_depth=64),
    CirculantConfig(block=16, spectrum_depth=32, vector_width=16),
    CirculantConfig(block=64, spectrum_depth=16),
]
IDS = [f"k{config.block}" for config in CONFIGS]


def _vectors(config, count, rng):
    """``count`` blocks of k numbers, some of extremes alone."""
    low = -1 << config.vector_width - 1
    return [[rng.choice(ends or [rng.randrange(low, -low)]) for _ in range(config.block)]
            for ends in (rng.choice([[low, ~low], [], []]) for _ in range(count))]


def _word(config, vector):
    return forward(np.array(vector), config.forward).reshape(-1).tolist()


def _beats(config, blocks, rng, cut=0):
    """The packet of ``blocks`` without its last ``cut`` beats; other bits of beats are noise."""
    width = config.vector_width
    mask, beats = (1 << width) - 1, []
    for block in blocks:
        for even, odd in zip(block[::2], block[1::2], strict=True):
            noise = rng.getrandbits(32) & ~(mask | mask << 16)
            beats.append({"data": even & mask | (odd & mask) << 16 | noise, "last": 0})
    beats = beats[:len(beats) - cut]
    beats[-1]["last"] = 1
    return beats


class Rows:
    """A background bench that sends rows, with gaps of so many cycles each, in turn; what they yield."""

    def __init__(self, dut, config, gaps, rng):
        self._dut, self._config, self._gaps, self._rng = dut, config, gaps, rng
        self.now = self.count = 0
        self.restart()

    def restart(self):
        """Forgets what is under way."""
        self.expected, self._starts, self._pairs = {}, {}, {}
        self._following = self.now + 2 * self._config.slots

    async def bench(self, ctx):
        config, dut, rng = self._config, self._dut, self._rng
        low = -1 << config.vector_width - 1
        while True:
            coming = self.now + config.slots == self._following
            if coming:
                (vector,) = _vectors(config, 1, rng)
                target, start = rng.randrange(config.spectrum_depth), self._following
                self._starts[start] = target
                self._pairs |= {start + t: vector[2 * t:2 * t + 2] for t in range(config.slots)}
                self.expected[start + dut.latency] = target, _word(config, vector)
                self._following += config.slots + self._gaps[self.count % len(self._gaps)]
                self.count += 1
            ctx.set(dut.row_coming, coming)
            ctx.set(dut.rows_first, self.now in self._starts)
            ctx.set(dut.rows_target, self._starts.get(self.now, rng.randrange(config.spectrum_depth)))
            for line, value in zip(dut.rows_i, self._pairs.get(self.now, (rng.randrange(low, -low), low)),
                                   strict=True):
                ctx.set(line, value)
            await ctx.tick()
            self.now += 1


class Writes:
    """A background bench behind `Rows`: rows must come in their cycle; ``memory``: the input's."""

    def __init__(self, dut, rows):
        self._dut, self._rows, self.memory, self.count = dut, rows, {}, 0

    async def bench(self, ctx):
        dut = self._dut
        values = dut.write, dut.row_written, dut.write_address, *dut.write_data
        async for _, _, write, row, address, *word in ctx.tick().sample(*values):
            expected = self._rows.expected.get(self._rows.now - 1)
            assert row == (expected is not None)
            if row:
                assert write and (address, word) == expected
            elif write:
                self.memory[address], self.count = word, self.count + 1


def _steps(dut, config, memory, base, blocks, steps, last, rng, hold):
    """A bench: takes ``steps``, lists of blocks; each one's input must be there, the other half as it was."""

    async def bench(ctx):
        before = None
        for n, step in enumerate(steps):
            while not ctx.get(dut.step_ready):
                assert not ctx.get(dut.short)
                await ctx.tick()
            await ctx.delay(1e-8)       # for `Writes` to see the cycle before
            places = [(base + b) % config.spectrum_depth ^ (n % 2) * config.spectrum_depth // 2
                      for b in range(blocks)]
            assert [memory[place] for place in places] == [_word(config, x) for x in step]
            assert ctx.get(dut.step_last) == (last and n == len(steps) - 1)
            # as long as it takes: the next step's input must not come before this one is taken
            for _ in range(rng.choice(hold)):
                assert ctx.get(dut.step_ready) and not ctx.get(dut.short)
                await ctx.tick()
            assert [memory[place] for place in places] == [_word(config, x) for x in step]
            if before:
                assert [memory[place] for place in before[0]] == before[1]
            ctx.set(dut.step_take, 1)
            await ctx.tick()
            ctx.set(dut.step_take, 0)
            assert not ctx.get(dut.step_ready)
            before = places, [_word(config, x) for x in step]

    return bench


def _sequence(dut, config, writes, rng, *, steps, blocks, cut, p, hold):
    """Benches of one sequence, its packet lacking ``cut`` beats: of the source, and of the engine."""
    base = rng.randrange(config.spectrum_depth)
    vectors = _vectors(config, steps * blocks, rng)
    short = cut > 0
    whole = [vectors[n * blocks:(n + 1) * blocks] for n in range(steps - short)]
    feed = source(dut.i, _beats(config, vectors, rng, cut), p=p, seed=rng.random(), gap=rng.choice([0, 30]))
    take = _steps(dut, config, writes.memory, base, blocks, whole, not short, rng, hold)

    async def bench(ctx):
        ctx.set(dut.input_blocks, blocks)
        ctx.set(dut.input_base, base)
        ctx.set(dut.enable, 1)
        writes.memory.clear()
        await take(ctx)
        if short:
            while not ctx.get(dut.short):
                assert not ctx.get(dut.step_ready)
                await ctx.tick()
            await ctx.tick()
        for _ in range(20):
            assert not ctx.get(dut.short) and not ctx.get(dut.step_ready) and not ctx.get(dut.i.ready)
            await ctx.tick()
        ctx.set(dut.enable, 0)
        await ctx.tick().repeat(2)

    return feed, bench


def _in_turn(benches):
    async def bench(ctx):
        for one in benches:
            await one(ctx)

    return bench


def _run(dut, config, gaps, sequences, rng, p, hold):
    """Sequences one behind the other; how many rows came beside them."""
    rows = Rows(dut, config, gaps, rng)
    writes = Writes(dut, rows)
    feeds, benches = zip(*(_sequence(dut, config, writes, rng, **sequence, p=p, hold=hold)
                           for sequence in sequences), strict=True)
    simulate(dut, _in_turn(feeds), _in_turn(benches), background=(rows.bench, writes.bench), timeout=20000)
    return rows.count


@pytest.mark.parametrize("config, p, hold", [
    *((config, 1.0, (0,)) for config in CONFIGS[:3]), *((config, 0.5, (0, 5, 150)) for config in CONFIGS)],
    ids=[*IDS[:3], *(f"{name}-stalls" for name in IDS)])
def test_sequences(config, p, hold):
    """Whole and short packets; rows in bursts, and with gaps in which blocks of the input fit or do not."""
    rng, h = random.Random(config.block), config.slots
    dut = ForwardPath(config)
    assert dut.latency == latency(config.forward) + h
    gaps = [0, 0, 1, h - 1, h, h + 1, 0, 3 * h, 0, 2 * h - 1]
    sequences = [{"steps": 3, "blocks": 2, "cut": 0}, {"steps": 1, "blocks": 1, "cut": 1},
                 {"steps": 4, "blocks": 1, "cut": 0}, {"steps": 3, "blocks": 3, "cut": h + 1},
                 {"steps": 3, "blocks": 2, "cut": h}, {"steps": 5, "blocks": 1, "cut": h - 1}]
    if h == 32:
        sequences = sequences[1:3]
    assert _run(dut, config, gaps, sequences, rng, p, hold) >= 20


def test_gaps_that_just_suffice():
    """Blocks enter wherever h cycles are free between two rows, and never where there is a cycle less."""
    config = CONFIGS[1]
    h, blocks = config.slots, 12
    counts = []
    for gap in (h, h - 1):
        dut, rng = ForwardPath(config), random.Random(1)
        rows = Rows(dut, config, [gap], rng)
        writes = Writes(dut, rows)
        vectors = _vectors(config, blocks, rng)

        async def bench(ctx, dut=dut):
            await ctx.tick().repeat(4 * h)      # from the first row on
            ctx.set(dut.input_blocks, blocks)
            ctx.set(dut.enable, 1)
            await ctx.tick().repeat(2 * h * blocks + 2 * dut.latency)

        feed = source(dut.i, _beats(config, vectors, rng))
        simulate(dut, bench, background=(feed, rows.bench, writes.bench), timeout=1000)
        counts.append(writes.count)
        assert all(writes.memory[n] == _word(config, vectors[n]) for n in range(writes.count))
    assert counts == [blocks, 0]


@pytest.mark.parametrize("wait", [0, 1, 3])
@pytest.mark.parametrize("config", CONFIGS[:3], ids=IDS[:3])
def test_reset_within_a_sequence(config, wait):
    """Beats, blocks and rows that are under way are forgotten; the next sequence is as ever."""
    rng, dut, reset, begun = random.Random(wait), ForwardPath(config), Signal(), []
    rows = Rows(dut, config, [0, 5 * config.slots], rng)
    writes = Writes(dut, rows)
    broken = source(dut.i, _beats(config, _vectors(config, 2, rng), rng)[:config.slots + 1], seed=1)
    feed, sequence = _sequence(dut, config, writes, rng, steps=2, blocks=1, cut=0, p=1.0, hold=(0,))

    async def breaks(ctx):
        ctx.set(dut.input_blocks, 1)
        ctx.set(dut.enable, 1)
        await broken(ctx)
        for _ in range(wait * config.slots):
            await ctx.tick()
        ctx.set(reset, 1)
        ctx.set(dut.enable, 0)
        await ctx.tick()
        ctx.set(reset, 0)
        rows.restart()
        await ctx.tick()
        begun.append(True)

    async def broke(ctx):
        while not begun:
            await ctx.tick()

    simulate(ResetInserter(reset)(dut), _in_turn([breaks, sequence]), _in_turn([broke, feed]),
             background=(rows.bench, writes.bench), timeout=3000)
    assert writes.count == 2
