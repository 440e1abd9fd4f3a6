"""Row memory of one column array, and how rows of results get into it."""

import numpy as np

__all__ = ["RowArray"]


class RowArray:
    """Row memory of one array, for its own images; ``table``, a list of int, is the engine's."""

    def __init__(self, config, table):
        self._config, self._table = config, table
        size = config.activation_width // 8
        self._unsigned, self._signed = np.dtype(f"u{size}"), np.dtype(f"i{size}")    # of an activation
        self._lane_shape = config.array_batch, config.grid_rows, config.grid_columns
        self.rows = np.zeros((config.row_depth, config.lanes), self._unsigned)

    def activations(self, d):
        """The row memory as layer ``d`` reads it: signed or not, a view."""
        return self.rows.view(self._signed if d.input_signed else self._unsigned)

    def inside(self, d, i, j):
        """Whether pixel (i, j) of each lane's block is one of the map, bool (lanes,)."""
        _, row, column = np.unravel_index(np.arange(self._config.lanes), self._lane_shape)
        return ~((row > d.i_last_cell) | (row == d.i_last_cell) & (i > d.i_last_local)
                 | (column > d.j_last_cell) | (column == d.j_last_cell) & (j > d.j_last_local))

    def requantize(self, d, acc, entry):
        """Results of ``acc`` with scale entries ``param_base + entry``, int64 of their common shape."""
        words = [self._table[(d.param_base + n) % len(self._table)] for n in entry.flat]
        words = np.array(words, np.int64).reshape(entry.shape)
        return self._config.scales.requantize(acc, words, d.low, d.high)

    def scatter(self, d, values):
        """Writes rows (m, i, j) to each window pixel (u, v) they feed, the window's cells moved by (a, c)."""
        config = self._config
        values = values.astype(self._unsigned)
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
