"""The circulant engine's program: its memories, and the order of input and output values.

Specification: docs/engines/circulant-machine.md.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..common import program as common
from ..common.program import EngineProgram, Section
from .config import CirculantConfig
from .words import Header, Phase, Row

__all__ = ["MAGIC", "VERSION", "Memory", "Program"]

MAGIC = 0x31435753
VERSION = 1


class Memory(common.Memory):
    """Memories that a program fills."""

    HEADER = 1
    PHASES = 2
    ROWS = 3
    COEFFICIENTS = 4
    WEIGHTS = 5

    def depth(self, config):
        """Words of the memory."""
        return (1, config.phase_depth, config.row_depth, config.coefficient_depth,
                config.weight_depth)[self - 1]

    def width(self, config):
        """Bits of one of its words."""
        return (Header.WIDTH, Phase.WIDTH, Row.WIDTH, 64, config.weight_word)[self - 1]


@dataclass(frozen=True, eq=False)
class Program(EngineProgram):
    """Recurrent layers in the words that an engine of ``config``, a CirculantConfig, loads.

    ``metadata`` has ``sequences``, ``inputs`` and ``outputs`` (entries of a step of one of them),
    ``output_blocks``: of each block of a step's output (sequence, block), ``input_exponent`` and
    ``output_exponent``: values are integers times 2 ** exponent, ``layers``: of each the block of its first
    state, by sequence.
    """

    MAGIC: ClassVar[int] = MAGIC
    VERSION: ClassVar[int] = VERSION
    MEMORIES: ClassVar[type] = Memory
    CONFIG: ClassVar[type] = CirculantConfig

    def pack_input(self, x):
        """Beats of the input packet, uint16 (steps * input_blocks * h, 2), of ``x``, int (S, steps, inputs).

        S is the number of sequences side by side. Raises ValueError for another shape, other than integers
        and values of more than V bits.
        """
        meta, config = self.metadata, self.config
        x = np.asarray(x)
        sequences, inputs = meta["sequences"], meta["inputs"]
        if x.ndim != 3 or x.shape[::2] != (sequences, inputs) or not x.shape[1]:
            raise ValueError(f"Input must have shape ({sequences}, steps, {inputs}), at least one step, "
                             f"not {x.shape}")
        if not np.issubdtype(x.dtype, np.integer):
            raise ValueError(f"Input must be of integers, not {x.dtype}")
        limit = 1 << config.vector_width - 1
        if x.min() < -limit or x.max() >= limit:
            raise ValueError(f"Input must be within {-limit} .. {limit - 1}, not {x.min()} .. {x.max()}")
        padded = np.pad(x.astype(np.int16), ((0, 0), (0, 0), (0, -inputs % config.block)))
        return padded.swapaxes(0, 1).reshape(-1, 2).view(np.uint16)

    def unpack_output(self, beats):
        """Values int64 (S, steps, outputs) of an output packet's beats, 16-bit values (n, 2), signed or not.

        Raises ValueError for a number of beats that is none of whole steps.
        """
        meta, size = self.metadata, self.config.block
        order = np.array(meta["output_blocks"])
        values = np.asarray(beats).astype(np.int16).astype(np.int64)
        if not values.size or values.size % (len(order) * size):
            raise ValueError(f"Output must have a multiple of {len(order) * size} values, "
                             f"those of a step, not {values.size}")
        values = values.reshape(-1, len(order), size)
        blocks = -(-meta["outputs"] // size)
        found = np.zeros((meta["sequences"], len(values), blocks, size), np.int64)
        found[order[:, 0], :, order[:, 1]] = values.swapaxes(0, 1)
        return found.reshape(*found.shape[:2], -1)[..., :meta["outputs"]]

    def image(self, memory):
        """Bits bool (count, width) of ``memory`` up to the last word that is written; others are 0."""
        sections = [s for s in self.sections if s.memory is memory]
        width = memory.width(self.config)
        found = np.zeros((max((s.address + len(s.words) for s in sections), default=0), width), bool)
        for section in sections:
            found[section.address:section.address + len(section.words)] = section.bits(width)
        return found

    def parse(self):
        """(Header, phases, rows) that the program writes, the phases up to the last one.

        Raises ValueError where there is no header, or no last phase.
        """
        header = self.image(Memory.HEADER)
        phases = []
        for bits in self.image(Memory.PHASES):
            phases.append(Phase.from_bits(bits))
            if phases[-1].last:
                break
        if not len(header) or not phases or not phases[-1].last:
            raise ValueError("Program must have a header and a last phase")
        count = sum(phase.rows for phase in phases)
        rows = [Row.from_bits(bits) for bits in self.image(Memory.ROWS)[:count]]
        return Header.from_bits(header[0]), tuple(phases), tuple(rows)

    @classmethod
    def of_words(cls, config, header, phases, rows, coefficients, weights, metadata=None):
        """The program of a Header, Phases and Rows.

        ``coefficients`` are integers (n, 4), biases and peephole weights of two elements each, ``weights``
        (n, R, h, 2).
        """
        words = {Memory.HEADER: np.array([header.to_bits()]),
                 Memory.PHASES: np.array([phase.to_bits() for phase in phases]),
                 Memory.ROWS: np.array([row.to_bits() for row in rows]),
                 Memory.COEFFICIENTS: _bits(coefficients, 16),
                 Memory.WEIGHTS: _bits(weights.reshape(len(weights), -1), config.weight_width)}
        return cls(config, tuple(Section.from_bits(memory, 0, bits) for memory, bits in words.items()),
                   metadata or {})


def _bits(values, width):
    """Bits bool (n, m * width) of integers (n, m), two's complement of ``width`` bits each."""
    return (values[..., None] >> np.arange(width) & 1).astype(bool).reshape(len(values), -1)
