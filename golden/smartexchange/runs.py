"""Runs of columns: which columns of T a layer walks, and which outputs each of them contributes to."""

from dataclasses import dataclass

from ..common.check import require
from .config import FINISHED

__all__ = ["Contribution", "Runs", "contributions", "conv_runs", "vector_runs"]

_OUTPUTS, _COLUMNS = 32, 127    # most that one run may have


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Descriptor fields of a layer's runs, and the padding that none of its columns stands for."""

    run_count: int
    index_run_stride: int = 0
    column_count: int
    index_column_stride: int
    tap_count: int
    hop: int
    run_outputs: int
    skip: int = 0     #: columns left out before the first one of the run
    right: int = 0    #: columns left out behind its last one

    @property
    def fields(self):
        """By name; the stride of a single run is 0."""
        fields = vars(self) | {"index_run_stride": self.index_run_stride * (self.run_count > 1)}
        del fields["right"]
        return fields


@dataclass(frozen=True)
class Contribution:
    """A column's contribution to an output of its run, through tap ``tap``."""

    tap: int
    output: int
    first: bool       #: of the run's columns
    last: bool


def contributions(d):
    """Of each column of a run of descriptor ``d`` (or Runs) its Contributions, from the highest tap down.

    f = (skip + column - s) / hop, where that is an integer in 0 .. run_outputs-1. Raises ValueError for runs
    that no engine has to understand: a column or an output without contribution, or more outputs complete
    with one column than are kept.
    """
    columns = []
    for column in range(d.column_count):
        found = []
        for tap in reversed(range(d.tap_count)):
            output, rest = divmod(d.skip + column - tap, d.hop)
            if rest == 0 and 0 <= output < d.run_outputs:
                start = output * d.hop - d.skip
                found.append(Contribution(tap, output, column == max(0, start),
                                          column == min(d.column_count, start + d.tap_count) - 1))
        if not found:
            raise ValueError(f"Column {column} of a run must contribute to an output, not to none")
        finished = sum(one.last for one in found)
        if finished > FINISHED:
            raise ValueError(f"Outputs complete with column {column} must be at most {FINISHED}, "
                             f"not {finished}")
        columns.append(tuple(found))
    missing = set(range(d.run_outputs)) - {one.output for column in columns for one in column}
    if missing:
        raise ValueError(f"Output {min(missing)} of a run must have a contribution, not none")
    return tuple(columns)


def _equal_pooling(layer, columns):
    """Columns of the map before pooling from one output of the convolution to the next, if all are equal."""
    window, step = layer.pool[1], layer.pool_stride[1]
    if window == step or columns == 1:
        return 1
    return step if window == 1 else None


def conv_runs(layer, placement):
    """Runs of a ConvLayer."""
    taps, hop, channels, columns = layer.taps, layer.stride[1], placement.channels, placement.block[1]
    window, step = layer.pool[1], layer.pool_stride[1]
    if hop > taps:
        return _single_runs(layer, placement, channels, f"its stride of {hop} columns, more than its kernel")
    single = _equal_pooling(layer, columns) == 1
    if single and placement.pooled[1] <= columns:
        runs = _skipping(layer, placement)
        if runs.run_outputs <= _OUTPUTS and runs.column_count <= _COLUMNS:
            return runs
    outputs = columns * window
    if single and outputs <= _OUTPUTS and (outputs - 1) * hop + taps <= _COLUMNS:
        columns, window = 1, outputs
    return Runs(run_count=columns, index_run_stride=step * hop * channels,
                column_count=(window - 1) * hop + taps, index_column_stride=channels, tap_count=taps,
                hop=hop, run_outputs=window)


def _skipping(layer, placement):
    """One run that leaves out padding: a grid cell holds all columns of the map, so it is zeros in all lanes.

    Of the left one so much that output 0 has a contribution; of the right one (columns beyond those of the
    map and the left padding) so much that the last output has one and no more than FINISHED outputs are
    complete with the last column.
    """
    taps, hop, left = layer.taps, layer.stride[1], layer.pads[1]
    outputs = placement.block[1] * layer.pool[1]
    total = (outputs - 1) * hop + taps
    skip = min(left, taps - 1)
    right = min(max(0, total - left - placement.input_columns), taps - 1, FINISHED * hop - 1)
    return Runs(run_count=1, column_count=total - skip - right,
                index_column_stride=placement.channels, tap_count=taps, hop=hop, run_outputs=outputs,
                skip=skip, right=right)


def _single_runs(layer, placement, column_stride, why):
    """Runs of one output each, which are there for ``why``."""
    spacing, columns = _equal_pooling(layer, placement.block[1]), placement.block[1]
    require(spacing, f"Pooling of layer '{layer.name}' must have a window as wide as its stride, or one "
                     f"column a grid cell, for {why}, not a window of {layer.pool[1]} columns and "
                     f"a stride of {layer.pool_stride[1]}")
    return Runs(run_count=columns * layer.pool[1],
                index_run_stride=spacing * layer.stride[1] * placement.channels,
                column_count=layer.taps, index_column_stride=column_stride, tap_count=layer.taps, hop=1,
                run_outputs=1)


def vector_runs(layer, placement):
    """Runs of a PointLayer or DenseLayer: a column of T is every S-th channel of a pixel."""
    if layer.convolution:
        return _single_runs(layer, placement, 1, "its kernel of one pixel")
    return Runs(run_count=1, column_count=layer.taps, index_column_stride=1, tap_count=layer.taps, hop=1,
                run_outputs=1)
