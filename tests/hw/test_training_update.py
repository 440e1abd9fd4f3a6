"""The update unit against golden CQ, update and random numbers, and its rounding of weights."""

import random

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.lfsr import RandomLanes as States
from shiftwork.golden.training.lfsr import jump
from shiftwork.golden.training.quantize import Scaled, constant, scale_exponent
from shiftwork.golden.training.registers import Update
from shiftwork.golden.training.update import Parameter
from shiftwork.hw.training.random_lanes import RandomLanes
from shiftwork.hw.training.update import UpdateUnit

from .kit import simulate
from .training_kit import memory, places, set_registers

STORED, ACCUMULATOR, GRADIENT = (1 << 23) - 1, 1 << 16, (1 << 39) - 1


def config_of(side):
    return EngineConfig(side=side, weight_depth=256)


def numbers(rng, shape, most, low=None):
    """Integers -``most`` .. ``most`` of all lengths, among them the ends."""
    low = -most if low is None else low
    bits = rng.integers(1, most.bit_length() + 1, shape)
    found = rng.integers(-1 << 62, 1 << 62, shape) >> 62 - bits
    ends = rng.random(shape)
    return np.clip(np.where(ends < 0.05, low, np.where(ends > 0.95, most, found)), low, most)


class Weights:
    """Memories of a unit, as the machine has them, and what the specification makes of them."""

    def __init__(self, config, rng):
        shape = config.weight_depth, config.side
        self.stored = numbers(rng, shape, STORED)
        self.accumulator = numbers(rng, shape, ACCUMULATOR - 1, -ACCUMULATOR)
        self.gradient = numbers(rng, shape, GRADIENT)
        self.written = [0] * len(self.stored)
        self.words, self.gradients = self.packed(), self.gradient.tolist()

    def packed(self):
        return [[{"stored": s, "accumulator": a} for s, a in zip(*lanes, strict=True)]
                for lanes in zip(self.stored.tolist(), self.accumulator.tolist(), strict=True)]

    def step(self, base, vectors, shift, levels, rate, momentum, random_numbers):
        """STEP over vectors from ``base`` on, by golden functions."""
        part = slice(base, base + vectors)
        gradient = by_formula(self.gradient[part], shift, levels, random_numbers)
        parameter = Parameter(self.stored[part], self.accumulator[part])
        parameter.step(Scaled(gradient, -14), rate, momentum)
        self.stored[part], self.accumulator[part] = parameter.master, parameter.accumulator

    def benches(self, dut):
        async def write(ctx):
            values = dut.weight_write, dut.weight_write_address, *(
                lane[name] for lane in dut.weight_write_data for name in ("stored", "accumulator"))
            async for _, _, write, address, *part in ctx.tick().sample(*values):
                lanes = [{"stored": s, "accumulator": a}
                         for s, a in zip(part[::2], part[1::2], strict=True)]
                if write:
                    assert write.bit_count() == 1, "One part must be written at a time"
                    self.written[address] += 1
                    first = len(lanes) * (write.bit_length() - 1)
                    word = self.words[address].copy()
                    word[first:first + len(lanes)] = lanes
                    self.words[address] = word

        return (memory(dut.weight_address, dut.weight_data, self.words), write,
                memory(dut.gradient_address, dut.gradient_data, self.gradients))


def by_formula(gradient, shift, levels, random_numbers):
    """CQ of the machine's page, in Python's integers."""
    found = []
    for g, u in zip(gradient.ravel().tolist(), random_numbers.ravel().tolist(), strict=True):
        y = abs(g) >> shift if shift >= 0 else abs(g) << -shift
        c = min((y >> 16) + (y % 65536 > u), levels - 1)
        found.append(-c if g < 0 else c)
    return np.array(found).reshape(gradient.shape)


async def run(ctx, dut, **registers):
    """A pass."""
    set_registers(ctx, dut, **registers)
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    cycles = 0
    while ctx.get(dut.busy):
        await ctx.tick()
        cycles += 1
    await ctx.tick()        # for the memories' benches to see the cycle before
    return cycles


@pytest.mark.parametrize("side", [2, 4, 8])
def test_steps(side):
    """Passes over parts of the memory, with shifts up to where all is 0 or all too great."""
    config = config_of(side)
    dut, rng = UpdateUnit(config), np.random.default_rng(side)
    weights, states, tile = Weights(config, rng), States(0, side), 2 * config.block
    shifts = [13, -16, 0, 40, 23, -23, 7, -40, 62, 3]
    parts, written = side // {2: 1, 4: 1, 8: 2}[side], 0

    async def bench(ctx):
        nonlocal written
        for n, shift in enumerate(shifts):
            tiles = n % 4 and int(rng.integers(1, 6))
            base = int(rng.integers(0, config.weight_depth - tiles * tile + 1))
            levels, rate = (128, 2, 16, 100)[n % 4], (511, 26, 0, 400)[n // 2 % 4]
            if n == 2:      # zero tiles take no time, and no number
                tiles = 0
            for _ in range(n % 5):
                await ctx.tick()
            drawn = states.numbers(tiles * tile)
            weights.step(base, tiles * tile, shift, levels, rate, n % 4, drawn)
            cycles = await run(ctx, dut, update_mode=Update.STEP, weight_base=base, tiles=tiles,
                               gradient_shift=shift, levels=levels, rate=rate, momentum=n % 4)
            assert cycles == (tiles * tile * parts + 16 if tiles else 0)
            assert weights.words == weights.packed()
            written += tiles * tile * parts
            assert sum(weights.written) == written

    simulate(dut, bench, background=weights.benches(dut), timeout=8000)
    assert written > 10 * tile * parts


@pytest.mark.parametrize("levels", [128, 8])
def test_a_step_is_that_of_the_golden_models_scale(levels):
    """From the greatest gradient to the shift, to the numbers of golden CQ."""
    config = config_of(4)
    dut, rng = UpdateUnit(config), np.random.default_rng(levels)
    weights, tile = Weights(config, rng), 2 * config.block
    weights.gradient[:] = rng.integers(-54321, 54322, weights.gradient.shape)
    weights.gradients[:] = weights.gradient.tolist()
    most = np.abs(weights.gradient[:4 * tile]).max()
    gradient = constant(Scaled(weights.gradient[:4 * tile], 0), levels, States(0, 4).numbers(4 * tile))
    expected = Parameter(weights.stored[:4 * tile], weights.accumulator[:4 * tile])
    expected.step(gradient, 77, 1)
    assert len(np.unique(gradient.integers)) > levels // 2

    async def bench(ctx):
        shift = scale_exponent(most) - (levels.bit_length() - 1) - 16
        await run(ctx, dut, update_mode=Update.STEP, weight_base=0, tiles=4, gradient_shift=shift,
                  levels=levels, rate=77, momentum=1)

    simulate(dut, bench, background=weights.benches(dut), timeout=2000)
    weights.stored[:4 * tile], weights.accumulator[:4 * tile] = expected.master, expected.accumulator
    assert weights.words == weights.packed()


@pytest.mark.parametrize("side, p", [(2, 0.05), (4, 1.0), (8, 0.02)])
def test_rounding(side, p):
    """Weights to the packer, as it has room; nothing is written, and no random number taken; then a step."""
    config = config_of(side)
    dut, rng = UpdateUnit(config), np.random.default_rng(side)
    weights, tile = Weights(config, rng), 2 * config.block
    take = places(dut, tile, seed=side, p=p)
    half = weights.stored[::3]          # ties, to even numbers
    half[:] = np.clip((half >> 16 << 16) + 0x8000, -STORED, STORED)
    weights.words[:] = weights.packed()
    expected = Parameter(weights.stored, weights.accumulator).rounded.tolist()

    async def bench(ctx):
        for base, tiles in ((0, 256 // tile), (3, 1), (250 - 2 * tile, 2)):
            take.taken.clear()
            cycles = await run(ctx, dut, update_mode=Update.ROUND, weight_base=base, tiles=tiles)
            assert take.taken == expected[base:base + tiles * tile]
            assert p < 1 or cycles == tiles * tile + 16
        for lane, state in enumerate(States(0, side).states):
            ctx.set(dut.random_address, lane)
            await ctx.tick().repeat(2)
            assert ctx.get(dut.random_data) == int(state) >> 16
        assert not any(weights.written)
        # Behind a step, the rounding of what it made.
        weights.step(7, tile, 20, 128, 300, 1, States(0, side).numbers(tile))
        await run(ctx, dut, update_mode=Update.STEP, weight_base=7, tiles=1, gradient_shift=20, levels=128,
                  rate=300, momentum=1)
        take.taken.clear()
        await run(ctx, dut, update_mode=Update.ROUND, weight_base=0, tiles=3)
        assert take.taken == Parameter(weights.stored, weights.accumulator).rounded[:3 * tile].tolist()

    simulate(dut, bench, background=(*weights.benches(dut), take), timeout=60000)
    assert weights.words == weights.packed()


def test_a_reset_in_a_pass_forgets_it():
    config, reset = config_of(2), Signal()
    inner, rng = UpdateUnit(config), np.random.default_rng(9)
    weights, tile = Weights(config, rng), 2 * config.block
    part = slice(0, 10 * tile)
    settings = dict(update_mode=Update.STEP, weight_base=0, tiles=10, gradient_shift=10, levels=128, rate=9,
                    momentum=3)

    async def bench(ctx):
        for cycles in range(1, 28, 3):
            set_registers(ctx, inner, **settings)
            ctx.set(inner.start, 1)
            await ctx.tick()
            ctx.set(inner.start, 0)
            await ctx.tick().repeat(cycles)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            assert not ctx.get(inner.busy)
            await ctx.tick()
            before = sum(weights.written)
            await ctx.tick().repeat(30)
            assert sum(weights.written) == before
        # A whole pass behind it, with the numbers of the beginning.
        weights.words[:] = weights.packed()
        weights.step(0, 10 * tile, 10, 128, 9, 3, States(0, 2).numbers(10 * tile))
        await run(ctx, inner, **settings)
        assert weights.words == weights.packed()

    simulate(ResetInserter(reset)(inner), bench, background=weights.benches(inner), timeout=2000)
    assert min(weights.written[part]) >= 2


def test_random_lanes():
    """Steps, loads and reads in any order, against golden lanes."""
    dut, rng, lanes = RandomLanes(4, 2), random.Random(3), States(0, 4)
    read = []

    async def bench(ctx):
        following = 0
        for _ in range(600):
            step, load, address = rng.random() < 0.5, rng.random() < 0.2, rng.randrange(4)
            loaded, following = following, rng.randrange(4)     # the lane's number comes a cycle before
            state = rng.randrange(1, 1 << 32)
            ctx.set(dut.step, step)
            ctx.set(dut.load, load)
            ctx.set(dut.load_address, following)
            ctx.set(dut.address, address)
            ctx.set(dut.load_state, state)
            found = [ctx.get(number) for number in dut.numbers]
            assert found == [int(number) >> 16 for number in lanes.states]
            # the address of two cycles before, of the numbers one cycle before
            if len(read) > 1:
                asked, first = read[-2][0], read[-2][0] // 2 * 2
                assert ctx.get(dut.data) == read[-1][1][asked]
                assert [ctx.get(number) for number in dut.chosen] == read[-1][1][first:first + 2]
            read.append((address, found))
            states = [jump(int(word), int(step)) for word in lanes.states]
            if load:
                states[loaded] = state
            lanes.states = np.array(states, np.uint64)
            await ctx.tick()

    simulate(dut, bench, timeout=700)
