# amaranth: UnusedElaboratable=no
"""The scatter unit against the window formula of docs/engines/ternary-machine.md, lane by lane."""

import dataclasses
import random

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from shiftwork.golden.ternary.config import PRESETS, TernaryConfig
from shiftwork.hw.common.layouts import Kind
from shiftwork.hw.common.row_mover import RowMover
from shiftwork.hw.common.scatter import Scatter
from shiftwork.hw.ternary.layouts import DESCRIPTOR

from .kit import simulate

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "icebreaker": PRESETS["icebreaker"],   # one group
    "batch1": TernaryConfig(lanes=16, grid_rows=4, grid_columns=4, drain_width=2, scatter_width=4),
    "default": PRESETS["default"],
    "16 bits": dataclasses.replace(PRESETS["tiny"], activation_width=16),
    "serial": dataclasses.replace(PRESETS["tiny"], bit_serial=True),
    "serial 16 bits": dataclasses.replace(PRESETS["tiny"], bit_serial=True, activation_width=16),
}


class Unit(wiring.Component):
    """What decides and what moves, together."""

    def __init__(self, config, filters=1):
        step = config.scatter_step
        self.scatter, self.mover = Scatter(config, DESCRIPTOR, step, filters), RowMover(config, step)
        ours = {name: self.scatter.signature.members[name] for name in ("free", "reserve", "done", "size")}
        theirs = {name: self.mover.signature.members[name]
                  for name in ("write", "slot", "values", "write_row", "write_data", "write_groups")}
        super().__init__({**ours, **theirs, "descriptor": In(DESCRIPTOR), "start": In(1), "row_end": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.scatter, m.submodules.mover = scatter, mover = self.scatter, self.mover
        for part in (scatter, mover):
            for name, member in part.signature.members.items():
                if hasattr(self, name):
                    inner, outer = getattr(part, name), getattr(self, name)
                    m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        m.d.comb += [
            scatter.fill.eq(self.write & self.row_end), mover.fill.eq(scatter.fill),
            mover.drain.eq(scatter.drain), mover.clear.eq(self.start),
            mover.valid.eq(scatter.valid), mover.operation.eq(scatter.operation),
        ]
        return m


def windows(block, pads, size, base, channels):
    """Fields of the descriptor for the next layer's window of U x V pixels."""
    (ti, tj), (top, left), (u, v) = block, pads, size
    return {"kind": Kind.CONV, "m_count": channels, "i_count": ti, "j_count": tj, "out_base": base,
            "out_v_row": channels, "out_u_count": u, "out_v_count": v, "out_u_row": v * channels,
            "out_u_step": ti * v * channels, "out_v_step": tj * channels, "out_u_first": top % ti,
            "out_v_first": left % tj, "out_a_first": top // ti, "out_c_first": left // tj}


def expected_rows(config, values, block, pads, size, base):
    """{(row, lane): value} of all window pixels, zeros of the padding included."""
    channels = len(values)
    grid = config.grid_rows, config.grid_columns
    cells = values.reshape(channels, *block, config.batch, *grid).transpose(3, 0, 4, 1, 5, 2)
    maps = cells.reshape(config.batch, channels, grid[0] * block[0], grid[1] * block[1])
    around = max(*pads, *size) + max(block)
    padded = np.pad(maps, ((0, 0), (0, 0), (around, around), (around, around)))
    rows = {}
    for m, u, v, b, cell_i, cell_j in np.ndindex(channels, *size, config.batch, *grid):
        y = cell_i * block[0] + u - pads[0] + around
        x = cell_j * block[1] + v - pads[1] + around
        inside = y < padded.shape[2] and x < padded.shape[3]
        lane = (b * grid[0] + cell_i) * grid[1] + cell_j
        rows[base + (u * size[1] + v) * channels + m, lane] = int(padded[b, m, y, x]) if inside else 0
    return rows


def run(config, block, pads, size, seed, channels=2, base=3, p=0.7, filters=1, group_size=1):
    """Writes a layer's rows to a scatter unit and compares all that it writes to the row memory.

    They come in groups of ``group_size`` filters.
    """
    rng = random.Random(seed)
    noise = np.random.default_rng(seed)
    values = noise.integers(1, 2 ** config.activation_width, (channels, *block, config.lanes))
    pieces = config.scatter_step                    # an activation is written in so many
    width = config.activation_width // pieces
    dut, written, done = Unit(config, filters), {}, []
    groups = [values[n:n + group_size] for n in range(0, channels, group_size)]
    rows = [row for part in groups for row in np.moveaxis(part, 0, 2).reshape(-1, config.lanes)]
    drain, group = config.drain_width, config.scatter_width

    async def feed(ctx):
        ctx.set(dut.descriptor, windows(block, pads, size, base, channels))
        ctx.set(dut.size, group_size)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for row in np.reshape(rows, (-1, config.drain_cycles, drain)).tolist():
            while not ctx.get(dut.free):
                await ctx.tick()
            ctx.set(dut.reserve, 1)
            for slot, part in enumerate(row):
                while rng.random() >= p:
                    await ctx.tick()
                    ctx.set(dut.reserve, 0)
                ctx.set(dut.write, 1)
                ctx.set(dut.slot, slot)
                ctx.set(dut.values, part)
                ctx.set(dut.row_end, slot == config.drain_cycles - 1)
                await ctx.tick()
                ctx.set(dut.reserve, 0)
                ctx.set(dut.write, 0)
        while not done:
            await ctx.tick()
        await ctx.tick().repeat(6)

    async def watch(ctx):
        async for _, _, groups, row, data, ends in ctx.tick().sample(
                dut.write_groups, dut.write_row, dut.write_data, dut.done):
            assert not done or not ends, "Layer must be done once"
            done.extend([True] * ends)
            for g in range(config.groups):
                if groups >> g & 1:
                    for k in range(group):
                        place = *divmod(row, pieces), g * group + k
                        assert place not in written, f"Row and lane must be written once, not twice, {place}"
                        written[place] = data >> width * k & 2 ** width - 1

    operations = channels * (size[0] + block[0]) * (size[1] + block[1]) * config.groups
    simulate(dut, feed, background=[watch],
             timeout=200 + 4 * len(rows) * config.drain_cycles + 4 * operations * pieces)
    expected = expected_rows(config, values, block, pads, size, base)
    assert written == {(row, n, lane): value >> width * n & 2 ** width - 1
                       for (row, lane), value in expected.items() for n in range(pieces)}


# Block, pads (top, left) and window of the next layer.
SHAPES = {
    "same 3x3": ((2, 2), (1, 1), (4, 4)),
    "1x1": ((3, 2), (0, 0), (3, 2)),
    "one pixel a cell": ((1, 1), (1, 1), (3, 3)),
    "pads wider than a block": ((2, 1), (5, 3), (7, 6)),
    "pads wider than the grid": ((1, 1), (6, 5), (8, 7)),
    "stride leaves rows out": ((4, 2), (0, 0), (3, 1)),     # stride 2: (4/2 - 1) * 2 + 1
    "stride with pad": ((4, 4), (1, 1), (5, 5)),
    "no rows but one": ((3, 3), (2, 2), (1, 1)),
    "long and flat": ((1, 4), (0, 2), (1, 8)),
}


@pytest.mark.parametrize("name", ["tiny", "icebreaker", "batch1"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_windows(name, shape):
    run(CONFIGS[name], *shape, seed=len(name))


@pytest.mark.parametrize("name", ["16 bits", "serial", "serial 16 bits"])
def test_windows_of_wide_activations_and_bit_rows(name):
    run(CONFIGS[name], *SHAPES["same 3x3"], seed=3)
    run(CONFIGS[name], *SHAPES["stride leaves rows out"], seed=4, p=1)


def test_windows_of_64_lanes():
    run(CONFIGS["default"], (2, 2), (1, 1), (4, 4), seed=1, channels=1)


@pytest.mark.parametrize("seed", range(8))
def test_random_windows(seed):
    rng = random.Random(seed)
    config = CONFIGS[rng.choice(["tiny", "icebreaker", "batch1"])]
    block = tuple(rng.randint(1, 4) for _ in range(2))
    strides = [rng.choice([s for s in (1, 2, 3) if t % s == 0]) for t in block]
    size = tuple((t // s - 1) * s + rng.randint(1, 5) for t, s in zip(block, strides, strict=True))
    pads = tuple(rng.randint(0, 4) for _ in range(2))
    run(config, block, pads, size, seed, channels=rng.randint(1, 3), base=rng.randrange(5),
        p=rng.choice([1, 0.5]))


@pytest.mark.parametrize("filters, group_size, channels",
                         [(2, 2, 5), (4, 4, 4), (4, 2, 3), (4, 1, 3), (8, 8, 3)])
def test_groups_of_filters(filters, group_size, channels):
    run(CONFIGS["tiny"], *SHAPES["same 3x3"], seed=channels, channels=channels, filters=filters,
        group_size=group_size)
