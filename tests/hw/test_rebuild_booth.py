# amaranth: UnusedElaboratable=no
"""Booth digits of every activation, and sums of products, against Python integers."""

import dataclasses
import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from shiftwork.golden.smartexchange.config import PRESETS
from shiftwork.hw.smartexchange.rebuild_booth import (
    BoothEncoder,
    SerialMultipliers,
    digit_counts,
    nonzero_digits,
)

from .kit import simulate
from .test_smartexchange_column import wrapped

TINY = PRESETS["tiny"]
WIDE = dataclasses.replace(TINY, activation_width=16)


def digits(x, width):
    """Digits of an activation, as the page defines them."""
    def bit(n):
        return 0 if n < 0 else x >> n & 1
    return [bit(2 * k - 1) + bit(2 * k) - 2 * bit(2 * k + 1) for k in range(width // 2 + 1)]


def encoded(digit, k):
    """What the encoder says of a digit that is not 0."""
    return digit < 0, 2 * k + (abs(digit) == 2)


def activations(config, rng):
    """All of 8 bits; many of 16."""
    width = config.activation_width
    if width == 8:
        return range(256)
    return [0, 1, 2, 3, 0xAAAA, 0x5555, 0x7FFF, 0x8000, 0xFFFF] + [rng.getrandbits(16) for _ in range(300)]


@pytest.mark.parametrize("config", [TINY, WIDE], ids=["8", "16"])
@pytest.mark.parametrize("is_signed", [0, 1])
def test_digits(config, is_signed):
    """One non-zero digit a cycle, the least first, then nothing; the next activation at any time."""
    dut, width, rng = BoothEncoder(config), config.activation_width, random.Random(1)
    expected = {}

    async def run(ctx):
        ctx.set(dut.signed, is_signed)
        cycle = 0

        async def tick():
            nonlocal cycle
            await ctx.tick()
            cycle += 1
            found = (ctx.get(dut.o.negative), ctx.get(dut.o.shift)) if ctx.get(dut.o.valid) else None
            assert found == expected.get(cycle), cycle

        for x in activations(config, rng):
            value = wrapped(x, width) if is_signed else x
            parts = digits(value, width)
            assert sum(d * 4 ** k for k, d in enumerate(parts)) == value
            seen = [encoded(d, k) for k, d in enumerate(parts) if d]
            length = max(1, len(seen) + rng.choice([0, 0, 2]))
            for n, part in enumerate(seen):
                expected[cycle + dut.latency + n] = part
            ctx.set(dut.x, x)
            ctx.set(dut.first, 1)
            for _ in range(length):
                await tick()
                ctx.set(dut.first, 0)
                ctx.set(dut.x, rng.getrandbits(width))
        for _ in range(5):
            await tick()

    simulate(dut, run, timeout=6000)


class Counts(wiring.Component):
    """Both functions as a circuit."""

    def __init__(self, width):
        count = width // 2 + 1
        super().__init__({"x": wiring.In(width), "signed": wiring.In(1), "digits": wiring.Out(count),
                          "more": wiring.Out(count - 1)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.digits.eq(nonzero_digits(self.x, self.signed)),
                     self.more.eq(digit_counts(self.digits))]
        return m


@pytest.mark.parametrize("is_signed", [0, 1])
def test_counts(is_signed):
    """All activations of 8 bits."""
    dut = Counts(8)

    async def run(ctx):
        ctx.set(dut.signed, is_signed)
        for x in range(256):
            ctx.set(dut.x, x)
            await ctx.tick()
            parts = [d != 0 for d in digits(wrapped(x, 8) if is_signed else x, 8)]
            assert ctx.get(dut.digits) == sum(bit << k for k, bit in enumerate(parts))
            assert ctx.get(dut.more) == sum((sum(parts) > n + 1) << n for n in range(4))

    simulate(dut, run, timeout=300)


@pytest.mark.parametrize("sum_width", [32, 24, 20])
def test_products(sum_width):
    """Random digits a cycle for each lane, greatest weights among them, and clearing in between."""
    config = dataclasses.replace(TINY, sum_width=sum_width)
    dut, rng = SerialMultipliers(config), random.Random(sum_width)
    limit = config.taps << 14

    async def run(ctx):
        sums, waiting = [0] * config.lanes, []
        for cycle in range(400):
            weight = rng.choice([limit, -limit, 0, rng.randint(-limit, limit)])
            ctx.set(dut.weight, weight)
            products = []
            for lane in range(config.lanes):
                valid, negative, shift = rng.random() < 0.7, rng.getrandbits(1), rng.randrange(10)
                ctx.set(dut.digits[lane], {"valid": valid, "negative": negative, "shift": shift})
                products.append((-1) ** negative * (weight << shift) if valid else 0)
            clear = rng.random() < 0.1 or cycle == 0
            ctx.set(dut.clear, clear)
            waiting.append(products)
            await ctx.tick()
            if clear:
                sums = [0] * config.lanes
            elif len(waiting) > 1:
                sums = [a + b for a, b in zip(sums, waiting[-2], strict=True)]
            assert [wrapped(ctx.get(a), sum_width) for a in dut.acc] \
                == [wrapped(a, sum_width) for a in sums], cycle

    simulate(dut, run, timeout=500)
