# amaranth: UnusedElaboratable=no
"""Delay lines: values of cycles before, what there was at first, and what a reset leaves."""

import random

import pytest
from amaranth.hdl import Module, ResetInserter, Signal, signed
from amaranth.lib import data
from shiftwork.hw.common.delay import delay

from .kit import simulate


@pytest.mark.parametrize("cycles", [0, 1, 3])
def test_values_of_cycles_before(cycles):
    m, i = Module(), Signal(signed(5))
    o = delay(m, i, cycles, init=-7)
    m.d.sync += Signal().eq(0)      # there is a clock without delay, too
    rng = random.Random(1)
    values = [rng.randint(-16, 15) for _ in range(20)]
    assert o.shape() == i.shape() and (o is i) == (cycles == 0)

    async def run(ctx):
        for n, value in enumerate(values):
            ctx.set(i, value)
            assert ctx.get(o) == (values[n - cycles] if n >= cycles else -7)
            await ctx.tick()

    simulate(m, run, timeout=100)


def test_structures_and_reset():
    """Fields stay fields; a reset clears marks alone."""
    layout = data.StructLayout({"a": 3, "b": 1})
    m, i, reset = Module(), Signal(layout), Signal()
    o, mark = delay(m, i, 2), delay(m, i.b, 2, reset_less=False)

    async def run(ctx):
        ctx.set(i, {"a": 5, "b": 1})
        await ctx.tick().repeat(2)
        assert (ctx.get(o.a), ctx.get(o.b), ctx.get(mark)) == (5, 1, 1)
        ctx.set(reset, 1)
        await ctx.tick()
        assert (ctx.get(o.a), ctx.get(o.b), ctx.get(mark)) == (5, 1, 0)

    simulate(ResetInserter(reset)(m), run, timeout=100)
