"""The training engine's packer, and the passes of its update and input units."""

import numpy as np

from .arithmetic import bit_length, shift_round
from .config import RANDOM_BITS
from .engine_config import MOST_PLANES, PLANE_BITS
from .quantize import Scaled
from .registers import Update
from .tiles import magnitude_bits
from .update import Parameter

__all__ = ["pack", "run_input", "run_update"]


def pack(machine, p, vectors, share, *, signed, to, errors=False):
    """Writes tiles to the memories ``to``, [(memory, first slot)], in their map entries' planes.

    ``vectors`` is (tiles, 2, B, S): half, column, lane. ``share`` tiles one behind the other have one map
    entry. Only ``errors`` may be ``wide``, and are rounded at random if they are not. Raises ValueError where
    others would be ``wide``.
    """
    if p.wide & 1 and not errors:
        raise ValueError("register wide must be 0 in a pass that packs weights or activations, not 1")
    wide = p.wide & 1
    tiles = _tiles(vectors)
    number = np.arange(len(tiles))
    entries = p.map_base + number // share
    lengths = bit_length(np.abs(tiles).max(axis=(1, 2)))
    machine.lengths[entries] = 0
    np.maximum.at(machine.lengths, entries, lengths)
    planes = np.full(len(tiles), MOST_PLANES) if wide else machine.maps[entries] + 1
    bits = magnitude_bits(PLANE_BITS * planes, signed)
    drops = np.zeros_like(lengths) if wide else np.maximum(lengths - bits, 0)
    most = (np.int64(1) << bits)[:, None, None] - 1
    magnitudes, shifts = np.abs(tiles), drops[:, None, None]
    if errors and not wide:
        random = machine.random.numbers(vectors[..., 0].size).reshape(vectors.shape)
        fixed = magnitudes << RANDOM_BITS >> shifts
        rounded = (fixed >> RANDOM_BITS) + (fixed & (1 << RANDOM_BITS) - 1 > _tiles(random))
    else:
        rounded = shift_round(magnitudes, shifts)
    rounded = np.minimum(rounded, most)
    for memory, base in to:
        memory.write(base + number * (1 + wide), np.where(tiles < 0, -rounded, rounded), planes, drops)


def _tiles(vectors):
    """Tiles (tiles, B, B) of vectors."""
    return vectors.transpose(0, 1, 3, 2).reshape(len(vectors), vectors.shape[2], -1)


def _constant(gradients, shift, levels, random):
    """CQ with the tensor's scale in ``shift``, as `quantize.constant` with it found."""
    magnitude = np.abs(gradients)
    if shift < 0:       # From 2 ** 23 on all are levels - 1, so nothing is lost, and no shift wraps.
        magnitude = np.minimum(magnitude, 1 << 23)
    fixed = magnitude >> min(max(shift, 0), 63) << min(max(-shift, 0), 39)
    up = fixed & (1 << RANDOM_BITS) - 1 > random
    rounded = np.minimum((fixed >> RANDOM_BITS) + up, levels - 1)
    return np.where(gradients < 0, -rounded, rounded)


def run_update(machine, p):
    """One pass with pass registers ``p``; (mode, cycles): a cycle a vector, STEP S / L (`update_lanes`)."""
    mode, block, side = Update(p.update_mode & 1), machine.config.block, machine.config.side
    cycles = p.tiles * 2 * block
    span = slice(p.weight_base, p.weight_base + p.tiles * 2 * block)
    parameter = Parameter(machine.stored[span], machine.accumulators[span])
    if mode == Update.STEP:
        random = machine.random.numbers(p.tiles * 2 * block)
        gradient = _constant(machine.gradients[span], p.gradient_shift, p.levels, random)
        parameter.step(Scaled(gradient, 0), p.rate, p.momentum)
        machine.stored[span], machine.accumulators[span] = parameter.master, parameter.accumulator
        cycles *= side // machine.config.update_lanes
    else:
        pack(machine, p, parameter.rounded.reshape(p.tiles, 2, block, side), 1, signed=True,
             to=[(machine.left, p.left_base)])
    return mode, cycles


def run_input(machine, p):
    """One pass with pass registers ``p``; (0, cycles): a cycle a vector."""
    block, side = machine.config.block, machine.config.side
    tiles = p.pixels * p.groups
    counts = min(p.channels, side), max(p.channels - side, 0)
    size = tiles * block * p.channels
    words = np.array([machine.take() for _ in range(-(-size // 4))], "<u4")
    values = words.view(np.uint8)[:size].astype(np.int64).reshape(tiles, -1)
    vectors, at = np.zeros((tiles, 2, block, side), np.int64), 0
    for half, count in enumerate(counts):
        part = values[:, at:at + block * count]
        vectors[:, half, :, :count] = part.reshape(tiles, block, count)
        at += block * count
    pack(machine, p, vectors, p.groups, signed=False, to=[(machine.right, p.right_base)])
    return 0, tiles * 2 * block
