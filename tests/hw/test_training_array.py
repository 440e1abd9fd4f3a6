# amaranth: UnusedElaboratable=no
"""Operand memories, issue and array of the training engine against products of tiles in numpy."""

import random

import numpy as np
import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.hw.training.array import MatrixArray, latency
from shiftwork.hw.training.issue import Issue
from shiftwork.hw.training.layouts import MEMORY_CYCLES, PAIR, vector
from shiftwork.hw.training.operand_memory import READ_CYCLES, OperandMemory

from .kit import simulate

SLOTS = 16
NOWHERE = 0xFFFF    #: a slot of an empty pair


class Product(wiring.Component):
    """The matrix unit without its loops and drain: two memories, issue and array."""

    def __init__(self, config):
        self.config, self.reset = config, Signal()
        self.memories = [OperandMemory(config, SLOTS) for _ in range(2)]
        super().__init__({
            "i": In(stream.Signature(PAIR)), "left_columns": In(1), "left_half": In(1),
            "right_columns": In(1), "right_signed": In(1), "busy": Out(1),
            "o_valid": Out(1), "o": Out(vector(config.side, 40)), "o_last": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.issue = issue = Issue(self.config)
        m.submodules.array = array = MatrixArray(self.config)
        wiring.connect(m, wiring.flipped(self.i), issue.i)
        for name, memory in zip(("left", "right"), self.memories, strict=True):
            m.submodules[f"{name}_memory"] = memory
            wiring.connect(m, getattr(issue, name), memory.read)
            m.d.comb += getattr(array, name).eq(memory.digits)
        for name in ("left_columns", "left_half", "right_columns", "right_signed"):
            m.d.comb += getattr(issue, name).eq(getattr(self, name))
        m.d.comb += [array.step.eq(issue.step), self.busy.eq(issue.busy), self.o_valid.eq(array.o_valid),
                     self.o.eq(array.o), self.o_last.eq(array.o_last)]
        return ResetInserter(self.reset)(m)


class Tile:
    """Random numbers of a width, and their drop; wide ones take the next slot, too."""

    def __init__(self, rng, block, planes, signed, top):
        # Digits up to the bit at which an error's, or a weight's or an activation's greatest one stands.
        self.planes, bits = planes, 2 * planes
        self.drop = int(rng.integers(top - 2 * (planes - 1) + 1))
        low, high = (-1 << bits - 1, (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        self.numbers = rng.integers(low, high + 1, (block, block))
        if rng.random() < 0.3:
            self.numbers = np.where(rng.random((block, block)) < 0.5, low, high)

    def words(self):
        """(plane, s, bank, word) of the tile."""
        side = len(self.numbers) // 2
        for plane in range(self.planes):
            digits = self.numbers >> 2 * plane & 3
            for u in range(2):
                for v in range(2):
                    quadrant = digits[u * side:(u + 1) * side, v * side:(v + 1) * side].ravel()
                    yield plane, u, "xy"[u ^ v], sum(int(d) << 2 * n for n, d in enumerate(quadrant))


async def store(ctx, memory, slot, tile):
    """Writes a tile and its descriptor."""
    ctx.set(memory.write_slot, slot)
    for plane, s, bank, word in tile.words():
        for port, value in ((memory.write_plane, plane), (memory.write_s, s), (memory.write_data, word),
                            (memory.write_x, bank == "x"), (memory.write_y, bank == "y")):
            ctx.set(port, value)
        await ctx.tick()
    ctx.set(memory.write_x, 0)
    ctx.set(memory.write_y, 0)
    ctx.set(memory.descriptor_write, 1)
    ctx.set(memory.descriptor_write_slot, slot)
    ctx.set(memory.descriptor_data, {"planes": tile.planes - 1, "drop": tile.drop})
    await ctx.tick()
    ctx.set(memory.descriptor_write, 0)


def half_of(numbers, columns, half):
    """Outputs by numbers to sum over."""
    side = len(numbers) // 2
    return (numbers.T if columns else numbers)[half * side:(half + 1) * side]


class Pass:
    """Tiles in both memories, how they are read, and outputs: lists of pairs."""

    def __init__(self, rng, config, outputs, *, planes=(1, 2, 3, 4), left=None, right=None, lengths=(1, 2, 3),
                 empty=0.1):
        self.columns, self.half = [int(v) for v in rng.integers(2, size=2)], int(rng.integers(2))
        self.signed = [True, right == 8 or bool(rng.integers(2))]
        tops = [6, 6]       # One of both operands is an error, of up to 16 bits, the other one has up to 8.
        tops[0 if left else 1 if right else int(rng.integers(2))] = 14
        self.tiles = [[Tile(rng, config.block, wide or int(rng.choice(planes)), signed, top)
                       for _ in range((1 if wide else 2) * SLOTS // config.side)]
                      for wide, signed, top in zip((left, right), self.signed, tops, strict=True)]
        self.steps = [1 if tiles[0].planes < 5 else 2 for tiles in self.tiles]
        self.pairs, self.expected, self.cycles = [], [], 0
        for _ in range(outputs):
            count, right_half = int(rng.choice(lengths)), int(rng.integers(2))
            total = np.zeros((config.side, config.side), dtype=np.int64)
            for n in range(count):
                numbers = [int(rng.integers(len(tiles))) for tiles in self.tiles]
                absent = rng.random() < empty
                slots = [NOWHERE] * 2 if absent else [a * b for a, b in zip(numbers, self.steps, strict=True)]
                self.pairs.append({"left": slots[0], "right": slots[1], "right_half": right_half,
                                   "first": n == 0, "last": n == count - 1, "empty": absent})
                a, b = (tiles[n] for tiles, n in zip(self.tiles, numbers, strict=True))
                self.cycles += 1 if absent else a.planes * b.planes
                if not absent:
                    total += (half_of(a.numbers, self.columns[0], self.half)
                              @ half_of(b.numbers, self.columns[1], right_half).T) << a.drop + b.drop
            wrapped = (total + (1 << 39)) % (1 << 40) - (1 << 39)
            self.expected.extend((list(column), j == config.side - 1) for j, column in enumerate(wrapped.T))

    async def prepare(self, ctx, dut):
        """Fills the memories and sets how they are read."""
        for memory, tiles, step in zip(dut.memories, self.tiles, self.steps, strict=True):
            for slot, tile in enumerate(tiles):
                await store(ctx, memory, slot * step, tile)
        for port, value in ((dut.left_columns, self.columns[0]), (dut.left_half, self.half),
                            (dut.right_columns, self.columns[1]), (dut.right_signed, self.signed[1])):
            ctx.set(port, value)

    async def offer(self, ctx, dut, gaps, p, pairs=None):
        """Offers pairs, each cycle with probability p."""
        for pair in self.pairs if pairs is None else pairs:
            while gaps.random() >= p:
                await ctx.tick()
            ctx.set(dut.i.payload, pair)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)


def watch(dut, found):
    """A bench that notes the vectors, and that none comes when the unit is not busy."""
    async def bench(ctx):
        async for *_, valid, busy, last, reset, vectors in ctx.tick().sample(
                dut.o_valid, dut.busy, dut.o_last, dut.reset, dut.o):
            if valid and not reset:
                assert busy
                found.append(([vectors[n] for n in range(dut.config.side)], bool(last)))

    return bench


async def idle(ctx, dut):
    await ctx.tick().until(~dut.busy)


WIDTHS = {"narrow": {}, "left wide": {"left": 8}, "right wide": {"right": 8}, "short": {"planes": (1,)}}


@pytest.mark.parametrize("side, name", [(2, name) for name in WIDTHS] + [(4, "narrow"), (8, "left wide")])
def test_products(side, name):
    """Passes of all widths, ways to read, and gaps; a reset in the middle of each."""
    config, seed = EngineConfig(side=side), side * 10 + list(WIDTHS).index(name)
    dut, rng, gaps, found = Product(config), np.random.default_rng(seed), random.Random(seed), []

    async def bench(ctx):
        for p in ((1.0, 0.5, 0.02, 1.0, 0.1, 0.9, 0.3, 1.0) if side == 2 else (1.0, 0.3)):
            work = Pass(rng, config, 12 if side == 2 else 4, **WIDTHS[name])
            await work.prepare(ctx, dut)
            await work.offer(ctx, dut, gaps, p, work.pairs[:gaps.randint(1, len(work.pairs) // 2)])
            for _ in range(gaps.randrange(READ_CYCLES + latency(config) + side + 12)):
                await ctx.tick()
            before = len(found)
            ctx.set(dut.reset, 1)
            await ctx.tick()
            ctx.set(dut.reset, 0)
            assert found[:before] == work.expected[:before]
            found.clear()
            await work.offer(ctx, dut, gaps, p)
            await idle(ctx, dut)
            assert found == work.expected
            found.clear()

    simulate(dut, bench, timeout=60000, background=[watch(dut, found)])


@pytest.mark.parametrize("side", [2, 4, 8])
@pytest.mark.parametrize("planes, lengths", [((1, 2, 3, 4), (4,)), ((1,), (8,)), ((4,), (1, 2))],
                         ids=["mixed", "two bits", "eight bits"])
def test_cycles(side, planes, lengths):
    """Tile products take planes * planes cycles each, between outputs, too, and a constant for all."""
    config = EngineConfig(side=side)
    work = Pass(np.random.default_rng(side), config, 6, planes=planes, lengths=lengths, empty=0)
    dut, found, seen = Product(config), [], []

    async def bench(ctx):
        await work.prepare(ctx, dut)
        await work.offer(ctx, dut, random.Random(0), 1.0)
        await idle(ctx, dut)

    async def count(ctx):
        async for *_, busy in ctx.tick().sample(dut.busy):
            seen.append(busy)

    simulate(dut, bench, timeout=8000, background=[count, watch(dut, found)])
    assert found == work.expected
    assert sum(seen) == work.cycles + MEMORY_CYCLES + READ_CYCLES + latency(config) + side + 1


def test_apart():
    """Outputs of one step each come S cycles one after another, whatever the pairs are."""
    config = EngineConfig(side=4)
    work = Pass(np.random.default_rng(1), config, 12, planes=(1,), lengths=(1,), empty=0.5)
    dut, found, cycles = Product(config), [], []

    async def bench(ctx):
        await work.prepare(ctx, dut)
        await work.offer(ctx, dut, random.Random(0), 1.0)
        await idle(ctx, dut)

    async def note(ctx):
        cycle = 0
        async for *_, valid in ctx.tick().sample(dut.o_valid):
            cycle += 1
            cycles.extend([cycle] * valid)

    simulate(dut, bench, timeout=8000, background=[note, watch(dut, found)])
    assert found == work.expected
    assert cycles == list(range(cycles[0], cycles[0] + 4 * 12))


@pytest.mark.parametrize("side", [2, 8])
def test_memory(side):
    """Planes by rows and by columns, both halves, one a cycle; of a wide tile, too."""
    config = EngineConfig(side=side)
    rng, dut = np.random.default_rng(side), OperandMemory(config, SLOTS)
    tiles = {slot: Tile(rng, config.block, planes, True, 14) for slot, planes in ((0, 4), (3, 8), (15, 2))}
    reads = [(slot, plane, half, columns) for slot, tile in tiles.items() for plane in range(tile.planes)
             for half in range(2) for columns in range(2)]
    rng.shuffle(reads)

    async def bench(ctx):
        for slot, tile in tiles.items():
            await store(ctx, dut, slot, tile)
        for n in range(len(reads) + READ_CYCLES):
            if n < len(reads):
                for port, value in zip(("slot", "plane", "half", "columns"), reads[n], strict=True):
                    ctx.set(getattr(dut.read, port), int(value))
                ctx.set(dut.read.descriptor_slot, int(reads[n][0]))
            if n >= READ_CYCLES:
                slot, plane, half, columns = reads[n - READ_CYCLES]
                expected = half_of(tiles[slot].numbers >> 2 * plane & 3, columns, half).T
                assert ctx.get(dut.digits.as_value()) == sum(
                    int(d) << 2 * k for k, d in enumerate(expected.ravel()))
            if n >= MEMORY_CYCLES and n - MEMORY_CYCLES < len(reads):
                tile = tiles[reads[n - MEMORY_CYCLES][0]]
                assert ctx.get(dut.read.descriptor) == {"planes": tile.planes - 1, "drop": tile.drop}
            await ctx.tick()

    simulate(dut, bench, timeout=1000)
