"""Interpreter of binary programs: what all engines of column arrays have in common."""

import numpy as np

from .descriptor import DESCRIPTOR_WORDS, Destination
from .program import ErrorCode, ProgramError

__all__ = ["ArrayMachine"]


class ArrayMachine:
    """Table and arrays of an engine, and what a program does with them.

    ``arrays`` hold the activations; they follow one program in lockstep, as docs/engines/ternary-arrays.md
    specifies, each with its own part of a batch. An engine sets ``PROGRAM`` and ``DESCRIPTOR``, its classes,
    and has ``_fill(memory, span, bits)``, which takes a section, and ``_execute(number, d)``, which runs a
    descriptor and returns what it did.

    Addresses wrap at a memory's depth. A layer writes its results after its last read, so a program must not
    let the two regions overlap (no encoded one does). Memories keep what they hold between programs.
    """

    def __init__(self, config):
        self.config = config
        self.table = [0] * config.table_depth
        self.arrays = ()
        self.loaded = False
        self.layers = ()  #: what every descriptor of the last batch did

    def load(self, words):
        """Loads a program, uint32 words. Raises ProgramError, and then no program is loaded."""
        self.loaded = False
        program = self.PROGRAM.from_words(words, self.config)
        for section in program.sections:
            bits = section.bits(section.memory.width(self.config))
            span = slice(section.address, section.address + len(bits))
            if section.memory is self.PROGRAM.MEMORIES.TABLE:
                self.table[span] = [sum(1 << int(n) for n in np.flatnonzero(word)) for word in bits]
            else:
                self._fill(section.memory, span, bits)
        self.loaded = True

    def run(self, beats):
        """Output beats of one batch, int16 (n, drain_width), for those that a program's `pack_input` makes.

        A program without INPUT takes none of them and computes on what the memories hold. Raises ProgramError
        without a program, and for an input packet that is too short or too long.
        """
        self._check_loaded()
        values = np.asarray(beats, f"u{self.config.activation_width // 8}")
        self._input = values.reshape(-1, self.config.drain_width)
        self._output, runs = [], []
        for number, descriptor in self._descriptors():
            runs.append(self._execute(number, descriptor))
        self.layers = tuple(runs)
        nothing = np.zeros((0, self.config.drain_width), np.int64)
        return np.concatenate([nothing, *self._output]).astype(np.int16)

    def statistics(self, program):
        """Statistics of each layer of the last batch, whose program was ``program``."""
        return tuple(run.statistics(about, self.config) for run, about in
                     zip(self.layers[1:], program.metadata["layers"], strict=True))

    def _check_loaded(self):
        if not self.loaded:
            raise ProgramError(ErrorCode.NO_PROGRAM, "Program must be loaded before a start, not missing")

    def _descriptors(self):
        """Yields (number, descriptor) of the table up to END."""
        for number in range(self.config.table_depth // DESCRIPTOR_WORDS):
            descriptor = self._descriptor(number)
            if descriptor.kind == 0:    # END
                return
            yield number, descriptor

    def _descriptor(self, number):
        words = self.table[DESCRIPTOR_WORDS * number:DESCRIPTOR_WORDS * (number + 1)]
        return self.DESCRIPTOR.from_words(words)

    def _take_input(self, d):
        config = self.config
        shape = d.m_count, d.i_count, d.j_count, config.arrays, config.lanes
        beats, given = int(np.prod(shape)) // config.drain_width, len(self._input)
        if given != beats:
            code = ErrorCode.INPUT_SHORT if given < beats else ErrorCode.INPUT_LONG
            raise ProgramError(code, f"Input must have {beats} beats, not {given}")
        self._store(d, np.moveaxis(self._input.reshape(shape), 3, 0))

    def _store(self, d, results):
        """``results`` of each array, in its memories or, a vector of each array by turns, in the output."""
        if d.destination is Destination.STREAM:
            vectors = [values.reshape(-1, self.config.drain_width) for values in results]
            self._output.append(np.stack(vectors, axis=1).reshape(-1, self.config.drain_width))
            return
        for array, values in zip(self.arrays, results, strict=True):
            array.store(d, values)
