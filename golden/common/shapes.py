"""Shape of a layer, and what follows from it: output size, weights, activations, multiplications."""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil

__all__ = ["Kind", "LayerShape"]


class Kind(StrEnum):
    """What a layer's weights connect."""

    CONVOLUTION = "convolution"
    DEPTHWISE = "depthwise"             #: each filter reads one channel
    FULLY_CONNECTED = "fully connected"     #: a map of 1x1, one weight for each input and output


@dataclass(frozen=True, kw_only=True)
class LayerShape:
    """One layer: y[m, i, j] = sum over c, r, s of w[m, c, r, s] * x[c, i*t + r*d - top, j*t + s*d - left],

    with stride t and dilation d; c runs over the channels of m's group. ``rows`` and ``columns`` are those of
    the input, of which ``pads`` (top, left, bottom, right) do not count as a part.

    Raises ValueError with a sentence that names the parameter, what it must be and what it was.
    """

    name: str
    kind: Kind
    channels: int
    filters: int
    kernel_rows: int = 1
    kernel_columns: int = 1
    stride: int = 1
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: int = 1
    rows: int = 1
    columns: int = 1
    groups: int = 1

    def __post_init__(self):
        if self.kind not in list(Kind):
            raise ValueError(f"kind of {self.name} must be one of {', '.join(Kind)}, not {self.kind!r}")
        for name in ("channels", "filters", "kernel_rows", "kernel_columns", "stride", "dilation", "rows",
                     "columns", "groups"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} of {self.name} must be an integer of at least 1, not {value!r}")
        if len(self.pads) != 4 or any(type(pad) is not int or pad < 0 for pad in self.pads):
            raise ValueError(f"pads of {self.name} must be four integers of at least 0, not {self.pads!r}")
        if self.channels % self.groups or self.filters % self.groups:
            raise ValueError(f"groups of {self.name} must divide the {self.channels} channels and the "
                             f"{self.filters} filters, not be {self.groups}")
        depthwise = self.groups == self.channels and self.channels > 1
        if (self.kind == Kind.DEPTHWISE) != depthwise:
            raise ValueError(f"groups of {self.name}, which is {self.kind}, must "
                             f"{'be' if self.kind == Kind.DEPTHWISE else 'not be'} the {self.channels} "
                             f"channels, not {self.groups}")
        if self.kind == Kind.FULLY_CONNECTED and (self.rows, self.columns, *self.kernel) != (1, 1, 1, 1):
            raise ValueError(f"map and kernel of {self.name} must be 1x1, not {self.rows}x{self.columns} and "
                             f"{self.kernel_rows}x{self.kernel_columns}")
        if min(self.output_rows, self.output_columns) < 1:
            raise ValueError(f"kernel of {self.name} must fit its map of {self.rows}x{self.columns} and "
                             f"pads, not be {self.kernel_rows}x{self.kernel_columns}, dilated by "
                             f"{self.dilation}")

    def _along(self, size, kernel, pads):
        return (size + pads - (kernel - 1) * self.dilation - 1) // self.stride + 1

    def batch(self, images):
        """The layer for so many images at a time, a layer of one map that has all their outputs.

        Maps stand one below the other; vectors are the columns of a map of one row. ``images`` times as many
        outputs and multiplications, where pads keep the size (kernel - 1 in all, times the dilation).
        """
        if self.kind == Kind.FULLY_CONNECTED:
            return replace(self, kind=Kind.CONVOLUTION, columns=images)
        return replace(self, rows=images * self.output_rows * self.stride)

    @property
    def kernel(self):
        return self.kernel_rows, self.kernel_columns

    @property
    def output_rows(self):
        return self._along(self.rows, self.kernel_rows, self.pads[0] + self.pads[2])

    @property
    def output_columns(self):
        return self._along(self.columns, self.kernel_columns, self.pads[1] + self.pads[3])

    @property
    def positions(self):
        """Output pixels of one filter."""
        return self.output_rows * self.output_columns

    @property
    def group_channels(self):
        return self.channels // self.groups

    @property
    def group_filters(self):
        return self.filters // self.groups

    @property
    def taps(self):
        """Products of one output."""
        return self.group_channels * self.kernel_rows * self.kernel_columns

    @property
    def weights(self):
        return self.filters * self.taps

    @property
    def inputs(self):
        return self.channels * self.rows * self.columns

    @property
    def outputs(self):
        return self.filters * self.positions

    @property
    def macs(self):
        """Multiplications and additions, those with the zeros of the pads included."""
        return self.outputs * self.taps

    @property
    def row_size(self):
        """S of SmartExchange: the kernel's width; 3 where the kernel is 1x1 or the layer fully connected."""
        return self.kernel_columns if self.kernel_columns > 1 else 3

    @property
    def coefficient_rows(self):
        """Rows of S coefficients of one filter: C * R, or inputs in pieces of S (papers.md 1.3)."""
        if self.kernel_columns > 1:
            return self.group_channels * self.kernel_rows
        return ceil(self.taps / self.row_size)
