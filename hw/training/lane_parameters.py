"""Parameters of a lane's channels, one of each half."""

from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import FACTOR_BITS
from shiftwork.golden.training.registers import Slot

from ..common.delay import delay

__all__ = ["PARAMETERS", "PARAMETER_BITS", "SLOT_BITS", "LaneParameters"]

PARAMETERS = {
    Slot.MEAN: (signed(25), 0), Slot.MANTISSA: (unsigned(17), 1), Slot.SHIFT: (unsigned(6), 3),
    Slot.GAMMA: (signed(8), 7), Slot.BETA: (signed(8), 8), Slot.Q: (signed(20), 9),
    Slot.P: (signed(FACTOR_BITS), 11), Slot.FACTOR: (signed(FACTOR_BITS), 14)}
"""Shape of each parameter, and the cycle of an element in which it is taken (`Normalizer`, `ErrorLine`)."""

PARAMETER_BITS = 25
"""What is written is signed, of so many bits."""

SLOT_BITS = 4


class LaneParameters(wiring.Component):
    """Of each slot two registers, of half 0 and half 1.

    Members
    -------
    slot : In(4), half : In(1), data : In(signed(25)), write : In(1)
        A slot that is none of `PARAMETERS` is left out.
    half_{slot} : In(1), {slot} : Out
        The parameter of that half, a cycle later; the names are those of `Slot` in small letters.

    Timing: what is written counts from the next cycle on. Not reset.
    Cost: 360 flip-flops, 120 multiplexers.
    """

    def __init__(self):
        members = {"slot": In(SLOT_BITS), "half": In(1), "data": In(signed(PARAMETER_BITS)), "write": In(1)}
        for slot, (shape, _) in PARAMETERS.items():
            members |= {f"half_{slot.name.lower()}": In(1), slot.name.lower(): Out(shape)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        for slot, (shape, _) in PARAMETERS.items():
            name = slot.name.lower()
            kept = [Signal(shape, name=f"{name}{half}", reset_less=True) for half in range(2)]
            with m.If(self.write & (self.slot == slot)):
                for half, register in enumerate(kept):
                    with m.If(self.half == half):
                        m.d.sync += register.eq(self.data)
            chosen = Mux(getattr(self, f"half_{name}"), kept[1], kept[0])
            m.d.comb += getattr(self, name).eq(delay(m, chosen, 1, name=f"{name}_"))
        return m
