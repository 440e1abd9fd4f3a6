"""Layouts that the parts of the SmartExchange engine exchange."""

from amaranth import signed, unsigned
from amaranth.lib import data
from amaranth.utils import bits_for

from ...golden.smartexchange.config import FINISHED, LENGTH_BITS, OFFSET_BITS
from ..common.layouts import ArrayWidths, descriptor_layout, operation_layout

__all__ = ["DESCRIPTOR", "ITEM", "MIN_SHIFT", "RESULT_STROBES", "Widths", "basis_layout", "list_layout",
           "head_layout", "item_layout", "result_fields", "unit_strobes", "unit_fields", "LIFT_BITS",
           "COEFFICIENT_BITS"]

MIN_SHIFT = 15
"""Shift of a scale entry whose field is 0."""

LIFT_BITS = 3
"""Bits of a list's lift."""

COEFFICIENT_BITS = 8 + 2 ** LIFT_BITS - 1
"""Bits of B * 2 ** lift."""

DESCRIPTOR = descriptor_layout({
    "lists": 16, "item_base": 16,
    "basis_base": 16, "run_count": 16,
    "column_count": 16, "index_base": 16,
    "index_m_stride": 16, "index_i_stride": 16,
    "index_pi_stride": 16, "index_run_stride": 16,
    "index_column_stride": 16, "tap_count": 3, "_2": 1, "hop": 3, "_3": 1, "skip": 3, "run_outputs_less_1": 5,
})
"""A layer descriptor, as docs/engines/smartexchange-machine.md lists its fields."""

ITEM = data.StructLayout({"offset": OFFSET_BITS, "negative": 1, "shift": 1})
"""Half a word of the item memory."""


class Widths(ArrayWidths):
    """Bits of addresses and counters; ``run``, ``column`` and ``lists`` are those of loop counters."""

    def __init__(self, config):
        super().__init__(config)
        self.run, self.column, self.lists = (
            config.count_bits[name] for name in ("run_count", "column_count", "lists"))
        self.item = bits_for(config.item_depth - 1)
        self.basis = bits_for(config.basis_depth - 1)
        self.vector = bits_for(config.combine_cycles - 1)
        #: a sum: which of those that are open, which of its vectors of E lanes
        self.open = bits_for(config.taps - 1) if config.taps > 1 else 0
        self.sum = self.open + self.vector
        self.finished = bits_for(FINISHED - 1) + self.vector
        #: vectors of D lanes in one of E lanes
        self.part = bits_for(config.combine_width // config.drain_width - 1) \
            if config.combine_width > config.drain_width else 0
        self.slots = config.drain_cycles * config.pool_columns


def basis_layout(config):
    """A word of the basis memory."""
    return data.StructLayout({
        "length": LENGTH_BITS, "lift": LIFT_BITS, "b": data.ArrayLayout(signed(8), config.taps)})


def head_layout(config):
    """What combining a dot product needs: of its list, and whether that is the column's first, its last."""
    return data.StructLayout({
        "lift": LIFT_BITS, "b": data.ArrayLayout(signed(8), config.taps), "first": 1, "last": 1})


def list_layout(config):
    """A list at a position.

    Its items follow those of the list before or (``again``) are from the filter's first one on; a list that
    ``begins`` is a filter's first one at the first of its positions.
    """
    return data.StructLayout({
        "position": Widths(config).row, "length": LENGTH_BITS, "again": 1, "begins": 1,
        "head": head_layout(config)})


def item_layout(config):
    """One term; with the dot product's ``last``, the ``head`` of its list."""
    return data.StructLayout({
        "row": Widths(config).row, "negative": 1, "shift": 1, "last": 1, "head": head_layout(config)})


RESULT_STROBES = {
    "pool": 1,                  # a packed vector goes to the pool
    "push": 1,                  # a vector reaches the output queue
    "write": 1,                 # .. the row that is filled
    "fill": 1, "drain": 1, "clear": 1,      # `RowBuffer`'s
    "operation": 1,
}
"""What makes the parts behind sums do something: one cycle each."""


def result_fields(config, slots):
    """What goes with these; ``slots``: of `MaxPool`."""
    return {
        # a sum's scale, the scaled vector, the pool's vector
        "scale": unsigned(config.table_width), "low": signed(16), "high": signed(16),
        "masked": unsigned(config.drain_width), "pool_slot": range(slots), "first": 1,
        # one cycle before the destination: a beat of the input stream, and whether it is what counts
        "loading": 1, "beat": unsigned(config.activation_width * config.drain_width),
        # at the destination
        "slot": range(config.drain_cycles), "layer_ends": 1, "operation": operation_layout(config),
    }


def unit_strobes(config):
    """What makes an `ArrayUnit` do something: one cycle each."""
    return data.StructLayout({
        "item": 1,                  # a term is here
        "combine": 1, "finish": 1,  # a vector of sums is kept; it is complete
        **RESULT_STROBES,
    })


def unit_fields(config):
    """What goes with `unit_strobes`; constants of a layer among it."""
    w = Widths(config)
    return data.StructLayout({
        # the item
        "row": w.row, "negative": 1, "shift": 1, "last": 1, "signed": 1,
        # step by step of the combination, each in its cycle: see `Combiner`
        "select": unsigned(config.combine_cycles), "flip": 1, "coefficient": signed(COEFFICIENT_BITS),
        "read_sum": w.sum, "restart": 1, "write_sum": w.sum, "write_finished": w.finished,
        # complete sums
        "read_finished": w.finished, "part": w.part,
        **result_fields(config, w.slots),
    })
