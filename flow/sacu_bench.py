"""Cycles of dot products in the RTL of the Sparse Addition Control Unit."""

import numpy as np

__all__ = ["dot_cycles"]


def dot_cycles(config, dots):
    """Cycles that each dot product occupies the adders: from the ``last`` before it to its own.

    A short one goes ahead of the first.

    ``dots`` is bool (count, weights), weights a multiple of the word's. Raises TimeoutError where the unit
    gets stuck.
    """
    from amaranth.sim import Simulator
    from shiftwork.hw.ternary.sacu import SparseAdditionControl

    dut, width = SparseAdditionControl(config), config.word_width
    words = [(1, True)]
    for dot in dots:
        bits = np.asarray(dot, bool).reshape(-1, width)
        words += [
            (sum(1 << int(n) for n in np.flatnonzero(row)), k == len(bits) - 1) for k, row in enumerate(bits)
        ]
    ends, limit = [], 4 * (int(np.sum(dots)) + len(words)) + 1000

    async def feed(ctx):
        for nonzero, last in words:
            ctx.set(dut.i.p, {"nonzero": nonzero, "negative": 0, "index": 0, "source": 0, "last": last})
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)

    async def count(ctx):
        ctx.set(dut.o.ready, 1)
        for cycle in range(limit):
            *_, valid, last = await ctx.tick().sample(dut.o.valid, dut.o.p.last)
            if valid and last:
                ends.append(cycle)
            if len(ends) > len(dots):
                return
        raise TimeoutError(f"Dot products must end within {limit} cycles")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.add_testbench(count)
    simulator.run()
    return np.diff(ends)
