"""Parameters of a lane's channels, one of each half."""

from amaranth import Module, Shape, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import FACTOR_BITS
from shiftwork.golden.training.registers import Slot

__all__ = ["MEMORIES", "PARAMETERS", "PARAMETER_BITS", "SLOT_BITS", "LaneParameters"]

PARAMETERS = {
    Slot.MEAN: (signed(25), 0), Slot.MANTISSA: (unsigned(17), 1), Slot.SHIFT: (unsigned(6), 3),
    Slot.GAMMA: (signed(8), 7), Slot.BETA: (signed(8), 8), Slot.Q: (signed(20), 9),
    Slot.P: (signed(FACTOR_BITS), 11), Slot.FACTOR: (signed(FACTOR_BITS), 14)}
"""Shape of each parameter, and the cycle of an element in which it is taken (`Normalizer`, `ErrorLine`)."""

MEMORIES = (Slot.MEAN, Slot.MANTISSA, Slot.SHIFT), (Slot.GAMMA, Slot.BETA, Slot.Q), (Slot.P, Slot.FACTOR)
"""Slots that share a memory."""

PARAMETER_BITS = 25
"""What is written is signed, of so many bits."""

SLOT_BITS = 4


class LaneParameters(wiring.Component):
    """Of each slot the parameters of half 0 and half 1, and a register that has one of them.

    Slots with cycles less than 4 apart share a memory: a half is at least 4 elements long, so that there is
    a cycle for each of them.

    Members
    -------
    slot : In(4), half : In(1), data : In(signed(25)), write : In(1)
        A slot that is none of `PARAMETERS` is left out.
    load : In(8)
        Bits in the order of `PARAMETERS`: the slot's register takes the parameter of ``load_half``'s bit; of
        the slots of a `MEMORIES` one at the most.
    load_half : In(3), of each memory
    {slot} : Out
        The register, from the next cycle on; the names are those of `Slot` in small letters.

    Timing: what is written counts from the next cycle on. Not reset.
    Cost: 120 flip-flops, distributed memories of 25, 20 and 18 bits: in an ECP5 17 of 4 bits, and 12 LUT4.
    """

    def __init__(self):
        members = {"slot": In(SLOT_BITS), "half": In(1), "data": In(signed(PARAMETER_BITS)), "write": In(1),
                   "load": In(len(PARAMETERS)), "load_half": In(len(MEMORIES))}
        members |= {slot.name.lower(): Out(shape) for slot, (shape, _) in PARAMETERS.items()}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        loads = dict(zip(PARAMETERS, self.load, strict=True))
        for n, slots in enumerate(MEMORIES):
            width = max(Shape.cast(PARAMETERS[slot][0]).width for slot in slots)
            memory = Memory(shape=width, depth=2 << (len(slots) - 1).bit_length(), init=[])
            m.submodules[f"memory{n}"] = memory
            write, read = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [write.data.eq(self.data), write.addr[0].eq(self.half),
                         read.addr[0].eq(self.load_half[n])]
            for place, slot in enumerate(slots):
                with m.If(self.slot == slot):
                    m.d.comb += [write.addr[1:].eq(place), write.en.eq(self.write)]
                register = Signal(PARAMETERS[slot][0], name=f"{slot.name.lower()}_kept", reset_less=True)
                with m.If(loads[slot]):
                    m.d.comb += read.addr[1:].eq(place)
                    m.d.sync += register.eq(read.data)
                m.d.comb += getattr(self, slot.name.lower()).eq(register)
        return m
