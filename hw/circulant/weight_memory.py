"""The weight memory, in banks of as many words as a block RAM has of its widest form."""

from amaranth import Cat, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..common.delay import delay

__all__ = ["BANK", "WeightMemory", "skews"]

BANK = 1024
"""Words of a bank. An ECP5's block RAM of 1,024 words has 18 bits each, whatever the depth is."""


def skews(rows, slots):
    """Of each row the cycles by which it runs behind the first one, below ``slots``.

    Rows leave one after another, so those behind the first have time; what all are told goes from row to row
    through registers, each of which reaches its own neighbourhood alone.
    """
    return [row * min(rows, slots) // rows for row in range(rows)]


class _Row(wiring.Component):
    """One row's weights: ``depth`` words of ``width`` bits, read in three cycles."""

    def __init__(self, depth, width):
        self._depth, self._width = depth, width
        super().__init__({
            "address": In(range(depth)), "o": Out(width),
            "write_address": In(range(depth)), "write_data": In(width), "write": In(1)})

    def elaborate(self, platform):
        m = Module()
        inner = (BANK - 1).bit_length()
        bank, written = self.address[inner:], self.write_address[inner:]
        words = []
        for n, first in enumerate(range(0, self._depth, BANK)):
            memory = Memory(shape=self._width, depth=min(BANK, self._depth - first), init=[],
                            attrs={"no_rw_check": 1})
            m.submodules[f"bank{n}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(self.write_address[:inner]), write.data.eq(self.write_data),
                write.en.eq(self.write & (written == n)), read.addr.eq(self.address[:inner]),
            ]
            words.append(delay(m, read.data, 1, name=f"word{n}_"))
        for bit in delay(m, bank, 2, name="bank"):
            words = [Mux(bit, pair[1], pair[0]) if len(pair) > 1 else pair[0]
                     for pair in (words[n:n + 2] for n in range(0, len(words), 2))]
        m.d.comb += self.o.eq(delay(m, words[0], 1, name="o"))
        return m


class WeightMemory(wiring.Component):
    """``weight_depth`` words of the weights of all rows: one read and one written a cycle.

    Members
    -------
    address : In(range(weight_depth)), to read
    o : Out(weight_word)
        Row r's weights three cycles and ``skews``[r] later, registered.
    write_address, write_data, write : In
        A word, readable (by the address) from the next cycle on; not to be read in the same one.

    Cost: weight_depth * weight_word bits of block RAM, as many registers and multiplexers a bit as there are
    banks of `BANK` words.
    """

    def __init__(self, config):
        self._config = config
        address = range(config.weight_depth)
        super().__init__({
            "address": In(address), "o": Out(config.weight_word),
            "write_address": In(address), "write_data": In(config.weight_word), "write": In(1)})

    def elaborate(self, platform):
        m = Module()
        config = self._config
        width, found, late = config.weight_word // config.rows, [], 0
        address, write_address, write = self.address, self.write_address, self.write
        for n, skew in enumerate(skews(config.rows, config.slots)):
            if skew > late:
                address, write_address = (delay(m, value, 1, name=f"{name}{skew}_") for value, name in (
                    (address, "address"), (write_address, "write_address")))
                write, late = delay(m, write, 1, reset_less=False, name=f"write{skew}_"), skew
            m.submodules[f"row{n}"] = row = _Row(config.weight_depth, width)
            m.d.comb += [
                row.address.eq(address), row.write_address.eq(write_address), row.write.eq(write),
                row.write_data.eq(delay(m, self.write_data.word_select(n, width), skew, name=f"data{n}_")),
            ]
            found.append(row.o)
        m.d.comb += self.o.eq(Cat(found))
        return m
