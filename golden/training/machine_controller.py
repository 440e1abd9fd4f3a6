"""The training engine's controller: one run of its program."""

import operator
from functools import lru_cache

from ..common.program import ErrorCode, ProgramError
from .arithmetic import divide_round, root_with_sticky, wrap
from .isa import WORD_BITS, Instruction, Op

__all__ = ["Controller", "within"]


def within(name, value, least, most):
    """``value``; raises ValueError unless it is ``least`` .. ``most``."""
    if not least <= value <= most:
        raise ValueError(f"{name} must be {least} .. {most}, not {value}")
    return value


def _shift_left(x, y):
    return x << within("shift", y, 0, WORD_BITS - 1)


def _shift_right(x, y):
    return x >> within("shift", y, 0, WORD_BITS - 1)


def _round(x, y):
    within("shift", y, 1 - WORD_BITS, WORD_BITS - 1)
    return divide_round(x, 1 << y) if y > 0 else x << -y


def _saturate(x, y):
    most = (1 << within("width", y, 1, WORD_BITS - 1) - 1) - 1
    return min(max(x, -most), most)


def _divide(x, y):
    return divide_round(x, within("divisor", y, 1, (1 << WORD_BITS - 1) - 1))


def _root(x, y):
    return root_with_sticky(within("square", x, 0, (1 << WORD_BITS - 2) - 1))


_COMPUTE = {
    Op.ADD: operator.add, Op.SUB: operator.sub, Op.MUL: operator.mul, Op.AND: operator.and_,
    Op.OR: operator.or_, Op.SHL: _shift_left, Op.SHR: _shift_right, Op.RND: _round,
    Op.LEN: lambda x, y: abs(x).bit_length(), Op.ABS: lambda x, y: abs(x), Op.MIN: min, Op.MAX: max,
    Op.SAT: _saturate, Op.DIV: _divide, Op.ROOT: _root,
}

_decode = lru_cache(1 << 14)(Instruction.of)
_BRANCHES = {Op.BEQ: operator.eq, Op.BNE: operator.ne, Op.BLT: operator.lt, Op.BGE: operator.ge}


class Controller:
    """Registers, program counter and output of one run on ``machine``, which has memories, ports and units.

    ``r`` are the registers, integers of 88 bits with a sign; ``output`` are (word, last). Raises ValueError
    for an operand that the specification excludes and for an address outside of a memory.
    """

    def __init__(self, machine, registers):
        self.machine, self.r = machine, registers
        self.at, self.count, self.output = 0, 0, []

    def run(self, limit):
        """Runs to HALT; raises ProgramError for an error, TimeoutError after ``limit`` instructions."""
        while self.at is not None:
            if self.count == limit:
                raise TimeoutError(f"Program must halt within {limit} instructions, not go on at {self.at}")
            self.count += 1
            within("instruction's address", self.at, 0, len(self.machine.program) - 1)
            self._one(_decode(int(self.machine.program[self.at])))

    def _set(self, d, value):
        if d:
            self.r[d] = wrap(value, WORD_BITS)

    def _data(self, address):
        return within("data address", address, 0, len(self.machine.data) - 1)

    def _one(self, i):
        following, x, b = self.at + 1, self.r[i.a], self.r[i.b]
        self.at = following
        if i.op in _COMPUTE:
            self._set(i.d, _COMPUTE[i.op](x, i.value if i.immediate else b))
        elif i.op in _BRANCHES:
            self.at = i.value if _BRANCHES[i.op](x, b) else following
        elif i.op == Op.LOAD:
            self._set(i.d, int(self.machine.data[self._data(x + i.value)]))
        elif i.op == Op.STORE:
            self.machine.data[self._data(x + i.value)] = b
        elif i.op == Op.GET:
            self._set(i.d, self.machine.get(i.b, x + i.value))
        elif i.op == Op.PUT:
            self.machine.put(i.d, x + i.value, b)
        elif i.op == Op.CALL:
            self._set(i.d, following)
            self.at = i.value
        elif i.op == Op.JUMP:
            self.at = x + i.value
        else:
            self._unit(i, x)

    def _unit(self, i, x):
        """Units, input, output, and the end."""
        machine = self.machine
        if i.op == Op.START:
            machine.start(i.value)
        elif i.op == Op.WAIT:
            machine.busy = None
        elif i.op == Op.IN:
            self._set(i.d, machine.take())
        elif i.op == Op.OUT:
            self.output.append((x & 0xFFFFFFFF, i.value == 1))
        elif i.op == Op.CHECK:
            machine.check_input()
        else:
            at, self.at = self.at - 1, None
            if i.value:
                raise ProgramError(ErrorCode(i.value), f"Program stopped at instruction {at}")
