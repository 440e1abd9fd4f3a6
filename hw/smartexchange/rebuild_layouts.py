"""Layouts that the parts of the `rebuild` dataflow exchange, and its latencies."""

from amaranth import signed
from amaranth.lib import data
from amaranth.utils import bits_for

from .layouts import LIFT_BITS, Widths

__all__ = ["CLEARED", "CODE", "PAIRS", "RING", "RebuildWidths", "bases_layout", "digit_layout",
           "fill_layout", "item_layout", "position_layout", "token_layout"]

CLEARED = 32
"""Offsets whose candidates' bits are cleared in a cycle."""

PAIRS = 4
"""Tokens that a line has selected ahead."""

RING = 4
"""Places for tokens that are rebuilt: two, one whose steps go on, and one more for a power of two."""

CODE = data.StructLayout({"nonzero": 1, "negative": 1, "exponent": LIFT_BITS})
"""A coefficient: 0 or -2**exponent or 2**exponent."""


class RebuildWidths(Widths):
    """Bits of addresses and counters of the `rebuild` dataflow."""

    def __init__(self, config):
        super().__init__(config)
        self.number = config.filter_bases.bit_length() - 1
        self.tap = (config.taps - 1).bit_length()
        self.line = config.lines.bit_length() - 1
        #: words of a bit for each offset
        self.clear_words = -(-config.row_depth // CLEARED)
        #: of a rebuilt weight: the greatest is the sum of ``taps`` products -(-128) * 2**7
        self.weight = bits_for(config.taps << 14) + 1
        #: vectors of D lanes of the slices' sums
        self.sums = config.slices * config.drain_cycles
        #: digits of an activation
        self.digits = config.activation_width // 2 + 1
        #: filters that a group may have in depthwise layers
        self.diagonal = min(config.slices, config.lines)


def digit_layout(config):
    """A digit of an activation: its product is (-1)**negative * weight << shift, or 0 where not ``valid``."""
    return data.StructLayout({
        "valid": 1, "negative": 1, "shift": bits_for(config.activation_width + 1)})


def item_layout(config):
    """A coefficient on its way into the store: ``code`` of column ``tap`` of row ``offset`` of a filter."""
    w = RebuildWidths(config)
    return data.StructLayout({
        "half": 1, "line": range(config.lines), "slice": range(config.slices), "offset": w.row,
        "tap": range(config.taps), "number": w.number, "code": CODE})


def fill_layout(config):
    """What `RebuildLists` says to the lines: of a coefficient, of candidates to forget, of a basis' row."""
    w = RebuildWidths(config)
    return data.StructLayout({
        "valid": 1, "item": item_layout(config), "clear": 1, "clear_word": range(w.clear_words),
        "write_basis": 1, "basis_half": 1, "basis_slice": range(config.slices),
        "basis_tap": range(config.taps), "basis_number": w.number, "basis_row": bases_layout(config)})


def position_layout(config):
    """A position to compute, in row ``row`` of the memory; coefficients are those of the store's ``half``.

    ``mask``: the walked taps; ``first``: it is the group's first one.
    """
    return data.StructLayout({"row": RebuildWidths(config).row, "half": 1, "mask": config.taps, "first": 1})


def token_layout(config):
    """A row of coefficients to compute, or (``mark``) the end of a position.

    ``row``: of the memory, that of tap 0; ``offset``, ``half``: of the coefficients in the store; ``mask``:
    the walked taps.
    """
    w = RebuildWidths(config)
    return data.StructLayout({
        "mark": 1, "row": w.row, "offset": w.row, "half": 1, "mask": config.taps})


def bases_layout(config):
    """A row of a basis."""
    return data.ArrayLayout(signed(8), config.taps)
