# amaranth: UnusedElaboratable=no
"""Requantizer against its formula in Python integers."""

import itertools
import random

import pytest
from amaranth.sim import Simulator
from shiftwork.hw.common.requantize import Requantizer

BOUNDS = [(0, 255), (-128, 127), (-32768, 32767), (-3, -2), (5, 9), (7, 7)]


def requantize(acc, bias, scale, shift, low, high):
    return min(max(((acc + bias) * scale + 2 ** (shift - 1)) >> shift, low), high)


def corners(width):
    top = 2 ** (width - 1)
    return [-top, -top + 1, -32769, -32768, -1, 0, 1, 32767, 32768, top - 1]


def stimuli(rng, acc_width, scale_width, min_shift):
    top = 2 ** (acc_width - 1)
    scales = [0, 1, 2 ** (scale_width - 1), 2 ** scale_width - 1]
    accs = [a for a in corners(acc_width) if -top <= a < top]
    yield from itertools.product(accs, [-top, 0, top - 1], scales, range(16))
    for _ in range(1500):  # close to the bounds of y and to halves
        shift, scale = rng.randrange(16), rng.randrange(1, 2 ** scale_width)
        y = rng.choice([0, 255, -128, 127, -32768, 32767, rng.randrange(-300, 300)])
        halves = 2 * y + rng.choice([-1, 0, 1])
        total = (halves << shift + min_shift - 1) // scale + rng.randrange(-1, 2)
        bias = rng.randrange(-top, top) // rng.choice([1, 2 ** 10])
        yield min(max(total - bias, -top), top - 1), bias, scale, shift


@pytest.mark.parametrize("acc_width, scale_width, bounds, min_shift", [
    *((20, 12, bounds, 8) for bounds in BOUNDS), (16, 12, BOUNDS[0], 8), (32, 16, BOUNDS[2], 8),
    (17, 8, BOUNDS[1], 8), (32, 12, BOUNDS[1], 15), (32, 16, BOUNDS[2], 16), (20, 12, BOUNDS[0], 1)])
def test_formula(acc_width, scale_width, bounds, min_shift):
    dut = Requantizer(acc_width, scale_width, min_shift=min_shift)
    rng = random.Random(1)
    rows = list(stimuli(rng, acc_width, scale_width, min_shift))
    rng.shuffle(rows)
    low, high = bounds
    got = []

    async def bench(ctx):
        ctx.set(dut.low, low)
        ctx.set(dut.high, high)
        for acc, bias, scale, shift in rows + [(0, 0, 0, 0)] * dut.latency:
            ctx.set(dut.acc, acc)
            ctx.set(dut.bias, bias)
            ctx.set(dut.scale, scale)
            ctx.set(dut.shift, shift)
            got.append(ctx.get(dut.y))
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    expected = [requantize(*row[:3], row[3] + min_shift, low, high) for row in rows]
    assert got[dut.latency:] == expected
    assert low in expected or low == -32768
    assert high in expected or high == 32767


def test_narrow_accumulator_is_refused():
    with pytest.raises(ValueError, match="acc_width must be at least 16, not 15"):
        Requantizer(15, 12)


@pytest.mark.parametrize("min_shift", [0, 17])
def test_wrong_shift_is_refused(min_shift):
    with pytest.raises(ValueError, match=f"min_shift must be between 1 and 16, not {min_shift}"):
        Requantizer(20, 12, min_shift=min_shift)
