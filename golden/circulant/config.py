"""Parameters of the circulant engine, every check on them, every width and latency derived from them."""

import zlib
from dataclasses import dataclass, fields
from functools import cached_property

from .transform import widths
from .transform_config import TransformConfig, latency

__all__ = ["ACT_FRACTION", "ELEMENT_LATENCY", "MULTIPLIER_WIDTH", "PRESETS", "PRE_FRACTION", "PRE_WIDTH",
           "RESULT_WIDTH", "CirculantConfig"]

PRE_WIDTH, PRE_FRACTION = 16, 12
"""Preactivations, biases and peephole weights: bits, and those behind the point."""

RESULT_WIDTH, ACT_FRACTION = 18, 14
"""States and results; activations have as many bits behind the point, and 16 in all."""

ELEMENT_LATENCY = 16
"""Cycles of the element unit, and from reading a state to its being written."""

MULTIPLIER_WIDTH = 18
"""Bits of a multiplier's operands; sums of two parts of a spectrum must fit."""

_LIMITS = {"rows": (1, 64), "vector_width": (8, 16), "weight_width": (8, 18), "acc_width": (24, 48),
           "sum_width": (12, 24), "factor_bits": (8, 16), "segment_bits": (1, 5), "phase_depth": (2, 64),
           "weight_depth": (16, 65536),
           **{f"{name}_depth": (4, 65536) for name in ("spectrum", "row", "coefficient", "state", "output")}}


@dataclass(frozen=True, kw_only=True)
class CirculantConfig:
    """Parameters of one circulant engine; docs/engines/circulant-machine.md.

    Raises ValueError with a sentence that names the parameter, what it must be and what it was.
    """

    block: int = 8              #: block size, k: 4, 8, 16, 32 or 64
    rows: int = 4               #: rows of blocks computed together, R; R k / 2 complex lanes
    vector_width: int = 12      #: bits of inputs and outputs, V
    weight_width: int = 12      #: bits of a part of a weight's spectrum
    acc_width: int = 34         #: bits of an accumulator
    sum_width: int = 18         #: bits of what goes into the inverse transform
    factor_bits: int = 12       #: bits behind the point of the transforms' factors
    forward_shifts: tuple[int, ...] | None = None   #: of each stage; None: the fewest and latest that fit
    inverse_shifts: tuple[int, ...] | None = None   #: of each stage; None: none
    segment_bits: int = 2       #: a segment of the sigmoid is 2 ** -segment_bits wide
    spectrum_depth: int = 256   #: blocks of the spectrum memory
    weight_depth: int = 1024    #: words of the weight memory, R k weights each
    row_depth: int = 256        #: rows of a step
    coefficient_depth: int = 1024   #: words of two biases and two peephole weights
    state_depth: int = 256      #: words of two elements of each state and scratch memory
    phase_depth: int = 16       #: phases of a step
    output_depth: int = 256     #: beats of the output queue
    peepholes: bool = True      #: the element unit multiplies peephole weights
    cell_tanh: bool = True      #: .. and has the tanh of the state that an LSTM needs

    def __post_init__(self):
        for f in fields(self):
            value = getattr(self, f.name)
            if f.type in (int, bool) and type(value) is not f.type:
                raise ValueError(f"{f.name} must be of type {f.type.__name__}, not {value!r}")
        if self.block not in (4, 8, 16, 32, 64):
            raise ValueError(f"block must be 4, 8, 16, 32 or 64, not {self.block}")
        for name, (least, most) in _LIMITS.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be between {least} and {most}, not {getattr(self, name)}")
        if self.spectrum_depth & self.spectrum_depth - 1:
            raise ValueError(f"spectrum_depth must be a power of two, not {self.spectrum_depth}")
        stages = self.block.bit_length() - 1
        for name in ("forward_shifts", "inverse_shifts"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, (tuple, list)) and len(value) == stages
                                          and set(value) <= {0, 1}):
                raise ValueError(f"{name} must be {stages} numbers, each 0 or 1, not {value!r}")
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
        if self.spectrum_width >= MULTIPLIER_WIDTH:
            raise ValueError(f"forward_shifts must leave spectra of at most {MULTIPLIER_WIDTH - 1} bits, "
                             f"not {self.spectrum_width}")

    @property
    def slots(self):
        """Complex slots of a block and cycles of a row, h."""
        return self.block // 2

    @property
    def lanes(self):
        """Complex multiply-accumulate lanes."""
        return self.rows * self.slots

    @property
    def dependence(self):
        """Rows from one that writes a state to one that reads it, at least."""
        return -(-ELEMENT_LATENCY // self.slots)

    @cached_property
    def forward(self):
        """TransformConfig of vectors."""
        stages = self.block.bit_length() - 1
        tried = ([self.forward_shifts] if self.forward_shifts is not None else
                 [(0,) * (stages - n) + (1,) * n for n in range(stages + 1)])
        for shifts in tried:
            found = TransformConfig(size=self.block, width=self.vector_width, factor_bits=self.factor_bits,
                                    shifts=shifts)
            if _result_width(found) < MULTIPLIER_WIDTH:
                break
        return found

    @cached_property
    def inverse(self):
        """TransformConfig of sums."""
        shifts = self.inverse_shifts if self.inverse_shifts is not None else (0,) * len(self.forward.shifts)
        return TransformConfig(size=self.block, width=self.sum_width, factor_bits=self.factor_bits,
                               inverse=True, shifts=shifts)

    @cached_property
    def spectrum_width(self):
        """Bits of a number of the spectrum memory."""
        return _result_width(self.forward)

    @cached_property
    def write_latency(self):
        """Cycles from a row's start until its block may be issued as a column."""
        return 29 + latency(self.inverse) + latency(self.forward) + self.slots

    @property
    def weight_word(self):
        """Bits of a word of the weight memory."""
        return self.rows * self.block * self.weight_width

    @property
    def depths(self):
        """What the registers DEPTH_ROWS, DEPTH_WEIGHTS, DEPTH_TABLE and DEPTH_VECTOR say."""
        return self.spectrum_depth, self.weight_depth, self.row_depth, self.state_depth

    @property
    def fingerprint(self):
        """24 bits that a program and an engine must agree on."""
        values = [self.block, self.rows, self.vector_width, self.weight_width, self.acc_width, self.sum_width,
                  self.factor_bits, *self.forward.shifts, *self.inverse.shifts, self.segment_bits,
                  self.spectrum_depth, int(self.peepholes), int(self.cell_tanh)]
        return zlib.crc32(",".join(map(str, values)).encode()) & 0xFFFFFF


def _result_width(forward):
    """Bits of a forward transform's results."""
    return widths(forward)["sums", forward.size]


PRESETS = {
    "tiny": CirculantConfig(block=4, rows=2, spectrum_depth=64, weight_depth=512, row_depth=128,
                            coefficient_depth=256, state_depth=128, output_depth=64),
    "default": CirculantConfig(),
    "ulx3s-85f": CirculantConfig(weight_depth=2048, row_depth=512, coefficient_depth=2048, state_depth=512),
    "google-lstm": CirculantConfig(block=16, rows=5, sum_width=20, weight_depth=3072, row_depth=512,
                                   coefficient_depth=2560, state_depth=512, output_depth=512, phase_depth=8),
}
"""Named configurations."""
