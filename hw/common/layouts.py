"""Layouts and widths that the parts of engines of column arrays exchange."""

from amaranth import unsigned
from amaranth.lib import data, enum
from amaranth.utils import bits_for

__all__ = ["Kind", "Destination", "descriptor_layout", "ArrayWidths", "operation_layout"]


class Kind(enum.Enum, shape=2):
    """What a descriptor does."""

    END = 0
    INPUT = 1
    CONV = 2
    DENSE = 3


class Destination(enum.Enum, shape=2):
    """Where a layer's results go."""

    ROWS = 0
    VECTOR = 1
    STREAM = 2


def descriptor_layout(middle, tail=()):
    """A layer descriptor: 16 words of 32 bits, as docs/engines/ternary-machine.md lists them.

    ``middle`` are the fields of words 4 to 9, which say how an engine walks its layer, ``tail`` those of the
    upper half of word 15: {name: bits} of 192 and of 16 bits.
    """
    layout = data.StructLayout({
        "kind": Kind, "two_pass": 1, "signed": 1, "destination": Destination, "_0": 10, "param_base": 16,
        "low": 16, "high": 16,
        "m_count": 16, "i_count": 16,
        "j_count": 16, "pi_count": 8, "pj_count": 8,
        **middle,
        "i_last_cell": 8, "i_last_local": 8, "j_last_cell": 8, "j_last_local": 8,
        "out_base": 16, "out_v_row": 16,
        "out_u_count": 16, "out_v_count": 16,
        "out_u_row": 16, "out_u_step": 16,
        "out_v_step": 16, "out_u_first": 8, "out_v_first": 8,
        "out_a_first": 8, "out_c_first": 8, **dict(tail or {"_1": 16}),
    })
    if layout.size != 16 * 32:
        raise ValueError(f"Descriptor must have {16 * 32} bits, not {layout.size}")
    return layout


class ArrayWidths:
    """Bits of addresses and counters of one engine of column arrays.

    ``m``, ``local`` and ``pool`` are the bits of loop counters: filters, positions of a block, pool windows.
    ``step`` is the number of cycles in which an activation is written.
    """

    def __init__(self, config, step=1):
        bits = config.count_bits
        self.m, self.local, self.pool = (bits[name] for name in ("m_count", "i_count", "pi_count"))
        self.row = bits_for(config.row_depth - 1)
        self.table = bits_for(config.table_depth - 1)
        #: bits of an activation that are written together, and of the address they are written to
        self.piece = config.activation_width // step
        self.write_row = self.row + (bits_for(step - 1) if step > 1 else 0)


def operation_layout(config, step=1):
    """One cycle of the scatter unit.

    Lanes ``group``, from ``shift`` lanes further on, go to row ``row``, or zeros where they are not
    ``inside``; where that takes ``step`` cycles, cycle ``bit`` of them.
    """
    return data.StructLayout({
        "bit": range(step), "group": range(max(2, config.groups)), "row": unsigned(ArrayWidths(config).row),
        "shift": range(config.lanes), "inside": unsigned(config.scatter_width)})
