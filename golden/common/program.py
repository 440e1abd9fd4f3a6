"""The program: what an engine loads, as words, and the order of its input and output values."""

import dataclasses
import enum
import io
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .activations import input_range
from .array_config import ArrayConfig
from .lanes import from_lanes, to_lanes

__all__ = ["ErrorCode", "ProgramError", "Memory", "Section", "EngineProgram", "ArrayProgram"]


class ErrorCode(enum.IntEnum):
    """Errors of an engine, in the order of the specification."""

    MAGIC = 1
    VERSION = 2
    GEOMETRY = 3
    ADDRESS = 4
    CHECKSUM = 5
    TRUNCATED = 6
    OVERLONG = 7
    INPUT_SHORT = 8
    INPUT_LONG = 9
    NO_PROGRAM = 10
    COMMAND = 11


class ProgramError(ValueError):
    """What an engine would report; ``code`` is its `ErrorCode`."""

    def __init__(self, code, message):
        super().__init__(f"{message} (error {int(code)}, {code.name.lower().replace('_', ' ')})")
        self.code = code


class Memory(enum.IntEnum):
    """Memories that a program fills; an engine names its own, with these two methods."""

    def depth(self, config):
        """Words of the memory."""
        raise NotImplementedError

    def width(self, config):
        """Bits of one of its words."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Section:
    """``words``, uint32 (count, ceil(width / 32)), for ``memory`` from ``address`` on."""

    memory: Memory
    address: int
    words: np.ndarray

    @classmethod
    def from_bits(cls, memory, address, bits):
        """A section of words given as bool (count, width), bit 0 first."""
        padded = np.zeros((len(bits), -(-bits.shape[1] // 32) * 32), bool)
        padded[:, :bits.shape[1]] = bits
        words = np.packbits(padded, axis=1, bitorder="little").view("<u4").astype(np.uint32)
        return cls(memory, address, words)

    def bits(self, width):
        """The words as bool (count, width), bit 0 first."""
        data = np.ascontiguousarray(self.words, "<u4").view(np.uint8)
        return np.unpackbits(data, axis=1, count=width, bitorder="little").astype(bool)


@dataclass(frozen=True, eq=False)
class EngineProgram:
    """A network in the words that an engine of ``config`` loads.

    ``metadata``, JSON-able, holds what the words do not carry: shapes, places and scales of inputs and
    outputs. An engine sets ``MAGIC``, ``VERSION``, ``MEMORIES``, its Memory, and ``CONFIG``, its config's
    class, which has a ``fingerprint``.
    """

    MAGIC: ClassVar[int]
    VERSION: ClassVar[int]
    MEMORIES: ClassVar[type[Memory]]
    CONFIG: ClassVar[type]

    config: Any
    sections: tuple[Section, ...]
    metadata: dict = field(default_factory=dict)

    def to_words(self):
        """The packet of the program stream, uint32 (n + 4,), checksum included."""
        parts = []
        for section in self.sections:
            parts.append(np.array([section.memory | section.address << 8, len(section.words)], np.uint32))
            parts.append(section.words.reshape(-1))
        body = np.concatenate([np.zeros(0, np.uint32), *parts])
        head = np.array([self.MAGIC, self.VERSION | self.config.fingerprint << 8, len(body)], np.uint32)
        words = np.concatenate([head, body])
        return np.append(words, np.uint32(_checksum(words)))

    @classmethod
    def from_words(cls, words, config, metadata=None):
        """The program that a packet of ``words`` is, for an engine of ``config``.

        Raises ProgramError with the first error that an engine would find, reading word by word.
        """
        words = np.asarray(words, np.uint32)

        def word(position):
            if position >= len(words):
                raise ProgramError(ErrorCode.TRUNCATED, f"Program must go on to its checksum, not end after "
                                                        f"{len(words)} words")
            return int(words[position])

        if word(0) != cls.MAGIC:
            raise ProgramError(ErrorCode.MAGIC, f"First word must be 0x{cls.MAGIC:08x}, not 0x{word(0):08x}")
        if word(1) & 0xFF != cls.VERSION:
            raise ProgramError(ErrorCode.VERSION, f"Version must be {cls.VERSION}, not {word(1) & 0xFF}")
        if word(1) >> 8 != config.fingerprint:
            raise ProgramError(ErrorCode.GEOMETRY, f"Fingerprint must be the engine's "
                                                   f"0x{config.fingerprint:06x}, not 0x{word(1) >> 8:06x}")
        sections, at, end = [], 3, 3 + word(2)
        while at < end:
            count = word(at + 1)
            section, size = _section(cls.MEMORIES, word(at), count, config)
            if at + 2 + size > end:
                raise ProgramError(ErrorCode.TRUNCATED, f"Number of words must be that of whole sections, "
                                                        f"not {end - 3}")
            word(at + 1 + size)
            data = words[at + 2:at + 2 + size].reshape(count, -1).copy() if count else section.words
            sections.append(dataclasses.replace(section, words=data))
            at += 2 + size
        if word(end) != _checksum(words[:end]):
            raise ProgramError(ErrorCode.CHECKSUM, f"Checksum must be 0x{_checksum(words[:end]):08x}, "
                                                   f"not 0x{word(end):08x}")
        if len(words) > end + 1:
            raise ProgramError(ErrorCode.OVERLONG, f"Program must end after {end + 1} words, "
                                                   f"not {len(words)}")
        return cls(config, tuple(sections), metadata or {})

    def save(self, path):
        """Writes words, configuration and metadata to the npz file ``path``."""
        about = {"config": dataclasses.asdict(self.config), "metadata": self.metadata}
        with open(path, "wb") as file:
            np.savez(file, words=self.to_words(), json=np.array(json.dumps(about, sort_keys=True)))

    @classmethod
    def load(cls, path):
        """The program that `save` wrote to ``path``.

        Raises OSError where there is no file, ValueError where it is another one, or damaged, ProgramError as
        `from_words` does.
        """
        try:
            with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
                words, about = file["words"], json.loads(str(file["json"]))
            config, metadata = cls.CONFIG(**about["config"]), about["metadata"]
        except (AttributeError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile,
                zlib.error) as error:
            raise ValueError(f"Program file {path} must be a whole one of an engine with a "
                             f"{cls.CONFIG.__name__}, not another or damaged ({error})") from None
        return cls.from_words(words, config, metadata)


@dataclass(frozen=True, eq=False)
class ArrayProgram(EngineProgram):
    """One of an engine of column arrays; ``metadata`` has an entry about each layer, too."""

    CONFIG: ClassVar[type[ArrayConfig]]

    def pack_input(self, x):
        """Beats of the input stream, (beats, drain_width), for integers ``x`` (n, C, H, W) or (n, K).

        They are uint8, or uint16 for an engine of 16-bit activations. ``n`` is at most the images of a batch;
        missing ones are zeros. Raises ValueError for another shape or a value outside the range of the
        network's input.
        """
        meta, config = self.metadata, self.config
        x = np.asarray(x)
        images, shape = meta["images"], tuple(meta["input_shape"])
        if x.shape[1:] != shape or not 1 <= len(x) <= images:
            raise ValueError(f"Input must have shape (1 .. {images}, {', '.join(map(str, shape))}), "
                             f"not {x.shape}")
        low, high = input_range(meta["input_signed"], meta["input_bits"])
        if not np.issubdtype(x.dtype, np.integer):
            raise ValueError(f"Input must be of integers, not {x.dtype}")
        if x.min() < low or x.max() > high:
            raise ValueError(f"Input must be within {low} .. {high}, not {x.min()} .. {x.max()}")
        full = np.zeros((images, *shape), np.dtype(f"u{config.activation_width // 8}"))
        full[:len(x)] = x.astype(np.int64) & (1 << config.activation_width) - 1
        return self._pack(full)

    def _pack(self, maps):
        # Images stand array by array, so a row of all arrays is one of all images.
        config = self.config
        cells = to_lanes(maps, self.metadata["input_block"], (config.grid_rows, config.grid_columns))
        return np.moveaxis(cells, 0, 3).reshape(-1, config.drain_width)

    def unpack_output(self, values):
        """Values of the output stream as int64 (images, M) logits or (images, C, H, W) maps.

        ``values`` holds one batch's 16-bit values, signed or not, in any shape. Raises ValueError for another
        number of them.
        """
        config, layout = self.config, self._output_layout()
        values = np.asarray(values).astype(np.int16).astype(np.int64)
        if values.size != config.arrays * np.prod(layout):
            raise ValueError(f"Output must have {config.arrays * np.prod(layout)} values, not {values.size}")
        # A vector of each array by turns.
        values = np.moveaxis(values.reshape(-1, config.arrays, config.drain_width), 1, 0)
        return self._unpack(values.reshape(config.arrays, *layout))

    def _output_layout(self):
        """Shape of the values of one array, in their order."""
        meta, config = self.metadata, self.config
        return (meta["output_shape"][0], *meta["output_block"], meta["images"] // config.arrays,
                config.grid_rows, config.grid_columns)

    def _unpack(self, values):
        images, shape = self.metadata["images"], self.metadata["output_shape"]
        values = np.moveaxis(values, 4, 1).reshape(images, *values.shape[1:4], *values.shape[5:])
        return np.ascontiguousarray(from_lanes(values, shape[1:] or (1, 1)))


def _checksum(words):
    return zlib.crc32(words.astype("<u4").tobytes())


def _section(memories, head, count, config):
    """An empty section for a header, and the 32-bit words that must follow it."""
    number, address = head & 0xFF, head >> 8
    if number not in list(memories):
        *names, last = (f"{memory.value} ({memory.name.lower()})" for memory in memories)
        raise ProgramError(ErrorCode.ADDRESS, f"Memory must be {', '.join(names)} or {last}, not {number}")
    memory = memories(number)
    if address + count > memory.depth(config):
        raise ProgramError(ErrorCode.ADDRESS, f"Section must end within the {memory.depth(config)} words of "
                                              f"memory {number}, not at {address + count}")
    width = -(-memory.width(config) // 32)
    return Section(memory, address, np.zeros((0, width), np.uint32)), count * width
