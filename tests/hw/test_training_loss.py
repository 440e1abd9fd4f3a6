# amaranth: UnusedElaboratable=no
"""The loss unit against the golden model's softmax; its reciprocal against the golden one."""

import random

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.training.arithmetic import reciprocal, shift_round
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.quantize import Scaled
from shiftwork.golden.training.softmax import power_table, softmax_error
from shiftwork.hw.training.layouts import Z_CYCLES
from shiftwork.hw.training.loss_unit import LossUnit
from shiftwork.hw.training.reciprocal import Reciprocal
from shiftwork.hw.training.softmax_line import PROBABILITY_CYCLES, SoftmaxLine

from .kit import plain, simulate

MOST = (1 << 23) - 1
Z, E = {"base": 300, "half": 50}, {"base": 70, "half": 41}      #: places in z and error memory


def logits(rng, classes, images):
    """Of each image other ones: near each other, far apart, all equal, clipped, two alike at the top."""
    spread = 2.0 ** rng.uniform(4, 23, images)
    z = np.clip(np.rint(rng.standard_normal((classes, images)) * spread), -MOST, MOST).astype(np.int64)
    z[:, 0] = rng.choice([-MOST, 0, MOST])
    z[:, 1] = rng.choice([-MOST, MOST], classes)
    z[:, 2] = np.where(np.arange(classes) == rng.integers(classes), MOST, -MOST)
    z[rng.integers(classes, size=2), 3] = MOST // 3
    z[:, -1] = -MOST + rng.integers(0, 1 << 15, classes)
    return z


class Bench:
    """The unit with its memories."""

    def __init__(self, side, seed):
        self.config = EngineConfig(side=side)
        self.reset, self.dut, self.rng = Signal(), LossUnit(self.config), random.Random(seed)
        self.z, self.written = {}, {}

    def simulate(self, bench, timeout):
        simulate(ResetInserter(self.reset)(self.dut), bench, timeout=timeout, background=[self._world])

    async def _world(self, ctx):
        """What stands at the address of three cycles before, or noise; errors are written once each."""
        dut, past = self.dut, []
        signals = dut.error_write, dut.error_address, dut.error_data, self.reset
        while True:
            past = [*past, ctx.get(dut.z_address)][-Z_CYCLES - 1:]
            noise = [self.rng.randint(-MOST, MOST) for _ in range(self.config.side)]
            ctx.set(dut.z_data, self.z.get(past[0], noise))
            _, _, write, address, data, reset = await ctx.tick().sample(*signals)
            if write and not reset:
                assert address not in self.written
                self.written[address] = plain(data)

    async def begin(self, ctx, z, labels):
        """Puts the labels, any others behind them, and starts a pass."""
        dut, side, (classes, images) = self.dut, self.config.side, z.shape
        for image, label in enumerate([*labels, 0, 1]):
            ctx.set(dut.label_address, image)
            ctx.set(dut.label_data, int(label))
            ctx.set(dut.label_write, 1)
            await ctx.tick()
        ctx.set(dut.label_write, 0)
        self.z = {Z["base"] + half * Z["half"] + image: [
            int(z[k, image]) if k < classes else self.rng.randint(-MOST, MOST)
            for k in range(half * side, half * side + side)]
            for half in range(-(-classes // side)) for image in range(images)}
        self.written.clear()
        ctx.set(dut.registers, {"classes": classes, "groups": images // self.config.block,
                                "z_base": Z["base"], "z_half": Z["half"],
                                "error_base": E["base"], "error_half": E["half"]})
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)

    async def check(self, ctx, z, labels):
        """A pass: errors, sums and cycles."""
        dut, side, block, (classes, images) = self.dut, self.config.side, self.config.block, z.shape
        await self.begin(ctx, z, labels)
        cycles = 0
        while ctx.get(dut.busy):
            await ctx.tick()
            cycles += 1
        await ctx.tick()
        whole = -(-classes // block) * block
        found = softmax_error(Scaled(z, -14), labels)
        errors = np.zeros((whole, images), np.int64)
        errors[:classes] = found.error.integers
        assert self.written == {E["base"] + half * E["half"] + image:
                                errors[half * side:half * side + side, image].tolist()
                                for half in range(whole // side) for image in range(images)}
        for address, expected in enumerate((found.miss, int(np.abs(errors).max()))):
            ctx.set(dut.probe_address, address)
            await ctx.tick()
            assert ctx.get(dut.probe_data) == expected
        assert cycles == images * (2 * classes + whole + 60) + 2


@pytest.mark.parametrize("side, classes", [
    *((2, classes) for classes in range(1, 10)), (4, 1), (4, 7), (4, 8), (4, 9), (4, 17), (8, 10)])
def test_errors(side, classes):
    """The label's class is every one in turn, and at times the greatest."""
    bench, rng = Bench(side, classes), np.random.default_rng(classes)

    async def run(ctx):
        for groups in (1, 3) if side == 2 else (1,):
            images = groups * 2 * side
            z, labels = logits(rng, classes, images), np.arange(images) % classes
            await bench.check(ctx, z, labels)
            await bench.check(ctx, z, z.argmax(axis=0))

    bench.simulate(run, 10000)


def test_the_most_classes():
    """Logits of one image are all but equal: the greatest sum. Labels are at both ends."""
    bench = Bench(2, 0)

    async def run(ctx):
        z = np.random.default_rng(0).integers(-MOST, MOST, (255, 4)) >> np.array([0, 23, 10, 8])
        await bench.check(ctx, z, np.array([254, 254, 0, 128]))

    bench.simulate(run, 10000)


def test_reset():
    """A pass that is cut off leaves nothing behind."""
    bench, rng = Bench(2, 1), np.random.default_rng(1)

    async def run(ctx):
        for n in range(10):
            z = logits(rng, 5, 4)
            await bench.begin(ctx, z, np.arange(4))
            # An image takes 78 cycles.
            await ctx.tick().repeat(int(rng.integers(1, 79)) + 78 * (n % 3))
            ctx.set(bench.reset, 1)
            await ctx.tick()
            ctx.set(bench.reset, 0)
            bench.written.clear()
            assert not ctx.get(bench.dut.busy)
            await ctx.tick().repeat(int(rng.integers(1, 20)))
            assert not bench.written
            await bench.check(ctx, z, np.arange(4))

    bench.simulate(run, 10000)


def test_halves_are_rounded_to_even():
    """Sums of powers hardly ever yield a half."""
    dut, rng = SoftmaxLine(), random.Random(0)

    async def run(ctx):
        ctx.set(dut.divides, 1)
        for n in range(60):
            # At most 2 ** 15, as probabilities are.
            p, factor = rng.randrange(1 << 16 if n % 2 else 1 << 14), 1 << 23 >> n % 3
            factor += factor << 1 if not n % 2 else 0
            ctx.set(dut.p, p)
            ctx.set(dut.factor, factor)
            await ctx.tick().repeat(PROBABILITY_CYCLES)
            assert ctx.get(dut.probability) == shift_round(p * factor, 24)

    simulate(dut, run, timeout=1000)


def test_reciprocals():
    """Of the least and the greatest sums, powers of two and above, quotients near halves, random ones."""
    dut, rng = Reciprocal(), random.Random(0)
    values = [int(power_table()[0]), 255 * int(power_table()[0]), 1 << 15, (1 << 24) - 1]
    values += [1 << n for n in range(16, 24)] + [(1 << n) + 1 for n in range(16, 24)]
    values += [round((1 << 39) / (m + 0.5)) + d for m in (33333, 40000, 65535) for d in (-1, 0, 1)]
    values += [rng.randrange(1 << 15, 1 << rng.randrange(16, 25)) for _ in range(60)]

    async def run(ctx):
        for value in values:
            ctx.set(dut.x, value)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.x, rng.getrandbits(24))
            cycles = 0
            while ctx.get(dut.busy):
                await ctx.tick()
                cycles += 1
            mantissa, length = reciprocal(value)
            assert (ctx.get(dut.o), cycles) == (mantissa << 24 - length, 35)

    simulate(dut, run, timeout=10000)
