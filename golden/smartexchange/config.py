"""Parameters of the SmartExchange engine, every check on them, every width derived from them."""

import zlib
from dataclasses import dataclass

from ..common.array_config import ArrayConfig, power_of_two
from ..common.scales import ScaleFormat
from .layers import MIN_SHIFT

__all__ = ["SmartExchangeConfig", "PRESETS", "OFFSET_BITS", "LENGTH_BITS", "FINISHED"]

OFFSET_BITS = 14
"""Bits of an item's offset."""

LENGTH_BITS = 9
"""Bits of a list's length."""

FINISHED = 2
"""Complete sums that are kept until they are drained."""

_REBUILD_LIMITS = {"slices": 64, "lines": 32, "filter_bases": 64}


@dataclass(frozen=True, kw_only=True)
class SmartExchangeConfig(ArrayConfig):
    """Parameters of one SmartExchange engine; docs/engines/smartexchange-machine.md.

    Those of the `rebuild` dataflow: docs/engines/smartexchange-rebuild.md.

    Raises ValueError with a sentence that names the parameter, what it must be and what it was.
    """

    sum_width: int = 32      #: bits of a combined sum and of a bias
    combine_width: int = 8   #: lanes combined in a cycle, E
    taps: int = 3            #: most taps of a basis row, S
    item_depth: int = 8192   #: items of the item memory, one non-zero coefficient each
    basis_depth: int = 512   #: words of the basis memory, one for each list
    pool_columns: int = 16   #: columns of a block that max pooling over several rows keeps
    rebuild: bool = False    #: weights are rebuilt and multiplied, as in the paper, not `factored`
    slices: int = 1          #: filters that it computes together
    lines: int = 1           #: lines of a slice, which share the rows of coefficients
    synchronised: bool = False  #: a row of coefficients starts in all lines together
    filter_bases: int = 16   #: bases of a filter that a slice holds

    def __post_init__(self):
        super().__post_init__()
        if not self.acc_width <= self.sum_width <= 32:
            raise ValueError(f"sum_width must be between acc_width {self.acc_width} and 32, "
                             f"not {self.sum_width}")
        if not power_of_two(self.combine_width) or not (
                self.drain_width <= self.combine_width <= self.lanes // 2):
            raise ValueError(f"combine_width must be a power of two between drain_width {self.drain_width} "
                             f"and half of the {self.lanes} lanes, not {self.combine_width}")
        if not 1 <= self.taps <= 4:
            raise ValueError(f"taps must be between 1 and 4, not {self.taps}")
        if self.row_depth > 1 << OFFSET_BITS:
            raise ValueError(f"row_depth must be at most {1 << OFFSET_BITS}, not {self.row_depth}")
        if not power_of_two(self.pool_columns) or self.pool_columns > 128:
            raise ValueError(f"pool_columns must be a power of two of at most 128, not {self.pool_columns}")
        for name, most in _REBUILD_LIMITS.items():
            value = getattr(self, name)
            if not power_of_two(value) or value > most:
                raise ValueError(f"{name} must be a power of two of at most {most}, not {value}")
        for name, alone in (("slices", 1), ("lines", 1), ("synchronised", False)):
            if not self.rebuild and getattr(self, name) != alone:
                raise ValueError(f"rebuild must be True where {name} is {getattr(self, name)}, not False")
        if self.rebuild and self.arrays != 1:
            raise ValueError(f"arrays must be 1 where rebuild is True, not {self.arrays}")

    @property
    def combine_cycles(self):
        """Cycles that combining all lanes for one tap takes, K."""
        return self.lanes // self.combine_width

    @property
    def scales(self):
        """ScaleFormat of the table's entries."""
        return ScaleFormat(self.sum_width, self.scale_width, MIN_SHIFT)

    @property
    def table_width(self):
        """Bits of a table word: bias, mantissa and 4 bits of shift."""
        return self.sum_width + self.scale_width + 4

    @property
    def basis_width(self):
        """Bits of a basis word: length, lift and the taps' coefficients."""
        return LENGTH_BITS + 3 + 8 * self.taps

    @property
    def count_bits(self):
        """Bits of the loop counters, by descriptor field: a count must be below 2 ** bits."""
        filters = (self.table_depth - 1).bit_length()
        return {"m_count": filters, "i_count": 7, "j_count": 7, "pi_count": 3, "pj_count": 3,
                "run_count": 7, "column_count": 7, "lists": (self.basis_depth - 1).bit_length(),
                "out_u_count": 7, "out_v_count": 7}

    @property
    def depths(self):
        """What the registers DEPTH_ROWS, DEPTH_WEIGHTS, DEPTH_TABLE and DEPTH_VECTOR say."""
        return self.row_depth, self.item_depth, self.table_depth, self.basis_depth

    @property
    def fingerprint(self):
        """24 bits that a program and an engine must agree on."""
        values = [self.lanes, self.grid_rows, self.grid_columns, self.drain_width, self.scatter_width,
                  self.acc_width, self.scale_width, self.activation_width, self.sum_width, self.combine_width,
                  self.taps]
        if self.arrays > 1:
            values.append(self.arrays)
        if self.rebuild:
            values += [self.slices, self.lines]
        return zlib.crc32(",".join(map(str, values)).encode()) & 0xFFFFFF


PRESETS = {
    "tiny": SmartExchangeConfig(lanes=8, grid_rows=2, grid_columns=2, drain_width=2, scatter_width=4,
                                combine_width=4, row_depth=256, item_depth=1024, table_depth=128,
                                basis_depth=128, pool_columns=8),
    "default": SmartExchangeConfig(),
    "ulx3s-85f": SmartExchangeConfig(grid_columns=1, combine_width=16, row_depth=1024, item_depth=16384,
                                     basis_depth=2048),
}
"""Named configurations."""
