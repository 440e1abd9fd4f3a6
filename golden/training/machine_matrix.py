"""Passes of the training engine's matrix unit: products of tiles."""

import numpy as np

from .arithmetic import saturate, wrap
from .config import FRACTION, PRODUCT_FRACTION, WIDE_BITS
from .engine_config import SUM_BITS
from .registers import Matrix, Slot

__all__ = ["run_matrix", "tile_pairs"]

_CHUNK = 1 << 13        # tile products at once


def tile_pairs(mode, p):
    """(left, right, valid), each (outputs, pairs): tiles that meet, in the order of the unit's loops.

    ``p`` are the pass registers; numbers of tiles count from the bases. An output is a tile, both halves of
    its right side; docs/engines/training-machine.md, "Matrix unit".
    """
    oy, ox = (np.arange(size) for size in (p.out_height, p.out_width))
    iy, ix = (np.arange(size) for size in (p.height, p.width))
    g, b = np.arange(p.groups), np.arange(p.blocks)
    r, s = (np.arange(size) for size in (p.kernel_height, p.kernel_width))
    if mode == Matrix.FORWARD:
        oy, ox, g, b, r, s = outer = np.ix_(oy, ox, g, b, r, s)
    elif mode == Matrix.INPUT:
        iy, ix, g, b, r, s = outer = np.ix_(iy, ix, g, b, r, s)
    else:
        b, r, s, oy, ox, g = outer = np.ix_(b, r, s, oy, ox, g)
    if mode == Matrix.INPUT:
        up, left = iy + p.pad_top - r, ix + p.pad_left - s
        oy, ox = up // p.stride, left // p.stride
        valid = (up % p.stride == 0) & (left % p.stride == 0)
        valid = valid & (oy >= 0) & (oy < p.out_height) & (ox >= 0) & (ox < p.out_width)
    else:
        iy, ix = oy * p.stride + r - p.pad_top, ox * p.stride + s - p.pad_left
        valid = (iy >= 0) & (iy < p.height) & (ix >= 0) & (ix < p.width)
    weight = b * p.left_stride + r * p.kernel_width + s
    activation = b * p.right_stride + (iy * p.width + ix) * p.groups + g
    error = (oy * p.out_width + ox) * p.groups + g
    found = {Matrix.FORWARD: (weight, activation), Matrix.INPUT: (weight, b * p.right_stride + error),
             Matrix.WEIGHT: (error, activation)}[mode]
    shape = np.broadcast_shapes(*(part.shape for part in outer))
    outputs = int(np.prod(shape[:3]))
    return [np.broadcast_to(part, shape).reshape(outputs, -1) for part in (*found, valid)]


def _operand(memory, slots, signed):
    """Tiles (each once), planes and drops at ``slots``, and which of them each is."""
    unique, inverse = np.unique(slots, return_inverse=True)
    tiles, planes, drops = memory.read(unique, signed)
    return tiles.astype(np.float64), planes[inverse], drops[inverse], inverse


def _sums(machine, mode, p, half, left, right, valid):
    """Sums (outputs, B, S) of 40 bits, vectors of the columns, and cycles: of some of the outputs.

    Digits of up to 8 planes: a product of tiles is less than 2 ** 16 * 2 ** 16 * B, exact in floating point.
    """
    side, counts = machine.config.side, valid.sum(axis=1)
    wide = 1 + bool(p.wide & 1)
    slots_left = p.left_base + left[valid] * (wide if mode == Matrix.WEIGHT else 1)
    slots_right = p.right_base + right[valid] * (wide if mode == Matrix.INPUT else 1)
    sums = np.zeros((len(counts), 2 * side, side), np.int64)
    if not len(slots_left):
        return sums, 0
    a, a_planes, a_drops, a_index = _operand(machine.left, slots_left, True)
    b, b_planes, b_drops, b_index = _operand(machine.right, slots_right, mode == Matrix.INPUT)
    span = slice(half * side, (half + 1) * side)
    a = a[:, :, span] if mode == Matrix.INPUT else a[:, span].transpose(0, 2, 1)    # (n, summed over, S)
    b = b if mode == Matrix.WEIGHT else b.transpose(0, 2, 1)                        # (n, B, summed over)
    products = np.matmul(b[b_index], a[a_index]).astype(np.int64) << (a_drops + b_drops)[:, None, None]
    some = counts > 0
    sums[some] = np.add.reduceat(products, (np.cumsum(counts) - counts)[some], axis=0)
    return wrap(sums, SUM_BITS), int(2 * (a_planes * b_planes).sum())


def run_matrix(machine, p):
    """One pass with pass registers ``p``; (mode, cycles): planes times planes of each half of a product."""
    mode, half = Matrix(p.matrix_mode & 3), p.matrix_mode >> 2 & 1
    left, right, valid = tile_pairs(mode, p)
    step = max(_CHUNK // max(left.shape[1], 1), 1)
    parts = [_sums(machine, mode, p, half, *(part[at:at + step] for part in (left, right, valid)))
             for at in range(0, len(left), step)]
    sums, cycles = np.concatenate([part for part, _ in parts]), sum(count for _, count in parts)
    block, side = machine.config.block, machine.config.side
    span = np.arange(len(sums))[:, None] * block * (2 if mode == Matrix.WEIGHT else 1) + np.arange(block)
    span += p.out_base
    if mode == Matrix.FORWARD:
        z = saturate(sums + (machine.parameters[Slot.BIAS, 0] << PRODUCT_FRACTION - FRACTION), WIDE_BITS)
        machine.z[span] = z
        flat = z.reshape(-1, side)
        machine.matrix_sums[:2] = flat.sum(axis=0), (flat * flat).sum(axis=0)
        return mode, cycles
    magnitude = np.abs(sums)
    (machine.errors if mode == Matrix.INPUT else machine.gradients)[span] = sums
    most = machine.matrix_sums[2] if p.keep_most & 1 else 0
    machine.matrix_sums[2] = np.maximum(magnitude.reshape(-1, side).max(axis=0), most)
    tiles = magnitude.sum(axis=(1, 2)).reshape(-1, p.groups if mode == Matrix.INPUT else 1).sum(axis=1)
    machine.sums[p.sums_base + np.arange(len(tiles))] = tiles
    return mode, cycles
