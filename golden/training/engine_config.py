"""Parameters of the training engine, every check on them and every width derived from them."""

import zlib
from dataclasses import dataclass, fields

from .config import MASTER_BITS, WIDE_BITS

__all__ = ["ACCUMULATOR_BITS", "ERROR_BITS", "LABELS", "LABEL_BITS", "MOST_CLASSES", "MOST_PLANES",
           "MOST_SHIFT", "PLANE_BITS", "PLANES", "PRESETS", "SLOT_WORDS", "SUM_BITS", "TILE_SUM_BITS",
           "EngineConfig"]

PLANE_BITS = 2
"""Bits of a digit: the multipliers are 2 by 2."""

PLANES, MOST_PLANES = 4, 8
"""Planes of a tile of 8 bits, and of one of 16 (wide)."""

SLOT_WORDS = 2 * PLANES
"""Words of both operand memories that a narrow tile takes; a wide one takes two slots."""

MOST_SHIFT = 20
"""Sums of digits' products are shifted by at most so much, 2 (p + q) and both tiles' drops: an error's
greatest digit stands at bit 14 of 16, a weight's or an activation's at bit 6 of 8."""

SUM_BITS = 40
"""Sums of products: of an output, an error, a gradient."""

ERROR_BITS = 16
"""What comes to the packer: an error, an activation or a weight."""

ACCUMULATOR_BITS = 17
"""The momentum's stored accumulator."""

TILE_SUM_BITS = 52
"""Sums of magnitudes of half a tile, over all images."""

LABELS, LABEL_BITS = 1024, 8
"""Images whose labels the loss unit keeps, and bits of a label."""

MOST_CLASSES = 255
"""Classes of a network."""

_DEPTHS = ("left_slots", "right_slots", "maps", "z_depth", "error_depth", "winner_depth", "weight_depth",
           "program_depth", "data_depth")


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Parameters of one training engine; docs/engines/training-machine.md.

    Raises ValueError with a sentence that names the parameter, what it must be and what it was.
    """

    side: int = 8               #: lanes of an edge of the array, S; tiles are 2 S by 2 S numbers
    left_slots: int = 512       #: slots (tiles of 8 bits) of the left operand memory: weights and errors
    right_slots: int = 512      #: .. and of the right one: activations and errors
    maps: int = 512             #: tiles with a width of their own
    z_depth: int = 4096         #: vectors of S products' outputs
    error_depth: int = 2048     #: vectors of S wide errors
    winner_depth: int = 512     #: vectors of S winners of pools
    weight_depth: int = 2048    #: vectors of S weights, stored, and of their gradients
    program_depth: int = 2048   #: instructions
    data_depth: int = 2048      #: words of the controller's memory

    def __post_init__(self):
        for f in fields(self):
            if type(getattr(self, f.name)) is not int:
                raise ValueError(f"{f.name} must be an integer, not {getattr(self, f.name)!r}")
        if self.side not in (2, 4, 8):
            raise ValueError(f"side must be 2, 4 or 8, not {self.side}")
        for name in _DEPTHS:
            if not 16 <= getattr(self, name) <= 65536:
                raise ValueError(f"{name} must be between 16 and 65536, not {getattr(self, name)}")

    @property
    def block(self):
        """Edge of a tile, B: numbers."""
        return 2 * self.side

    @property
    def lanes(self):
        """Lanes of the matrix array; each multiplies B pairs of 2-bit digits a cycle."""
        return self.side ** 2

    @property
    def multipliers(self):
        """Multiplications of 8 by 8 bits a cycle."""
        return self.lanes * self.block // PLANES ** 2

    @property
    def update_lanes(self):
        """Lanes of the update of weights, L; a vector takes S / L cycles."""
        return max(1, self.side // 4)

    @property
    def bank_width(self):
        """Bits of a word of one of the two banks of an operand memory."""
        return PLANE_BITS * self.side ** 2

    @property
    def weight_word(self):
        """Bits of a vector of stored weights and accumulators."""
        return self.side * (MASTER_BITS + ACCUMULATOR_BITS)

    @property
    def z_word(self):
        """Bits of a vector of products' outputs."""
        return self.side * WIDE_BITS

    @property
    def fingerprint(self):
        """24 bits that tell engines apart whose programs differ."""
        values = ",".join(f"{f.name}={getattr(self, f.name)}" for f in fields(self))
        return zlib.crc32(values.encode()) & 0xFFFFFF


PRESETS = {
    "tiny": EngineConfig(side=2),
    "small": EngineConfig(side=4),
    "default": EngineConfig(),
    "ulx3s-85f": EngineConfig(left_slots=128, right_slots=256, maps=256, error_depth=1024, weight_depth=1024),
}
"""Engines by name."""
