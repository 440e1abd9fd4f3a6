"""What the tests of hardware share: a simulation with a watchdog, and sources, sinks and monitors of streams.

    put = source(dut.i, items, p=0.3, seed=1)
    take = sink(dut.o, expected_count, p=0.3, seed=2)
    simulate(dut, put, take, background=(monitor(dut.i), monitor(dut.o)), timeout=5000)
    assert take.items == expected

A bench is an ``async def bench(ctx)``, as of `amaranth.sim.Simulator.add_testbench`.
"""

import random

from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib import data
from amaranth.sim import Simulator

__all__ = ["Timeout", "StreamRuleBroken", "simulate", "source", "sink", "monitor", "plain"]


class Timeout(AssertionError):
    """The benches did not end."""


class StreamRuleBroken(AssertionError):
    """A stream changed its payload, or took back its offer, while it was stalled."""


def simulate(dut, *benches, timeout, background=()):
    """Run ``benches`` to their ends.

    ``background`` benches (monitors, drivers without an end) run beside them and are dropped at the end.
    Raises Timeout where ``timeout`` cycles do not suffice, and whatever a bench raises.
    """
    # A domain of its own lets combinational circuits be simulated by the same benches.
    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.dut = dut

    async def watchdog(ctx):
        # not `repeat`: up to Python 3.12 a bench cut off within it cannot be closed without a complaint
        for _ in range(timeout):
            await ctx.tick()
        raise Timeout(f"Simulation must end within {timeout} cycles")

    sim = Simulator(top)
    sim.add_clock(1e-6)
    for bench in benches:
        sim.add_testbench(bench)
    for bench in (*background, watchdog):
        sim.add_testbench(bench, background=True)
    sim.run()


def source(stream, items, *, p=1.0, seed=0, gap=0):
    """A bench that offers ``items`` (ints, or dicts for structs) in turn.

    It begins to offer the next in each cycle with probability p; after each ``gap`` items (0: never) it
    pauses for
    50 cycles. While nothing is offered the payload is noise.
    """
    rng = random.Random(seed)

    async def bench(ctx):
        payload = Value.cast(stream.payload)
        for n, item in enumerate(items):
            pause = 50 if gap and n and n % gap == 0 else 0
            while pause or rng.random() >= p:
                ctx.set(payload, rng.getrandbits(len(payload)))
                await ctx.tick()
                pause = max(pause - 1, 0)
            ctx.set(stream.payload, item)
            ctx.set(stream.valid, 1)
            await ctx.tick().until(stream.ready)
            ctx.set(stream.valid, 0)
        ctx.set(payload, rng.getrandbits(len(payload)))

    return bench


def sink(stream, count, *, p=1.0, seed=0, gap=0):
    """A bench that takes ``count`` payloads, ready in each cycle with probability p; see its ``items``.

    After each ``gap`` payloads (0: never) it refuses for 50 cycles.
    """
    rng = random.Random(seed)
    items = []

    async def bench(ctx):
        pause = 0
        while len(items) < count:
            ready = not pause and rng.random() < p
            ctx.set(stream.ready, ready)
            pause = max(pause - 1, 0)
            _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
            if ready and valid:
                items.append(plain(payload))
                if gap and len(items) % gap == 0:
                    pause = 50
        ctx.set(stream.ready, 0)

    bench.items = items
    return bench


def monitor(stream, reset=None):
    """A background bench that raises StreamRuleBroken where the stream breaks its contract.

    What is offered (valid) stays offered, unchanged, until it is accepted (ready). ``reset``, where given, is
    a signal that excuses a change.
    """
    signals = stream.valid, stream.ready, Value.cast(stream.payload), *([] if reset is None else [reset])

    async def bench(ctx):
        stalled = None
        async for _, _, valid, ready, payload, *excuse in ctx.tick().sample(*signals):
            if stalled is not None:
                if not valid:
                    raise StreamRuleBroken(f"Stream must keep valid until it is ready, {stream!r}")
                if payload != stalled:
                    raise StreamRuleBroken(f"Stream must keep its payload 0x{stalled:x} until it is ready, "
                                           f"not change it to 0x{payload:x}, {stream!r}")
            stalled = payload if valid and not ready and not any(excuse) else None

    return bench


def plain(value):
    """A payload as ints, dicts and lists."""
    if isinstance(value, data.Const):
        layout = value.shape()
        named = {key: plain(value[key]) for key, _ in layout}
        return [named[n] for n in range(len(named))] if isinstance(layout, data.ArrayLayout) else named
    return value
