# amaranth: UnusedElaboratable=no
"""Word lengths against their intervals, and the steps of items against the table of operations."""

import random

import pytest
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.hw.ternary.serial_control import SerialControl, WordLength

from .kit import plain, simulate

ACC = 16


def make(**kwargs):
    return TernaryConfig(acc_width=ACC, activation_width=16, bit_serial=True, **kwargs)


def interval_bits(n, k, is_signed):
    """The least word that holds every sum of n activations of k bits."""
    low, high = (-n * 2 ** (k - 1), n * (2 ** (k - 1) - 1)) if is_signed else (0, n * (2 ** k - 1))
    bits = 0
    while not (-2 ** (bits - 1) <= low and high < 2 ** (bits - 1) if is_signed else high < 2 ** bits):
        bits += 1
    return bits if n else 0


@pytest.mark.parametrize("is_signed", [0, 1])
def test_word_length_is_the_intervals(is_signed):
    """Every length up to ``acc_width``, and no wrong one beyond, whatever k was before."""
    dut, rng = WordLength(make()), random.Random(1)

    async def add(ctx, n, k):
        length, following = (interval_bits(i, k, is_signed) for i in (n, n + 1))
        found = [ctx.get(signal) for signal in (dut.empty, dut.width, dut.top)]
        if max(length, following) <= ACC:
            assert found == [n == 0, length, following - 1], (n, k)
        else:
            assert found[2] >= ACC - 1, (n, k)
        ctx.set(dut.add, 1)
        await ctx.tick()
        ctx.set(dut.add, 0)
        await ctx.tick().repeat(rng.choice([1, 1, 3]))

    async def bench(ctx):
        ctx.set(dut.signed, is_signed)
        for k in [*range(1, 17), 1, 8]:
            ctx.set(dut.bits, k)
            ctx.set(dut.ones, 2 ** k - 1)
            await ctx.tick().repeat(3)
            for terms in (1, 3, min(150, 2 ** (ACC + 2 - k))):
                for n in range(terms):
                    await add(ctx, n, k)
                ctx.set(dut.clear, 1)
                ctx.set(dut.add, rng.randrange(2))
                await ctx.tick()
                ctx.set(dut.clear, 0)
                ctx.set(dut.add, 0)

    simulate(dut, bench, timeout=60_000)


def operations(item, counts, dense, k, is_signed):
    """(what is written, bits) of each operation of an item; counts the terms of either sign."""
    if item["null"]:
        return [("s", 1)]
    minus = item["subtract"] and not dense
    counts[minus] += 1
    plus, negative = (interval_bits(n, k, is_signed) for n in counts)
    difference = item["last"] and negative and not dense
    written = ("n" if minus else "p") + ("s" if item["last"] and not difference else "")
    term = written, min(ACC, 1 + plus if dense else negative if minus else plus)
    return [term, ("s", min(ACC, 1 + max(plus, negative)))] if difference else [term]


def random_items(rng, dense):
    """Dot products of terms; the one without terms is a null item."""
    for n in (rng.choice([0, 1, 2, 4, 9]) for _ in range(8)):
        share = rng.choice([0, 0.5, 1])
        for i in range(max(n, 1)):
            subtract = n > 0 and rng.random() < share
            zero = n > 0 and not dense and not subtract and rng.random() < 0.2
            yield {"subtract": subtract, "null": n == 0, "last": i >= n - 1, "zero": zero}


def schedule(rng, items, dense, k, is_signed, write_back):
    """For each cycle the item that is offered, or None, and the step that follows."""
    counts = [0, 0]
    for item in items:
        yield from rng.choice([0, 0, 2]) * [(None, None)]
        steps = []
        for number, (written, bits) in enumerate(operations(item, counts, dense, k, is_signed)):
            for bit in range(bits):
                use_x = not (number or item["null"] or item["zero"]) and (is_signed or bit < k)
                step = {"index": bit, "use_x": use_x, "begins": bit == 0, "ends": bit == bits - 1,
                        "difference": number == 1, "done": False}
                steps += [step | {"written": "c"}] * write_back + [step | {"written": written}]
        steps[-1]["done"] = item["last"]
        yield from ((item, step) for step in steps)
        if item["last"]:
            counts = [0, 0]


@pytest.mark.parametrize("write_back", [False, True])
def test_steps(write_back):
    """A step for each bit, from the cycle after the item's first one on; two with the carry's own."""
    dut, rng = SerialControl(make(carry_write_back=write_back)), random.Random(7)

    async def run_layer(ctx, cycles):
        following = [item for item, _ in cycles[1:]] + [None]
        for (item, expected), later in zip(cycles, following, strict=True):
            ctx.set(dut.valid, item is not None)
            for name in ("subtract", "zero", "null", "last"):
                ctx.set(getattr(dut, name), item[name] if item else rng.randrange(2))
            assert ctx.get(dut.ready) == (item is not later or item is None)
            await ctx.tick()
            step = plain(ctx.get(dut.step))
            step["written"] = "".join(key for key in "pnsc" if step[f"write_{key}"])
            if item is None:
                assert not step["written"] and not step["done"]
            else:
                assert {key: step[key] for key in expected} == expected

    async def bench(ctx):
        for _ in range(12):
            layer = rng.randrange(2), rng.choice([1, 2, 7, 8, 15, 16]), rng.randrange(2)
            for name, value in zip(("dense", "bits", "signed"), layer, strict=True):
                ctx.set(getattr(dut, name), value)
            ctx.set(dut.valid, 0)
            await ctx.tick().repeat(3)
            await run_layer(ctx, list(schedule(rng, list(random_items(rng, layer[0])), *layer, write_back)))

    simulate(dut, bench, timeout=30_000)
