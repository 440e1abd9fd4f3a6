"""The matrix unit's loops against loops over all of them."""

import itertools

import pytest
from shiftwork.golden.training.registers import Matrix
from shiftwork.hw.training.tile_walk import TileWalk

from .kit import monitor, simulate, sink

LAYERS = {
    "plain": dict(height=4, width=3, kernel=(3, 3), stride=1, pad=1),
    "strided": dict(height=5, width=6, kernel=(3, 2), stride=2, pad=1),
    "far": dict(height=9, width=4, kernel=(2, 2), stride=4, pad=0),
    "whole map": dict(height=3, width=2, kernel=(3, 2), stride=1, pad=0),
    "no pair": dict(height=2, width=2, kernel=(1, 1), stride=2, pad=2),
}


def registers_of(layer, mode, groups, blocks, wide):
    """Pass registers; bases and strides are numbers that no other one is."""
    (rows, columns), pad = layer["kernel"], layer["pad"]
    out = [(size + 2 * pad - tap) // layer["stride"] + 1
           for size, tap in ((layer["height"], rows), (layer["width"], columns))]
    return dict(matrix_mode=mode, groups=groups, blocks=blocks, height=layer["height"], width=layer["width"],
                out_height=out[0], out_width=out[1], kernel_height=rows, kernel_width=columns,
                stride=layer["stride"], pad_top=pad, pad_left=pad, left_base=1000, right_base=3000,
                left_stride=71, right_stride=137, wide=wide)


def pairs(r, mode):
    """All pairs, as the page says."""
    ranges = {name: range(r[name]) for name in ("out_height", "out_width", "height", "width", "groups",
                                                "blocks", "kernel_height", "kernel_width")}
    pixels = ("height", "width") if mode == Matrix.INPUT else ("out_height", "out_width")
    outer = (*pixels, "groups"), ("blocks", "kernel_height", "kernel_width")
    if mode == Matrix.WEIGHT:
        outer = outer[::-1]
    found = []
    for *out, j in itertools.product(*(ranges[name] for name in outer[0]), range(2)):
        met = []
        for inner in itertools.product(*(ranges[name] for name in outer[1])):
            (y, x, g), (block, tap_y, tap_x) = (inner, out) if mode == Matrix.WEIGHT else (out, inner)
            tap = tap_y * r["kernel_width"] + tap_x
            if mode == Matrix.INPUT:
                (oy, over), (ox, beside) = (divmod(v + r["pad_top"] - t, r["stride"])
                                            for v, t in ((y, tap_y), (x, tap_x)))
                if over or beside or oy not in ranges["out_height"] or ox not in ranges["out_width"]:
                    continue
                right = block * r["right_stride"] + (oy * r["out_width"] + ox) * r["groups"] + g
                left = block * r["left_stride"] + tap
                right <<= r["wide"]
            else:
                iy, ix = y * r["stride"] + tap_y - r["pad_top"], x * r["stride"] + tap_x - r["pad_top"]
                if iy not in ranges["height"] or ix not in ranges["width"]:
                    continue
                right = block * r["right_stride"] + (iy * r["width"] + ix) * r["groups"] + g
                left = block * r["left_stride"] + tap
                if mode == Matrix.WEIGHT:
                    left = (y * r["out_width"] + x) * r["groups"] + g << r["wide"]
            met.append((left + r["left_base"], right + r["right_base"]))
        found += [(*pair, j, n == 0, n == len(met) - 1, 0) for n, pair in enumerate(met)]
        if not met:
            found.append((None, None, j, 1, 1, 1))
    return found


def run(dut, registers, expected, p, seed, reset_at=None):
    async def start(ctx):
        for name, value in registers.items():
            ctx.set(dut.registers[name], value)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        assert ctx.get(dut.busy)
        while ctx.get(dut.busy):
            await ctx.tick()

    take = sink(dut.o, len(expected), p=p, seed=seed)
    simulate(dut, start, take, background=[monitor(dut.o)], timeout=100 + len(expected) * 60)
    names = ("left", "right", "right_half", "first", "last", "empty")
    found = [tuple(None if item["empty"] and name in names[:2] else item[name] for name in names)
             for item in take.items]
    assert found == expected


@pytest.mark.parametrize("mode", Matrix)
@pytest.mark.parametrize("name", LAYERS)
def test_pairs(name, mode):
    registers = registers_of(LAYERS[name], mode, groups=2, blocks=2, wide=name == "strided")
    expected = pairs(registers, mode)
    run(TileWalk(), registers, expected, p=1.0, seed=0)
    run(TileWalk(), registers, expected, p=0.4, seed=1)


def test_one_pair_a_cycle():
    """Nothing but the loops themselves takes time."""
    registers = registers_of(LAYERS["plain"], Matrix.FORWARD, groups=2, blocks=3, wide=0)
    looks, cycles = 4 * 3 * 2 * 2 * 3 * 9, 0
    dut = TileWalk()

    async def bench(ctx):
        nonlocal cycles
        for name, value in registers.items():
            ctx.set(dut.registers[name], value)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        while ctx.get(dut.busy):
            cycles += 1
            await ctx.tick()

    simulate(dut, bench, timeout=3 * looks)
    assert cycles <= looks + 13
