# amaranth: UnusedElaboratable=no
"""Positions, selection, rebuilding and steps of a line: rules 2 to 4 of the page, cycle by cycle."""

import dataclasses
import random

import numpy as np
import pytest
from shiftwork.golden.smartexchange.config import PRESETS
from shiftwork.hw.smartexchange.rebuild_layouts import PAIRS, RING
from shiftwork.hw.smartexchange.rebuild_line import LineControl
from shiftwork.hw.smartexchange.rebuild_positions import PositionWalk
from shiftwork.hw.smartexchange.rebuild_selector import IndexSelector

from .kit import monitor, plain, simulate, sink, source

TINY = dataclasses.replace(PRESETS["tiny"], rebuild=True, slices=4, lines=2, row_depth=64)


@pytest.mark.parametrize("seed", range(6))
def test_positions(seed):
    """All of a random layer, against the page's loops; each taken 4 cycles after the one before, or later."""
    rng, config = random.Random(seed), TINY
    dut, taps, size = PositionWalk(config), rng.randint(1, 3), rng.randint(1, 4)
    counts = {name: rng.randint(1, 3) for name in ("i_count", "j_count", "pi_count", "pj_count")}
    strides = {name: rng.randrange(64) for name in (
        "index_base", "index_m_stride", "index_i_stride", "index_pi_stride", "index_run_stride",
        "index_column_stride")}
    d = {**counts, **strides, "m_count": rng.randint(1, 6), "tap_count": taps, "hop": rng.randint(1, 4),
         "skip": rng.randrange(taps), "column_count": rng.randint(1, 9),
         "run_outputs_less_1": rng.randint(1, counts["j_count"] * counts["pj_count"]) - 1}
    expected = []
    for group in range(-(-d["m_count"] // size)):
        for n, (i, j, pi, pj) in enumerate(np.ndindex(*counts.values())):
            run, f = divmod(j * d["pj_count"] + pj, d["run_outputs_less_1"] + 1)
            column = f * d["hop"] - d["skip"]
            row = (d["index_base"] + group * size * d["index_m_stride"] + i * d["index_i_stride"]
                   + pi * d["index_pi_stride"] + run * d["index_run_stride"]
                   + column * d["index_column_stride"]) % config.row_depth
            mask = sum((0 <= column + s < d["column_count"]) << s for s in range(taps))
            expected.append({"row": row, "half": group % 2, "mask": mask, "first": int(n == 0)})

    async def run_all(ctx):
        ctx.set(dut.descriptor, d)
        ctx.set(dut.size, size)
        await ctx.tick().repeat(2)
        for _ in range(2):      # a layer after the other
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for position in expected:
                await ctx.tick().repeat(2)
                for _ in range(rng.choice([1, 1, 4])):
                    assert ctx.get(dut.valid)
                    assert plain(ctx.get(dut.position)) == position
                    await ctx.tick()
                ctx.set(dut.step, 1)
                await ctx.tick()
                ctx.set(dut.step, 0)
            for _ in range(6):
                assert not ctx.get(dut.valid)
                await ctx.tick()

    simulate(dut, run_all, timeout=12_000)


@pytest.mark.parametrize("seed, p", [(0, 1), (1, 1), (2, 0.5), (3, 0.2)])
def test_selection(seed, p):
    """Positions one after the other, of many candidates, few or none; and each cycle, unstalled."""
    rng, config = random.Random(seed), TINY
    dut, taps, depth = IndexSelector(config), config.taps, config.row_depth
    memory = [rng.randrange(depth) for _ in range(2 * depth)]
    flags = [rng.random() < 0.3 for _ in range(depth)]
    counts = [rng.randint(1, 9), rng.choice([0, 5])]
    positions, expected = [], []
    for _ in range(40):
        half, mask, row = rng.getrandbits(1), rng.getrandbits(taps), rng.randrange(depth)
        moves = [rng.randrange(depth) for _ in range(taps)]
        positions.append(({"row": row, "half": half, "mask": mask}, moves))
        expected.append([])
        for n in range(counts[half]):
            rows = [(row + move + memory[half * depth + n]) % depth for move in moves]
            if any(flags[r] and mask >> s & 1 for s, r in enumerate(rows)):
                token = {"mark": 0, "row": rows[0], "offset": memory[half * depth + n], "half": half,
                         "mask": mask}
                expected[-1].append((n, token))
        expected[-1].append((counts[half], None))
    take = sink(dut.o, sum(map(len, expected)), p=p, seed=seed)

    async def serve(ctx):
        """The candidates' memory."""
        while True:
            half = ctx.get(dut.read_half)
            ctx.set(dut.count, counts[half])
            address, advance = half * depth + ctx.get(dut.address), ctx.get(dut.advance)
            await ctx.tick()
            if advance:
                ctx.set(dut.candidate, memory[address % len(memory)])

    async def drive(ctx):
        for row, flag in enumerate(flags):
            ctx.set(dut.flag_row, row)
            ctx.set(dut.flag, flag)
            ctx.set(dut.flag_write, 1)
            await ctx.tick()
        ctx.set(dut.flag_write, 0)
        for (position, moves), tokens in zip(positions, expected, strict=True):
            assert ctx.get(dut.waiting)
            ctx.set(dut.position, position)
            ctx.set(dut.moves, moves)
            ctx.set(dut.count, counts[position["half"]])
            ctx.set(dut.go, 1)
            await ctx.tick()
            ctx.set(dut.go, 0)
            ctx.set(dut.position, {"row": rng.randrange(depth), "half": 1 - position["half"]})
            cycle, at = 1, {n + dut.latency for n, _ in tokens}
            while not ctx.get(dut.waiting):
                if p == 1:
                    assert ctx.get(dut.o.valid) == (cycle in at)
                await ctx.tick()
                cycle += 1
            if p == 1:
                assert cycle == max(at) + 1

    simulate(dut, drive, take, background=[serve, monitor(dut.o)], timeout=9000)
    for item, (_, token) in zip(take.items, [t for tokens in expected for t in tokens], strict=True):
        assert item["mark"] if token is None else item == token


class Line:
    """Rules 3 and 4 in Python, told in each cycle what enters and what may begin."""

    def __init__(self, taps, rebuilt):
        self.taps, self.rebuilt, self.queue, self.popped, self.log = taps, rebuilt, [], [], []
        self.started, self.free_from, self.idle_from = [], 0, 0

    def cycle(self, now):
        """(token popped or None, row ready, mark ready)."""
        pop = None
        n = len(self.popped)
        if self.queue and self.queue[0][0] < now and now >= self.free_from and (
                n < 2 or (len(self.started) > n - 2 and self.started[n - 2] < now)):
            pop = self.queue.pop(0)[1]
            rows = 1 if pop["mark"] else self.taps
            self.free_from = now + rows
            self.popped.append((now + rows + self.rebuilt, pop))
        front = len(self.started)
        ready = front < len(self.popped) and self.popped[front][0] <= now and self.idle_from <= now
        mark = ready and self.popped[front][1]["mark"]
        return pop, ready and not mark, mark


@pytest.mark.parametrize("seed, p", [(0, 1), (1, 1), (2, 0.5), (3, 0.1)])
@pytest.mark.parametrize("taps", [1, 3])
def test_rebuilding_and_steps(taps, seed, p):
    """Random tokens, at once or with pauses; rows begin, and positions end, at once (p = 1) or later."""
    rng, config = random.Random(seed), TINY
    dut = LineControl(config)
    tokens = [{"mark": rng.random() < 0.3, "row": rng.randrange(64), "offset": rng.randrange(64),
               "half": rng.getrandbits(1), "mask": rng.randrange(1, 2 ** taps)} for _ in range(150)]
    counts = [[rng.randint(1, rng.choice([1, 2, 5])) for _ in range(taps)] for _ in tokens]
    stride, model = 7, Line(taps, dut.rebuilt)
    put = source(dut.i, tokens, p=p, seed=seed)

    async def check(ctx):
        ctx.set(dut.descriptor, {"tap_count": taps, "index_column_stride": stride})
        now, rebuilding, steps, entered = 0, [], [], 0
        while len(model.started) < len(tokens) or steps:
            # the token that enters in this cycle can be popped in the next one
            enters = ctx.get(dut.i.valid) and ctx.get(dut.i.ready)
            assert ctx.get(dut.i.ready) == (len(model.queue) < PAIRS)
            pop, row_ready, mark_ready = model.cycle(now)
            number = len(model.popped) - 1
            assert ctx.get(dut.read) == bool(pop and not pop["mark"])
            if pop and not pop["mark"]:
                assert (ctx.get(dut.half), ctx.get(dut.offset)) == (pop["half"], pop["offset"])
                rebuilding = [(s, (pop["row"] + s * stride) % 64, number) for s in range(taps)]
            assert ctx.get(dut.keep) == bool(rebuilding)
            if rebuilding:
                tap, row, number = rebuilding.pop(0)
                assert [ctx.get(x) for x in (dut.tap, dut.row, dut.first, dut.last, dut.turn, dut.place)] == [
                    tap, row, tap == 0, tap == taps - 1, number % 2, tap + (number % RING << 2)]
            assert (ctx.get(dut.row_ready), ctx.get(dut.mark_ready)) == (row_ready, mark_ready)
            front, goes = len(model.started), rng.random() < p
            begin, end = row_ready and goes, mark_ready and goes
            ctx.set(dut.begin, begin)
            ctx.set(dut.end, end)
            if begin:
                steps = [(front, s, n) for s in range(taps) if tokens[front]["mask"] >> s & 1
                         for n in range(counts[front][s])]
            if begin or end:
                model.started.append(now)
                model.idle_from = now + max(1, len(steps))
            place = ctx.get(dut.steps_place)
            if steps:
                row, tap, n = steps.pop(0)
                assert place == tap + (row % RING << 2) and ctx.get(dut.step_tap) == tap
                ctx.set(dut.more, (1 << counts[row][tap] - 1) - 1 if n == 0 else rng.getrandbits(4))
                assert ctx.get(dut.step_first) == (n == 0)
            else:
                assert not ctx.get(dut.step_first)
            assert ctx.get(dut.load) == begin
            if begin:
                assert ctx.get(dut.load_turn) == front % 2
            if enters:
                model.queue.append((now, tokens[entered]))
                entered += 1
            await ctx.tick()
            now += 1

    simulate(dut, put, check, background=[monitor(dut.i)], timeout=8000)
