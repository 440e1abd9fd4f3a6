# amaranth: UnusedElaboratable=no
"""Small parts of the `rebuild` dataflow against plain Python."""

import dataclasses
import random

import pytest
from shiftwork.golden.smartexchange.config import PRESETS
from shiftwork.hw.common.adder_tree import AdderTree
from shiftwork.hw.common.filter_groups import FilterGroups
from shiftwork.hw.smartexchange.rebuild_flags import RowFlags
from shiftwork.hw.smartexchange.rebuild_weights import RebuildEngine

from .kit import simulate

TINY = PRESETS["tiny"]


@pytest.mark.parametrize("terms", [1, 2, 8])
def test_adder_tree(terms):
    dut, rng, width = AdderTree(terms, 20), random.Random(terms), 20

    async def run(ctx):
        sums = []
        for cycle in range(60):
            values = [rng.choice([0, 2 ** width - 1, rng.getrandbits(width)]) for _ in range(terms)]
            for n, value in enumerate(values):
                ctx.set(dut.i[n], value)
            sums.append(sum(values) % 2 ** width)
            await ctx.tick()
            if cycle >= dut.latency:
                assert ctx.get(dut.o) == sums[cycle + 1 - max(1, dut.latency)]

    simulate(dut, run, timeout=100)


@pytest.mark.parametrize("terms", [0, 3])
def test_adder_tree_of_other_sizes(terms):
    with pytest.raises(ValueError, match=f"terms must be a power of two, not {terms}"):
        AdderTree(terms, 8)


@pytest.mark.parametrize("width, most", [(3, 1), (3, 4), (4, 2), (2, 8)])
def test_filter_groups(width, most):
    """All counts and sizes; each group gone through some times."""
    dut, rng = FilterGroups(width, most), random.Random(most)

    async def pulse(ctx, *signals):
        for signal in signals:
            ctx.set(signal, 1)
        await ctx.tick()
        for signal in signals:
            ctx.set(signal, 0)

    async def run(ctx):
        for count in range(1, 2 ** width + 1):
            for size in range(1, most + 1):
                ctx.set(dut.count, count)
                ctx.set(dut.size, size)
                await pulse(ctx, dut.start)
                for base in range(0, count, size):
                    filters, rounds = min(size, count - base), rng.randrange(1, 4)
                    for n in range(rounds):
                        for k in range(filters):
                            assert ctx.get(dut.filter) == k
                            assert ctx.get(dut.last) == (k == filters - 1)
                            assert ctx.get(dut.final) == (base + size >= count)
                            if n < rounds - 1 or k < filters - 1:
                                await pulse(ctx, dut.step)
                            else:
                                await pulse(ctx, dut.advance, *([dut.step] if rng.random() < 0.5 else []))

    simulate(dut, run, timeout=8000)


@pytest.mark.parametrize("taps", [1, 3, 4])
def test_rebuild_engine(taps):
    """Rows one after the other, with and without a pause, with the greatest values; both kept ones."""
    config = dataclasses.replace(TINY, taps=taps)
    dut, rng = RebuildEngine(config), random.Random(taps)

    async def run(ctx):
        kept, due = [None, None], {}
        cycle = 0

        async def tick():
            nonlocal cycle
            await ctx.tick()
            cycle += 1
            if cycle in due:
                turn, weights = due.pop(cycle)
                kept[turn] = weights
            for turn in range(2):
                ctx.set(dut.select, turn)
                if kept[turn] is not None:
                    assert [ctx.get(w) for w in dut.weights] == kept[turn]

        for row in range(120):
            while rng.random() < 0.3:
                ctx.set(dut.last, rng.getrandbits(1))
                ctx.set(dut.keep, 0)
                await tick()
            extreme, weights = rng.random() < 0.2, [0] * taps
            length = rng.randrange(1, taps + 1)
            for j in range(length):
                nonzero, negative, exponent = rng.random() < 0.8, rng.getrandbits(1), rng.randrange(8)
                b = [rng.randint(-128, 127) for _ in range(taps)]
                if extreme:
                    nonzero, negative, exponent, b = 1, 1, 7, [-128] * taps
                ctx.set(dut.code, {"nonzero": nonzero, "negative": negative, "exponent": exponent})
                for s in range(taps):
                    ctx.set(dut.b[s], b[s])
                    weights[s] += nonzero * (-1) ** negative * b[s] * 2 ** exponent
                ctx.set(dut.first, j == 0)
                ctx.set(dut.last, j == length - 1)
                ctx.set(dut.keep, 1)
                ctx.set(dut.turn, row % 2)
                if j == length - 1:
                    due[cycle + dut.latency] = row % 2, weights
                await tick()
        ctx.set(dut.keep, 0)
        for _ in range(4):
            await tick()
        assert not due

    simulate(dut, run, timeout=2000)


@pytest.mark.parametrize("scatter_width", [4, 8])
def test_row_flags(scatter_width):
    """Groups of few rows, often of one row in a row, mostly zeros."""
    config = dataclasses.replace(TINY, scatter_width=scatter_width)
    dut, rng = RowFlags(config), random.Random(scatter_width)

    async def run(ctx):
        rows, expected = {}, []
        for cycle in range(500):
            row, group = rng.randrange(4), rng.randrange(config.groups)
            values = [rng.randrange(256) if rng.random() < 0.1 else 0 for _ in range(scatter_width)]
            valid = rng.random() < 0.8
            ctx.set(dut.write_row, row)
            ctx.set(dut.write_data, sum(value << 8 * n for n, value in enumerate(values)))
            ctx.set(dut.write_groups, valid << group)
            if valid:
                rows.setdefault(row, [0] * config.groups)[group] = any(values)
            expected.append((row, any(rows[row])) if valid else None)
            await ctx.tick()
            if cycle >= dut.latency:
                found = (ctx.get(dut.row), ctx.get(dut.flag)) if ctx.get(dut.write) else None
                assert found == expected[cycle + 1 - dut.latency]

    simulate(dut, run, timeout=600)
