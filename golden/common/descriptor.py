"""Layer descriptors: 16 table words each; the fields that all engines of column arrays have.

They are those of docs/engines/ternary-machine.md; an engine's own stand beside its config.
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import ClassVar

__all__ = ["ArrayDescriptor", "Destination", "DESCRIPTOR_WORDS", "SHARED_LAYOUT", "SIGNED"]

DESCRIPTOR_WORDS = 16


class Destination(IntEnum):
    """Where a layer's results go."""

    ROWS = 0
    VECTOR = 1
    STREAM = 2


SHARED_LAYOUT = {
    "kind": (0, 0, 2), "input_signed": (0, 3, 1), "destination": (0, 4, 2), "param_base": (0, 16, 16),
    "low": (1, 0, 16), "high": (1, 16, 16),
    "m_count": (2, 0, 16), "i_count": (2, 16, 16),
    "j_count": (3, 0, 16), "pi_count": (3, 16, 8), "pj_count": (3, 24, 8),
    "i_last_cell": (10, 0, 8), "i_last_local": (10, 8, 8),
    "j_last_cell": (10, 16, 8), "j_last_local": (10, 24, 8),
    "out_base": (11, 0, 16), "out_v_row": (11, 16, 16),
    "out_u_count": (12, 0, 16), "out_v_count": (12, 16, 16),
    "out_u_row": (13, 0, 16), "out_u_step": (13, 16, 16),
    "out_v_step": (14, 0, 16), "out_u_first": (14, 16, 8), "out_v_first": (14, 24, 8),
    "out_a_first": (15, 0, 8), "out_c_first": (15, 8, 8),
}
"""Name of each field, its word, its first bit and its bits."""

SIGNED = ("low", "high")
"""The only fields in two's complement."""


@dataclass(frozen=True, kw_only=True)
class ArrayDescriptor:
    """One descriptor; the fields are those of the specification, with its units.

    ``LAYOUT`` has all fields' places. A field of ``LESS_ONE`` stands in the words less 1. Raises ValueError
    where a value does not fit its field.
    """

    LAYOUT: ClassVar[dict] = SHARED_LAYOUT
    LESS_ONE: ClassVar[tuple] = ()

    kind: IntEnum
    input_signed: bool = False
    destination: Destination = Destination.ROWS
    param_base: int = 0
    low: int = 0
    high: int = 0
    m_count: int = 0
    i_count: int = 0
    j_count: int = 0
    pi_count: int = 0
    pj_count: int = 0
    i_last_cell: int = 0
    i_last_local: int = 0
    j_last_cell: int = 0
    j_last_local: int = 0
    out_base: int = 0
    out_v_row: int = 0
    out_u_count: int = 0
    out_v_count: int = 0
    out_u_row: int = 0
    out_u_step: int = 0
    out_v_step: int = 0
    out_u_first: int = 0
    out_v_first: int = 0
    out_a_first: int = 0
    out_c_first: int = 0

    def __post_init__(self):
        for f in fields(self):
            value, width = getattr(self, f.name), self.LAYOUT[f.name][2]
            first = -(1 << width - 1) if f.name in SIGNED else int(f.name in self.LESS_ONE)
            last = first + (1 << width) - 1
            if not first <= value <= last:
                raise ValueError(f"{f.name} must be within {first} .. {last}, its field of {width} bits, "
                                 f"not {value}")

    def to_words(self):
        """The 16 table words, as a list of int."""
        words = [0] * DESCRIPTOR_WORDS
        for name, (word, bit, width) in self.LAYOUT.items():
            value = int(getattr(self, name)) - (name in self.LESS_ONE)
            words[word] |= (value & (1 << width) - 1) << bit
        return words

    def check_counts(self, config):
        """This descriptor, whose counts the engine's loop counters hold.

        Raises ValueError where a count is too great for its counter, or a kernel reaches too far.
        """
        for name, bits in config.count_bits.items():
            if getattr(self, name) >= 1 << bits:
                raise ValueError(f"{name} must be below {1 << bits}, what its counter of {bits} bits holds, "
                                 f"not {getattr(self, name)}")
        reach = 1 << config.count_bits["i_count"] - 1
        for first, count, block in ((self.out_a_first, self.out_u_count, self.i_count),
                                    (self.out_c_first, self.out_v_count, self.j_count)):
            cells = max(first, count // max(1, block))
            if cells >= reach:
                raise ValueError(f"Window of the next layer must reach less than {reach} cells, not {cells}")
        return self

    @classmethod
    def from_words(cls, words):
        """The descriptor that 16 table words stand for; bits outside the fields are not looked at."""
        values = {}
        for f in fields(cls):
            word, bit, width = cls.LAYOUT[f.name]
            value = int(words[word]) >> bit & (1 << width) - 1
            if f.name in SIGNED and value >> width - 1:
                value -= 1 << width
            values[f.name] = f.type(value + (f.name in cls.LESS_ONE))
        return cls(**values)
