"""Layouts of the circulant engine's program words: docs/engines/circulant-machine.md, "Memories"."""

from amaranth.lib import data, enum

__all__ = ["COEFFICIENTS", "HEADER", "PHASE", "ROW", "Activation", "Addend", "Left", "Right"]


class Activation(enum.Enum, shape=2):
    """What becomes of a preactivation."""

    NONE = 0
    SIGMOID = 1
    TANH = 2


class Left(enum.Enum, shape=2):
    """Left factor of the product."""

    A = 0
    A_MINUS_C = 1
    C_MINUS_A = 2


class Right(enum.Enum, shape=3):
    """Right factor of the product."""

    ONE = 0
    T0 = 1
    T1 = 2
    C = 3
    TANH_C = 4


class Addend(enum.Enum, shape=2):
    """What is added to the product."""

    NONE = 0
    C = 1
    A = 2


HEADER = data.StructLayout({
    "input_blocks": 16, "input_base": 16, "vectors": 16, "output_beats": 16, "_0": 32})
"""What a step takes and yields; 96 bits."""

PHASE = data.StructLayout({
    "rows": 16, "weight_base": 16, "sum_shift": 6, "last": 1, "_0": 25,
    "spans": data.ArrayLayout(data.StructLayout({"base": 16, "count": 16}), 2),
    "waits": data.ArrayLayout(data.StructLayout(
        {"after": 16, "following": 1, "alternate": 1, "old": 1, "_0": 13}), 2)})
"""A matrix and its two segments of columns; 192 bits."""

ROW = data.StructLayout({
    "state": 16, "coefficient": 16, "target": 16, "pre_shift": 5, "out_shift": 5,
    "act": Activation, "left": Left, "right": Right, "addend": Addend,
    "old": 1, "peephole": 1, "add": 1,
    "to_t0": 1, "to_t1": 1, "to_c": 1, "to_vector": 1, "to_output": 1, "alternate": 1, "_0": 20})
"""What becomes of a row; 96 bits."""

COEFFICIENTS = data.StructLayout({"bias": data.ArrayLayout(16, 2), "peephole": data.ArrayLayout(16, 2)})
"""Of an even and an odd element; 64 bits. Numbers are two's complement."""
