# amaranth: UnusedElaboratable=no
"""Queues, and the test kit that all the other tests lean on."""

import random

import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.hw.common.stream import Queue, packet

from .kit import StreamRuleBroken, Timeout, monitor, simulate, sink, source


def words(count, seed):
    rng = random.Random(seed)
    return [{"data": rng.getrandbits(16), "last": rng.getrandbits(1)} for _ in range(count)]


def test_packet():
    assert packet(8) == data.StructLayout({"data": 8, "last": 1})


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
@pytest.mark.parametrize("p_valid", [1, 0.3])
@pytest.mark.parametrize("p_ready", [1, 0.3])
def test_queue(depth, p_valid, p_ready):
    dut = Queue(packet(16), depth)
    items = words(120, seed=depth)
    take = sink(dut.o, len(items), p=p_ready, seed=2, gap=40)
    simulate(dut, source(dut.i, items, p=p_valid, seed=1, gap=30), take,
             background=(monitor(dut.i), monitor(dut.o)), timeout=2000)
    assert take.items == items


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_queue_timing(depth):
    dut = Queue(16, depth)
    count, cycles = 50, []

    async def watch(ctx):
        async for _, _, valid in ctx.tick().sample(dut.o.valid):
            cycles.append(valid)

    take = sink(dut.o, count)
    simulate(dut, source(dut.i, range(count)), take, background=(watch,), timeout=200)
    assert take.items == list(range(count))
    assert cycles.index(1) == dut.latency == (1 if depth <= 2 else 2)
    assert cycles[dut.latency:dut.latency + count] == [1] * count


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_queue_holds(depth):
    dut = Queue(16, depth)
    accepted = []

    async def fill(ctx):
        ctx.set(dut.i.valid, 1)
        for _ in range(20):
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            accepted.append(ready)

    simulate(dut, fill, timeout=100)
    assert sum(accepted) == dut.depth == max(depth, 2)


@pytest.mark.parametrize("depth", [2, 8])
def test_queue_reset(depth):
    dut, reset = Queue(packet(16), depth), Signal()
    first, second = words(2, seed=1), words(30, seed=2)
    take = sink(dut.o, len(second), p=0.5, seed=3)

    async def bench(ctx):
        await source(dut.i, first)(ctx)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        await source(dut.i, second, p=0.5, seed=4)(ctx)

    async def later(ctx):
        await ctx.tick().repeat(4)
        await take(ctx)

    simulate(ResetInserter(reset)(dut), bench, later, background=(monitor(dut.o, reset),), timeout=1000)
    assert take.items == second


def test_queue_depth():
    with pytest.raises(ValueError, match="^Queue depth must be at least 1, not 0$"):
        Queue(8, 0)


class Faulty(wiring.Component):
    """Breaks a rule of streams while it is stalled."""

    o: Out(stream.Signature(8))

    def __init__(self, fault):
        self.fault = fault
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        count = Signal(8)
        m.d.sync += count.eq(count + 1)
        m.d.comb += self.o.valid.eq(count[2] if self.fault == "valid" else 1)
        m.d.comb += self.o.payload.eq(count if self.fault == "payload" else 0)
        return m


@pytest.mark.parametrize("fault, message", [("valid", "keep valid"), ("payload", "keep its payload")])
def test_monitor_sees(fault, message):
    dut = Faulty(fault)
    with pytest.raises(StreamRuleBroken, match=message):
        simulate(dut, sink(dut.o, 50, p=0.3, seed=1), background=(monitor(dut.o),), timeout=1000)


def test_monitor_is_content():
    dut = Faulty(None)
    simulate(dut, sink(dut.o, 50, p=0.3, seed=1), background=(monitor(dut.o),), timeout=1000)


class Deaf(wiring.Component):
    """Never ready."""

    i: In(stream.Signature(8))

    def elaborate(self, platform):
        return Module()


def test_watchdog_barks():
    dut = Deaf()
    with pytest.raises(Timeout, match="^Simulation must end within 100 cycles$"):
        simulate(dut, source(dut.i, [1]), timeout=100)
