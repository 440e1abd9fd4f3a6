# amaranth: UnusedElaboratable=no
"""MaxPool against a dictionary of running maxima."""

import random

import pytest
from amaranth.sim import Simulator
from shiftwork.hw.common.pool import MaxPool


def simulate(dut, beats):
    """What comes out for ``beats`` of (x, slot, first, last) or None; a list of (cycle, y, slot)."""
    got = []

    async def bench(ctx):
        for cycle, beat in enumerate(beats + [None] * 4):
            ctx.set(dut.i.valid, beat is not None)
            junk = [rng.randrange(-128, 128) for _ in range(dut.drain_width)], 0, 1, 1
            x, slot, first, last = beat or junk
            ctx.set(dut.i.p, {"x": x, "slot": slot, "first": first, "last": last})
            if ctx.get(dut.o.valid):
                y = [ctx.get(dut.o.p.y[d]) for d in range(dut.drain_width)]
                got.append((cycle, y, ctx.get(dut.o.p.slot)))
            await ctx.tick()

    rng = random.Random(5)
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    return got


def expect(dut, beats):
    memory, out = {}, []
    for cycle, beat in enumerate(beats):
        if beat is not None:
            x, slot, first, last = beat
            memory[slot] = x if first else [max(a, b) for a, b in zip(x, memory[slot], strict=True)]
            if last:
                out.append((cycle + dut.latency, memory[slot], slot))
    return out


@pytest.mark.parametrize("registered", [False, True])
@pytest.mark.parametrize("drain_width, slots, p_valid", [
    (4, 16, 1), (1, 8, 0.5), (2, 2, 1), (2, 2, 0.3), (3, 5, 0.8)])
def test_windows(drain_width, slots, p_valid, registered):
    rng = random.Random(2)
    beats = []
    for _ in range(30):
        n = rng.choice([1, 2, 4, 9])
        for k in range(n):
            for slot in range(slots):  # as the engine drains: all slots, then the window's next position
                while rng.random() > p_valid:
                    beats.append(None)
                x = [rng.choice([-32768, 32767, -1, 0, rng.randrange(-200, 200)]) for _ in range(drain_width)]
                beats.append((x, slot, k == 0, k == n - 1))
    dut = MaxPool(drain_width, slots, registered=registered)
    assert simulate(dut, beats) == expect(dut, beats)


@pytest.mark.parametrize("registered", [False, True])
def test_slots_in_any_order(registered):
    rng = random.Random(3)
    dut = MaxPool(2, 4, registered=registered)
    beats, previous, opened = [], None, set()
    for _ in range(600):
        slot = rng.choice([s for s in range(4) if s != previous])
        previous = slot
        last = rng.random() < 0.3
        beats.append(([rng.randrange(-99, 99) for _ in range(2)], slot, slot not in opened, last))
        opened ^= {slot} if (slot in opened) == last else set()
    assert simulate(dut, beats) == expect(dut, beats)


def test_one_slot_is_refused():
    with pytest.raises(ValueError, match="slots must be at least 2, not 1"):
        MaxPool(2, 1)
