"""The input unit: bytes of random passes, one behind the other in one stream of words."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.hw.training.input_unit import InputUnit

from .kit import monitor, simulate, source
from .training_kit import places, set_registers


def expected_of(image, side, channels):
    """Bytes and vectors of a pass; ``image``: numbers [pixel][group][image of the group][channel]."""
    taken, vectors = [], []
    for pixel in image:
        for group in pixel:
            for half in range(2):
                for numbers in group:
                    part = numbers[half * side:(half + 1) * side]
                    taken += part
                    vectors.append(part + [0] * (side - len(part)))
    return taken, vectors


def packed(taken, rng):
    """Words, the last one filled with noise."""
    taken = taken + [rng.randrange(256) for _ in range(-len(taken) % 4)]
    return [int.from_bytes(bytes(taken[n:n + 4]), "little") for n in range(0, len(taken), 4)]


def passes_of(side, count, rng):
    """Settings, words, vectors and bytes of passes; the first ones have 1, S, S + 1 and 2 S channels."""
    found = []
    for n in range(count):
        channels = (1, side, side + 1, 2 * side)[n] if n < 4 else rng.randrange(1, 2 * side + 1)
        settings = dict(channels=channels, pixels=rng.randrange(1, 4), groups=rng.randrange(1, 3))
        image = [[[[rng.choice([0, 255, rng.randrange(256)]) for _ in range(channels)]
                   for _ in range(2 * side)] for _ in range(settings["groups"])]
                 for _ in range(settings["pixels"])]
        taken, vectors = expected_of(image, side, channels)
        found.append((settings, packed(taken, rng), vectors, len(taken)))
    return found


async def start(ctx, dut, settings):
    set_registers(ctx, dut, **settings)
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)


@pytest.mark.parametrize("side, p_word, p_room", [(2, 1, 1), (2, 0.3, 0.05), (4, 0.6, 0.02), (8, 1, 1)])
def test_passes(side, p_word, p_room):
    rng = random.Random(side)
    dut = InputUnit(EngineConfig(side=side))
    passes = passes_of(side, 4 if side == 8 else 9, rng)
    take = places(dut, 4 * side, seed=side, p=p_room)
    words = [word for _, words, _, _ in passes for word in words]

    async def bench(ctx):
        for settings, _, vectors, count in passes:
            take.taken.clear()
            await start(ctx, dut, settings)
            cycles = 0
            while ctx.get(dut.busy):
                await ctx.tick()
                cycles += 1
            await ctx.tick()        # for `places` to see the cycle before
            assert take.taken == vectors
            if p_word == p_room == 1:
                # bytes, vectors without channels, and one more a tile
                empty = len(vectors) // 2 if settings["channels"] <= side else 0
                assert cycles == count + empty + len(vectors) // (4 * side) + 1
            # between passes no word is taken
            await ctx.tick().repeat(rng.randrange(1, 4))

    # All words of all passes are taken, and none behind a pass's last: else the next pass would differ.
    simulate(dut, bench, source(dut.word, words, p=p_word, seed=side),
             background=(monitor(dut.word), take), timeout=40000)


def test_a_reset_forgets_the_pass():
    """The next pass begins with a fresh word, whatever of the one before was taken."""
    rng, reset = random.Random(5), Signal()
    dut = InputUnit(EngineConfig(side=2))
    (settings, words, vectors, _), = passes_of(2, 1, rng)

    async def bench(ctx):
        for cycles in range(1, 31, 3):
            await start(ctx, dut, settings)
            ctx.set(dut.room, 1)
            ctx.set(dut.word.valid, 1)
            ctx.set(dut.word.payload, 0xA5A5A5A5)
            await ctx.tick().repeat(cycles)
            ctx.set(dut.word.valid, 0)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            assert not ctx.get(dut.busy) and not ctx.get(dut.o_valid) and not ctx.get(dut.word.ready)
            await start(ctx, dut, settings)
            found, left = [], list(words)
            while ctx.get(dut.busy):
                ctx.set(dut.word.valid, 1)
                ctx.set(dut.word.payload, left[0] if left else 0)
                _, _, valid, ready, *vector = await ctx.tick().sample(dut.o_valid, dut.word.ready, *dut.o)
                if ready:
                    left.pop(0)
                if valid:
                    found.append(vector)
            assert found == vectors and not left
            ctx.set(dut.word.valid, 0)

    simulate(ResetInserter(reset)(dut), bench, timeout=5000)
