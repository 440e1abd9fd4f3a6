"""Cycles of one addition in the RTL of the bit-serial column array."""

__all__ = ["addition_cycles"]

LIMIT = 200    #: cycles that a term may take


def addition_cycles(config, a, b):
    """Cycles of the addition a + b in every column, and the sums: (int, list of ``drain_width`` ints).

    ``a`` and ``b``: unsigned activations of ``activation_width`` bits. The first term, a, is a copy and is
    not counted; the second is, from the cycle in which it is offered to its last. Raises TimeoutError where a
    term takes more than ``LIMIT`` cycles.
    """
    from amaranth.sim import Simulator
    from shiftwork.hw.ternary.serial_array import SerialColumnArray

    dut, width, found = SerialColumnArray(config), config.activation_width, []

    async def item(ctx, row, last):
        """Offers a term until it is over; its cycles."""
        ctx.set(dut.valid, 1)
        ctx.set(dut.row, row)
        ctx.set(dut.last, last)
        for cycle in range(1, LIMIT + 1):
            over = ctx.get(dut.ready)
            await ctx.tick()
            if over:
                ctx.set(dut.valid, 0)
                return cycle
        raise TimeoutError(f"Term must be added within {LIMIT} cycles")

    async def bench(ctx):
        ctx.set(dut.write_groups, (1 << config.groups) - 1)
        for row, x in enumerate((a, b)):
            for bit in range(width):
                ctx.set(dut.write_row, row * width + bit)
                ctx.set(dut.write_data, -(x >> bit & 1))
                await ctx.tick()
        ctx.set(dut.write_groups, 0)
        ctx.set(dut.bits, width)
        await ctx.tick().repeat(3)
        await item(ctx, 0, 0)
        cycles = await item(ctx, 1, 1)
        await ctx.tick().repeat(dut.latency - 1)
        for part in range(config.drain_step):
            ctx.set(dut.part, part)
            await ctx.tick()
        await ctx.tick()
        found.extend([cycles, [ctx.get(dut.result[d]) for d in range(config.drain_width)]])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return tuple(found)
