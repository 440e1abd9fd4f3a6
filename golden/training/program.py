"""The training engine's program: its memories. Specification: docs/engines/training-machine.md."""

from dataclasses import dataclass
from typing import ClassVar

from ..common import program as common
from ..common.program import EngineProgram
from .engine_config import EngineConfig
from .isa import INSTRUCTION_BITS, WORD_BITS

__all__ = ["MAGIC", "MAP_BITS", "VERSION", "Memory", "Program"]

MAGIC = 0x314E5753
VERSION = 1

MAP_BITS = 3
"""Of a tile's width: planes - 1."""


class Memory(common.Memory):
    """Memories that a program fills."""

    PROGRAM = 1
    DATA = 2
    WEIGHTS = 3
    MAP = 4

    def depth(self, config):
        """Words of the memory."""
        return (config.program_depth, config.data_depth, config.weight_depth, config.maps)[self - 1]

    def width(self, config):
        """Bits of one of its words."""
        return (INSTRUCTION_BITS, WORD_BITS, config.weight_word, MAP_BITS)[self - 1]


@dataclass(frozen=True, eq=False)
class Program(EngineProgram):
    """Firmware, its data and a network's parameters in the words that an engine of an EngineConfig loads."""

    MAGIC: ClassVar[int] = MAGIC
    VERSION: ClassVar[int] = VERSION
    MEMORIES: ClassVar[type] = Memory
    CONFIG: ClassVar[type] = EngineConfig
