"""The registers that tell units what to do."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ...golden.training.registers import REGISTER_BITS, REGISTERS
from ..common.delay import delay
from .layouts import PASS

__all__ = ["PassRegisters"]


class PassRegisters(wiring.Component):
    """The pass registers, written by number; other numbers write nothing.

    Members: ``address``: In(24), ``data``: In(24), ``write``: In(1), ``o``: Out(PASS).

    Timing: three cycles. After a reset all are 0.
    """

    def __init__(self):
        super().__init__({
            "address": In(REGISTER_BITS), "data": In(REGISTER_BITS), "write": In(1), "o": Out(PASS)})

    def elaborate(self, platform):
        m = Module()
        bits = bits_for(len(REGISTERS) - 1)
        data, number = delay(m, self.data, 2, name="data"), delay(m, self.address[:bits], 1, name="number")
        write = delay(m, self.write & ~self.address[bits:].any(), 1, reset_less=False, name="write_")
        for n, name in enumerate(REGISTERS):
            chosen = delay(m, write & (number == n), 1, reset_less=False, name=f"writes_{name}")
            with m.If(chosen):
                m.d.sync += self.o[name].eq(data)
        return m
