"""An assembler for the training engine's controller: labels, data words, constants of any width."""

from contextlib import contextmanager
from dataclasses import dataclass, replace

from .isa import IMMEDIATE_BITS, REGISTER_COUNT, WORD_BITS, Instruction, Op
from .registers import Get, Put, Unit

__all__ = ["WIDE", "ZERO", "Assembler", "Register"]

_THREE = {Op.ADD, Op.SUB, Op.MUL, Op.AND, Op.OR, Op.SHL, Op.SHR, Op.RND, Op.MIN, Op.MAX, Op.SAT, Op.DIV}
_LIMIT = 1 << IMMEDIATE_BITS - 1


@dataclass(frozen=True)
class Register:
    """A register of the controller, by number."""

    number: int


ZERO = Register(0)
"""Reads 0."""

WIDE = Register(REGISTER_COUNT - 1)
"""What constants come through that no instruction can hold."""


class Assembler:
    """Instructions and data words of a program, in the order in which methods are called.

    Operands named ``y`` are Registers or integers; one too wide for an instruction becomes a data word, and
    is loaded into register 31, which is the assembler's own. ``word`` gives data words a name and an address,
    ``registers`` names registers. `program` and `data` check that all fits.
    """

    def __init__(self):
        self._instructions, self._labels, self._names = [], {}, 0
        self._data, self._constants, self.addresses = [], {}, {}
        self._free = list(range(1, REGISTER_COUNT - 1))
        self._parts = {}

    # Data and registers.

    def registers(self, names):
        """Registers of their own for ``names``, a text of words; raises ValueError where none is left."""
        names = names.split()
        if len(names) > len(self._free):
            raise ValueError(f"registers must be at most {REGISTER_COUNT - 2}, not {len(names)} more "
                             f"where {len(self._free)} are left")
        found, self._free = self._free[:len(names)], self._free[len(names):]
        return tuple(Register(number) for number in found)

    @property
    def free(self):
        """How many registers have no name."""
        return len(self._free)

    @contextmanager
    def borrowed(self, names):
        """`registers` that are free again behind the block."""
        free = list(self._free)
        yield self.registers(names)
        self._free = free

    def word(self, name, values):
        """Address of the data words ``values``, which get this ``name``; raises ValueError for one twice."""
        if name in self.addresses:
            raise ValueError(f"data words must have a name of their own, not {name!r} again")
        self.addresses[name] = len(self._data)
        self._data += [int(value) for value in values]
        return self.addresses[name]

    def constant(self, value):
        """Address of a data word of this value."""
        if value not in self._constants:
            self._constants[value] = self.word(f"constant {value}", [value])
        return self._constants[value]

    # Places.

    def label(self, name=None):
        """Puts a label here and returns its name, a new one unless given; raises ValueError for one twice."""
        name = name or self.fresh()
        if name in self._labels:
            raise ValueError(f"labels must be put once, not {name!r} again")
        self._labels[name] = len(self._instructions)
        return name

    def fresh(self):
        """A new label's name, to be put later."""
        self._names += 1
        return f".{self._names}"

    @contextmanager
    def part(self, name):
        """Instructions within are counted as part ``name``: `parts`."""
        start = len(self._instructions)
        yield
        self._parts.setdefault(name, []).append(range(start, len(self._instructions)))

    @property
    def parts(self):
        """{part: list of ranges of addresses}."""
        return self._parts

    # Instructions.

    def emit(self, op, *, d=ZERO, a=ZERO, b=ZERO, value=0, immediate=False):
        """One instruction; ``value`` is an integer or a label."""
        self._instructions.append((Instruction(op, d.number, a.number, b.number, 0, immediate), value))

    def __getattr__(self, name):
        """``add(d, x, y)``, .. for every operation of three operands."""
        op = Op.__members__.get(name.rstrip("_").upper())
        if op not in _THREE:
            raise AttributeError(name)

        def three(d, x, y):
            y = self._within(y)
            if isinstance(y, Register):
                self.emit(op, d=d, a=self._register(x), b=y)
            else:
                self.emit(op, d=d, a=self._register(x), value=y, immediate=True)
        return three

    def _within(self, y):
        if isinstance(y, Register) or -_LIMIT <= y < _LIMIT:
            return int(y) if not isinstance(y, Register) else y
        return self._register(y)

    def _register(self, y):
        """``y`` itself, or the register that it is brought to."""
        if isinstance(y, Register):
            return y
        if y == 0:
            return ZERO
        self.set(WIDE, y)
        return WIDE

    def set(self, d, y):
        """d = y."""
        if isinstance(y, Register):
            self.emit(Op.ADD, d=d, a=y)
        elif -_LIMIT <= y < _LIMIT:
            self.emit(Op.ADD, d=d, value=int(y), immediate=True)
        else:
            self.emit(Op.LOAD, d=d, value=self.constant(y))

    def len_(self, d, x):
        self.emit(Op.LEN, d=d, a=x)

    def abs_(self, d, x):
        self.emit(Op.ABS, d=d, a=x)

    def root(self, d, x):
        self.emit(Op.ROOT, d=d, a=x)

    def load(self, d, address, x=ZERO):
        """d = data[x + address]."""
        self.emit(Op.LOAD, d=d, a=x, value=address)

    def store(self, y, address, x=ZERO):
        """data[x + address] = y."""
        self.emit(Op.STORE, a=x, b=self._register(y), value=address)

    def get(self, d, port, address, x=ZERO):
        """d = port at x + address."""
        self.emit(Op.GET, d=d, a=x, value=address, b=Register(Get(port)))

    def put(self, port, y, address, x=ZERO):
        """Port at x + address takes y."""
        self.emit(Op.PUT, d=Register(Put(port)), a=x, b=self._register(y), value=address)

    def branch(self, relation, x, y, label):
        """Goes to ``label`` if ``x relation y``: "eq", "ne", "lt", "ge"."""
        self.emit(Op[f"B{relation.upper()}"], a=x, b=self._register(y), value=label)

    def go(self, label):
        self.emit(Op.JUMP, value=label)

    def call(self, name, link):
        self.emit(Op.CALL, d=link, value=name)

    def start(self, unit):
        self.emit(Op.START, value=Unit(unit))

    def wait(self):
        self.emit(Op.WAIT)

    def in_(self, d):
        self.emit(Op.IN, d=d)

    def out(self, x, last=False):
        self.emit(Op.OUT, a=x, value=int(last))

    def check(self):
        self.emit(Op.CHECK)

    def halt(self, error=0):
        self.emit(Op.HALT, value=error)

    # Results.

    def program(self, config):
        """The Instructions; raises ValueError where they are more than ``config.program_depth``."""
        if len(self._instructions) > config.program_depth:
            raise ValueError(f"program_depth must be at least {len(self._instructions)}, the instructions of "
                             f"the network's program, not {config.program_depth}")
        return [replace(instruction, value=self._resolved(value)) for instruction, value in
                self._instructions]

    def _resolved(self, value):
        if not isinstance(value, str):
            return int(value)
        if value not in self._labels:
            raise ValueError(f"a label that is gone to must be put, not {value!r} be missing")
        return self._labels[value]

    def data(self, config):
        """The data words, integers; raises ValueError where they are more than ``config.data_depth``."""
        if len(self._data) > config.data_depth:
            raise ValueError(f"data_depth must be at least {len(self._data)}, the data words of the "
                             f"network's program, not {config.data_depth}")
        limit = 1 << WORD_BITS - 1
        wrong = next((value for value in self._data if not -limit <= value < limit), None)
        if wrong is not None:
            raise ValueError(f"data words must have {WORD_BITS} bits, not be {wrong}")
        return list(self._data)
