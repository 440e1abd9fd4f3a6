"""What a layer of a batch did on a `rebuild` engine: its groups, positions and rows."""

from dataclasses import dataclass

import numpy as np

from .descriptor import Descriptor
from .rebuild_store import Group

__all__ = ["Positions", "RebuildRun", "RebuildStatistics", "group_order", "positions"]


@dataclass(frozen=True, eq=False)
class Positions:
    """A filter's positions in their order, i, j, pi, pj outermost first."""

    base: np.ndarray      #: int64 (i, j, pi, pj): memory row of offset 0, tap 0, of filter 0
    walked: np.ndarray    #: bool (i, j, pi, pj, S): whether a tap's column is


def positions(d):
    """Positions of descriptor ``d``."""
    i, j, pi, pj = np.ogrid[:d.i_count, :d.j_count, :d.pi_count, :d.pj_count]
    run, f = np.divmod(j * d.pj_count + pj, d.run_outputs)
    column = f * d.hop - d.skip
    base = d.index_base + i * d.index_i_stride + pi * d.index_pi_stride + run * d.index_run_stride \
        + column * d.index_column_stride
    columns = column[..., None] + np.arange(d.tap_count)
    walked = (columns >= 0) & (columns < d.column_count)
    return Positions(base, np.broadcast_to(walked, (*base.shape, d.tap_count)))


def group_order(filters, rows, columns, size):
    """Order in which rows (m, i, j) leave the engine: group, i, j, filter.

    int (m*i*j,) of their numbers in the order m, i, j; groups have ``size`` filters, the last one the rest.
    """
    numbers = np.arange(filters * rows * columns).reshape(filters, rows * columns)
    return np.concatenate([numbers[first:first + size].T.reshape(-1) for first in range(0, filters, size)])


@dataclass(frozen=True, eq=False)
class RebuildRun:
    """What one layer of a batch did. ``digits``: of each memory row that it read, int64 (row_depth,), the
    greatest number of non-zero digits of the lanes' activations; 0 where all are zero.
    """

    number: int             #: of the descriptor
    descriptor: Descriptor
    groups: tuple[Group, ...]
    digits: np.ndarray

    @property
    def diagonal(self):
        """Whether filters stand on the diagonal of slices and lines, as depthwise layers' do."""
        return self.descriptor.index_m_stride != 0

    def steps(self, group, line):
        """Steps of the candidates of ``line``, int64 (positions, candidates); 0 where activations are zero.

        T = sum over walked taps of max(1, digits of their memory rows)
        """
        d, at = self.descriptor, positions(self.descriptor)
        base = at.base.reshape(-1, 1, 1) + (group.first + line) * d.index_m_stride
        walked = at.walked.reshape(len(base), 1, -1)
        offsets = np.array(group.candidates[line], np.int64)[:, None]
        rows = base + offsets + np.arange(d.tap_count) * d.index_column_stride
        digits = self.digits[rows % len(self.digits)] * walked
        return np.where(digits.any(axis=2), (np.maximum(digits, 1) * walked).sum(axis=2), 0)

    def statistics(self, about, config):
        """RebuildStatistics of this layer; ``about`` is its entry in the program's metadata."""
        steps = [self.steps(group, line) for group in self.groups for line in range(config.lines)]
        return RebuildStatistics(
            name=about["name"], items=sum(group.items for group in self.groups),
            candidates=sum(each.size for each in steps),
            rows=sum(int(np.count_nonzero(each)) for each in steps),
            steps=sum(int(each.sum()) for each in steps))


@dataclass(frozen=True, kw_only=True)
class RebuildStatistics:
    """Counts of one layer and batch, of all lines, each once for all slices."""

    name: str
    items: int         #: read into the store
    candidates: int    #: that selectors looked at, one cycle each
    rows: int          #: whose activations were not all zero
    steps: int         #: cycles of their multiplications
