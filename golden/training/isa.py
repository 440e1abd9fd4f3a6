"""Instructions of the training engine's controller: encoding."""

import enum
from dataclasses import dataclass

__all__ = ["FIELDS", "IMMEDIATE_BITS", "INSTRUCTION_BITS", "REGISTER_COUNT", "WORD_BITS", "Instruction", "Op"]

WORD_BITS = 88
"""Bits of the controller's registers and data words: N S2 - S1^2, times 16, has 82 and a sign."""

REGISTER_COUNT, IMMEDIATE_BITS, INSTRUCTION_BITS = 32, 19, 40

FIELDS = {"op": 5, "immediate": 1, "d": 5, "a": 5, "b": 5, "value": IMMEDIATE_BITS}
"""Fields of an instruction and their bits, lowest first."""


class Op(enum.IntEnum):
    """Operations, with x = r[a], y = r[b] or, where ``immediate`` is set, value (sign-extended)."""

    ADD = 0
    SUB = 1
    MUL = 2
    AND = 3
    OR = 4
    SHL = 5
    SHR = 6
    RND = 7
    LEN = 8
    ABS = 9
    MIN = 10
    MAX = 11
    SAT = 12
    DIV = 13
    ROOT = 14
    LOAD = 15
    STORE = 16
    GET = 17
    PUT = 18
    BEQ = 19
    BNE = 20
    BLT = 21
    BGE = 22
    CALL = 23
    JUMP = 24
    START = 25
    WAIT = 26
    IN = 27
    OUT = 28
    CHECK = 29
    HALT = 30


@dataclass(frozen=True)
class Instruction:
    """One instruction; raises ValueError for a field that does not fit."""

    op: Op
    d: int = 0
    a: int = 0
    b: int = 0
    value: int = 0
    immediate: bool = False

    def __post_init__(self):
        for name in ("d", "a", "b"):
            if not 0 <= getattr(self, name) < REGISTER_COUNT:
                raise ValueError(f"{name} must be 0 .. {REGISTER_COUNT - 1}, not {getattr(self, name)!r}")
        most = 1 << IMMEDIATE_BITS - 1
        if not -most <= self.value < most:
            raise ValueError(f"value must be {-most} .. {most - 1}, not {self.value!r}")

    @property
    def word(self):
        """The instruction as an integer of INSTRUCTION_BITS."""
        found, at = 0, 0
        for name, bits in FIELDS.items():
            found |= (int(getattr(self, name)) & (1 << bits) - 1) << at
            at += bits
        return found

    @classmethod
    def of(cls, word):
        """From its word; raises ValueError for an operation that there is none of."""
        fields = {}
        for name, bits in FIELDS.items():
            fields[name] = word & (1 << bits) - 1
            word >>= bits
        value = fields.pop("value")
        sign = 1 << IMMEDIATE_BITS - 1
        return cls(Op(fields.pop("op")), value=(value ^ sign) - sign,
                   immediate=bool(fields.pop("immediate")), **fields)
