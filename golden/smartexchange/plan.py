"""Where a network's layers stand: blocks, windows, row memory, and how windows are walked."""

from dataclasses import dataclass, replace

import numpy as np

from ..common.blocks import Placement, place_blocks, stack_windows
from ..common.check import require
from .channels import padded_channels
from .layers import ConvLayer
from .runs import Runs, conv_runs, vector_runs

__all__ = ["LayerPlan", "plan_layers"]


@dataclass(frozen=True, kw_only=True)
class LayerPlan(Placement):
    """Placement of one layer; a fully connected one's window is the whole map before it, as one pixel."""

    input_columns: int            #: of the map that the layer reads
    runs: Runs | None = None

    def offsets(self, layer):
        """Rows from a position to those of the rows of coefficients, int64 (rows,)."""
        if not isinstance(layer, ConvLayer):
            return layer.taps * np.arange(layer.rows)
        channel, row = np.divmod(np.arange(layer.rows), layer.kernel_rows)
        return row * self.window[1] * self.channels + channel

    def strides(self, layer):
        """Descriptor fields of a position but for those of the runs."""
        if not layer.convolution:
            return dict(index_m_stride=0, index_i_stride=0, index_pi_stride=0)
        row = layer.stride[0] * self.window[1] * self.channels
        return dict(index_m_stride=int(getattr(layer, "depthwise", False)), index_pi_stride=row,
                    index_i_stride=layer.pool_stride[0] * row)


def _dense_plans(layers, shape, block):
    """LayerPlans of fully connected layers behind activations of ``shape`` in blocks of ``block``."""
    plans = []
    for layer in layers:
        channels, *size = shape
        size = tuple(size) or (1, 1)
        channels = padded_channels(channels, size[0] * size[1], layer.taps)
        plans.append(LayerPlan(input_block=tuple(block), block=(1, 1), window=size, corner=(0, 0),
                               size=(1, 1), pooled=(1, 1), channels=channels, input_columns=size[1]))
        shape, block = (layer.filters,), (1, 1)
    return plans


def _with_runs(layer, plan, config):
    """``plan`` with runs; columns that they leave out are no part of the window."""
    runs = conv_runs(layer, plan) if isinstance(layer, ConvLayer) else vector_runs(layer, plan)
    pooled = layer.convolution and layer.pool[0] > 1 and not config.rebuild
    require(not pooled or plan.block[1] <= config.pool_columns,
            f"Output of layer '{layer.name}', pooled over several rows, must have at most "
            f"{config.pool_columns} columns a grid cell, as pool_columns says, not {plan.block[1]}")
    (top, left), (rows, columns) = plan.corner, plan.window
    return replace(plan, runs=runs, corner=(top, left - runs.skip),
                   window=(rows, columns - runs.skip - runs.right))


def plan_layers(layers, input_shape, shapes, config):
    """A list of LayerPlan; ``shapes`` are those behind the layers, which the check accepted.

    Raises EncodeError where a layer cannot be walked, windows exceed the row memory, or a block its fields.
    """
    convs = [layer for layer in layers if layer.convolution]
    plans, block, shape = [], (1, 1), tuple(input_shape)
    if convs:
        maps = [shape, *shapes]
        plans = [LayerPlan(**vars(placement), input_columns=maps[n][2])
                 for n, placement in enumerate(place_blocks(convs, shape, config))]
        block, shape = plans[-1].block, shapes[len(convs) - 1]
    plans += _dense_plans(layers[len(convs):], shape, block)
    plans = [_with_runs(layer, plan, config) for layer, plan in zip(layers, plans, strict=True)]
    return stack_windows(layers, plans, config.row_depth)
