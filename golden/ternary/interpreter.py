"""Interpreter of binary programs, as docs/engines/ternary-machine.md specifies the machine."""

import numpy as np

from .column_array import ColumnArray
from .descriptor import DESCRIPTOR_WORDS, Descriptor, Destination, Kind
from .layer_run import LayerRun
from .program import ErrorCode, Memory, Program, ProgramError

__all__ = ["Machine"]


class Machine:
    """Memories of an engine, and what a program does with them.

    ``arrays``, a tuple of `ColumnArray`, hold the activations; they follow one program in lockstep, as
    docs/engines/ternary-arrays.md specifies, each with its own part of a batch.

    Addresses wrap at a memory's depth. A layer writes its results after its last read, so a program must not
    let the two regions overlap (no encoded one does). Memories keep what they hold between programs.
    """

    def __init__(self, config):
        self.config = config
        self.nonzero = np.zeros((config.weight_depth, config.lanes), bool)
        self.negative = np.zeros((config.weight_depth, config.lanes), bool)
        self.table = [0] * config.table_depth
        self.arrays = tuple(ColumnArray(config, self.nonzero, self.negative, self.table)
                            for _ in range(config.arrays))
        self.loaded = False
        self.layers = ()  #: LayerRun of every descriptor of the last batch

    def load(self, words):
        """Loads a program, uint32 words. Raises ProgramError, and then no program is loaded."""
        self.loaded = False
        program = Program.from_words(words, self.config)
        for section in program.sections:
            bits = section.bits(section.memory.width(self.config))
            span = slice(section.address, section.address + len(bits))
            if section.memory is Memory.TABLE:
                self.table[span] = [sum(1 << int(n) for n in np.flatnonzero(word)) for word in bits]
            else:
                self.nonzero[span], self.negative[span] = np.hsplit(bits, 2)
        self.loaded = True

    def run(self, beats):
        """Output beats of one batch, int16 (n, drain_width), for those that `Program.pack_input` makes.

        Raises ProgramError without a program, and for an input packet that is too short or too long.
        """
        if not self.loaded:
            raise ProgramError(ErrorCode.NO_PROGRAM, "Program must be loaded before a start, not missing")
        values = np.asarray(beats, f"u{self.config.activation_width // 8}")
        self._input = values.reshape(-1, self.config.drain_width)
        self._output, runs = [], []
        execute = {Kind.INPUT: self._run_input, Kind.CONV: self._run_conv, Kind.DENSE: self._run_dense}
        for number in range(self.config.table_depth // DESCRIPTOR_WORDS):
            descriptor = self._descriptor(number)
            if descriptor.kind is Kind.END:
                break
            runs.append(LayerRun(number, descriptor, *execute[descriptor.kind](descriptor)))
        self.layers = tuple(runs)
        nothing = np.zeros((0, self.config.drain_width), np.int64)
        return np.concatenate([nothing, *self._output]).astype(np.int16)

    def dot_products(self):
        """Yields (layer, m, i, j, pi, pj, bitmaps) of all dot products of the last batch, in order."""
        for run in self.layers:
            yield from run.dot_products()

    def statistics(self, program):
        """LayerStatistics of each layer of the last batch, whose program was ``program``."""
        return tuple(run.statistics(about, self.config) for run, about in
                     zip(self.layers[1:], program.metadata["layers"], strict=True))

    def _descriptor(self, number):
        return Descriptor.from_words(self.table[DESCRIPTOR_WORDS * number:DESCRIPTOR_WORDS * (number + 1)])

    def _run_input(self, d):
        config = self.config
        shape = d.m_count, d.i_count, d.j_count, config.arrays, config.lanes
        beats, given = int(np.prod(shape)) // config.drain_width, len(self._input)
        if given != beats:
            code = ErrorCode.INPUT_SHORT if given < beats else ErrorCode.INPUT_LONG
            raise ProgramError(code, f"Input must have {beats} beats, not {given}")
        self._store(d, np.moveaxis(self._input.reshape(shape), 3, 0))
        nothing = np.zeros((d.m_count, 0, config.lanes))
        return nothing.astype(bool), nothing.astype(np.int8)

    def _run_conv(self, d):
        lanes = self.config.lanes
        m, g, w = np.ogrid[:d.m_count, :d.segments, :d.words]
        address = d.fetch_base + m * d.fetch_m_stride + g * d.fetch_seg_stride + w
        nonzero, negative = (bits[address % len(bits)].reshape(d.m_count, -1, lanes)
                             for bits in (self.nonzero, self.negative))
        offset = (g * d.index_seg_stride + w * lanes)[0, ..., None] + np.arange(lanes)
        signs = np.where(negative & nonzero, -1, nonzero).astype(np.int8)
        # Rows no filter has a weight for need not be looked at.
        flat = signs.reshape(d.m_count, -1)
        used = flat.any(axis=0)
        flat, offset = flat[:, used].astype(np.int64), offset.reshape(-1)[used]
        self._store(d, [array.conv(d, flat, offset) for array in self.arrays])
        visited = nonzero if self.config.skip_zeros else nonzero | ~negative
        if d.plus_minus:
            visited = np.concatenate([visited & ~negative, visited & negative], axis=1)
            signs = np.concatenate([signs, signs], axis=1)
        return visited, signs * visited

    def _run_dense(self, d):
        # The union: a value is visited where any array's is not zero.
        number = self.arrays[0].numbers(d)
        nonzero = np.any([array.vector_bits[number] for array in self.arrays], axis=0)
        visited = nonzero if self.config.skip_zeros else np.ones_like(nonzero)
        self._store(d, [array.dense(d, number, visited) for array in self.arrays])
        return visited, nonzero.astype(np.int8)

    def _store(self, d, results):
        """``results`` of each array, in its memories or, a vector of each array by turns, in the output."""
        if d.destination is Destination.STREAM:
            vectors = [values.reshape(-1, self.config.drain_width) for values in results]
            self._output.append(np.stack(vectors, axis=1).reshape(-1, self.config.drain_width))
            return
        for array, values in zip(self.arrays, results, strict=True):
            array.store(d, values)
