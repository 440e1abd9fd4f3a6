"""The array of a `rebuild` engine: its rows, digits of its activations, and what a layer does with them."""

import numpy as np

from .booth import booth_digits
from .column_array import ColumnArray, wrap
from .rebuild_run import positions

__all__ = ["RebuildArray"]


class RebuildArray(ColumnArray):
    """Row memory of one array, for its own images; ``table``, a list of int, is the engine's."""

    def digits(self, d):
        """Digits of all activations as layer ``d`` reads them, int64 (digits, row_depth, lanes)."""
        return booth_digits(self.activations(d), self._config.activation_width, d.input_signed)

    def conv_groups(self, d, groups, digits):
        """Results of a CONV layer, int64 (m, i, j, lanes), of ``groups`` (Group) and ``digits`` as above."""
        at, result = positions(d), np.zeros((d.m_count, d.i_count, d.j_count, self._config.lanes), np.int64)
        inside = np.array([[self.inside(d, i, j) for j in range(d.j_count)] for i in range(d.i_count)])
        for group in groups:
            weights = group.weights()
            for a in range(group.filters):
                m = group.first + a
                sums = self._sums(d, at, m, weights[a], digits)
                y = self.requantize(d, wrap(sums, self._config.sum_width), np.array(m))
                result[m] = np.where(inside, y.max(axis=(2, 3)), 0)
        return result

    def _sums(self, d, at, m, weights, digits):
        """Sums of filter ``m``, int64 (i, j, pi, pj, lanes): weight times digit, a digit after the other."""
        sums = np.zeros((*at.base.shape, digits.shape[2]), np.int64)
        for offset, s in np.argwhere(weights):
            rows = at.base + m * d.index_m_stride + offset + s * d.index_column_stride
            for k, found in enumerate(digits[:, rows % digits.shape[1]]):
                sums += weights[offset, s] * (found * at.walked[..., s, None]) << 2 * k
        return sums
