# amaranth: UnusedElaboratable=no
"""Lanes, snapshots and drain of the circulant engine against sums of products in numpy."""

import random

import numpy as np
import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.golden.circulant.transform_config import schedule
from shiftwork.hw.circulant.drain import Drain
from shiftwork.hw.circulant.mac_array import MacArray
from shiftwork.hw.circulant.swap import lines
from shiftwork.hw.common.delay import delay

from .kit import simulate


class Lanes(wiring.Component):
    """The array and the drain behind it, as the engine has them: ``load`` in the cycle before the sums."""

    def __init__(self, config):
        self.config, self.array = config, MacArray(config)
        self.order = schedule(config.block)[-1].results[..., 1:]
        x, w = self.array.x.shape(), self.array.w.shape()
        super().__init__({"x": In(x), "w": In(w), "valid": In(1), "last": In(1),
                          "rows": In(range(config.rows + 1)), "shift": In(5),
                          "o": Out(lines(config.sum_width)), "first": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = array = self.array
        m.submodules.drain = drain = Drain(self.config)
        late = MacArray.latency - 1
        m.d.comb += [
            array.x.eq(self.x), array.w.eq(self.w), array.valid.eq(self.valid), array.last.eq(self.last),
            drain.i.eq(array.o), array.advance.eq(drain.advance),
            drain.load.eq(delay(m, self.valid & self.last, late, reset_less=False)),
            drain.rows.eq(delay(m, self.rows, late, name="rows")),
            drain.shift.eq(delay(m, self.shift, late, name="shift")),
            self.o.eq(drain.o), self.first.eq(drain.first)]
        return m


def wrapped(value, bits):
    """``value`` modulo 2 ** bits, two's complement."""
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def drained(config, order, x, w, rows, shift):
    """Pairs (rows, h, 2) of a pass of blocks ``x`` (columns, h, 2) and weights ``w`` (columns, R, h, 2)."""
    a, b, c, d = x[:, None, :, 0], x[:, None, :, 1], w[..., 0], w[..., 1]
    sums = np.stack([a * c - b * d, a * d + b * c], axis=-1)
    sums[:, :, 0] = (x[:, None] * w)[:, :, 0]
    sums = wrapped(sums.sum(axis=0)[:rows], config.acc_width)
    rounded = wrapped((sums + (1 << shift >> 1)) >> shift, config.sum_width)
    return rounded[:, order[..., 0], order[..., 1]]


def extremes(rng, width, shape):
    """Random numbers, some of them all extremes."""
    low, high = -(1 << width - 1), (1 << width - 1) - 1
    x = rng.integers(low, high + 1, shape)
    return np.where(rng.random((len(x), *[1] * (x.ndim - 1))) < 0.3, np.where(x < 0, low, high), x)


CONFIGS = {
    "tiny": CirculantConfig(block=4, rows=2), "default": CirculantConfig(),
    "one row": CirculantConfig(block=8, rows=1, acc_width=24, sum_width=24, weight_width=18),
    "odd rows": CirculantConfig(block=16, rows=3, acc_width=40, sum_width=12),
}


@pytest.mark.parametrize("seed, name", list(enumerate(CONFIGS)))
def test_passes(seed, name):
    """Passes as close as the rows allow, or with gaps; a reset within a pass, and one within a drain."""
    config = CONFIGS[name]
    dut, reset = Lanes(config), Signal()
    rng, gaps = np.random.default_rng(seed), random.Random(seed)
    expected, found = [], []

    async def column(ctx, x=None, w=None, last=0):
        for values, port in ((x, dut.x), (w, dut.w)):
            flat = port.as_value()
            if values is None:
                ctx.set(flat, gaps.getrandbits(len(flat)))
            else:
                width = len(flat) // values.size
                ctx.set(flat, sum((int(v) & (1 << width) - 1) << n * width
                                  for n, v in enumerate(values.ravel())))
        ctx.set(dut.valid, x is not None)
        ctx.set(dut.last, last)
        await ctx.tick()

    async def drive(ctx):
        free = -1
        for n in range(24):
            columns, rows = gaps.choice([1, 1, 2, 5]), gaps.randint(1, config.rows)
            shift = gaps.choice([0, 1, 7, 15, 31])
            x = extremes(rng, config.spectrum_width, (columns, config.slots, 2))
            w = extremes(rng, config.weight_width, (columns, config.rows, config.slots, 2))
            ctx.set(dut.rows, rows)
            ctx.set(dut.shift, shift)
            for t in range(columns):
                while free > 0 and t == columns - 1 or gaps.random() < 0.1:
                    await column(ctx)
                    free -= 1
                await column(ctx, x[t], w[t], t == columns - 1)
                free -= 1
            free = rows * config.slots - 1
            expected.extend(drained(config, dut.order, x, w, rows, shift).reshape(-1, 2))
            if n in (7, 15):
                for _ in range(n - 4):
                    await column(ctx)
                ctx.set(reset, 1)
                await column(ctx, x[0], w[0])
                ctx.set(reset, 0)
                np.testing.assert_array_equal(found, expected[:len(found)])
                expected.clear()
                found.clear()
                free = -1
        for _ in range(rows * config.slots + 10):
            await column(ctx)

    async def watch(ctx):
        left = 0
        async for _, _, resetting, first, upper, lower in ctx.tick().sample(reset, dut.first, *dut.o):
            if resetting:
                left = 0
                continue
            assert not (first and left)
            left = config.slots if first else left
            if left:
                found.append((upper, lower))
                left -= 1

    simulate(ResetInserter(reset)(dut), drive, timeout=5000, background=[watch])
    np.testing.assert_array_equal(found, expected)


def test_cycles():
    """A pass's first row comes 3 + 4 cycles after its last column, the others h cycles one after another."""
    config = CONFIGS["default"]
    dut, seen = Lanes(config), []

    async def bench(ctx):
        ctx.set(dut.rows, 3)
        for cycle in range(30):
            ctx.set(dut.valid, cycle in (2, 4))
            ctx.set(dut.last, cycle == 4)
            if ctx.get(dut.first):
                seen.append(cycle)
            await ctx.tick()

    simulate(dut, bench, timeout=100)
    assert seen == [11, 15, 19]
