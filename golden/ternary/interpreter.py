"""Interpreter of binary programs, as docs/engines/ternary-machine.md specifies the machine."""

import numpy as np

from ..common.machine import ArrayMachine
from .column_array import ColumnArray
from .descriptor import Descriptor, Kind
from .layer_run import LayerRun
from .program import Program

__all__ = ["Machine"]


class Machine(ArrayMachine):
    """Memories of an engine, and what a program does with them; ``arrays`` is a tuple of `ColumnArray`."""

    PROGRAM, DESCRIPTOR = Program, Descriptor

    def __init__(self, config):
        super().__init__(config)
        self.nonzero = np.zeros((config.weight_depth, config.lanes), bool)
        self.negative = np.zeros((config.weight_depth, config.lanes), bool)
        self.arrays = tuple(ColumnArray(config, self.nonzero, self.negative, self.table)
                            for _ in range(config.arrays))

    def _fill(self, memory, span, bits):
        self.nonzero[span], self.negative[span] = np.hsplit(bits, 2)

    def _execute(self, number, d):
        execute = {Kind.INPUT: self._run_input, Kind.CONV: self._run_conv, Kind.DENSE: self._run_dense}
        return LayerRun(number, d, *execute[d.kind](d))

    def visits(self):
        """LayerRun of every descriptor of a batch of INPUT and CONV, without computing it; memories stay.

        What a convolution visits depends on its weights alone. Raises ValueError for a program with a DENSE
        descriptor, and ProgramError without a program.
        """
        self._check_loaded()
        runs = []
        for number, d in self._descriptors():
            if d.kind is Kind.DENSE:
                raise ValueError(f"Descriptor {number} must be INPUT or CONV, whose visits do not depend on "
                                 "activations, not DENSE")
            terms = self._conv_terms(d)[2:] if d.kind is Kind.CONV else self._nothing(d)
            runs.append(LayerRun(number, d, *terms))
        return tuple(runs)

    def dot_products(self):
        """Yields (layer, m, i, j, pi, pj, bitmaps) of all dot products of the last batch, in order."""
        for run in self.layers:
            yield from run.dot_products()

    def _run_input(self, d):
        self._take_input(d)
        return self._nothing(d)

    def _nothing(self, d):
        nothing = np.zeros((d.m_count, 0, self.config.lanes))
        return nothing.astype(bool), nothing.astype(np.int8)

    def _conv_terms(self, d):
        """Signs (m, terms) and row offsets (terms,) of all weights; terms visited and their signs."""
        lanes = self.config.lanes
        m, g, w = np.ogrid[:d.m_count, :d.segments, :d.words]
        address = d.fetch_base + m * d.fetch_m_stride + g * d.fetch_seg_stride + w
        nonzero, negative = (bits[address % len(bits)].reshape(d.m_count, -1, lanes)
                             for bits in (self.nonzero, self.negative))
        offset = (g * d.index_seg_stride + w * lanes)[0, ..., None] + np.arange(lanes)
        signs = np.where(negative & nonzero, -1, nonzero).astype(np.int8)
        flat, offset = signs.reshape(d.m_count, -1), offset.reshape(-1)
        visited = nonzero if self.config.skip_zeros else nonzero | ~negative
        if d.plus_minus:
            visited = np.concatenate([visited & ~negative, visited & negative], axis=1)
            signs = np.concatenate([signs, signs], axis=1)
        return flat, offset, visited, signs * visited

    def _run_conv(self, d):
        flat, offset, *visits = self._conv_terms(d)
        # Rows no filter has a weight for need not be looked at.
        used = flat.any(axis=0)
        flat, offset = flat[:, used].astype(np.int64), offset[used]
        self._store(d, [array.conv(d, flat, offset) for array in self.arrays])
        return visits

    def _run_dense(self, d):
        # The union: a value is visited where any array's is not zero.
        number = self.arrays[0].numbers(d)
        nonzero = np.any([array.vector_bits[number] for array in self.arrays], axis=0)
        visited = nonzero if self.config.skip_zeros else np.ones_like(nonzero)
        self._store(d, [array.dense(d, number, visited) for array in self.arrays])
        return visited, nonzero.astype(np.int8)
