"""The ternary engine's program: its memories, and the order of vectors of input and output values."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..common import program as common
from ..common.program import ArrayProgram, ErrorCode, ProgramError, Section
from .config import TernaryConfig

__all__ = ["MAGIC", "VERSION", "ErrorCode", "ProgramError", "Memory", "Section", "Program"]

MAGIC = 0x31545753
VERSION = 1


class Memory(common.Memory):
    """Memories that a program fills."""

    TABLE = 1
    WEIGHTS = 2

    def depth(self, config):
        """Words of the memory."""
        return config.table_depth if self is Memory.TABLE else config.weight_depth

    def width(self, config):
        """Bits of one of its words."""
        return config.table_width if self is Memory.TABLE else 2 * config.word_width


@dataclass(frozen=True, eq=False)
class Program(ArrayProgram):
    """A network in the words that an engine of ``config``, a TernaryConfig, loads."""

    MAGIC: ClassVar[int] = MAGIC
    VERSION: ClassVar[int] = VERSION
    MEMORIES: ClassVar[type] = Memory
    CONFIG: ClassVar[type] = TernaryConfig

    def _pack(self, full):
        config, shape = self.config, full.shape[1:]
        if len(shape) == 3:
            return super()._pack(full)
        # A vector of each array's images, cut into rows of its lanes; the arrays' rows by turns.
        values = np.pad(full, ((0, 0), (0, -shape[0] % config.scatter_width))).reshape(config.arrays, -1)
        rows = np.pad(values, ((0, 0), (0, -values.shape[1] % config.lanes)))
        rows = rows.reshape(config.arrays, -1, config.lanes)
        return np.moveaxis(rows, 0, 1).reshape(-1, config.drain_width)

    def _output_layout(self):
        meta, config = self.metadata, self.config
        if len(meta["output_shape"]) == 3:
            return super()._output_layout()
        (outputs,) = meta["output_shape"]
        return meta["images"] // config.arrays, -(-outputs // config.drain_width) * config.drain_width

    def _unpack(self, values):
        meta = self.metadata
        if len(meta["output_shape"]) == 3:
            return super()._unpack(values)
        return values.reshape(meta["images"], -1)[:, :meta["output_shape"][0]].copy()
