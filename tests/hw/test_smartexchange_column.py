# amaranth: UnusedElaboratable=no
"""Shift-add columns against Horner's scheme in Python integers."""

import dataclasses
import random

import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.smartexchange.config import PRESETS
from shiftwork.hw.smartexchange.shift_add import ShiftAddColumn

from .kit import simulate

TINY = PRESETS["tiny"]
LEAN = dataclasses.replace(TINY, arrays=2)
CONFIGS = {
    "tiny": TINY, "16 bits": dataclasses.replace(TINY, activation_width=16, acc_width=24),
    "one group": dataclasses.replace(TINY, scatter_width=8, combine_width=2, acc_width=17),
    "four groups": dataclasses.replace(TINY, lanes=16), "wide vectors": dataclasses.replace(TINY, lanes=32,
                                                                                    combine_width=8),
    "lean": LEAN, "lean, four groups": dataclasses.replace(LEAN, lanes=16, activation_width=16, acc_width=24),
}


def wrapped(value, width):
    value &= 2 ** width - 1
    return value - (value >> width - 1 << width)


class Column:
    """The array and what is done with it."""

    def __init__(self, config, seed):
        self.config, self.rng, self.reset = config, random.Random(seed), Signal()
        self.dut = ShiftAddColumn(config)
        self.rows = {}

    def run(self, bench):
        simulate(ResetInserter(self.reset)(self.dut), bench, timeout=8000)

    async def fill(self, ctx, rows):
        """Random rows, group by group."""
        dut, width, size = self.dut, self.config.activation_width, self.config.scatter_width
        for row in range(rows):
            self.rows[row] = [self.rng.choice([self.rng.getrandbits(width), 2 ** width - 1, 2 ** width - 2])
                              for _ in range(self.config.lanes)]
            for group in range(self.config.groups):
                values = self.rows[row][group * size:][:size]
                ctx.set(dut.write_row, row)
                ctx.set(dut.write_data, sum(value << width * n for n, value in enumerate(values)))
                ctx.set(dut.write_groups, 1 << group)
                await ctx.tick()
        ctx.set(dut.write_groups, 0)

    def dot(self, length):
        """A random list of terms, and what it comes to."""
        terms = [(self.rng.randrange(len(self.rows)), self.rng.getrandbits(1), self.rng.random() < 0.3)
                 for _ in range(length)]
        signed, width = self.rng.getrandbits(1), self.config.activation_width
        sums = [0] * self.config.lanes
        for row, negative, shift in terms:
            for lane, x in enumerate(self.rows[row]):
                x = wrapped(x, width) if signed else x
                sums[lane] = (sums[lane] << shift) + (-x if negative else x)
        return terms, signed, [wrapped(total, self.config.acc_width) for total in sums]

    async def issue(self, ctx, term, last, signed):
        dut = self.dut
        row, negative, shift = term
        for name, value in (("row", row), ("negative", negative), ("shift", shift), ("last", last),
                            ("signed", signed), ("valid", 1)):
            ctx.set(getattr(dut, name), value)
        await ctx.tick()
        # what comes with no term is noise
        ctx.set(dut.valid, 0)
        for name in ("row", "negative", "shift", "last"):
            signal = getattr(dut, name)
            ctx.set(signal, self.rng.getrandbits(len(signal)))

    async def check(self, ctx, sums, complemented):
        """Reads all snapshots and compares them."""
        for k in range(self.config.combine_cycles):
            ctx.set(self.dut.select, 1 << k)
            await ctx.tick()
            lanes = sums[k * self.config.combine_width:][:self.config.combine_width]
            expected = [~total if complemented else total for total in lanes]
            assert [ctx.get(value) for value in self.dut.result] == expected


@pytest.mark.parametrize("seed, name", list(enumerate(CONFIGS)))
@pytest.mark.parametrize("p", [1, 0.6])
def test_dot_products(seed, name, p):
    """One after the other, without and with idle cycles between terms."""
    column = Column(CONFIGS[name], seed)
    latency = ShiftAddColumn.latency

    async def run(ctx):
        await column.fill(ctx, 12)
        for length in (1, 2, 12, 5, 1, 30, 3, 12, 1, 40):
            terms, signed, sums = column.dot(length)
            for n, term in enumerate(terms):
                while column.rng.random() >= p:
                    await ctx.tick()
                await column.issue(ctx, term, n == len(terms) - 1, signed)
            await ctx.tick().repeat(latency - 1)
            await column.check(ctx, sums, terms[-1][1])

    column.run(run)


@pytest.mark.parametrize("config", [TINY, LEAN])
def test_back_to_back(config):
    """Dot products without any idle cycle between: each snapshot in the one cycle it must be there."""
    column = Column(config, 7)
    latency, lanes = ShiftAddColumn.latency, TINY.combine_width

    async def run(ctx):
        await column.fill(ctx, 12)
        stream, expected = [], {}
        for _ in range(40):
            terms, _, _ = column.dot(column.rng.randrange(1, 5))
            signed, total = 1, [0] * lanes
            for n, term in enumerate(terms):
                for lane in range(lanes):
                    x = wrapped(column.rows[term[0]][lane], TINY.activation_width)
                    total[lane] = (total[lane] << term[2]) + (-x if term[1] else x)
                stream.append((term, n == len(terms) - 1, signed))
            expected[len(stream) - 1 + latency] = [wrapped(~t if terms[-1][1] else t, 20) for t in total]
        ctx.set(column.dut.select, 1)
        for cycle in range(len(stream) + latency + 1):
            if cycle - 1 in expected:
                assert [ctx.get(value) for value in column.dut.result] == expected[cycle - 1]
            if cycle < len(stream):
                await column.issue(ctx, *stream[cycle])
            else:
                await ctx.tick()

    column.run(run)


@pytest.mark.parametrize("config", [TINY, LEAN])
def test_writes(config):
    """Terms read what is written in their cycle, and not what is written K + 1 cycles later."""
    config = dataclasses.replace(config, lanes=16)
    column = Column(config, 5)
    dut, width, pause = column.dut, config.activation_width, config.combine_cycles + 1

    async def write(ctx, row):
        values = [column.rng.getrandbits(width) for _ in range(config.scatter_width)]
        ctx.set(dut.write_row, row)
        ctx.set(dut.write_data, sum(value << width * n for n, value in enumerate(values)))
        ctx.set(dut.write_groups, 2 ** config.groups - 1)
        return values * config.groups

    async def run(ctx):
        for n in range(20):
            sums = await write(ctx, n)
            await column.issue(ctx, (n, 0, 0), 1, 0)
            ctx.set(dut.write_groups, 0)
            await ctx.tick().repeat(pause - 1)
            await write(ctx, n)
            await ctx.tick()
            ctx.set(dut.write_groups, 0)
            await column.check(ctx, sums, 0)

    column.run(run)


@pytest.mark.parametrize("config", [TINY, LEAN])
def test_reset(config):
    """Amid a dot product; the next one begins with nothing."""
    column = Column(config, 3)

    async def run(ctx):
        await column.fill(ctx, 12)
        for _ in range(10):
            for term in column.dot(column.rng.randrange(1, 6))[0]:
                await column.issue(ctx, term, 0, 0)
            ctx.set(column.reset, 1)
            await ctx.tick()
            ctx.set(column.reset, 0)
            await ctx.tick()
            terms, signed, sums = column.dot(5)
            for n, term in enumerate(terms):
                await column.issue(ctx, term, n == 4, signed)
            await ctx.tick().repeat(ShiftAddColumn.latency - 1)
            await column.check(ctx, sums, terms[-1][1])

    column.run(run)
