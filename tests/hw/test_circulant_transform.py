# amaranth: UnusedElaboratable=no
"""The real Fourier transform in hardware: every bit as golden; gaps, extremes, resets; products."""

import random

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.circulant.transform import forward, inverse
from shiftwork.golden.circulant.transform_config import TransformConfig, latency
from shiftwork.hw.circulant.product import ConstantProduct
from shiftwork.hw.circulant.transform import Transform

from .kit import simulate

SIZES = (2, 4, 8, 16, 32, 64)


def _blocks(config, count, seed):
    """Random blocks, about a third of them of extremes alone."""
    rng = np.random.default_rng(seed)
    low, high = -(1 << config.width - 1), (1 << config.width - 1) - 1
    x = rng.integers(low, high + 1, (count, config.size))
    x[::3] = np.where(rng.random(x[::3].shape) < 0.5, low, high)
    x[0], x[count // 2] = low, np.where(np.arange(config.size) % 2, low, high)
    return x


def _pairs(config, dut, x):
    """(pairs in, pairs out), each (blocks, h, 2), of blocks ``x`` (blocks, k)."""
    slot, part = dut.order[..., 0], dut.order[..., 1]
    if config.inverse:
        slots = x.reshape(-1, config.cycles, 2)
        return slots[:, slot, part], inverse(slots, config).reshape(-1, config.cycles, 2)
    return x.reshape(-1, config.cycles, 2), forward(x, config)[:, slot, part]


def _driver(dut, pairs, seed, reset=None, broken=None):
    """Blocks with gaps, now and then; noise in between. ``broken``: of that block a reset in the middle."""
    rng = random.Random(seed)
    width = len(dut.i[0])

    async def idle(ctx, cycles):
        for _ in range(cycles):
            for line in dut.i:
                ctx.set(line, rng.randrange(-(1 << width - 1), 1 << width - 1))
            await ctx.tick()

    async def bench(ctx):
        for n, block in enumerate(pairs):
            await idle(ctx, rng.choice([0, 0, 0, 1, 2, 3, rng.randrange(3 * len(block) + 5)]))
            for t, pair in enumerate(block):
                for line, value in zip(dut.i, pair, strict=True):
                    ctx.set(line, int(value))
                ctx.set(dut.first, t == 0)
                if n == broken and t == len(block) // 2:
                    ctx.set(reset, 1)
                await ctx.tick()
                ctx.set(dut.first, 0)
                if n == broken and t == len(block) // 2:
                    ctx.set(reset, 0)
                    break
        await idle(ctx, dut.latency + len(pairs[0]))

    return bench


def _watch(dut, cycles, count, found, times):
    """Collects ``count`` blocks; the cycles between their first pairs in and out."""

    async def bench(ctx):
        now, began = 0, []
        while len(found) < count:
            for t in range(cycles):
                while True:
                    _, _, entered, first, a, b = await ctx.tick().sample(
                        dut.first, dut.o_first, dut.o[0], dut.o[1])
                    now += 1
                    if entered:
                        began.append(now)
                    if first or t:
                        break
                assert first == (t == 0)
                if t == 0:
                    found.append([])
                    times.append(now - began.pop(0))
                found[-1].append((a, b))

    return bench


def _configs():
    for size in SIZES:
        stages = size.bit_length() - 1
        for inverse_ in (False, True):
            yield TransformConfig(size=size, width=16, inverse=inverse_)
            mixed = tuple((n + inverse_) % 2 for n in range(stages))
            yield TransformConfig(size=size, width=9, factor_bits=9, inverse=inverse_, shifts=mixed)


@pytest.mark.parametrize("config", list(_configs()), ids=str)
def test_every_bit(config):
    dut = Transform(config)
    assert dut.latency == latency(config)
    count = max(8, 64 // config.cycles)
    pairs, expected = _pairs(config, dut, _blocks(config, count, 1))
    found, times = [], []
    simulate(dut, _driver(dut, pairs, 2), _watch(dut, config.cycles, count, found, times),
             timeout=count * 6 * (config.cycles + 5) + 500)
    assert np.array_equal(found, expected)
    assert set(times) == {dut.latency}


@pytest.mark.parametrize("inverse_", [False, True])
@pytest.mark.parametrize("size", [4, 16])
def test_reset_within_a_block(size, inverse_):
    """What was under way is forgotten, and blocks after the reset come out as ever."""
    config = TransformConfig(size=size, width=10, inverse=inverse_)
    dut, reset = Transform(config), Signal()
    pairs, expected = _pairs(config, dut, _blocks(config, 7, 3))
    pairs[2:3] = 0
    found = []

    async def watch(ctx):
        left = 0
        async for _, _, first, a, b in ctx.tick().sample(dut.o_first, dut.o[0], dut.o[1]):
            if first:
                found.append([])
                left = config.cycles
            if left:
                found[-1].append((a, b))
                left -= 1

    simulate(ResetInserter(reset)(dut), _driver(dut, pairs, 4, reset, broken=2), background=(watch,),
             timeout=2000)
    kept = len(found) - 4
    assert 0 <= kept <= 2
    assert np.array_equal(found[kept:], expected[3:])


@pytest.mark.parametrize("factor, cut, rounded", [
    (11585, 14, True), (181, 8, True), (11, 4, True), (15137, 13, False), (6270, 13, False), (1, 1, False),
    (7, 2, False), (21, 3, False),
])
def test_products(factor, cut, rounded):
    dut = ConstantProduct(5, factor, cut, rounded)
    found = []

    async def bench(ctx):
        for n in range(32 + dut.latency):
            ctx.set(dut.i, min(n, 31) - 16)
            if n >= dut.latency:
                found.append(ctx.get(dut.o))
            await ctx.tick()

    # A product without an addition has no register, nor a clock.
    simulate(dut, bench, timeout=100)
    half = 1 << cut - 1 if rounded else 0
    assert found == [(factor * i + half) >> cut for i in range(-16, 16)]


def test_bad_product():
    for factor in (8, 5):
        with pytest.raises(ValueError, match="factor of a rounded product must have two digits, one of them "
                                             rf"2 \*\* 3 or more, not be {factor}"):
            ConstantProduct(5, factor, 3, rounded=True)
