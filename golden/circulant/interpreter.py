"""Interpreter of the circulant engine's programs, as docs/engines/circulant-machine.md specifies them."""

import numpy as np

from ..common.program import ErrorCode, ProgramError
from . import element
from .arithmetic import round_shift, saturate, wrap
from .config import PRE_WIDTH
from .program import Memory, Program
from .transform import forward, inverse
from .words import Header, Phase, Row

__all__ = ["Machine"]


def _integers(bits, width):
    """Two's complement numbers int64 (..., n) of bits (..., n * width)."""
    weights = 1 << np.arange(width)
    weights[-1] *= -1
    return bits.reshape(*bits.shape[:-1], -1, width) @ weights


class Machine:
    """Memories of an engine of ``config``, and what a program does with them.

    ``state``, ``scratch0`` and ``scratch1`` are int64 (state_depth, 2), ``spectrum`` (spectrum_depth, h, 2).
    They and what programs fill keep what they hold between sequences and programs. Addresses must be within
    their memories. ``output`` are the beats of the last sequence, also of one that ended with an error.
    """

    def __init__(self, config):
        self.config = config
        self.memories = {m: np.zeros((m.depth(config), m.width(config)), bool)
                         for m in (Memory.HEADER, Memory.PHASES, Memory.ROWS)}
        self.coefficients = np.zeros((config.coefficient_depth, 4), np.int64)
        self.weights = np.zeros((config.weight_depth, config.rows, config.slots, 2), np.int32)
        self.spectrum = np.zeros((config.spectrum_depth, config.slots, 2), np.int64)
        self.state, self.scratch0, self.scratch1 = np.zeros((3, config.state_depth, 2), np.int64)
        self.loaded = False
        self.output = np.zeros((0, 2), np.int16)

    def load(self, words):
        """Loads a program, uint32 words. Raises ProgramError, and then no program is loaded."""
        self.loaded = False
        for section in Program.from_words(words, self.config).sections:
            bits = section.bits(section.memory.width(self.config))
            span = slice(section.address, section.address + len(bits))
            if section.memory is Memory.COEFFICIENTS:
                self.coefficients[span] = _integers(bits, 16)
            elif section.memory is Memory.WEIGHTS:
                numbers = _integers(bits, self.config.weight_width)
                self.weights[span] = numbers.reshape(len(bits), *self.weights.shape[1:])
            else:
                self.memories[section.memory][span] = bits
        self.loaded = True

    def run(self, beats):
        """Output beats, int16 (n, 2), of a sequence: one packet of ``beats``, 16-bit values (m, 2), m >= 1.

        Raises ProgramError without a program and for a packet that ends within a step's input; then
        ``output`` has the beats of the steps before, and one more, of zeros.
        """
        found = [np.zeros((0, 2), np.int16)]
        try:
            for step in self.steps(beats):
                found.append(step)
        finally:
            self.output = np.concatenate(found)
        return self.output

    def steps(self, beats):
        """Yields the output beats, int16 (n, 2), of each step; arguments and errors as those of `run`."""
        if not self.loaded:
            raise ProgramError(ErrorCode.NO_PROGRAM, "Program must be loaded before a start, not missing")
        header = Header.from_bits(self.memories[Memory.HEADER][0])
        phases, rows = self._program()
        values = wrap(np.asarray(beats).astype(np.int64), self.config.vector_width).reshape(-1, 2)
        size = header.input_blocks * self.config.slots
        for step in range(len(values) // size):
            blocks = values[size * step:size * (step + 1)].reshape(-1, self.config.block)
            self._write(header.input_base + np.arange(len(blocks)), True, step, blocks)
            yield self._step(step, phases, rows)
        if len(values) % size or not len(values):
            yield np.zeros((1, 2), np.int16)
            raise ProgramError(ErrorCode.INPUT_SHORT, f"Input must have a multiple of {size} beats, those of "
                                                      f"a step, not {len(values)}")

    def _program(self):
        phases, rows = [], []
        for bits in self.memories[Memory.PHASES]:
            phases.append(Phase.from_bits(bits))
            words = self.memories[Memory.ROWS][len(rows):len(rows) + phases[-1].rows]
            rows += map(Row.from_bits, words)
            if phases[-1].last:
                break
        return phases, rows

    def _address(self, addresses, alternate, step):
        return addresses ^ (self.config.spectrum_depth // 2 if alternate and step % 2 else 0)

    def _write(self, addresses, alternate, step, blocks):
        """``blocks`` (n, k), transformed, to the spectrum memory."""
        self.spectrum[self._address(addresses, alternate, step)] = forward(blocks, self.config.forward)

    def _step(self, step, phases, rows):
        at, output = 0, [np.zeros((0, 2), np.int64)]
        for phase in phases:
            for first in range(0, phase.rows, self.config.rows):
                chosen = rows[at + first:at + min(first + self.config.rows, phase.rows)]
                base = phase.weight_base + first // self.config.rows * phase.columns
                weights = self.weights[base + np.arange(phase.columns), :len(chosen)]
                sums = self._sums(weights, self._columns(phase, step))
                output += self._pass(chosen, self._inverse(sums, phase.sum_shift), step)
            at += phase.rows
        return np.concatenate(output).astype(np.int16)

    def _columns(self, phase, step):
        """Spectra (columns, h, 2) of a phase's columns."""
        found = []
        for segment in phase.segments:
            blocks = self.spectrum[self._address(segment.base + np.arange(segment.count), segment.alternate,
                                                 step)]
            found.append(np.zeros_like(blocks) if segment.old and not step else blocks)
        return np.concatenate(found)

    def _sums(self, weights, columns):
        """Accumulators (rows, h, 2) of ``weights`` (columns, rows, h, 2)."""
        x, y = columns[:, None, :, 0], columns[:, None, :, 1]
        c, d = weights[..., 0].astype(np.int64), weights[..., 1].astype(np.int64)
        sums = np.stack([(x * c - y * d).sum(axis=0), (x * d + y * c).sum(axis=0)], axis=-1)
        sums[:, 0] = np.stack([(x * c)[..., 0].sum(axis=0), (y * d)[..., 0].sum(axis=0)], axis=-1)
        return wrap(sums, self.config.acc_width)

    def _inverse(self, sums, sum_shift):
        return inverse(wrap(round_shift(sums, sum_shift), self.config.sum_width), self.config.inverse)

    def _pass(self, rows, values, step):
        """Output beats of a pass, a list of (h, 2); ``values`` (rows, k) are the inverse transform's."""
        output = []
        for row, v in zip(rows, values, strict=True):
            if row.idle:
                continue
            vec = element.vector(row, self._result(row, v, step), self.config)
            if row.to_vector:
                self._write(row.target, row.alternate, step, vec)
            if row.to_output:
                output.append(vec.reshape(-1, 2))
        return output

    def _result(self, row, v, step):
        """The element unit's results (k,), also in the memories that they go to."""
        block = np.arange(self.config.slots)
        state = row.state * self.config.slots + block
        c, t0, t1 = (memory[state].reshape(-1) for memory in (self.state, self.scratch0, self.scratch1))
        if row.old and not step:
            c = np.zeros_like(c)
        words = self.coefficients[row.coefficient * self.config.slots + block]
        bias, peephole = words[:, :2].reshape(-1), words[:, 2:].reshape(-1)
        res = element.result(row, v, (c, t0, t1), (bias, peephole), self.config)
        narrow = saturate(res, PRE_WIDTH)
        for memory, taken, value in ((self.scratch0, row.to_t0, narrow), (self.scratch1, row.to_t1, narrow),
                                     (self.state, row.to_c, res)):
            if taken:
                memory[state] = value.reshape(-1, 2)
        return res
