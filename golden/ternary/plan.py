"""Where a network's convolutions stand: blocks, windows and row memory."""

from dataclasses import dataclass

import numpy as np

from .check import EncodeError, conv_shape

__all__ = ["ConvPlan", "plan_convolutions", "alternate"]


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


def alternate(sizes, depth, align=1):
    """First addresses of regions of which two neighbors live at the same time: by turns from either end of the memory.

    Returns None where two neighbors need more than ``depth``. ``sizes`` are multiples of ``align``, as is ``depth``.
    """
    sizes = [-(-size // align) * align for size in sizes]
    if any(a + b > depth for a, b in zip(sizes, sizes[1:] + [0], strict=True)):
        return None
    return [depth - size if n % 2 else 0 for n, size in enumerate(sizes)]


def _blocks(layers, maps, grid):
    """Block of each map, the input's first; the last one is the smallest with which all cover their maps."""
    steps = [tuple(a * b for a, b in zip(layer.stride, layer.pool_stride, strict=True)) for layer in layers]
    factors = [(1, 1)]
    for step in reversed(steps):
        factors.insert(0, (factors[0][0] * step[0], factors[0][1] * step[1]))
    last = [max(-(-size[axis] // (grid[axis] * factor[axis])) for size, factor in zip(maps, factors, strict=True))
            for axis in (0, 1)]
    return [(last[0] * rows, last[1] * columns) for rows, columns in factors]


def _segments(kernel, columns, channels, lanes):
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
    sizes, pooled = [], []
    for layer in layers:
        size, out = conv_shape(layer, shape)
        shape = (len(layer.weights), *out)
        sizes.append(size)
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
        window = tuple(((block[a] - 1) * layer.pool_stride[a] + layer.pool[a] - 1) * layer.stride[a] + kernel[a]
                       for a in (0, 1))
        rows, segments, words = _segments(kernel, window[1], channels, config.lanes)
        plans.append(ConvPlan(input_block=blocks[n], block=block, window=window, size=sizes[n], pooled=pooled[n],
                              channels=channels, kernel_rows=rows, segments=segments, words=words))
        channels = len(layer.weights)
    bases = alternate([plan.rows for plan in plans], config.row_depth)
    if bases is None:
        pairs = [plan.rows + (plans[n + 1].rows if n + 1 < len(plans) else 0) for n, plan in enumerate(plans)]
        worst = int(np.argmax(pairs))
        names = " and ".join(f"'{layer.name}' {plan.rows}"
                             for layer, plan in list(zip(layers, plans, strict=True))[worst:worst + 2])
        raise EncodeError(f"Row memory must have {pairs[worst]} rows (windows of layers {names}), not {config.row_depth}")
    return [ConvPlan(**{**vars(plan), "base": base}) for plan, base in zip(plans, bases, strict=True)]
