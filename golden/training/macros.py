"""Macros of the training engine's programs: loops, subroutines, pass registers, arithmetic of several
instructions.
"""

from contextlib import contextmanager

from .assembler import WIDE, ZERO, Assembler
from .isa import Op
from .registers import REGISTERS, Put, Slot

__all__ = ["ROOT_OF_TWO", "MacroAssembler"]

ROOT_OF_TWO = 3260954456333195554
"""ceil(sqrt(2) * 2 ** 61): docs/engines/training.md, scale."""


class MacroAssembler(Assembler):
    """An Assembler with macros; their operands are as its own."""

    def register(self, name, y):
        """Pass register ``name`` takes y."""
        self.put(Put.REGISTER, y, REGISTERS.index(name))

    def parameter(self, slot, y, side, x=ZERO, less=0):
        """Parameter ``slot`` of lane x - ``less`` takes y, the lanes of both halves counted through."""
        self.put(Put.PARAMETER, y, Slot(slot) * 2 * side - less, x)

    def run(self, unit):
        """Starts ``unit`` and waits for its end."""
        self.start(unit)
        self.wait()

    def scale_exponent(self, d, most, t):
        """d = r = round(log2 most), 0 for 0 (docs/engines/training.md); ``t`` is lost, d may not be most."""
        end = self.fresh()
        self.len_(d, most)
        self.branch("eq", d, 0, end)
        self.sub(t, ZERO, d)
        self.add(t, t, ROOT_OF_TWO.bit_length())
        self.shl(t, most, t)
        self.branch("ge", t, ROOT_OF_TWO, end)
        self.sub(d, d, 1)
        self.label(end)

    def reciprocal(self, mantissa, length, x):
        """(mantissa, length) of 1 / x, x >= 1 (docs/engines/training.md); x may be neither."""
        self.len_(length, x)
        self.add(mantissa, length, 15)
        self.set(WIDE, 1)
        self.shl(mantissa, WIDE, mantissa)
        self.div(mantissa, mantissa, x)

    @contextmanager
    def repeat(self, counter, times):
        """The block ``times`` (at least once); ``counter`` counts down to 1."""
        if times != counter:
            self.set(counter, times)
        start = self.label()
        yield
        self.sub(counter, counter, 1)
        self.branch("ne", counter, 0, start)

    @contextmanager
    def subroutine(self, name, link):
        """What ``call(name, link)`` runs."""
        self.label(name)
        yield
        self.emit(Op.JUMP, a=link)
