# amaranth: UnusedElaboratable=no
"""Rule 7 of the page: which sums are drained when, with what."""

import dataclasses
import random

import numpy as np
import pytest
from shiftwork.golden.smartexchange.config import PRESETS
from shiftwork.hw.smartexchange.rebuild_drain import RebuildDrain

from .kit import simulate

TINY = dataclasses.replace(PRESETS["tiny"], rebuild=True, slices=4, lines=2)


@pytest.mark.parametrize("seed, p", [(0, 1), (1, 1), (2, 0.5), (3, 0.1), (4, 0.5)])
def test_drain(seed, p):
    """All positions of a layer, each ended at once or later; rows let go at once (p = 1) or later."""
    rng, config = random.Random(seed), TINY
    dut, steps = RebuildDrain(config), config.drain_cycles
    counts = {name: rng.randint(1, 3) for name in ("i_count", "j_count", "pi_count", "pj_count")}
    d = {**counts, "m_count": rng.randint(1, 6), "param_base": rng.randrange(50),
         **{f"{axis}_last_{what}": rng.randrange(3) for axis in "ij" for what in ("cell", "local")}}
    size = rng.randint(1, 4)
    positions = []
    for base in range(0, d["m_count"], size):
        for indices in np.ndindex(*counts.values()):
            positions.append((base, min(size, d["m_count"] - base), *indices))

    def vectors(base, filters, i, j, pi, pj, final):
        """Flags of the position's drain, step by step."""
        rows = d["i_last_cell"] + (i <= d["i_last_local"])
        columns = d["j_last_cell"] + (j <= d["j_last_local"])
        last = (pi, pj) == (d["pi_count"] - 1, d["pj_count"] - 1)
        for k in range(filters):
            for n in range(steps):
                masked = 0
                for lane in range(config.drain_width):
                    row, column = divmod((n * config.drain_width + lane) % config.image_lanes,
                                         config.grid_columns)
                    masked |= (row >= rows or column >= columns) << lane
                ends = n == steps - 1
                yield dict(table_address=d["param_base"] + base + k, select=k * steps + n, masked=masked,
                           first=(pi, pj) == (0, 0), last=last, ends=ends,
                           layer_ends=final and ends and k == filters - 1)

    async def run(ctx):
        ctx.set(dut.descriptor, d)
        ctx.set(dut.size, size)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        now, number, due, left, earliest = 0, 0, {}, [], None
        drained = -dut.free_after
        while number < len(positions) or left or any(cycle >= now for cycle in due):
            free = not left and now >= drained + dut.free_after
            assert ctx.get(dut.free) == free, now
            end = free and number < len(positions) and rng.random() < p
            ctx.set(dut.end, end)
            if end:
                position = positions[number]
                number += 1
                left = list(vectors(*position, number == len(positions)))
                earliest = now + dut.tree
                changes = number == len(positions) or positions[number][0] != position[0]
                assert ctx.get(dut.released) == changes
            row_free = rng.random() < p
            ctx.set(dut.row_free, row_free)
            whole, reserve = len(left) % steps == 0, False
            if left and now >= earliest and (not whole or row_free or not left[0]["last"]):
                flags = left.pop(0)
                reserve = whole and flags["last"]
                due[now + 2] = flags
                if not left:
                    drained = now
            assert ctx.get(dut.reserve) == reserve
            if now + 1 in due:
                assert ctx.get(dut.table_address) == due[now + 1]["table_address"]
            assert ctx.get(dut.valid) == (now in due)
            for name, value in due.get(now, {}).items():
                if name != "table_address":
                    assert ctx.get(getattr(dut, name)) == value, name
            await ctx.tick()
            now += 1

    simulate(dut, run, timeout=20_000)


def test_input_rows():
    """Rows of inputs step the loops one by one, filter by filter."""
    dut, d = RebuildDrain(TINY), {"m_count": 3, "i_count": 2, "j_count": 2, "pi_count": 1, "pj_count": 1}

    async def run(ctx):
        ctx.set(dut.descriptor, d)
        ctx.set(dut.size, 1)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for row in range(12):
            assert ctx.get(dut.final) == (row == 11)
            ctx.set(dut.advance_row, 1)
            await ctx.tick()
            ctx.set(dut.advance_row, 0)
            await ctx.tick()

    simulate(dut, run, timeout=50)
