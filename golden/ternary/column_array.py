"""One column array of the interpreter: its memories, and what a layer does with them."""

import numpy as np

from .descriptor import Destination
from .layers import MIN_SHIFT

__all__ = ["ColumnArray"]


class ColumnArray:
    """Row and vector memory of one array, for its own images.

    ``nonzero``, ``negative`` (weight memory, bool (weight_depth, lanes)) and ``table`` (a list of int) are
    the engine's; all arrays look into the same ones.
    """

    def __init__(self, config, nonzero, negative, table):
        self._config, self._nonzero, self._negative, self._table = config, nonzero, negative, table
        size = config.activation_width // 8
        self._unsigned, self._signed = np.dtype(f"u{size}"), np.dtype(f"i{size}")    # of an activation
        self._lane_shape = config.array_batch, config.grid_rows, config.grid_columns
        self.rows = np.zeros((config.row_depth, config.lanes), self._unsigned)
        self.vector = np.zeros(config.vector_depth * config.drain_width, self._unsigned)
        self.vector_bits = np.zeros(len(self.vector), bool)

    def conv(self, d, signs, offset):
        """Results of a CONV layer, int64 (m, i, j, lanes).

        ``signs``, int64 (m, terms), are the weights, and ``offset``, int (terms,), the row of each from
        index(0, 0) on.
        """
        rows = self.rows.view(self._signed if d.input_signed else self._unsigned)
        result = np.zeros((d.m_count, d.i_count, d.j_count, self._config.lanes), np.int64)
        for i, j in np.ndindex(d.i_count, d.j_count):
            pooled = []
            for pi, pj in np.ndindex(d.pi_count, d.pj_count):
                index = d.index_base + i * d.index_i_stride + j * d.index_j_stride \
                    + pi * d.index_pi_stride + pj * d.index_pj_stride
                acc = signs @ rows[(index + offset) % len(rows)].astype(np.int64)
                pooled.append(self._requantize(d, acc, np.arange(d.m_count)[:, None]))
            result[:, i, j] = np.where(self._inside(d, i, j), np.max(pooled, axis=0), 0)
        return result

    def _inside(self, d, i, j):
        """Whether pixel (i, j) of each lane's block is one of the map, bool (lanes,)."""
        _, row, column = np.unravel_index(np.arange(self._config.lanes), self._lane_shape)
        return ~((row > d.i_last_cell) | (row == d.i_last_cell) & (i > d.i_last_local)
                 | (column > d.j_last_cell) | (column == d.j_last_cell) & (j > d.j_last_local))

    def numbers(self, d):
        """Number of the value in the vector memory that each bit of a DENSE layer's words is about.

        int (m, visits, bits), the same in all arrays.
        """
        group = self._config.scatter_width
        m, g, w = np.ogrid[:d.m_count, :d.segments, :d.words]
        address = (d.fetch_base + m * d.fetch_m_stride + g * d.fetch_seg_stride + w)[..., None]
        number = (address * group + np.arange(group)) % len(self.vector)
        return number.reshape(d.m_count, -1, group)

    def dense(self, d, number, visited):
        """Results of a DENSE layer with those of its `numbers`, ``number``, that are ``visited`` (bool).

        int64 (images, values), filled with zeros as the destination needs them.
        """
        config, group = self._config, self._config.scatter_width
        values = self.vector.view(self._signed if d.input_signed else self._unsigned)
        _, g, w = np.ogrid[:1, :d.segments, :d.words]
        index = ((g * d.index_seg_stride + w * group)[0, ..., None] + np.arange(group)).reshape(-1, group)
        align = group if d.destination is Destination.VECTOR else config.drain_width
        result = np.zeros((d.m_count, -(-d.outputs // align) * align), np.int64)
        for image, i in np.ndindex(d.m_count, d.i_count):
            lanes = max(0, min(config.lanes, d.outputs - i * config.lanes))
            at = (d.index_base + i * d.index_i_stride + index[visited[image]]) % config.weight_depth
            signs = np.where(self._negative[at], -1, 1) * self._nonzero[at]
            acc = values[number[image][visited[image]]].astype(np.int64) @ signs[:, :lanes]
            entry = i * config.lanes + np.arange(lanes)
            result[image, entry] = self._requantize(d, acc, entry)
        return result

    def _requantize(self, d, acc, entry):
        acc_width, scale_width = self._config.acc_width, self._config.scale_width
        words = np.array([self._table[(d.param_base + n) % len(self._table)] for n in entry.flat], np.int64)
        words = words.reshape(entry.shape)
        bias = words & (1 << acc_width) - 1
        bias -= (bias >> acc_width - 1) << acc_width
        scale = words >> acc_width & (1 << scale_width) - 1
        shift = (words >> acc_width + scale_width & 15) + MIN_SHIFT
        return np.clip(((acc + bias) * scale + (1 << shift - 1)) >> shift, d.low, d.high)

    def store(self, d, values):
        """Writes a layer's results, (m, i, j, lanes) or (images, values), to the memory they are for."""
        values = values.astype(self._unsigned)
        if d.destination is Destination.ROWS:
            self._scatter(d, values)
            return
        flat = values.reshape(-1)
        at = (d.out_base * self._config.drain_width + np.arange(len(flat))) % len(self.vector)
        self.vector[at], self.vector_bits[at] = flat, flat != 0

    def _scatter(self, d, values):
        """Writes rows (m, i, j) to each window pixel (u, v) they feed, the window's cells moved by (a, c)."""
        config = self._config
        y = values.reshape(d.m_count, d.i_count, d.j_count, *self._lane_shape)
        u, v = np.arange(d.out_u_count), np.arange(d.out_v_count)
        a, i = np.divmod(u - d.out_a_first * d.i_count - d.out_u_first, d.i_count)
        c, j = np.divmod(v - d.out_c_first * d.j_count - d.out_v_first, d.j_count)
        cell_row = a[:, None] + np.arange(config.grid_rows)
        cell_column = c[:, None] + np.arange(config.grid_columns)
        row_ok = (cell_row >= 0) & (cell_row < config.grid_rows)
        column_ok = (cell_column >= 0) & (cell_column < config.grid_columns)
        # Axes of the result: u, v, I, J, then m and image.
        picked = y[:, i[:, None, None, None], j[None, :, None, None], :,
                   (cell_row * row_ok)[:, None, :, None], (cell_column * column_ok)[None, :, None, :]]
        inside = row_ok[:, None, :, None] & column_ok[None, :, None, :]
        window = np.where(inside[..., None, None], picked, 0).transpose(0, 1, 4, 5, 2, 3)
        address = (u * d.out_u_row)[:, None, None] + (v * d.out_v_row)[:, None] + np.arange(d.m_count)
        address += d.out_base
        self.rows[address % config.row_depth] = window.reshape(*address.shape, config.lanes)
