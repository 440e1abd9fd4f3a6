"""The output queue: beats, packets' ends, room, the beat of zeros, stalls and resets."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.hw.circulant.output_queue import OutputQueue

from .kit import monitor, simulate, sink


def _beat(pair, last):
    return {"data": (pair[0] & 0xFFFF) | (pair[1] & 0xFFFF) << 16, "last": int(last)}


def _pairs(config, count, rng):
    low = -1 << config.vector_width - 1
    return [[rng.choice([low, -low - 1, -1, rng.randrange(low, -low)]) for _ in range(2)]
            for _ in range(count)]


async def _step(ctx, dut, pairs, last, rng):
    """A step's pairs, when there is room, in bursts; noise in between."""
    while not ctx.get(dut.room):
        await ctx.tick()
    ctx.set(dut.step_last, last)
    for pair in pairs:
        while rng.random() < 0.1:
            await ctx.tick()
        for line, value in zip(dut.i, pair, strict=True):
            ctx.set(line, value)
        ctx.set(dut.valid, 1)
        await ctx.tick()
        ctx.set(dut.valid, 0)
        ctx.set(dut.i[0], rng.randrange(-100, 100))
    await ctx.tick().repeat(2)


@pytest.mark.parametrize("depth, width", [(4, 8), (12, 16), (256, 12)])
@pytest.mark.parametrize("p", [1.0, 0.2])
def test_packets(depth, width, p):
    """Steps of as many beats as the queue holds, and fewer; every other packet ends with zeros."""
    config, rng = CirculantConfig(output_depth=depth, vector_width=width), random.Random(depth)
    dut, expected, packets = OutputQueue(config), [], []
    for n, beats in enumerate([depth, 1, 2, depth - 1]):
        steps = [_pairs(config, beats, rng) for _ in range(n)]
        packets.append((beats, steps))
        short = n % 2 == 0
        flat = [(pair, s == n - 1 and t == beats - 1 and not short)
                for s, step in enumerate(steps) for t, pair in enumerate(step)]
        expected += [_beat(*beat) for beat in flat] + [_beat([0, 0], True)] * short

    async def bench(ctx):
        for n, (beats, steps) in enumerate(packets):
            ctx.set(dut.output_beats, beats)
            await ctx.tick().repeat(2)
            for s, step in enumerate(steps):
                await _step(ctx, dut, step, n % 2 and s == n - 1, rng)
            if n % 2 == 0:
                ctx.set(dut.zeros, 1)
                await ctx.tick()
                ctx.set(dut.zeros, 0)

    taken = sink(dut.o, len(expected), p=p, seed=1, gap=depth)
    simulate(dut, bench, taken, background=[monitor(dut.o)], timeout=40 * len(expected) + 1000)
    assert taken.items == expected


def test_room():
    """A step begins only with room for all its beats; one that fits exactly fits. Zeros wait for room."""
    config = CirculantConfig(output_depth=4)
    dut, rng, found = OutputQueue(config), random.Random(1), []

    async def bench(ctx):
        ctx.set(dut.output_beats, 2)
        await ctx.tick().repeat(2)
        for pairs in ([[1, 2], [3, 4]], [[5, 6], [7, 8]]):
            assert ctx.get(dut.room)
            await _step(ctx, dut, pairs, 0, rng)
        assert not ctx.get(dut.room)
        ctx.set(dut.zeros, 1)
        await ctx.tick()
        ctx.set(dut.zeros, 0)
        await ctx.tick().repeat(5)
        for room in (0, 0, 1, 1, 1):        # 4 beats of 4, zeros of 4, then 3 zeros' place free
            ctx.set(dut.o.ready, 1)
            found.append((ctx.get(dut.o.p.data), ctx.get(dut.o.p.last)))
            assert ctx.get(dut.o.valid)
            await ctx.tick()
            ctx.set(dut.o.ready, 0)
            await ctx.tick().repeat(4)
            assert ctx.get(dut.room) == room
        assert not ctx.get(dut.o.valid)

    simulate(dut, bench, timeout=200)
    assert found == [(1 | 2 << 16, 0), (3 | 4 << 16, 0), (5 | 6 << 16, 0), (7 | 8 << 16, 0), (0, 1)]


def test_reset():
    """What the queue holds is forgotten, and where in the step it was."""
    config, reset = CirculantConfig(output_depth=4), Signal()
    dut, rng = OutputQueue(config), random.Random(1)

    async def bench(ctx):
        ctx.set(dut.output_beats, 3)
        await ctx.tick().repeat(2)
        await _step(ctx, dut, [[1, 1], [2, 2]], 1, rng)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        assert not ctx.get(dut.o.valid)
        await ctx.tick().repeat(2)
        await _step(ctx, dut, [[3, 3], [4, 4], [5, 5]], 1, rng)

    taken = sink(dut.o, 3)

    async def later(ctx):
        while not ctx.get(reset):
            await ctx.tick()
        await ctx.tick()
        await taken(ctx)

    simulate(ResetInserter(reset)(dut), bench, later, timeout=200)
    assert taken.items == [_beat([n, n], n == 5) for n in (3, 4, 5)]
