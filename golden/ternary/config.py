"""Parameters of the ternary engine, every check on them, every width derived from them."""

import zlib
from dataclasses import dataclass, fields

__all__ = ["TernaryConfig", "PRESETS", "CHUNK", "SNAPSHOT_ROWS"]

CHUNK = 8
"""Bits of a bitmap word that the controller looks through in one step."""

MAX_ARRAYS = 32
"""Most column arrays of an engine."""

SNAPSHOT_ROWS = 4
"""Bit rows of finished sums that a bit-serial array hands out in one cycle."""


def _power_of_two(value):
    return value >= 1 and value & (value - 1) == 0


@dataclass(frozen=True, kw_only=True)
class TernaryConfig:
    """Parameters of one ternary engine.

    ``lanes`` accumulators share one stream of non-zero weights. A grid of ``grid_rows`` x ``grid_columns``
    lanes covers one image, so an array computes ``lanes / (grid_rows * grid_columns)`` images together, and
    the engine ``arrays`` times as many. Lanes, widths and depths are those of one array.

    Raises ValueError with a sentence that names the parameter, what it must be and what it was.
    """

    lanes: int = 64          #: accumulators, P
    grid_rows: int = 4       #: lanes that share an image's height
    grid_columns: int = 4    #: lanes that share an image's width
    drain_width: int = 4     #: results scaled per cycle, D
    scatter_width: int = 16  #: activations written per cycle, G
    row_depth: int = 512     #: rows of the activation memory, P activations each
    weight_depth: int = 512  #: words of the weight memory, P weights each
    table_depth: int = 512   #: words of the table of layer descriptors and scales
    vector_depth: int = 512  #: words of the vector memory, D activations each
    acc_width: int = 20      #: bits of an accumulator
    scale_width: int = 12    #: bits of a scale's mantissa
    row_slots: int = 4       #: rows of results under way to the row memory
    convolution: bool = True  #: whether the engine has the convolution mode
    transposed: bool = True   #: whether the engine has the transposed mode (fully connected layers)
    activation_width: int = 8  #: bits of an activation in memories and streams, A
    bit_serial: bool = False  #: columns of one full adder each instead of word-parallel lanes
    carry_write_back: bool = False  #: bit-serial columns write the carry to memory, in a step of its own
    skip_zeros: bool = True   #: the controller skips weights that are zero
    arrays: int = 1  #: column arrays in lockstep, each with its own images and its own row and vector memory

    def __post_init__(self):
        for f in fields(self):
            value = getattr(self, f.name)
            if not isinstance(value, f.type):
                raise ValueError(f"{f.name} must be of type {f.type.__name__}, not {value!r}")
        for name in ("lanes", "drain_width", "scatter_width", "row_depth", "weight_depth", "table_depth",
                     "vector_depth"):
            if not _power_of_two(getattr(self, name)):
                raise ValueError(f"{name} must be a power of two, not {getattr(self, name)}")
        if not 4 <= self.lanes <= 1024:
            raise ValueError(f"lanes must be between 4 and 1024, not {self.lanes}")
        for name in ("grid_rows", "grid_columns"):
            if not 1 <= getattr(self, name) <= 128:
                raise ValueError(f"{name} must be between 1 and 128, not {getattr(self, name)}")
        if self.lanes % self.image_lanes:
            raise ValueError(f"grid_rows * grid_columns must divide the {self.lanes} lanes, "
                             f"not {self.grid_rows} * {self.grid_columns}")
        if self.drain_width > 8 or self.lanes // self.drain_width < 2:
            raise ValueError(f"drain_width must be at most 8 and at most half of the {self.lanes} lanes, "
                             f"not {self.drain_width}")
        if self.scatter_width % self.drain_width or self.lanes % self.scatter_width:
            raise ValueError(f"scatter_width must be a multiple of drain_width {self.drain_width} and divide "
                             f"the {self.lanes} lanes, not {self.scatter_width}")
        if self.scatter_width < 4:
            raise ValueError(f"scatter_width must be at least 4, not {self.scatter_width}")
        if self.convolution and self.transposed and self.image_lanes % self.scatter_width:
            raise ValueError(f"scatter_width must divide the {self.image_lanes} lanes of one image, "
                             f"not {self.scatter_width}")
        for name in ("row_depth", "weight_depth", "table_depth", "vector_depth"):
            if not 32 <= getattr(self, name) <= 65536:
                raise ValueError(f"{name} must be between 32 and 65536, not {getattr(self, name)}")
        if self.vector_depth * self.drain_width < self.scatter_width * 2:
            raise ValueError(f"vector_depth * drain_width must hold two groups of {self.scatter_width}, "
                             f"not {self.vector_depth * self.drain_width}")
        if not 16 <= self.acc_width <= 32:
            raise ValueError(f"acc_width must be between 16 and 32, not {self.acc_width}")
        if not 8 <= self.scale_width <= 16:
            raise ValueError(f"scale_width must be between 8 and 16, not {self.scale_width}")
        if self.table_width < 32:
            raise ValueError(f"acc_width + scale_width must be at least 28, "
                             f"not {self.acc_width + self.scale_width}")
        if self.row_slots not in (2, 4, 8):
            raise ValueError(f"row_slots must be 2, 4 or 8, not {self.row_slots}")
        if not (self.convolution or self.transposed):
            raise ValueError("convolution or transposed must be True, not both False")
        if self.activation_width not in (8, 16):
            raise ValueError(f"activation_width must be 8 or 16, not {self.activation_width}")
        if self.carry_write_back and not self.bit_serial:
            raise ValueError("bit_serial must be True where carry_write_back is, not False")
        if not 1 <= self.arrays <= MAX_ARRAYS:
            raise ValueError(f"arrays must be between 1 and {MAX_ARRAYS}, not {self.arrays}")
        if self.bit_serial and self.arrays != 1:
            raise ValueError(f"arrays must be 1 where bit_serial is True, not {self.arrays}")

    @property
    def image_lanes(self):
        """Lanes of one image."""
        return self.grid_rows * self.grid_columns

    @property
    def array_batch(self):
        """Images that one array computes together."""
        return self.lanes // self.image_lanes

    @property
    def batch(self):
        """Images computed together, those of all arrays."""
        return self.arrays * self.array_batch

    @property
    def all_lanes(self):
        """Lanes of all arrays."""
        return self.arrays * self.lanes

    @property
    def groups(self):
        """Groups of ``scatter_width`` lanes."""
        return self.lanes // self.scatter_width

    @property
    def drain_cycles(self):
        """Cycles that reading all lanes' results takes."""
        return self.lanes // self.drain_width

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
        return self.activation_width if self.bit_serial else 1

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
