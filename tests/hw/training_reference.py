"""A program of the training engine's controller, by its specification, and random programs."""

from dataclasses import dataclass, field

from shiftwork.golden.common.program import ErrorCode
from shiftwork.golden.training.isa import IMMEDIATE_BITS, REGISTER_COUNT, Instruction, Op
from shiftwork.golden.training.registers import REGISTERS, Put, Unit

from .test_training_arithmetic_units import RESULTS, wrapped

__all__ = ["Reference", "random_program"]

ADDRESS = (1 << 24) - 1
BRANCHES = {Op.BEQ: lambda x, y: x == y, Op.BNE: lambda x, y: x != y, Op.BLT: lambda x, y: x < y,
            Op.BGE: lambda x, y: x >= y}


@dataclass
class Reference:
    """Runs programs; what it leaves is what a controller must have done.

    ``get`` is the word at a port's address. ``outputs`` are words of the output stream, ``events`` what left
    by PUT, and units started and waited for, in order.
    """

    get: object
    data: dict = field(default_factory=dict)
    registers: list = field(default_factory=lambda: [0] * REGISTER_COUNT)
    passes: dict = field(default_factory=lambda: dict.fromkeys(REGISTERS, 0))
    outputs: list = field(default_factory=list)
    events: list = field(default_factory=list)

    def run(self, program, words, most=20000):
        """The code that the run ends with, 0 without an error; words are the input packet."""
        r, pc, read = self.registers, 0, 0
        for _ in range(most):
            at = program[pc]
            op, value, pc = at.op, at.value, pc + 1
            x, b = r[at.a], r[at.b]
            address, result = x + value & ADDRESS, None
            if op in RESULTS:
                result = RESULTS[op](x, value if at.immediate else b)
            elif op in BRANCHES:
                pc = value if BRANCHES[op](x, b) else pc
            match op:
                case Op.LOAD:
                    result = self.data.get(address, 0)
                case Op.STORE:
                    self.data[address] = b
                case Op.GET:
                    result = self.get(at.b, address)
                case Op.PUT if at.d == Put.REGISTER:
                    if address < len(REGISTERS):
                        self.passes[REGISTERS[address]] = b & ADDRESS
                case Op.PUT:
                    low = b & (1 << 48) - 1
                    self.events.append(("put", at.d, address, (low ^ 1 << 47) - (1 << 47)))
                case Op.CALL:
                    result, pc = pc, value
                case Op.JUMP:
                    pc = address
                case Op.START | Op.WAIT:
                    self.events.append(("start", value) if op == Op.START else ("idle",))
                case Op.IN:
                    result, read = words[read] if read < len(words) else 0, read + 1
                case Op.OUT:
                    self.outputs.append({"data": x % (1 << 32), "last": int(value == 1)})
                case Op.CHECK if read != len(words):
                    return ErrorCode.INPUT_SHORT if read > len(words) else ErrorCode.INPUT_LONG
                case Op.HALT:
                    return value or (ErrorCode.INPUT_LONG if read < len(words) else 0)
            if result is not None and at.d:
                r[at.d] = wrapped(result)
        raise AssertionError(f"Program must end within {most} instructions")


PLAIN = range(24)                           #: registers of which programs make what they like
LOW, SAFE, LINK, COUNTER = 28, 29, 30, 31   #: for addresses, for operands within bounds, of calls and loops
LEAST, MOST = -(1 << IMMEDIATE_BITS - 1), (1 << IMMEDIATE_BITS - 1) - 1
COUNTED = {Op.SHL: (0, 87), Op.SHR: (0, 87), Op.RND: (-87, 87), Op.SAT: (1, 87)}


class _Writer:
    """Writes a program of random instructions."""

    def __init__(self, rng, depth):
        self.rng, self.depth, self.program, self.reads = rng, depth, [], 0

    def add(self, op, **fields):
        self.program.append(Instruction(op, **fields))

    def register(self):
        return self.rng.choice(PLAIN)

    def arithmetic(self):
        rng, op = self.rng, self.rng.choice([*RESULTS])
        d, a, b = (self.register() for _ in range(3))
        immediate, value = rng.random() < 0.4, rng.choice((rng.randint(LEAST, MOST), rng.randint(-3, 3)))
        if op in COUNTED:
            immediate, value = rng.random() < 0.7, rng.randint(*COUNTED[op])
            self.add(Op.ADD, d=SAFE, value=value, immediate=True)
            b = SAFE
        elif op == Op.DIV:
            immediate, value = rng.random() < 0.5, rng.randint(1, MOST)
            self.add(Op.MAX, d=SAFE, a=b, value=rng.randint(1, 9), immediate=True)
            b = SAFE
        elif op == Op.ROOT:
            self.add(Op.SHR, d=SAFE, a=a, value=3, immediate=True)
            self.add(Op.ABS, d=SAFE, a=SAFE)
            a = SAFE
        self.add(op, d=d, a=a, b=b, value=value, immediate=immediate)

    def memory(self):
        rng = self.rng
        self.add(Op.AND, d=LOW, a=self.register(), value=7, immediate=True)
        op = rng.choice((Op.LOAD, Op.LOAD, Op.STORE, Op.STORE, Op.GET, Op.PUT))
        d, b = self.register(), self.register()
        value = rng.randrange(self.depth - 7)
        if op == Op.GET:
            b, value = rng.randrange(9), rng.randint(LEAST, MOST)
        if op == Op.PUT:
            d = rng.choice((0, 0, 1, 2, 3, 4))
            value = rng.randint(0, 40) if d == 0 else rng.randint(LEAST, MOST)
        self.add(op, d=d, a=LOW, b=b, value=value, immediate=rng.random() < 0.5)

    def ports(self):
        rng = self.rng
        op = rng.choice((Op.IN, Op.OUT, Op.START))
        if op == Op.START:
            self.add(op, value=rng.choice([*Unit]))
            if rng.random() < 0.3:
                self.arithmetic()
            self.add(Op.WAIT)
        else:
            self.add(op, d=self.register(), a=self.register())

    def block(self, level):
        """Instructions one behind the other, or branches, loops and calls around such."""
        rng = self.rng
        for _ in range(rng.randint(2, 5)):
            kind = rng.random()
            if kind < 0.5 or not level:
                rng.choice((self.arithmetic, self.arithmetic, self.memory, self.ports))()
            elif kind < 0.75:
                self.skipped(rng.choice([*BRANCHES]), lambda: self.block(level - 1))
            elif kind < 0.87 and level == 2:
                self.add(Op.ADD, d=COUNTER, value=rng.randint(1, 4), immediate=True)
                top = len(self.program)
                self.block(level - 1)
                self.add(Op.SUB, d=COUNTER, a=COUNTER, value=1, immediate=True)
                self.add(Op.BLT, b=COUNTER, value=top)
            elif level == 2:
                at = len(self.program) + 1

                def routine():
                    self.block(level - 1)
                    self.add(Op.JUMP, a=LINK)
                self.skipped(Op.BEQ, routine, same=True)
                for _ in range(rng.randint(1, 2)):
                    self.add(Op.CALL, d=LINK, value=at)

    def skipped(self, op, body, same=False):
        """A branch over ``body``."""
        at = len(self.program)
        a, b = self.register(), self.register()
        self.program.append(None)
        body()
        self.program[at] = Instruction(op, a=a, b=a if same else b, value=len(self.program))


def random_program(rng, depth):
    """Instructions of all kinds; it ends with CHECK and HALT. ``depth`` is the data memory's."""
    writer = _Writer(rng, depth)
    for register in PLAIN[1:]:
        if rng.random() < 0.5:
            writer.add(Op.ADD, d=register, value=rng.randint(LEAST, MOST), immediate=True)
            writer.add(Op.SHL, d=register, a=register, value=rng.randrange(70), immediate=True)
    for _ in range(5):
        writer.block(2)
    for register in PLAIN:
        writer.add(Op.PUT, d=Put.ERROR, b=register)
        writer.add(Op.SHR, d=SAFE, a=register, value=40, immediate=True)
        writer.add(Op.PUT, d=Put.PLANES, b=SAFE)
    writer.add(Op.OUT, a=5, value=1)
    writer.add(Op.CHECK)
    writer.add(Op.HALT)
    return writer.program
