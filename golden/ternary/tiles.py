"""A convolution too large for an engine's memories, cut into tiles of filters and of activations.

An engine's lane here is what a column is in FAT's img2col: it belongs to no place of a grid, but to any block
of any image's output map, and holds the window of input pixels that its block needs, halo and padding
included. So all lanes of all arrays are used, whatever the size of map and batch.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..common.activations import input_range
from ..common.check import EncodeError, conv_shape
from .check import check_network
from .config import TernaryConfig
from .layers import ConvLayer, TernaryNetwork
from .plan import ConvPlan, segments_of

__all__ = ["PARAM_BASE", "Convolution", "Tiling", "tilings"]

PARAM_BASE = 33    #: table address of the scales: behind INPUT, CONV and the first word of END


@dataclass(frozen=True, eq=False)
class Convolution:
    """``layer`` on ``images`` inputs of ``shape`` (C, H, W), on an engine of ``config``.

    Raises EncodeError where the engine does not compute the layer exactly, and ValueError for a bit-serial
    engine or less than one image.
    """

    layer: ConvLayer
    shape: tuple[int, int, int]
    images: int
    config: TernaryConfig

    def __post_init__(self):
        if self.config.bit_serial:
            raise ValueError("bit_serial must be False for a mapping of layers, not True")
        if self.images < 1:
            raise ValueError(f"Images must be at least 1, not {self.images}")
        check_network(TernaryNetwork(input_shape=self.shape, input_scale=1.0, output_scale=1.0,
                                     layers=(self.layer,), input_bits=self.config.activation_width),
                      self.config)

    @property
    def bounds(self):
        """Least and greatest activation that the layer reads."""
        return input_range(self.layer.input_signed, self.config.activation_width)

    @cached_property
    def size(self):
        """Rows and columns of the output map."""
        return conv_shape(self.layer, self.shape)[1]

    def filters(self, span):
        """The layer of some filters alone, as its tiles compute it: windows hold no pixel that no tap reads.

        Its stride is min(stride, kernel), and the padding stands in the windows.
        """
        layer = self.layer
        step = tuple(map(min, layer.stride, layer.weights.shape[2:]))
        return replace(layer, weights=layer.weights[span], bias=layer.bias[span], scale=layer.scale[span],
                       shift=layer.shift[span], stride=step, pads=(0, 0, 0, 0))

    def plan(self, block):
        """ConvPlan of lanes that compute blocks of ``block`` = (Ti, Tj) outputs each."""
        layer, config = self.layer, self.config
        grid = config.grid_rows, config.grid_columns
        window = tuple(len(self.pixels(block, axis)) for axis in (0, 1))
        rows, segments, words = segments_of(
            layer.weights.shape[2:], window[1], self.shape[0], config.lanes)
        covered = grid[0] * block[0], grid[1] * block[1]
        return ConvPlan(input_block=window, block=block, window=window, corner=(0, 0), size=covered,
                        pooled=covered, channels=self.shape[0], kernel_rows=rows, segments=segments,
                        words=words)

    def pixels(self, block, axis):
        """Rows (axis 0) or columns of the padded input that a block reads, from its first one on."""
        layer = self.layer
        positions = np.arange((block[axis] - 1) * layer.pool_stride[axis] + layer.pool[axis])
        return np.unique(positions[:, None] * layer.stride[axis] + np.arange(layer.weights.shape[2 + axis]))


@dataclass(frozen=True, eq=False, kw_only=True)
class Tiling:
    """How a convolution is cut.

    A *filter tile* is what weight memory and table hold at once. A *window set* is a window for each lane of
    all arrays; an *activation tile* is ``windows`` such sets, side by side in the row memory.
    """

    work: Convolution
    plan: ConvPlan           #: of one window set, its base 0
    filters: int             #: of a filter tile; the last one may have fewer
    windows: int             #: window sets of an activation tile; the last one may have fewer

    @property
    def blocks(self):
        """Blocks that cover a map, (rows, columns)."""
        return tuple(-(-n // b) for n, b in zip(self.work.size, self.plan.block, strict=True))

    @property
    def window_sets(self):
        """Window sets of all images."""
        return -(-self.work.images * int(np.prod(self.blocks)) // self.work.config.all_lanes)

    @property
    def tiles(self):
        """Activation tiles."""
        return -(-self.window_sets // self.windows)

    @property
    def filter_tiles(self):
        """Filter tiles."""
        return -(-len(self.work.layer.weights) // self.filters)

    def span(self, filter_tile):
        """Filters of a tile, a slice."""
        first = filter_tile * self.filters
        return slice(first, min(first + self.filters, len(self.work.layer.weights)))

    def pack(self, x):
        """Input beats of all window sets, (window sets, beats, drain_width), for ``x`` (images, C, H, W)."""
        work, config, plan = self.work, self.work.config, self.plan
        x, (low, high) = np.asarray(x), work.bounds
        if x.shape != (work.images, *work.shape) or x.dtype.kind not in "iu":
            raise ValueError(f"Input must be integers of shape {(work.images, *work.shape)}, "
                             f"not {x.dtype} of shape {x.shape}")
        if x.min() < low or x.max() > high:
            raise ValueError(f"Input must be within {low} .. {high}, not {x.min()} .. {x.max()}")
        at = []
        for axis in (0, 1):
            step = plan.block[axis] * work.layer.pool_stride[axis] * work.layer.stride[axis]
            at.append(np.arange(self.blocks[axis])[:, None] * step + work.pixels(plan.block, axis))
        (top, left), (height, width) = work.layer.pads[:2], work.shape[1:]
        padded = np.zeros((*x.shape[:2], max(at[0].max() + 1, top + height),
                           max(at[1].max() + 1, left + width)), f"u{config.activation_width // 8}")
        padded[:, :, top:top + height, left:left + width] = x & (1 << config.activation_width) - 1
        windows = padded[:, :, at[0][:, None, :, None], at[1][None, :, None, :]]
        flat = np.moveaxis(windows, 1, 3).reshape(-1, *windows.shape[1:2], *plan.window)
        lanes = np.zeros((self.window_sets * config.all_lanes, *flat.shape[1:]), padded.dtype)
        lanes[:len(flat)] = flat
        lanes = np.moveaxis(lanes.reshape(self.window_sets, config.all_lanes, *flat.shape[1:]), 1, -1)
        return lanes.reshape(self.window_sets, -1, config.drain_width)

    def unpack(self, values):
        """Outputs (images, M, rows, columns) for the stream's values of each window set and all its filters.

        ``values``, int16 (window sets, n), has the filter tiles' streams one behind the other.
        """
        work, config, (ti, tj) = self.work, self.work.config, self.plan.block
        count, (height, width) = len(work.layer.weights), work.size
        # A vector of each array by turns.
        y = np.asarray(values, np.int64).reshape(
            self.window_sets, count, ti, tj, config.drain_cycles, config.arrays, config.drain_width)
        y = y.transpose(0, 5, 4, 6, 1, 2, 3).reshape(-1, count, ti, tj)
        y = y[:work.images * int(np.prod(self.blocks))].reshape(work.images, *self.blocks, count, ti, tj)
        y = y.transpose(0, 3, 1, 4, 2, 5).reshape(work.images, count, self.blocks[0] * ti, -1)
        return np.ascontiguousarray(y[:, :, :height, :width])


def _limits(plan, work):
    """(what, unit, needed, available) of whatever a window set and a filter need."""
    config, counts, pool = work.config, work.config.count_bits, work.layer.pool
    yield "Row memory", "rows", plan.rows, min(config.row_depth, 65535)
    yield "Weight memory", "words", plan.segments * plan.words, config.weight_depth
    yield "Table", "words", PARAM_BASE + 1, config.table_depth
    for what, unit, needed, name in (
            ("Counter m_count", "channels", plan.channels, "m_count"),
            ("Counter i_count", "rows of a window", plan.window[0], "i_count"),
            ("Counter j_count", "columns of a window", plan.window[1], "j_count"),
            ("Counter segments", "segments", plan.segments, "segments"),
            ("Counter words", "words of a segment", plan.words, "words"),
            ("Counter pi_count", "rows of a pooling window", pool[0], "pi_count"),
            ("Counter pj_count", "columns of a pooling window", pool[1], "pj_count")):
        yield what, unit, needed, (1 << counts[name]) - 1


def _cuts(size):
    """Sizes of a block along an axis: for each number of blocks the smallest one that covers it."""
    return sorted({-(-size // blocks) for blocks in range(1, size + 1)})


def tilings(work):
    """All Tilings of a Convolution that are worth a look: whatever block fits, with the largest filter tiles.

    Activation tiles are one window set, or as many as the row memory holds. Raises EncodeError where not even
    one position of one filter fits the engine.
    """
    config, count = work.config, len(work.layer.weights)
    for what, unit, needed, available in _limits(work.plan((1, 1)), work):
        if needed > available:
            raise EncodeError(f"{what} must have {needed} {unit} for one position of one filter of layer "
                              f"'{work.layer.name}', not {available}")
    found = []
    for block in ((ti, tj) for ti in _cuts(work.size[0]) for tj in _cuts(work.size[1])):
        plan = work.plan(block)
        if any(needed > available for *_, needed, available in _limits(plan, work)):
            continue
        most = min(count, config.weight_depth // (plan.segments * plan.words),
                   config.table_depth - PARAM_BASE, (1 << config.count_bits["m_count"]) - 1)
        filters = -(-count // -(-count // most))
        one = Tiling(work=work, plan=plan, filters=filters, windows=1)
        held = min(config.row_depth // plan.rows, one.window_sets)
        even = -(-one.window_sets // -(-one.window_sets // held))
        found += [replace(one, windows=windows) for windows in sorted({1, even})]
    return found
