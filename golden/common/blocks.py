"""Where maps stand: a block of pixels for each grid cell, windows of them in the row memory."""

from dataclasses import dataclass, replace

from .check import EncodeError, conv_shape
from .descriptor import Destination

__all__ = ["Placement", "alternate", "place_blocks", "stack_windows", "together"]


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Placement of one convolution; pairs are (rows, columns)."""

    input_block: tuple[int, int]  #: pixels of the input map that a grid cell holds
    block: tuple[int, int]        #: Ti, Tj: pixels of the pooled map
    window: tuple[int, int]       #: U, V: input pixels that a block needs
    corner: tuple[int, int]       #: rows and columns of the window before pixel (0, 0) of a block
    size: tuple[int, int]         #: the map before pooling
    pooled: tuple[int, int]       #: the map after pooling
    channels: int                 #: of the input
    base: int = 0                 #: first row of the window in the row memory

    @property
    def rows(self):
        """Rows of the window in the row memory."""
        return self.window[0] * self.window[1] * self.channels

    @property
    def written(self):
        """Descriptor fields for whoever writes the window; the writer's block is the input block."""
        (ti, tj), (top, left), out_u_row = self.input_block, self.corner, self.window[1] * self.channels
        return dict(destination=Destination.ROWS, out_base=self.base, out_v_row=self.channels,
                    out_u_row=out_u_row, out_u_count=self.window[0], out_v_count=self.window[1],
                    out_u_step=ti * out_u_row, out_v_step=tj * self.channels, out_u_first=top % ti,
                    out_v_first=left % tj, out_a_first=top // ti, out_c_first=left // tj)

    @property
    def inside(self):
        """Descriptor fields of the last pixel of the pooled map: its cell, and where it stands there."""
        (last_i, local_i), (last_j, local_j) = (divmod(size - 1, block) for size, block in
                                                zip(self.pooled, self.block, strict=True))
        return dict(i_last_cell=last_i, i_last_local=local_i, j_last_cell=last_j, j_last_local=local_j)


def alternate(sizes, depth):
    """First addresses of regions, placed by turns at either end of a memory of ``depth`` words.

    Region n and the next one live at the same time; they are apart if `together` gives at most ``depth``.
    """
    return [depth - size if n % 2 else 0 for n, size in enumerate(sizes)]


def together(sizes):
    """Size of each region and the next one."""
    return [sum(sizes[n:n + 2]) for n in range(len(sizes))]


def _blocks(layers, maps, grid):
    """Block of each map, the input's first; the last one is the smallest with which all cover their maps."""
    steps = [tuple(a * b for a, b in zip(layer.stride, layer.pool_stride, strict=True)) for layer in layers]
    factors = [(1, 1)]
    for step in reversed(steps):
        factors.insert(0, (factors[0][0] * step[0], factors[0][1] * step[1]))
    last = [max(-(-size[axis] // (grid[axis] * factor[axis]))
                for size, factor in zip(maps, factors, strict=True)) for axis in (0, 1)]
    return [(last[0] * rows, last[1] * columns) for rows, columns in factors]


def place_blocks(layers, input_shape, config):
    """A list of Placement, all from base 0, for convolutions that the check accepted.

    Raises EncodeError where a block exceeds its fields.
    """
    grid, shape = (config.grid_rows, config.grid_columns), tuple(input_shape)
    maps, pooled = [], []
    for layer in layers:
        size, out = conv_shape(layer, shape)
        shape = (layer.filters, *out)
        maps.append(size)
        pooled.append(out)
    blocks = _blocks(layers, [tuple(input_shape[1:]), *pooled], grid)
    placements = []
    for n, layer in enumerate(layers):
        block = blocks[n + 1]
        for axis, what in ((0, "rows"), (1, "columns")):
            if block[axis] > 256:
                raise EncodeError(f"Output of layer '{layer.name}' must have at most 256 {what} a grid cell, "
                                  f"not {block[axis]}")
        pooling = [(block[a] - 1) * layer.pool_stride[a] + layer.pool[a] for a in (0, 1)]
        placements.append(Placement(
            input_block=blocks[n], block=block, corner=tuple(layer.pads[:2]), size=maps[n], pooled=pooled[n],
            window=tuple((pooling[a] - 1) * layer.stride[a] + layer.kernel[a] for a in (0, 1)),
            channels=layer.channels))
    return placements


def stack_windows(layers, placements, depth):
    """``placements`` of ``layers`` with bases in a row memory of ``depth`` rows.

    Raises EncodeError where a window or two neighboring ones exceed it.
    """
    sizes = [placement.rows for placement in placements]
    needed = together(sizes)
    if max(needed) > depth:
        worst = needed.index(max(needed))
        names = " and ".join(f"'{layer.name}' {size}" for layer, size in
                             list(zip(layers, sizes, strict=True))[worst:worst + 2])
        raise EncodeError(f"Row memory must have {needed[worst]} rows (windows of layers {names}), "
                          f"not {depth}")
    return [replace(placement, base=base)
            for placement, base in zip(placements, alternate(sizes, depth), strict=True)]
