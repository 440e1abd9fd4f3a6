"""Where a network's convolutions stand: blocks, windows and row memory."""

from dataclasses import dataclass, replace

from .check import EncodeError, conv_shape

__all__ = ["ConvPlan", "plan_convolutions", "segments_of", "alternate", "together"]


@dataclass(frozen=True, kw_only=True)
class ConvPlan:
    """Placement of one convolution; pairs are (rows, columns)."""

    input_block: tuple[int, int]  #: pixels of the input map that a grid cell holds
    block: tuple[int, int]        #: Ti, Tj: pixels of the pooled map
    window: tuple[int, int]       #: U, V: input pixels that a block needs
    size: tuple[int, int]         #: the map before pooling
    pooled: tuple[int, int]       #: the map after pooling
    channels: int                 #: of the input
    kernel_rows: int              #: kernel rows that a segment of the bitmap spans
    segments: int
    words: int                    #: of a segment
    base: int = 0                 #: first row of the window in the row memory

    @property
    def rows(self):
        """Rows of the window in the row memory."""
        return self.window[0] * self.window[1] * self.channels


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


def segments_of(kernel, columns, channels, lanes):
    """Kernel rows a segment, segments and words, for the fewest words; of equals the fewest segments."""
    choices = []
    for rows in range(1, kernel[0] + 1):
        segments, words = -(-kernel[0] // rows), -(-((rows - 1) * columns + kernel[1]) * channels // lanes)
        choices.append((segments * words, segments, rows, words))
    _, segments, rows, words = min(choices)
    return rows, segments, words


def plan_convolutions(layers, input_shape, config):
    """A list of ConvPlan, for convolutions that `check_network` accepted.

    Raises EncodeError where a window or two neighboring ones exceed the row memory, or a block its fields.
    """
    grid, shape = (config.grid_rows, config.grid_columns), tuple(input_shape)
    maps, pooled = [], []
    for layer in layers:
        size, out = conv_shape(layer, shape)
        shape = (len(layer.weights), *out)
        maps.append(size)
        pooled.append(out)
    blocks = _blocks(layers, [tuple(input_shape[1:]), *pooled], grid)
    plans, channels = [], input_shape[0]
    for n, layer in enumerate(layers):
        block = blocks[n + 1]
        for axis, what in ((0, "rows"), (1, "columns")):
            if block[axis] > 256:
                raise EncodeError(f"Output of layer '{layer.name}' must have at most 256 {what} a grid cell, "
                                  f"not {block[axis]}")
        kernel = layer.weights.shape[2:]
        pooling = [(block[a] - 1) * layer.pool_stride[a] + layer.pool[a] for a in (0, 1)]
        window = tuple((pooling[a] - 1) * layer.stride[a] + kernel[a] for a in (0, 1))
        rows, segments, words = segments_of(kernel, window[1], channels, config.lanes)
        plans.append(ConvPlan(
            input_block=blocks[n], block=block, window=window, size=maps[n], pooled=pooled[n],
            channels=channels, kernel_rows=rows, segments=segments, words=words))
        channels = len(layer.weights)
    sizes = [plan.rows for plan in plans]
    needed = together(sizes)
    if max(needed) > config.row_depth:
        worst = needed.index(max(needed))
        names = " and ".join(f"'{layer.name}' {size}" for layer, size in
                             list(zip(layers, sizes, strict=True))[worst:worst + 2])
        raise EncodeError(f"Row memory must have {needed[worst]} rows (windows of layers {names}), "
                          f"not {config.row_depth}")
    return [replace(plan, base=base)
            for plan, base in zip(plans, alternate(sizes, config.row_depth), strict=True)]
