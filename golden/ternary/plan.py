"""Where a network's convolutions stand: blocks, windows, row memory, and segments of the bitmap."""

from dataclasses import dataclass

from ..common.blocks import Placement, place_blocks, stack_windows

__all__ = ["ConvPlan", "plan_convolutions", "segments_of"]


@dataclass(frozen=True, kw_only=True)
class ConvPlan(Placement):
    """Placement of one convolution, and the words of its bitmap."""

    kernel_rows: int              #: kernel rows that a segment of the bitmap spans
    segments: int
    words: int                    #: of a segment


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
    plans = []
    for layer, placement in zip(layers, place_blocks(layers, input_shape, config), strict=True):
        rows, segments, words = segments_of(layer.kernel, placement.window[1], layer.channels, config.lanes)
        plans.append(ConvPlan(**vars(placement), kernel_rows=rows, segments=segments, words=words))
    return stack_windows(layers, plans, config.row_depth)
