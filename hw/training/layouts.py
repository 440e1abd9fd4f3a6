"""Layouts that the training engine's units share: docs/engines/training-machine.md."""

from amaranth import Shape, signed
from amaranth.lib import data

from ...golden.training.isa import FIELDS, IMMEDIATE_BITS
from ...golden.training.registers import REGISTER_BITS, REGISTERS

__all__ = ["DESCRIPTOR", "INSTRUCTION", "MEMORY_CYCLES", "PAIR", "PASS", "Z_CYCLES", "vector"]

MEMORY_CYCLES = 2
"""From an address to the memory's data: block RAM and its output register."""

Z_CYCLES = MEMORY_CYCLES + 1
"""The same of z memory, which is so large that the address of any unit that reads it has a register."""

UNSIGNED_BITS = 17
"""Bits of a number, unsigned, that a multiplier of 18 by 18 bits takes."""

PASS = data.StructLayout({name: REGISTER_BITS for name in REGISTERS})
"""The pass registers; they do not change while a unit is busy."""

INSTRUCTION = data.StructLayout(FIELDS | {"value": signed(IMMEDIATE_BITS)})
"""Of the controller: docs/engines/training-machine.md."""

DESCRIPTOR = data.StructLayout({"planes": 3, "drop": 4})
"""Of a slot: planes - 1, and the shift of its numbers."""

PAIR = data.StructLayout({"left": 16, "right": 16, "right_half": 1, "first": 1, "last": 1, "empty": 1})
"""A tile product: slots, half of the right operand, first and last of its output; or empty: adds nothing."""


def vector(side, bits, signed=True):
    """Layout of a vector of ``side`` numbers."""
    return data.ArrayLayout(Shape(bits, signed=signed), side)
