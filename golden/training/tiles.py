"""Tiles of the products' operands: integers rounded to 2, 4, 6 or 8 bits, tile by tile."""

import numpy as np

from .arithmetic import bit_length, shift_round
from .config import RANDOM_BITS

__all__ = ["WIDTHS", "as_tiles", "kernel_shape", "magnitude_bits", "round_tiles", "tile_bits", "tile_sums"]

WIDTHS = (2, 4, 6, 8)


def kernel_shape(network, node):
    """(filters, channels, rows, columns) of the weight of ``node``, a Conv or Gemm of ``network``.

    A Gemm (M, K) that reads a Flatten of a map (C, H, W) is a convolution with a kernel of the map's size:
    (M, C, H, W). Another one has the kernel (M, K, 1, 1).
    """
    shape = network.arrays[node.inputs[1]].shape
    if node.op_type == "Conv":
        return shape
    source = node.sources[0]
    flattened = {other.outputs[0]: other.sources[0] for other in network.nodes if other.op_type == "Flatten"}
    while source in flattened:
        source = flattened[source]
    return (shape[0], *network.shapes[source], 1, 1)[:4]


def as_tiles(integers, block, weight=False):
    """``integers`` as (rows of tiles, block, P, columns of tiles, block), zeros at the ends; int64.

    A tile is ``block`` channels by ``block`` images at one pixel of (C, H, W, N) or (C, N); of a ``weight``
    (M, C, R, S) or (M, K), ``block`` filters by ``block`` inputs at one tap. So whichever axis a product sums
    over, a run of ``block`` terms lies in one tile.
    """
    shape = integers.shape
    if weight and len(shape) == 4:
        integers = integers.transpose(0, 2, 3, 1)
    flat = integers.reshape(len(integers), -1, integers.shape[-1])
    rows, columns = (-size % block for size in (len(flat), flat.shape[2]))
    flat = np.pad(flat, ((0, rows), (0, 0), (0, columns)))
    return flat.reshape(len(flat) // block, block, flat.shape[1], flat.shape[2] // block, block)


def _from_tiles(tiles, shape, weight):
    flat = tiles.reshape(tiles.shape[0] * tiles.shape[1], tiles.shape[2], -1)
    if weight and len(shape) == 4:
        filters, channels, rows, columns = shape
        return flat[:filters, :, :channels].reshape(filters, rows, columns, channels).transpose(0, 3, 1, 2)
    return flat[:shape[0], :, :shape[-1]].reshape(shape)


def magnitude_bits(widths, signed):
    """Bits of the magnitude of numbers of ``widths`` bits."""
    return widths - 1 if signed else widths


def tile_bits(tiles):
    """Bit length of the greatest magnitude of each tile, (rows, P, columns)."""
    return bit_length(np.abs(tiles).max(axis=(1, 4)))


def tile_sums(tiles):
    """Sum of the magnitudes of each tile, (rows, P, columns)."""
    return np.abs(tiles).sum(axis=(1, 4))


def round_tiles(integers, widths, block, *, signed=True, weight=False, random=None):
    """``integers`` in as many bits as their tiles have, of the same shape; and the tiles' bit lengths.

        d = max(0, bit length of the tile's greatest magnitude - B),   B = width - 1, or width if unsigned
        sign(v) * min( round(|v| / 2^d), 2^B - 1 ) * 2^d

    d is one number for a tile, by which sums of products with it are shifted once. A tile whose numbers have
    at most B bits loses nothing. ``widths`` broadcasts to (rows, P, columns) of `as_tiles`.

    With ``random``, integers 0 .. 65535 of the shape of ``integers``, what |v| / 2^d is rounded to is

        floor(y) + [ first 16 bits of y's fraction > random ],    y = |v| / 2^d

    the mean of which is y for uniform numbers, as d is at most 16.
    """
    tiles = as_tiles(integers, block, weight)
    lengths = tile_bits(tiles)
    bits = np.broadcast_to(magnitude_bits(widths, signed), lengths.shape)
    drop = np.maximum(lengths - bits, 0)[:, None, :, :, None]
    most = (np.int64(1) << bits)[:, None, :, :, None] - 1
    if random is None:
        rounded = shift_round(np.abs(tiles), drop)
    else:
        chance = (1 << RANDOM_BITS) - 1 - as_tiles(random, block, weight)
        rounded = (np.abs(tiles) << RANDOM_BITS >> drop) + chance >> RANDOM_BITS
    rounded = np.minimum(rounded, most) << drop
    return _from_tiles(np.where(tiles < 0, -rounded, rounded), integers.shape, weight), lengths
