"""Words of the circulant engine's header, phase and row memories, field by field.

Specification: docs/engines/circulant-machine.md, with its names.
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import ClassVar

import numpy as np

__all__ = ["Act", "Addend", "Header", "Left", "Phase", "Right", "Row", "Segment"]


class Act(IntEnum):
    """What is made of a preactivation."""

    NONE = 0
    SIGMOID = 1
    TANH = 2


class Left(IntEnum):
    """Left factor of the element unit's product."""

    A = 0
    A_LESS_C = 1
    C_LESS_A = 2


class Right(IntEnum):
    """Right factor of the element unit's product."""

    ONE = 0
    T0 = 1
    T1 = 2
    C = 3
    TANH_C = 4


class Addend(IntEnum):
    """What is added to the product."""

    NONE = 0
    C = 1
    A = 2


@dataclass(frozen=True, kw_only=True)
class _Word:
    """A word: ``LAYOUT`` has the first bit and the bits of each field.

    ``LEAST`` and ``MOST`` are limits of a field where they are others than those of its bits. Raises
    ValueError where a value is not within them.
    """

    LAYOUT: ClassVar[dict]
    WIDTH: ClassVar[int]
    LEAST: ClassVar[dict] = {}
    MOST: ClassVar[dict] = {}

    def __post_init__(self):
        types = {f.name: f.type for f in fields(self)}
        for name, (_, width) in self.LAYOUT.items():
            value, least, most = getattr(self, name), self.LEAST.get(name, 0), (1 << width) - 1
            most = self.MOST.get(name, most)
            if not least <= value <= most:
                raise ValueError(f"{name} must be within {least} .. {most}, not {value}")
            object.__setattr__(self, name, types[name](value))

    def to_bits(self):
        """The word as bool (WIDTH,), bit 0 first."""
        found = np.zeros(self.WIDTH, bool)
        for name, (first, width) in self.LAYOUT.items():
            found[first:first + width] = [int(getattr(self, name)) >> n & 1 for n in range(width)]
        return found

    @classmethod
    def from_bits(cls, bits, **further):
        """The word that ``bits`` are, those outside of its fields not looked at.

        Raises ValueError as the constructor does.
        """
        values = {name: sum(1 << n for n in range(width) if bits[first + n])
                  for name, (first, width) in cls.LAYOUT.items()}
        return cls(**values, **further)


@dataclass(frozen=True, kw_only=True)
class Header(_Word):
    """What a step takes and yields."""

    LAYOUT: ClassVar[dict] = {"input_blocks": (0, 16), "input_base": (16, 16), "vectors": (32, 16),
                              "output_beats": (48, 16)}
    WIDTH: ClassVar[int] = 96
    LEAST: ClassVar[dict] = {"input_blocks": 1, "vectors": 1}

    input_blocks: int       #: blocks of a step's input
    input_base: int         #: address of the first in the spectrum memory
    vectors: int            #: rows of a step that go to the spectrum memory
    output_beats: int       #: beats of a step's output


@dataclass(frozen=True, kw_only=True)
class Segment(_Word):
    """A phase's columns, half of them; bits are those of segment 0, 32 less than those of segment 1."""

    LAYOUT: ClassVar[dict] = {"base": (64, 16), "count": (80, 16), "after": (128, 16), "following": (144, 1),
                              "alternate": (145, 1), "old": (146, 1)}
    WIDTH: ClassVar[int] = 160

    base: int = 0               #: address of the first in the spectrum memory
    count: int = 0              #: columns
    after: int = 0              #: vectors of this step that the first one waits for
    following: bool = False     #: and one more for each further one
    alternate: bool = False     #: the address
    old: bool = False           #: zeros in the sequence's first step

    def needs(self, column):
        """Vectors of this step that ``column`` (or an array of them) waits for."""
        return self.after + self.following * column


@dataclass(frozen=True, kw_only=True)
class Phase(_Word):
    """A block-circulant matrix times a vector."""

    LAYOUT: ClassVar[dict] = {"rows": (0, 16), "weight_base": (16, 16), "sum_shift": (32, 6), "last": (38, 1)}
    WIDTH: ClassVar[int] = 192
    LEAST: ClassVar[dict] = {"rows": 1}
    MOST: ClassVar[dict] = {"sum_shift": 31}

    rows: int               #: rows of blocks
    weight_base: int        #: word of the first pass's first column
    sum_shift: int          #: of sums, in front of the inverse transform
    last: bool              #: of the step
    segments: tuple[Segment, Segment]

    def __post_init__(self):
        super().__post_init__()
        if not self.segments[0].count:
            raise ValueError("count of segment 0 must be at least 1, not 0")

    @property
    def columns(self):
        """Columns of both segments."""
        return sum(segment.count for segment in self.segments)

    def to_bits(self):
        """The word as bool (WIDTH,), bit 0 first."""
        found = super().to_bits()
        for n, segment in enumerate(self.segments):
            found[32 * n:] |= np.pad(segment.to_bits(), (0, 32))[:192 - 32 * n]
        return found

    @classmethod
    def from_bits(cls, bits):
        """The word that ``bits`` are. Raises ValueError as the constructor does."""
        return super().from_bits(bits, segments=(Segment.from_bits(bits), Segment.from_bits(bits[32:])))


@dataclass(frozen=True, kw_only=True)
class Row(_Word):
    """What becomes of a row of blocks in the element unit."""

    LAYOUT: ClassVar[dict] = {
        "state": (0, 16), "coefficient": (16, 16), "target": (32, 16), "pre_shift": (48, 5),
        "out_shift": (53, 5), "act": (58, 2), "left": (60, 2), "right": (62, 3), "addend": (65, 2),
        "old": (67, 1), "peephole": (68, 1), "add": (69, 1), "to_t0": (70, 1), "to_t1": (71, 1),
        "to_c": (72, 1), "to_vector": (73, 1), "to_output": (74, 1), "alternate": (75, 1)}
    WIDTH: ClassVar[int] = 96
    MOST: ClassVar[dict] = {"out_shift": 15, "act": 2, "left": 2, "right": 4, "addend": 2}

    state: int = 0              #: block of the state and scratch memories
    coefficient: int = 0        #: block of the coefficient memory
    target: int = 0             #: address in the spectrum memory
    pre_shift: int = 0          #: of what the inverse transform yields
    out_shift: int = 0          #: of the result, on its way to a vector
    act: Act = Act.NONE
    left: Left = Left.A
    right: Right = Right.ONE
    addend: Addend = Addend.NONE
    old: bool = False           #: C is 0 in the sequence's first step
    peephole: bool = False      #: C times the peephole weight is added
    add: bool = False           #: T1 is added
    to_t0: bool = False
    to_t1: bool = False
    to_c: bool = False
    to_vector: bool = False
    to_output: bool = False
    alternate: bool = False     #: the target

    @property
    def idle(self):
        """Whether it does nothing."""
        return not (self.writes or self.to_vector or self.to_output)

    @property
    def reads(self):
        """Which of "c", "t0", "t1" it reads."""
        c = (self.peephole or self.left is not Left.A or self.right in (Right.C, Right.TANH_C)
             or self.addend is Addend.C)
        wanted = {"c": c, "t0": self.right is Right.T0, "t1": self.right is Right.T1 or self.add}
        return {name for name, reads in wanted.items() if reads}

    @property
    def writes(self):
        """Which of "c", "t0", "t1" it writes."""
        return {name for name in ("c", "t0", "t1") if getattr(self, f"to_{name}")}
