"""The matrix unit's drain against numpy."""

import random

import numpy as np
import pytest
from shiftwork.golden.training.arithmetic import saturate
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.registers import Matrix
from shiftwork.hw.training.matrix_drain import MatrixDrain

from .kit import simulate

WRITES = {Matrix.FORWARD: "z_write", Matrix.INPUT: "error_write", Matrix.WEIGHT: "gradient_write"}


def expected_of(mode, vectors, bias, groups, block):
    """Words written, sums of magnitudes of each tile's half, and the lanes' sums."""
    if mode == Matrix.FORWARD:
        z = saturate(vectors + (bias << 7), 24)
        return z, [], (z.sum(axis=0), (z * z).sum(axis=0))
    size = block if mode == Matrix.WEIGHT else groups * block
    return vectors, [int(np.abs(part).sum()) for part in np.split(vectors, len(vectors) // size)], None


@pytest.mark.parametrize("mode", Matrix)
@pytest.mark.parametrize("side", [2, 8])
def test_drain(mode, side):
    """Three passes, one of them broken off by a reset-free restart; random gaps between vectors."""
    config, rng, chance = EngineConfig(side=side), np.random.default_rng(side), random.Random(side)
    dut, block = MatrixDrain(config), 2 * side
    most = np.zeros(side, np.int64)

    async def one(ctx, groups, scale, keep):
        nonlocal most
        count = 3 * block * groups
        vectors = rng.integers(-scale, scale + 1, (count, side)) >> rng.integers(0, 20, (count, 1))
        bias = rng.integers(-127, 128, side)
        for lane in range(side):
            ctx.set(dut.bias_lane, lane)
            ctx.set(dut.bias_data, int(bias[lane]))
            ctx.set(dut.bias_write, 1)
            await ctx.tick()
        ctx.set(dut.bias_write, 0)
        for name, value in dict(matrix_mode=mode, groups=groups, out_base=100, sums_base=7,
                                keep_most=keep).items():
            ctx.set(dut.registers[name], value)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        await ctx.tick()
        written, sums, fed = {}, [], 0
        while fed < count or ctx.get(dut.busy):
            give = fed < count and chance.random() < 0.7
            ctx.set(dut.i_valid, give)
            if give:
                ctx.set(dut.i, [int(value) for value in vectors[fed]])
            fed += give
            await ctx.tick()
            if ctx.get(getattr(dut, WRITES[mode])):
                source = dut.z_data if mode == Matrix.FORWARD else dut.wide_data
                address = ctx.get(dut.z_address if mode == Matrix.FORWARD else dut.wide_address)
                assert address not in written
                written[address] = [ctx.get(source[n]) for n in range(side)]
            assert not any(ctx.get(getattr(dut, name)) for key, name in WRITES.items() if key != mode)
            if ctx.get(dut.sums_write):
                assert ctx.get(dut.sums_address) == 7 + len(sums)
                sums.append(ctx.get(dut.sums_data))
        ctx.set(dut.i_valid, 0)
        await ctx.tick()
        words, tiles, totals = expected_of(mode, vectors, bias, groups, block)
        tile = 2 * block if mode == Matrix.WEIGHT else block
        assert written == {100 + n // block * tile + n % block: row.tolist() for n, row in enumerate(words)}
        assert sums == tiles
        if mode != Matrix.FORWARD:
            most = np.maximum(most if keep else 0, np.abs(vectors).max(axis=0))
        found = []
        for address in range(3 * side):
            ctx.set(dut.probe_address, address)
            await ctx.tick().repeat(3)
            found.append(ctx.get(dut.probe_data))
        if totals:
            assert found[:2 * side] == [*totals[0].tolist(), *totals[1].tolist()]
        assert found[2 * side:] == most.tolist()

    async def bench(ctx):
        await one(ctx, 1, (1 << 38) - 1, 0)
        await one(ctx, 2, 1 << 23, 1)
        await one(ctx, 1, 1 << 12, 0)

    simulate(dut, bench, timeout=5000)
