"""Parameters of the ternary engine, every check on them, every width derived from them."""

import zlib
from dataclasses import dataclass

from ..common.array_config import ArrayConfig
from ..common.scales import ScaleFormat
from .layers import MIN_SHIFT

__all__ = ["TernaryConfig", "PRESETS", "CHUNK", "SNAPSHOT_ROWS"]

CHUNK = 8
"""Bits of a bitmap word that the controller looks through in one step."""

SNAPSHOT_ROWS = 4
"""Bit rows of finished sums that a bit-serial array hands out in one cycle."""


@dataclass(frozen=True, kw_only=True)
class TernaryConfig(ArrayConfig):
    """Parameters of one ternary engine.

    Raises ValueError with a sentence that names the parameter, what it must be and what it was.
    """

    weight_depth: int = 512  #: words of the weight memory, P weights each
    vector_depth: int = 512  #: words of the vector memory, D activations each
    convolution: bool = True  #: whether the engine has the convolution mode
    transposed: bool = True   #: whether the engine has the transposed mode (fully connected layers)
    bit_serial: bool = False  #: columns of one full adder each instead of word-parallel lanes
    carry_write_back: bool = False  #: bit-serial columns write the carry to memory, in a step of its own
    skip_zeros: bool = True   #: the controller skips weights that are zero

    def __post_init__(self):
        super().__post_init__()
        if self.convolution and self.transposed and self.image_lanes % self.scatter_width:
            raise ValueError(f"scatter_width must divide the {self.image_lanes} lanes of one image, "
                             f"not {self.scatter_width}")
        if self.vector_depth * self.drain_width < self.scatter_width * 2:
            raise ValueError(f"vector_depth * drain_width must hold two groups of {self.scatter_width}, "
                             f"not {self.vector_depth * self.drain_width}")
        if self.table_width < 32:
            raise ValueError(f"acc_width + scale_width must be at least 28, "
                             f"not {self.acc_width + self.scale_width}")
        if not (self.convolution or self.transposed):
            raise ValueError("convolution or transposed must be True, not both False")
        if self.carry_write_back and not self.bit_serial:
            raise ValueError("bit_serial must be True where carry_write_back is, not False")
        if self.bit_serial and self.arrays != 1:
            raise ValueError(f"arrays must be 1 where bit_serial is True, not {self.arrays}")

    @property
    def word_width(self):
        """Bitmap bits of a weight word; as many sign bits stand above them."""
        return self.lanes

    @property
    def chunk(self):
        """Bitmap bits that the controller looks through in one step."""
        return min(CHUNK, self.word_width, self.scatter_width)

    @property
    def table_width(self):
        """Bits of a table word: bias, mantissa and 4 bits of shift."""
        return self.acc_width + self.scale_width + 4

    @property
    def scales(self):
        """ScaleFormat of the table's entries."""
        return ScaleFormat(self.acc_width, self.scale_width, MIN_SHIFT)

    @property
    def count_bits(self):
        """Bits of the loop counters, by descriptor field: a count must be below 2 ** bits."""
        filters = max((self.table_depth - 1).bit_length(), (self.vector_depth - 1).bit_length())
        visits = max(4, (self.vector_depth * self.drain_width // self.scatter_width).bit_length())
        return {"m_count": filters, "i_count": 7, "j_count": 7, "pi_count": 3, "pj_count": 3,
                "segments": visits, "words": visits, "out_u_count": 7, "out_v_count": 7}

    @property
    def drain_step(self):
        """Cycles that a vector of results takes to leave the array, q."""
        return -(-self.acc_width // SNAPSHOT_ROWS) if self.bit_serial else 1

    @property
    def scatter_step(self):
        """Cycles of one scatter operation."""
        return self.activation_width if self.bit_serial else super().scatter_step

    @property
    def fingerprint(self):
        """24 bits that a program and an engine must agree on."""
        values = [self.lanes, self.grid_rows, self.grid_columns, self.drain_width, self.scatter_width,
                  self.acc_width, self.scale_width, self.activation_width, int(self.skip_zeros)]
        if self.arrays > 1:
            values.append(self.arrays)
        return zlib.crc32(",".join(map(str, values)).encode()) & 0xFFFFFF


PRESETS = {
    "tiny": TernaryConfig(lanes=8, grid_rows=2, grid_columns=2, drain_width=2, scatter_width=4,
                          row_depth=256, weight_depth=512, table_depth=128, vector_depth=128),
    "default": TernaryConfig(),
    "icebreaker": TernaryConfig(lanes=4, grid_rows=2, grid_columns=2, drain_width=1, scatter_width=4,
                                row_depth=512, weight_depth=2048, table_depth=256, vector_depth=512,
                                acc_width=18, row_slots=2),
    "ulx3s-85f": TernaryConfig(row_depth=512, weight_depth=2048, vector_depth=1024),
}
"""Named configurations."""
