"""An operand memory: planes of tiles, read by rows or by columns, and the tiles' descriptors."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...golden.training.engine_config import PLANE_BITS, PLANES, SLOT_WORDS
from ..common.delay import delay
from .layouts import DESCRIPTOR, MEMORY_CYCLES

__all__ = ["READ", "READ_CYCLES", "OperandMemory", "digits_layout"]

READ_CYCLES = 1 + MEMORY_CYCLES + 1
"""From a plane's address to its digits: the words' address, the memory, the digits' multiplexer."""

READ = wiring.Signature({"slot": Out(16), "plane": Out(3), "half": Out(1), "columns": Out(1),
                         "descriptor_slot": Out(16), "descriptor": In(DESCRIPTOR)})
"""What is read, as the one who reads it sees it."""


def digits_layout(config):
    """Digits of half a tile's plane: [k][i], k of B that are summed over, i of S outputs."""
    return data.ArrayLayout(data.ArrayLayout(PLANE_BITS, config.side), config.block)


class OperandMemory(wiring.Component):
    """Tiles of B by B numbers, as planes of two bits; docs/engines/training-machine.md, "Operand memories".

        columns:  digits[k][i] = digit ``plane`` of number (k, half * S + i)
        else:     digits[k][i] = digit ``plane`` of number (half * S + i, k)     of the tile in ``slot``

    Parameters
    ----------
    config : EngineConfig
    slots : int
        Tiles of 8 bits that it holds. Planes 4 to 7 of a wide one are in the next slot.

    Members
    -------
    read : In(READ)
        ``descriptor`` is that of ``descriptor_slot``, `MEMORY_CYCLES` before.
    digits : Out(digits_layout(config))
        Of what ``read`` was `READ_CYCLES` before, registered.
    write_slot, write_plane, write_s : In, write_x, write_y : In(1), write_data : In(bank_width)
        Word s of a plane, to bank x or y: quadrant (s, s) or (s, 1 - s).
    descriptor_write : In(1), descriptor_write_slot : In, descriptor_data : In(DESCRIPTOR)
        A descriptor is readable from the next cycle on, a word from the second one on, not before.

    Timing: a plane and a descriptor a cycle. There is no reset: what is read is the reader's affair.
    Cost: slots * (16 bank_width + 7) bits of block RAM, 5 bank_width registers, 2 bank_width
    multiplexers of 4.
    """

    def __init__(self, config, slots):
        self._config, self._slots = config, slots
        super().__init__({
            "read": In(READ), "digits": Out(digits_layout(config)),
            "write_slot": In(16), "write_plane": In(3), "write_s": In(1), "write_x": In(1), "write_y": In(1),
            "write_data": In(config.bank_width), "descriptor_write": In(1), "descriptor_write_slot": In(16),
            "descriptor_data": In(DESCRIPTOR)})

    def elaborate(self, platform):
        m = Module()
        side, read, words = self._config.side, self.read, []
        # Writes wait in a register: what they come from is far from some block RAMs.
        written, write_data = (delay(m, value, 1, name=name) for name, value in (
            ("written", self._address(self.write_slot, self.write_plane, self.write_s)),
            ("write_data", self.write_data)))
        for name, write, s in (("x", self.write_x, read.half),
                               ("y", self.write_y, read.half ^ read.columns)):
            enable = delay(m, write, 1, reset_less=False, name=f"write_{name}")
            address = delay(m, self._address(read.slot, read.plane, s), 1, name=f"address_{name}")
            word = self._memory(m, name, SLOT_WORDS * self._slots, self._config.bank_width, address,
                                (enable, written, write_data))
            words.append(data.View(data.ArrayLayout(data.ArrayLayout(PLANE_BITS, side), side), word))
        m.d.comb += read.descriptor.eq(self._memory(
            m, "descriptors", self._slots, len(self.descriptor_data.as_value()), read.descriptor_slot,
            (self.descriptor_write, self.descriptor_write_slot, self.descriptor_data)))
        half, columns = (delay(m, value, READ_CYCLES - 1, name=name) for value, name in (
            (read.half, "half"), (read.columns, "columns")))
        digits = Signal.like(self.digits, reset_less=True)
        # The first S of the numbers that are summed over are in quadrant (0, half) or (half, 0), which is in
        # bank x where half is 0.
        for k in range(self._config.block):
            first, second = words if k < side else reversed(words)
            for i, (row, column) in enumerate((n, k % side) for n in range(side)):
                m.d.sync += digits[k][i].eq(Mux(
                    columns, Mux(half, second[column][row], first[column][row]),
                    Mux(half, second[row][column], first[row][column])))
        m.d.comb += self.digits.eq(digits)
        return m

    @staticmethod
    def _address(slot, plane, s):
        inner = (PLANES - 1).bit_length()
        return Cat(s, plane[:inner], slot + plane[inner:])

    @staticmethod
    def _memory(m, name, depth, width, address, write):
        """Word at ``address``, `MEMORY_CYCLES` before; ``write`` is enable, address and data."""
        m.submodules[name] = memory = Memory(shape=width, depth=depth, init=[], attrs={"no_rw_check": 1})
        writer, reader = memory.write_port(), memory.read_port()
        m.d.comb += [port.eq(value) for port, value in
                     zip((writer.en, writer.addr, writer.data), write, strict=True)]
        m.d.comb += reader.addr.eq(address)
        return delay(m, reader.data, MEMORY_CYCLES - 1, name=f"{name}_word")
