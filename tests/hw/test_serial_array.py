# amaranth: UnusedElaboratable=no
"""SerialColumnArray against sums in Python integers, its cycles against its specification's formulas."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.hw.ternary.serial_array import SerialColumnArray

from .kit import simulate

LANES, DEPTH, DRAIN, GROUP = 8, 32, 2, 4


def make(**kwargs):
    return TernaryConfig(lanes=LANES, grid_rows=2, grid_columns=2, drain_width=DRAIN, scatter_width=GROUP,
                         row_depth=DEPTH, bit_serial=True, **kwargs)


def word_length(n, k, is_signed):
    """w(n): bits of the interval that a sum of n terms lies in."""
    if n == 0:
        return 0
    return 1 + (n * 2 ** (k - 1) - 1).bit_length() if is_signed else (n * (2 ** k - 1)).bit_length()


def numbers(rng, k, is_signed, count):
    """Random activations of k bits, often the extremes."""
    low, high = (-2 ** (k - 1), 2 ** (k - 1) - 1) if is_signed else (0, 2 ** k - 1)
    return [rng.choice([low, high, low, high, rng.randint(low, high)]) for _ in range(count)]


class Layer:
    """Terms of random dot products of one layer, and what becomes of them."""

    def __init__(self, rng, config, dense, n_sums, lengths):
        self.dense, self.config = dense, config
        self.signed = rng.randrange(2)
        self.bits = rng.choice([1, 2, 3, config.activation_width - 1, config.activation_width])
        self.rows = [numbers(rng, self.bits, self.signed, LANES) for _ in range(DEPTH)]
        self.items, self.sums = [], []
        for _ in range(n_sums):
            self._dot(rng, rng.choice(lengths))

    def _dot(self, rng, n):
        """n terms; none is a null item. Signs of all, of one, or of no terms are minus."""
        share = rng.choice([0, 1, 0.5, 0.5, 1 / max(n, 1)])
        sums, counts = [0] * LANES, [0, 0]
        f = 2 if self.config.carry_write_back else 1
        for k in range(max(n, 1)):
            item = {"row": rng.randrange(DEPTH), "subtract": int(rng.random() < share), "zero": 0,
                    "null": int(n == 0), "last": int(k >= n - 1),
                    "nonzero": rng.getrandbits(LANES), "negative": rng.getrandbits(LANES),
                    "value": numbers(rng, self.bits, self.signed, 1)[0]}
            if not self.dense and n and rng.random() < 0.2:
                item["zero"], item["subtract"] = 1, 0
            if not self.dense and n == 0:
                item["subtract"] = 0
            item["cycles"] = f * self._steps(item, counts)
            for lane in range(LANES):
                sums[lane] += self._term(item, lane)
            self.items.append(item)
        self.sums.append(sums)

    def _term(self, item, lane):
        if item["null"] or item["zero"]:
            return 0
        if self.dense:
            nonzero, negative = (item[name] >> lane & 1 for name in ("nonzero", "negative"))
            return item["value"] * nonzero * (-1 if negative else 1)
        return self.rows[item["row"]][lane] * (-1 if item["subtract"] else 1)

    def _steps(self, item, counts):
        """Bits of an item's operations, the difference included; counts the terms of either sign."""
        if item["null"]:
            return 1
        counts[0 if self.dense else item["subtract"]] += 1
        plus, minus = (word_length(n, self.bits, self.signed) for n in counts)
        if self.dense:
            return min(1 + plus, self.config.acc_width)
        steps = min(minus if item["subtract"] else plus, self.config.acc_width)
        if item["last"] and minus:
            steps += min(1 + max(plus, minus), self.config.acc_width)
        return steps


async def fill(ctx, dut, rows, width):
    """Writes the rows bit by bit, the groups of a bit row in turn."""
    for address, row in enumerate(rows):
        for bit in range(width):
            for group in range(LANES // GROUP):
                part = row[group * GROUP:(group + 1) * GROUP]
                ctx.set(dut.write_row, address * width + bit)
                ctx.set(dut.write_data, sum((x >> bit & 1) << n for n, x in enumerate(part)))
                ctx.set(dut.write_groups, 1 << group)
                await ctx.tick()
    ctx.set(dut.write_groups, 0)


class Bench:
    """Gives items to an array and reads every sum as soon and as late as the drain may."""

    def __init__(self, dut, config, rng, idle=0.2):
        self.dut, self.config, self.rng, self.idle = dut, config, rng, idle
        self.cycle, self.held = 0, {}
        self.select, self.checks, self.end_of_drain = {}, {}, 0

    async def begin(self, ctx, layer):
        if not layer.dense:
            await fill(ctx, self.dut, layer.rows, self.config.activation_width)
        for name in ("dense", "signed", "bits"):
            ctx.set(getattr(self.dut, name), getattr(layer, name))
        await self.idle_cycles(ctx, 3)

    async def layer(self, ctx, layer):
        """All items of a layer, and checks of their cycles and of the sums."""
        await self.begin(ctx, layer)
        sums = iter(layer.sums)
        for item in layer.items:
            while self.rng.random() < self.idle or (item["last"] and self.cycle < self.end_of_drain):
                await self.offer(ctx, None)
            taken, ready = self.cycle, False
            while not ready:
                ready = await self.offer(ctx, item)
            assert self.cycle - taken == item["cycles"], item
            if item["last"]:
                self._read(next(sums))
        await self.idle_cycles(ctx, self.end_of_drain - self.cycle + 4)

    async def idle_cycles(self, ctx, count):
        for _ in range(count):
            await self.offer(ctx, None)

    def _read(self, sums):
        """All vectors, from the first cycle on in which they can be read; see "Timing"."""
        first, q = self.cycle - 1 + self.dut.latency, self.config.drain_step
        order = self.rng.sample(range(LANES // DRAIN), LANES // DRAIN)
        for n, vector in enumerate(order):
            for part in range(q):
                self.select[first + n * q + part] = vector, part
            self.checks[first + n * q + q - 1 + 2] = sums[vector * DRAIN:(vector + 1) * DRAIN]
        self.end_of_drain = first + len(order) * q + 1

    async def offer(self, ctx, item):
        """A cycle in which ``item`` is offered; whether it was the item's last."""
        dut, rng = self.dut, self.rng
        self.held[self.cycle] = item
        ctx.set(dut.valid, item is not None)
        for name in ("row", "subtract", "zero", "null", "last"):
            port = getattr(dut, name)
            ctx.set(port, rng.getrandbits(len(port)) if item is None else item[name])
        for delay, key in ((2, "nonzero"), (2, "negative"), (3, "value")):
            port, late = getattr(dut, f"dense_{key}"), self.held.get(self.cycle - delay)
            noise = rng.getrandbits(len(port))
            ctx.set(port, noise if late is None else late[key] & 2 ** len(port) - 1)
        vector, part = self.select.get(self.cycle, (0, 0))
        ctx.set(dut.select, vector)
        ctx.set(dut.part, part)
        if self.cycle in self.checks:
            wrap = 2 ** self.config.acc_width
            found = [ctx.get(dut.result[d]) % wrap for d in range(DRAIN)]
            assert found == [x % wrap for x in self.checks[self.cycle]], self.cycle
        ready = ctx.get(dut.ready)
        await ctx.tick()
        self.cycle += 1
        return ready


CONFIGS = {
    "default": {}, "18 bits": {"acc_width": 18}, "32 bits": {"acc_width": 32},
    "wide": {"activation_width": 16, "acc_width": 24}, "full": {"activation_width": 16, "acc_width": 16},
    "write back": {"carry_write_back": True}, "full write back": {"acc_width": 16, "carry_write_back": True},
    "convolution": {"transposed": False}, "transposed": {"convolution": False},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_sums_and_cycles(name, seed=1):
    """Layers of either mode with random signs and lengths; every item takes exactly its cycles."""
    config, rng = make(**CONFIGS[name]), random.Random(f"{name} {seed}")
    dut = SerialColumnArray(config)
    modes = [0] * config.convolution + [1] * config.transposed

    async def run(ctx):
        bench = Bench(dut, config, rng)
        for dense in modes * 4:
            bench.idle = rng.choice([0, 0, 0.3])
            await bench.layer(ctx, Layer(rng, config, dense, 6, [0, 1, 1, 2, 3, 5, 17]))
        assert len(bench.checks) == 6 * 4 * len(modes) * LANES // DRAIN

    simulate(dut, run, timeout=60_000)


@pytest.mark.parametrize("write_back", [False, True])
def test_reset_forgets_unfinished_sums(write_back):
    """A reset in any cycle of a dot product leaves nothing of it to the next one."""
    config, rng = make(carry_write_back=write_back), random.Random(3)
    dut, reset = SerialColumnArray(config), Signal()

    async def run(ctx):
        bench = Bench(dut, config, rng, idle=0)
        for age in range(1, 40, 3):
            layer = Layer(rng, config, age % 2, 1, [4])
            await bench.begin(ctx, layer)
            *items, last = layer.items
            for _ in range(age):
                if await bench.offer(ctx, items[0]):
                    items = items[1:] or [last | {"last": 0}]
            ctx.set(reset, 1)
            await bench.idle_cycles(ctx, 1)
            ctx.set(reset, 0)
            await bench.layer(ctx, Layer(rng, config, rng.randrange(2), 2, [2]))

    simulate(ResetInserter(reset)(dut), run, timeout=60_000)
