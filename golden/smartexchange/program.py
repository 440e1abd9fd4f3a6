"""The SmartExchange engine's program: its memories, and the order of input and output values."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..common import program as common
from ..common.program import ArrayProgram
from .config import SmartExchangeConfig
from .rebuild_run import group_order
from .rebuild_store import group_size

__all__ = ["MAGIC", "VERSION", "Memory", "Program"]

MAGIC = 0x31585753
VERSION = 1


class Memory(common.Memory):
    """Memories that a program fills."""

    TABLE = 1
    ITEMS = 2
    BASIS = 3

    def depth(self, config):
        """Words of the memory."""
        return (config.table_depth, config.item_depth // 2, config.basis_depth)[self - 1]

    def width(self, config):
        """Bits of one of its words."""
        return (config.table_width, 32, config.basis_width)[self - 1]


@dataclass(frozen=True, eq=False)
class Program(ArrayProgram):
    """A network in the words that an engine of ``config``, a SmartExchangeConfig, loads.

    A vector of K values is a map of one pixel and K channels.
    """

    MAGIC: ClassVar[int] = MAGIC
    VERSION: ClassVar[int] = VERSION
    MEMORIES: ClassVar[type] = Memory
    CONFIG: ClassVar[type] = SmartExchangeConfig

    def _pack(self, full):
        channels, *size = full.shape[1:]
        maps = full.reshape(len(full), channels, *(size or (1, 1)))
        zeros = self.metadata["input_channels"] - channels
        return super()._pack(np.pad(maps, ((0, 0), (0, zeros), (0, 0), (0, 0))))

    def _unpack(self, values):
        if self.config.rebuild:
            size = group_size(self.config, self.metadata["layers"][-1]["kind"] == "depthwise")
            shape, rows = values.shape, values.reshape(-1, *values.shape[4:])
            values = np.empty_like(rows)
            values[group_order(*shape[1:4], size)] = rows
            values = values.reshape(shape)
        maps = super()._unpack(values)
        return maps.reshape(len(maps), *self.metadata["output_shape"])
