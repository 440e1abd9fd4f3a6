"""One column array of the interpreter: its rows, and what a layer does with them."""

import numpy as np

from ..common.row_array import RowArray
from .descriptor import Destination

__all__ = ["ColumnArray", "wrap"]


def wrap(values, width):
    """``values``, int64, as two's complement numbers of ``width`` bits."""
    half = np.int64(1) << width - 1
    return ((values + half) & (half * 2 - 1)) - half


class ColumnArray(RowArray):
    """Row memory of one array, for its own images; ``table``, a list of int, is the engine's."""

    def conv(self, d, filters, columns):
        """Results of a CONV layer, int64 (m, i, j, lanes).

        ``filters``: of each its lists, pairs of an ItemList and its row of the basis; ``columns``: of each
        column of a run its `runs.Contribution` tuple.
        """
        config, rows = self._config, self.activations(d)
        i, pi, run, column = np.ogrid[:d.i_count, :d.pi_count, :d.run_count, :d.column_count]
        position = d.index_base + i * d.index_i_stride + pi * d.index_pi_stride \
            + run * d.index_run_stride + column * d.index_column_stride
        inside = np.array([[self.inside(d, i, j) for j in range(d.j_count)] for i in range(d.i_count)])
        result = np.zeros((d.m_count, d.i_count, d.j_count, config.lanes), np.int64)
        for m, lists in enumerate(filters):
            at = position + m * d.index_m_stride
            sums = np.zeros((d.i_count, d.pi_count, d.run_count, d.run_outputs, config.lanes), np.int64)
            for items, basis in lists:
                total = items.dot(lambda offset, at=at: rows[(at + offset) % len(rows)].astype(np.int64))
                total = wrap(total, config.acc_width) << items.lift
                for number, found in enumerate(columns):
                    for one in found:
                        sums[:, :, :, one.output] += basis[one.tap] * total[:, :, :, number]
            y = self.requantize(d, wrap(sums, config.sum_width), np.array(m))
            pooled = y.reshape(d.i_count, d.pi_count, d.j_count, d.pj_count, config.lanes).max(axis=(1, 3))
            result[m] = np.where(inside, pooled, 0)
        return result

    def store(self, d, values):
        """Writes a layer's results, (m, i, j, lanes), to the row memory."""
        if d.destination is not Destination.ROWS:
            raise ValueError(f"Destination must be ROWS or STREAM, not {d.destination.name}")
        self.scatter(d, values)
