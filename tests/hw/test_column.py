# amaranth: UnusedElaboratable=no
"""ColumnArray against sums in Python integers."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.hw.common.column import ColumnArray

from .kit import simulate

LANES, DEPTH, DRAIN, SCATTER = 8, 32, 2, 4


def make(**kwargs):
    return ColumnArray(LANES, 20, DEPTH, DRAIN, SCATTER, **kwargs)


async def fill(ctx, dut, rows):
    """Writes all rows, the groups of one row in turn."""
    for address, row in enumerate(rows):
        for group in range(LANES // SCATTER):
            ctx.set(dut.write_row, address)
            part = row[group * SCATTER:(group + 1) * SCATTER]
            ctx.set(dut.write_data, int.from_bytes(bytes(part), "little"))
            ctx.set(dut.write_groups, 1 << group)
            await ctx.tick()
    ctx.set(dut.write_groups, 0)


def terms_of(rng, modes, n_sums):
    """Dot products of random lengths, with idle cycles (None) between and within."""
    for _ in range(n_sums):
        dense, is_signed, n = rng.choice(modes), rng.random() < 0.5, rng.choice([1, 1, 2, 3, 20])
        for k in range(n):
            while rng.random() < 0.2:
                yield None
            nonzero = rng.choice([0, 2 ** LANES - 1, rng.randrange(2 ** LANES)])
            yield {
                "row": rng.randrange(DEPTH), "subtract": rng.randrange(2),
                "null": int(n == 1 and rng.random() < 0.3),
                "last": int(k == n - 1), "signed": int(is_signed), "dense": dense, "dense_nonzero": nonzero,
                "dense_negative": rng.randrange(2 ** LANES), "dense_value": rng.choice([0, 1, 127, 128, 255]),
            }


def add(sums, term, rows):
    for lane in range(LANES):
        if term["dense"]:
            x = term["dense_value"] * (term["dense_nonzero"] >> lane & 1)
            subtract = term["dense_negative"] >> lane & 1
        else:
            x, subtract = rows[term["row"]][lane], term["subtract"]
        x -= 256 if term["signed"] and x > 127 else 0
        sums[lane] += 0 if term["null"] else -x if subtract else x


@pytest.mark.parametrize("kwargs, modes", [
    ({}, [0, 1]), ({"transposed": False}, [0]), ({"convolution": False}, [1]),
    ({"registered": False}, [0, 1]), ({"transposed": False, "registered": False}, [0])])
@pytest.mark.parametrize("seed", [1, 2])
def test_sums_and_latency(kwargs, modes, seed):
    """Every snapshot appears exactly in its cycle: lanes are read all the time, one vector each cycle."""
    rng = random.Random(seed)
    dut = make(**kwargs)
    rows = [[rng.choice([0, 255, 128, 127, rng.randrange(256)]) for _ in range(LANES)] for _ in range(DEPTH)]
    terms = list(terms_of(rng, modes, 150)) + [None] * (dut.latency + LANES)
    nothing = dict.fromkeys(("row", "subtract", "null", "last", "signed", "dense"), 1)

    async def bench(ctx):
        if dut.convolution:
            await fill(ctx, dut, rows)
        sums, snapshot, select, ready = [0] * LANES, None, 0, {}
        for cycle, term in enumerate(terms):
            ctx.set(dut.valid, term is not None)
            for name in nothing:
                ctx.set(getattr(dut, name), (term or nothing)[name])
            for name, delay in (("dense_nonzero", 2), ("dense_negative", 2), ("dense_value", 3)):
                late = terms[cycle - delay] if cycle >= delay else None
                port = getattr(dut, name)
                ctx.set(port, late[name] if late else rng.randrange(2 ** len(port)))
            if term is not None:
                add(sums, term, rows)
                if term["last"]:
                    ready[cycle + dut.latency] = sums
                    sums = [0] * LANES
            snapshot = ready.get(cycle, snapshot)
            select = rng.randrange(LANES // DRAIN)
            ctx.set(dut.select, select)
            await ctx.tick()
            if snapshot is not None:
                got = [ctx.get(dut.result[d]) for d in range(DRAIN)]
                assert got == snapshot[select * DRAIN:(select + 1) * DRAIN], cycle
        assert len(ready) == 150

    simulate(dut, bench, timeout=20_000)


@pytest.mark.parametrize("registered", [True, False])
def test_groups_are_written_alone_and_read_at_once(registered):
    dut = make(registered=registered)

    async def read(ctx):
        for lane in range(0, LANES, DRAIN):
            ctx.set(dut.select, lane // DRAIN)
            await ctx.tick()
            for d in range(DRAIN):
                yield ctx.get(dut.result[d])

    async def bench(ctx):
        await fill(ctx, dut, [[r] * LANES for r in range(DEPTH)])
        ctx.set(dut.write_row, 7)
        ctx.set(dut.write_data, 0x64636261)
        ctx.set(dut.write_groups, 2)
        ctx.set(dut.row, 7)
        ctx.set(dut.valid, 1)  # issued in the cycle of the write
        ctx.set(dut.last, 1)
        await ctx.tick()
        ctx.set(dut.write_groups, 0)
        ctx.set(dut.valid, 0)
        await ctx.tick().repeat(dut.latency - 1)
        assert [value async for value in read(ctx)] == [7, 7, 7, 7, 0x61, 0x62, 0x63, 0x64]

    simulate(dut, bench, timeout=400)


@pytest.mark.parametrize("age", range(1, 6))
def test_reset_forgets_unfinished_sums(age):
    """A reset ``age`` cycles after a term leaves nothing of it to a sum issued right after the reset."""
    dut = make()
    reset = ResetInserter(Signal())

    async def bench(ctx):
        await fill(ctx, dut, [[r + 1] * LANES for r in range(DEPTH)])
        ctx.set(dut.row, 9)
        ctx.set(dut.valid, 1)
        await ctx.tick()
        ctx.set(dut.valid, 0)
        for _ in range(age - 1):
            await ctx.tick()
        ctx.set(reset.controls["sync"], 1)
        await ctx.tick()
        ctx.set(reset.controls["sync"], 0)
        ctx.set(dut.row, 2)
        ctx.set(dut.valid, 1)
        ctx.set(dut.last, 1)
        await ctx.tick()
        ctx.set(dut.valid, 0)
        await ctx.tick().repeat(dut.latency)
        assert ctx.get(dut.result[0]) == 3

    simulate(reset(dut), bench, timeout=400)


def test_sum_of_the_widest_range():
    """Sums reach both ends of the accumulator."""
    dut = ColumnArray(LANES, 16, DEPTH, DRAIN, SCATTER)

    async def bench(ctx):
        await fill(ctx, dut, [[255] * LANES, [8] * LANES, [128] * LANES] + [[0] * LANES] * (DEPTH - 3))
        for terms, is_signed, subtract, expected in (
                ([0] * 128 + [2], 0, 0, 32768 - 2 ** 16), ([0] * 128, 0, 0, 32640),
                ([0] * 128 + [2], 0, 1, -32768),
                ([2] * 256, 1, 0, -32768), ([0] * 100, 1, 1, 100)):
            ctx.set(dut.valid, 1)
            ctx.set(dut.signed, is_signed)
            ctx.set(dut.subtract, subtract)
            for k, row in enumerate(terms):
                ctx.set(dut.row, row)
                ctx.set(dut.last, k == len(terms) - 1)
                await ctx.tick()
            ctx.set(dut.valid, 0)
            await ctx.tick().repeat(dut.latency)
            assert ctx.get(dut.result[0]) == expected

    simulate(dut, bench, timeout=20_000)


@pytest.mark.parametrize("change, message", [
    ({"drain_width": 3}, "drain_width must divide the 8 lanes, not 3"),
    ({"scatter_width": 16}, "scatter_width must divide the 8 lanes, not 16"),
    ({"convolution": False, "transposed": False}, "convolution or transposed must be True, not both False"),
])
def test_impossible_parameters_are_refused(change, message):
    parameters = {"lanes": 8, "acc_width": 20, "row_depth": 32, "drain_width": 2, "scatter_width": 4} | change
    with pytest.raises(ValueError, match=message):
        ColumnArray(**parameters)
