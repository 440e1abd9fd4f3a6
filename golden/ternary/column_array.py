"""One column array of the interpreter: its memories, and what a layer does with them."""

import numpy as np

from ..common.row_array import RowArray
from .descriptor import Destination

__all__ = ["ColumnArray"]


class ColumnArray(RowArray):
    """Row and vector memory of one array, for its own images.

    ``nonzero``, ``negative`` (weight memory, bool (weight_depth, lanes)) and ``table`` (a list of int) are
    the engine's; all arrays look into the same ones.
    """

    def __init__(self, config, nonzero, negative, table):
        super().__init__(config, table)
        self._nonzero, self._negative = nonzero, negative
        self.vector = np.zeros(config.vector_depth * config.drain_width, self._unsigned)
        self.vector_bits = np.zeros(len(self.vector), bool)

    def conv(self, d, signs, offset):
        """Results of a CONV layer, int64 (m, i, j, lanes).

        ``signs``, int64 (m, terms), are the weights, and ``offset``, int (terms,), the row of each from
        index(0, 0) on.
        """
        rows = self.activations(d)
        result = np.zeros((d.m_count, d.i_count, d.j_count, self._config.lanes), np.int64)
        for i, j in np.ndindex(d.i_count, d.j_count):
            pooled = []
            for pi, pj in np.ndindex(d.pi_count, d.pj_count):
                index = d.index_base + i * d.index_i_stride + j * d.index_j_stride \
                    + pi * d.index_pi_stride + pj * d.index_pj_stride
                acc = signs @ rows[(index + offset) % len(rows)].astype(np.int64)
                pooled.append(self.requantize(d, acc, np.arange(d.m_count)[:, None]))
            result[:, i, j] = np.where(self.inside(d, i, j), np.max(pooled, axis=0), 0)
        return result

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
            result[image, entry] = self.requantize(d, acc, entry)
        return result

    def store(self, d, values):
        """Writes a layer's results, (m, i, j, lanes) or (images, values), to the memory they are for."""
        if d.destination is Destination.ROWS:
            self.scatter(d, values)
            return
        flat = values.astype(self._unsigned).reshape(-1)
        at = (d.out_base * self._config.drain_width + np.arange(len(flat))) % len(self.vector)
        self.vector[at], self.vector_bits[at] = flat, flat != 0
