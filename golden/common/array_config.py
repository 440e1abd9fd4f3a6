"""Parameters that engines of column arrays share, the checks on them, and widths derived from them."""

from dataclasses import dataclass, fields

__all__ = ["ArrayConfig", "MAX_ARRAYS", "power_of_two"]

MAX_ARRAYS = 32
"""Most column arrays of an engine."""


def power_of_two(value):
    """Whether ``value`` is 1, 2, 4, .."""
    return value >= 1 and value & (value - 1) == 0


@dataclass(frozen=True, kw_only=True)
class ArrayConfig:
    """Lanes, their grid, and the memories of activations and descriptors of one engine.

    ``lanes`` accumulators share one stream of terms. A grid of ``grid_rows`` x ``grid_columns``
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
    table_depth: int = 512   #: words of the table of layer descriptors and scales
    acc_width: int = 20      #: bits of an accumulator
    scale_width: int = 12    #: bits of a scale's mantissa
    row_slots: int = 4       #: rows of results under way to the row memory
    activation_width: int = 8  #: bits of an activation in memories and streams, A
    arrays: int = 1  #: column arrays in lockstep, each with its own images and its own memories

    def __post_init__(self):
        for f in fields(self):
            value = getattr(self, f.name)
            if not isinstance(value, f.type):
                raise ValueError(f"{f.name} must be of type {f.type.__name__}, not {value!r}")
        for name in ("lanes", "drain_width", "scatter_width"):
            self._check_power(name)
        for f in fields(self):
            if f.name.endswith("_depth"):
                self._check_power(f.name)
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
        for f in fields(self):
            if f.name.endswith("_depth") and not 32 <= getattr(self, f.name) <= 65536:
                raise ValueError(f"{f.name} must be between 32 and 65536, not {getattr(self, f.name)}")
        if not 16 <= self.acc_width <= 32:
            raise ValueError(f"acc_width must be between 16 and 32, not {self.acc_width}")
        if not 8 <= self.scale_width <= 16:
            raise ValueError(f"scale_width must be between 8 and 16, not {self.scale_width}")
        if self.row_slots not in (2, 4, 8):
            raise ValueError(f"row_slots must be 2, 4 or 8, not {self.row_slots}")
        if self.activation_width not in (8, 16):
            raise ValueError(f"activation_width must be 8 or 16, not {self.activation_width}")
        if not 1 <= self.arrays <= MAX_ARRAYS:
            raise ValueError(f"arrays must be between 1 and {MAX_ARRAYS}, not {self.arrays}")

    def _check_power(self, name):
        if not power_of_two(getattr(self, name)):
            raise ValueError(f"{name} must be a power of two, not {getattr(self, name)}")

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
    def scatter_step(self):
        """Cycles of one scatter operation."""
        return 1
