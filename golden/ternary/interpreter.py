"""Interpreter of binary programs, as docs/engines/ternary-machine.md specifies the machine."""

import numpy as np

from .descriptor import DESCRIPTOR_WORDS, Descriptor, Destination, Kind
from .layer_run import LayerRun
from .layers import MIN_SHIFT
from .program import ErrorCode, Memory, Program, ProgramError

__all__ = ["Machine"]


class Machine:
    """Memories of an engine, and what a program does with them.

    Addresses wrap at a memory's depth. A layer writes its results after its last read, so a program must not
    let the two regions overlap (no encoded one does). Memories keep what they hold between programs.
    """

    def __init__(self, config):
        self.config = config
        lanes, size = config.lanes, config.activation_width // 8
        self._unsigned, self._signed = np.dtype(f"u{size}"), np.dtype(f"i{size}")    # of an activation
        self._lane_shape = config.batch, config.grid_rows, config.grid_columns
        self.rows = np.zeros((config.row_depth, lanes), self._unsigned)
        self.vector = np.zeros(config.vector_depth * config.drain_width, self._unsigned)
        self.vector_bits = np.zeros(len(self.vector), bool)
        self.nonzero = np.zeros((config.weight_depth, lanes), bool)
        self.negative = np.zeros((config.weight_depth, lanes), bool)
        self.table = [0] * config.table_depth
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
        self._input = np.asarray(beats, self._unsigned).reshape(-1, self.config.drain_width)
        self._output, runs = [], []
        execute = {Kind.INPUT: self._run_input, Kind.CONV: self._run_conv, Kind.DENSE: self._run_dense}
        for number in range(self.config.table_depth // DESCRIPTOR_WORDS):
            descriptor = self._descriptor(number)
            if descriptor.kind is Kind.END:
                break
            runs.append(LayerRun(number, descriptor, *execute[descriptor.kind](descriptor)))
        self.layers = tuple(runs)
        values = np.concatenate([np.zeros(0, np.int64), *self._output])
        return values.astype(np.int16).reshape(-1, self.config.drain_width)

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
        shape = d.m_count, d.i_count, d.j_count, config.lanes
        beats, given = int(np.prod(shape)) // config.drain_width, len(self._input)
        if given != beats:
            code = ErrorCode.INPUT_SHORT if given < beats else ErrorCode.INPUT_LONG
            raise ProgramError(code, f"Input must have {beats} beats, not {given}")
        self._store(d, self._input.reshape(shape))
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
        result = np.zeros((d.m_count, d.i_count, d.j_count, lanes), np.int64)
        rows = self.rows.view(self._signed if d.input_signed else self._unsigned)
        for i, j in np.ndindex(d.i_count, d.j_count):
            pooled = []
            for pi, pj in np.ndindex(d.pi_count, d.pj_count):
                index = d.index_base + i * d.index_i_stride + j * d.index_j_stride \
                    + pi * d.index_pi_stride + pj * d.index_pj_stride
                acc = flat @ rows[(index + offset) % self.config.row_depth].astype(np.int64)
                pooled.append(self._requantize(d, acc, np.arange(d.m_count)[:, None]))
            result[:, i, j] = np.where(self._inside(d, i, j), np.max(pooled, axis=0), 0)
        self._store(d, result)
        visited = nonzero if self.config.skip_zeros else nonzero | ~negative
        if d.plus_minus:
            visited = np.concatenate([visited & ~negative, visited & negative], axis=1)
            signs = np.concatenate([signs, signs], axis=1)
        return visited, signs * visited

    def _inside(self, d, i, j):
        """Whether pixel (i, j) of each lane's block is one of the map, bool (lanes,)."""
        _, row, column = np.unravel_index(np.arange(self.config.lanes), self._lane_shape)
        return ~((row > d.i_last_cell) | (row == d.i_last_cell) & (i > d.i_last_local)
                 | (column > d.j_last_cell) | (column == d.j_last_cell) & (j > d.j_last_local))

    def _run_dense(self, d):
        config, group = self.config, self.config.scatter_width
        values = self.vector.view(self._signed if d.input_signed else self._unsigned)
        m, g, w = np.ogrid[:d.m_count, :d.segments, :d.words]
        address = (d.fetch_base + m * d.fetch_m_stride + g * d.fetch_seg_stride + w)[..., None]
        number = (address * group + np.arange(group)) % len(values)
        number = number.reshape(d.m_count, -1, group)
        index = ((g * d.index_seg_stride + w * group)[0, ..., None] + np.arange(group)).reshape(-1, group)
        nonzero = self.vector_bits[number]
        bitmaps = nonzero if self.config.skip_zeros else np.ones_like(nonzero)
        align = group if d.destination is Destination.VECTOR else config.drain_width
        result = np.zeros((d.m_count, -(-d.outputs // align) * align), np.int64)
        for image, i in np.ndindex(d.m_count, d.i_count):
            lanes = max(0, min(config.lanes, d.outputs - i * config.lanes))
            at = (d.index_base + i * d.index_i_stride + index[bitmaps[image]]) % config.weight_depth
            signs = np.where(self.negative[at], -1, 1) * self.nonzero[at]
            acc = values[number[image][bitmaps[image]]].astype(np.int64) @ signs[:, :lanes]
            entry = i * config.lanes + np.arange(lanes)
            result[image, entry] = self._requantize(d, acc, entry)
        self._store(d, result)
        return bitmaps, nonzero.astype(np.int8)

    def _requantize(self, d, acc, entry):
        acc_width, scale_width = self.config.acc_width, self.config.scale_width
        words = np.array([self.table[(d.param_base + n) % len(self.table)] for n in entry.flat], np.int64)
        words = words.reshape(entry.shape)
        bias = words & (1 << acc_width) - 1
        bias -= (bias >> acc_width - 1) << acc_width
        scale = words >> acc_width & (1 << scale_width) - 1
        shift = (words >> acc_width + scale_width & 15) + MIN_SHIFT
        return np.clip(((acc + bias) * scale + (1 << shift - 1)) >> shift, d.low, d.high)

    def _store(self, d, values):
        if d.destination is Destination.STREAM:
            self._output.append(values.reshape(-1))
        elif d.destination is Destination.VECTOR:
            flat = values.reshape(-1).astype(self._unsigned)
            at = (d.out_base * self.config.drain_width + np.arange(len(flat))) % len(self.vector)
            self.vector[at], self.vector_bits[at] = flat, flat != 0
        else:
            self._scatter(d, values.astype(self._unsigned))

    def _scatter(self, d, values):
        """Writes rows (m, i, j) to each window pixel (u, v) they feed, the window's cells moved by (a, c)."""
        config = self.config
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
