# amaranth: UnusedElaboratable=no
"""Nest against nested Python loops."""

import itertools
import random

import pytest
from shiftwork.hw.common.nest import Nest

from .kit import simulate


def walk(counts, widths, cycles, seed, p=0.6):
    """Steps a Nest at random and compares all its outputs in every cycle, through resets and wraps."""
    dut, rng = Nest(widths), random.Random(seed)
    places = list(itertools.product(*map(range, counts)))
    ranks = range(len(counts))
    seen = set()

    async def bench(ctx):
        for k in ranks:
            ctx.set(getattr(dut, f"count{k}"), counts[k])
        ctx.set(dut.reset, 1)
        await ctx.tick()
        position = 0
        for _ in range(cycles):
            place = places[position]
            ends = [value == count - 1 for value, count in zip(place, counts, strict=True)]
            assert tuple(ctx.get(getattr(dut, f"value{k}")) for k in ranks) == place
            assert [ctx.get(getattr(dut, f"at_end{k}")) for k in ranks] == ends
            carries = [all(ends[k + 1:]) for k in ranks]
            assert [ctx.get(getattr(dut, f"carry{k}")) for k in ranks] == carries
            assert ctx.get(dut.done) == all(ends)
            step, reset = rng.random() < p, rng.random() < 0.3 / len(places)
            ctx.set(dut.step, step)
            ctx.set(dut.reset, reset)
            seen.add(place)
            position = 0 if reset else (position + step) % len(places)
            await ctx.tick()

    simulate(dut, bench, timeout=cycles + 2)
    assert len(seen) == len(places)


@pytest.mark.parametrize("counts, widths", [
    ((3,), (2,)), ((2, 3, 4), (3, 2, 5)), ((1, 1, 1), (1, 4, 2)), ((4, 1, 2), (3, 1, 2)),
    ((2, 2, 1, 3), (2, 4, 1, 2)),
])
def test_loops(counts, widths):
    walk(counts, widths, 600, seed=len(counts))


def test_greatest_counts():
    """A count of 2 ** width - 1, and one of 2 ** width, which is written 0."""
    walk((3, 7), (2, 3), 200, seed=1)

    dut, values = Nest((1, 2)), []

    async def bench(ctx):
        ctx.set(dut.reset, 1)
        await ctx.tick()
        ctx.set(dut.reset, 0)
        ctx.set(dut.step, 1)
        for _ in range(16):
            values.append((ctx.get(dut.value0), ctx.get(dut.value1)))
            await ctx.tick()

    simulate(dut, bench, timeout=20)
    assert values == 2 * list(itertools.product(range(2), range(4)))
