"""The packer: slots, descriptors and lengths of passes, against golden tiles and the machine's page."""

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.lfsr import RandomLanes as States
from shiftwork.golden.training.tiles import magnitude_bits, round_tiles
from shiftwork.hw.training.packer import Packer

from .kit import simulate
from .training_kit import memory, set_registers


def config_of(side):
    return EngineConfig(side=side, left_slots=64, right_slots=32, maps=64)


def tiles_of(rng, count, block, signed):
    """``count`` tiles (B, B) of numbers of all lengths; some are 0, some at the greatest."""
    most = 15 if signed else 8
    found = []
    for _ in range(count):
        bits = int(rng.integers(0, most + 1))
        tile = rng.integers(0, 1 << bits, (block, block)) >> rng.integers(0, bits + 1, (block, block))
        if bits:
            # what rounds up beyond M bits, ties, and the tile's greatest
            tile[rng.random(tile.shape) < 0.1] = (1 << bits) - 1
            tile[rng.random(tile.shape) < 0.1] = 3 << bits - 1 >> 1
            tile[rng.random(tile.shape) < 0.1] = 1 << bits - 1
        tile &= (1 << most) - 1
        found.append(np.where(rng.random(tile.shape) < 0.5, -tile, tile) if signed else tile)
    return found


def words_of(digits, side, planes):
    """A tile's words, {(bank, plane, s): word}, element by element."""
    words = {}
    for u in range(2):
        for v in range(2):
            for plane in range(planes):
                word = 0
                for i in range(side):
                    for j in range(side):
                        number = int(digits[u * side + i, v * side + j])
                        word |= (number >> 2 * plane & 3) << 2 * (i * side + j)
                words["x" if u == v else "y", plane, u] = word
    return words


class Numbers:
    """Random numbers as the update unit has them; `taken` counts steps."""

    def __init__(self, dut, side):
        self._dut, self._hardware, self._golden = dut, States(0, side), States(0, side)
        self.taken = 0

    async def bench(self, ctx):
        async for _, _, step in ctx.tick().sample(self._dut.random_step):
            if step:
                self.taken += 1
                for lane, number in zip(self._dut.random, self._hardware.numbers(1)[0].tolist(), strict=True):
                    ctx.set(lane, number)

    def skip(self):
        """What has been taken so far is of no interest."""
        self._golden.states = self._hardware.states
        self.taken = 0

    def of_tiles(self, count, block, some):
        """Of each of ``count`` tiles its numbers (B, B), or None; nobody must have taken others."""
        steps = count * 2 * block if some else 0
        assert self.taken == steps, "Steps must be those of the pass's vectors"
        self.taken = 0
        if not some:
            return [None] * count
        return self._golden.errors((block, count, block), block).swapaxes(0, 1)


def expected_of(tiles, numbers, maps, side, groups, *, signed, wide, shared):
    """Of each tile words and descriptor; of each entry the length."""
    block, found, lengths = 2 * side, [], {}
    for n, (tile, random) in enumerate(zip(tiles, numbers, strict=True)):
        entry = n // groups if shared else n
        planes = 8 if wide else maps[entry] + 1
        bits = 2 * planes
        rounded, length = round_tiles(tile, bits if not wide else 16, block, signed=signed, random=random)
        length = int(length.item())
        drop = 0 if wide else max(0, length - int(magnitude_bits(bits, signed)))
        found.append((words_of(rounded >> drop, side, planes), {"planes": planes - 1, "drop": drop}))
        lengths[entry] = max(length, lengths.get(entry, 0))
    return found, lengths


class Memories:
    """What the packer writes: `slots` by side, bank, slot, address; `descriptors`; `lengths`."""

    def __init__(self, dut):
        self._dut = dut
        self.restart()

    def restart(self):
        self.slots, self.descriptors, self.lengths, self.count = {}, {}, [], 0

    async def bench(self, ctx):
        dut = self._dut
        values = (dut.write_x, dut.write_y, dut.left_write, dut.right_write, dut.plane, dut.s, dut.write_data,
                  dut.left_slot, dut.right_slot, dut.descriptor_write, dut.descriptor.planes,
                  dut.descriptor.drop, dut.length_write, dut.length_address, dut.length_data)
        async for _, _, x, y, left, right, plane, s, word, left_slot, right_slot, described, planes, drop, \
                lengths, entry, length in ctx.tick().sample(*values):
            self.count += x | y
            assert not (x and y) and (left or right) <= (x or y) and described <= (x or y)
            for side, write, slot in (("left", left, left_slot), ("right", right, right_slot)):
                if write:
                    key = side, "x" if x else "y", slot, plane, s
                    assert key not in self.slots, "Word must be written once"
                    self.slots[key] = word
                    if described:
                        self.descriptors[side, slot] = {"planes": planes, "drop": drop}
            if lengths:
                self.lengths.append((entry, length))


def check(memories, expected, *, left, right, wide, left_base, right_base, map_base, config):
    words, descriptors = {}, {}
    tiles, lengths = expected
    for n, (tile, descriptor) in enumerate(tiles):
        for side, written, base, depth in (("left", left, left_base, config.left_slots),
                                           ("right", right, right_base, config.right_slots)):
            if written:
                slot = (base + (n << wide)) % depth
                descriptors[side, slot] = descriptor
                words |= {(side, bank, slot, plane, s): word for (bank, plane, s), word in tile.items()}
    assert memories.slots == words
    assert memories.descriptors == descriptors
    assert memories.lengths == [(map_base + entry, length) for entry, length in lengths.items()]


async def push(ctx, dut, tiles, side, rng, gaps):
    """Reserves and pushes ``tiles``, as fast as there is room or with random gaps."""
    for tile in tiles:
        while not ctx.get(dut.room) or rng.random() < gaps:
            await ctx.tick()
        ctx.set(dut.reserve, 1)
        await ctx.tick()
        ctx.set(dut.reserve, 0)
        for h in range(2):
            for column in tile[h * side:(h + 1) * side].T.tolist():
                while rng.random() < gaps:
                    await ctx.tick()
                for lane, value in zip(dut.i, column, strict=True):
                    ctx.set(lane, value)
                ctx.set(dut.i_valid, 1)
                await ctx.tick()
                ctx.set(dut.i_valid, 0)
                for lane in dut.i:
                    ctx.set(lane, int(rng.integers(-1 << 15, 1 << 15)))


def settings(rng, n, config):
    """A pass's, by number: all combinations of kinds and memories within a few."""
    signed, wide, shared = bool(n & 1 or n & 2), n % 4 == 3, n % 3 != 1
    left, right = ((1, 1), (1, 0), (0, 1))[n % 3]
    return dict(signed=signed, wide=wide, shared=shared, errors=bool(n & 2), left=left, right=right,
                groups=int(rng.integers(1, 4)), left_base=int(rng.integers(0, 30)),
                right_base=int(rng.integers(0, 20)), map_base=int(rng.integers(0, 40)))


async def begin(ctx, dut, chosen):
    set_registers(ctx, dut, **{name: chosen[name]
                               for name in ("groups", "wide", "left_base", "right_base", "map_base")})
    for port, name in ((dut.signed, "signed"), (dut.shared, "shared"), (dut.to_left, "left"),
                       (dut.to_right, "right"), (dut.errors, "errors")):
        ctx.set(port, chosen[name])
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)


async def whole_pass(ctx, dut, config, memories, numbers, maps, chosen, rng, entries, gaps):
    side = config.side
    count = entries * (chosen["groups"] if chosen["shared"] else 1)
    tiles = tiles_of(rng, count, config.block, chosen["signed"])
    memories.restart()
    maps[:] = rng.integers(0, 4, config.maps).tolist()
    await begin(ctx, dut, chosen)
    await push(ctx, dut, tiles, side, rng, gaps)
    while ctx.get(dut.busy):
        await ctx.tick()
    await ctx.tick()
    base = chosen["map_base"]
    drawn = numbers.of_tiles(count, config.block, chosen["errors"] and not chosen["wide"])
    expected = expected_of(tiles, drawn, maps[base:], side, chosen["groups"],
                           **{name: chosen[name] for name in ("signed", "wide", "shared")})
    check(memories, expected, config=config,
          **{name: chosen[name] for name in ("left", "right", "wide", "left_base", "right_base", "map_base")})


@pytest.mark.parametrize("side, passes, gaps", [(2, 12, 0), (2, 8, 0.3), (4, 8, 0), (8, 4, 0), (8, 4, 0.1)])
def test_passes(side, passes, gaps):
    config = config_of(side)
    dut, rng = Packer(config), np.random.default_rng(side)
    memories, numbers, maps = Memories(dut), Numbers(dut, side), [0] * config.maps

    async def bench(ctx):
        for n in range(passes):
            chosen = settings(rng, n, config)
            await whole_pass(ctx, dut, config, memories, numbers, maps, chosen, rng, 2 if side == 8 else 4,
                             gaps)

    simulate(dut, bench, timeout=9000,
             background=(memories.bench, numbers.bench, memory(dut.map_address, dut.map_data, maps)))


@pytest.mark.parametrize("side", [2, 8])
def test_resets(side):
    """A reset in every part of a pass forgets it; the next pass is whole."""
    config, reset = config_of(side), Signal()
    dut, rng = Packer(config), np.random.default_rng(30 + side)
    memories, numbers, maps = Memories(dut), Numbers(dut, side), [0] * config.maps

    async def bench(ctx):
        for n in range(5):
            chosen = settings(rng, n, config)
            await begin(ctx, dut, chosen)
            await push(ctx, dut, tiles_of(rng, 1 + n // 2, config.block, chosen["signed"]), side, rng, 0)
            await ctx.tick().repeat(1 + 5 * n)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            assert not ctx.get(dut.busy) and ctx.get(dut.room)
            await ctx.tick()
            count = memories.count
            await ctx.tick().repeat(20)
            assert memories.count == count
            numbers.skip()
            await whole_pass(ctx, dut, config, memories, numbers, maps, chosen, rng, 1, 0)

    simulate(ResetInserter(reset)(dut), bench, timeout=5000,
             background=(memories.bench, numbers.bench, memory(dut.map_address, dut.map_data, maps)))


@pytest.mark.parametrize("side, wide, planes", [
    (8, 0, 4), (8, 1, 8), (4, 0, 4), (4, 1, 8), (2, 0, 1), (2, 0, 4)])
def test_rate(side, wide, planes):
    """A vector a cycle where a quadrant has at least as many columns as planes; the first word's cycle."""
    config = config_of(side)
    dut, rng = Packer(config), np.random.default_rng(0)
    maps, tile, tiles = [planes - 1 & 3] * config.maps, 4 * side, 7
    words, pushes, rooms = [], [], []

    async def watch(ctx):
        now = 0
        async for _, _, x, y in ctx.tick().sample(dut.write_x, dut.write_y):
            now += 1
            if x or y:
                words.append(now)

    async def bench(ctx):
        chosen = dict(signed=1, wide=wide, shared=1, left=1, right=1, errors=1, groups=1, left_base=0,
                      right_base=0, map_base=0)
        await begin(ctx, dut, chosen)
        now, vector, left, reserved = 1, 0, tiles, 0
        while vector < tiles * tile:
            # the next tile is reserved with the last vector of the one before
            reserve = left and ctx.get(dut.room) and vector + 1 >= reserved * tile
            rooms.append(ctx.get(dut.room))
            ctx.set(dut.reserve, reserve)
            valid = vector < reserved * tile
            ctx.set(dut.i_valid, valid)
            for lane in dut.i:
                ctx.set(lane, int(rng.integers(-32767, 32768)))
            await ctx.tick()
            now += 1
            left, reserved = left - reserve, reserved + reserve
            if valid:
                pushes.append(now)
                vector += 1
        ctx.set(dut.i_valid, 0)
        while ctx.get(dut.busy):
            await ctx.tick()
        await ctx.tick()

    simulate(dut, bench, background=(watch, memory(dut.map_address, dut.map_data, maps)), timeout=2000)
    assert words[0] == pushes[tile - 1] + side + 11
    assert len(words) == tiles * 4 * planes
    cycles = max(side, planes)
    # words of quadrant n begin so many cycles later
    assert words[::planes] == [words[0] + cycles * n for n in range(4 * tiles)]
    assert all(rooms) == (pushes == list(range(pushes[0], pushes[0] + tiles * tile))) == (planes <= side)
