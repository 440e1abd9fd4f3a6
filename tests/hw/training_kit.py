"""What the tests of the training engine's units share: memories behind ports, a packer's reserved places."""

import random

from shiftwork.hw.training.layouts import MEMORY_CYCLES

__all__ = ["memory", "places", "set_registers"]


def set_registers(ctx, dut, **values):
    """Writes pass registers; the others stay."""
    for name, value in values.items():
        ctx.set(dut.registers[name], value & (1 << 24) - 1)


def memory(address, data, words):
    """A background bench: ``words`` (a list that may change) at ``data``, so many cycles after ``address``.

    Beyond the list's end 0 is read.
    """
    async def bench(ctx):
        asked = [0] * (MEMORY_CYCLES - 1)
        async for _, _, now in ctx.tick().sample(address):
            asked.append(now)
            place = asked.pop(0)
            ctx.set(data, words[place] if place < len(words) else 0)

    return bench


def places(dut, tile, buffers=4, seed=0, p=0.2):
    """A background bench that takes tiles as the packer does: `taken` has the vectors, ints of the lanes.

    A buffer is free again some time after its tile of ``tile`` vectors is there. A tile that is reserved
    without room, or vectors that come without a reserved tile, raise AssertionError.
    """
    rng = random.Random(seed)
    taken = []

    async def bench(ctx):
        held, open_vectors, full = 0, 0, 0
        ctx.set(dut.room, 1)
        values = dut.reserve, dut.room, dut.o_valid, *dut.o
        async for _, _, reserve, room, valid, *vector in ctx.tick().sample(*values):
            if valid:
                assert open_vectors, "Vector must have a reserved place"
                taken.append(vector)
                open_vectors -= 1
                full += len(taken) % tile == 0
            if reserve:
                assert room, "Tile must be reserved only where there is room"
                held, open_vectors = held + 1, open_vectors + tile
            if full and rng.random() < p:
                full, held = full - 1, held - 1
            ctx.set(dut.room, held < buffers)

    bench.taken = taken
    return bench
