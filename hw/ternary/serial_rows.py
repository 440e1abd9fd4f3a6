"""Bit rows of the bit-serial column array: an accumulator's, and those of finished sums."""

from amaranth import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...golden.ternary.config import SNAPSHOT_ROWS
from .serial_control import row_range

__all__ = ["AccumulatorRows", "ResultRows"]


class AccumulatorRows(wiring.Component):
    """Bit rows of one accumulator of all columns; one is read and one is written in the same cycle.

    Rows of even and of odd number have a memory each, so the last bit of a sum can also go to the row that
    follows. An addition makes a word longer by at most one bit; it then reads that copy, for the sign itself
    was overwritten one step before.

    Members
    -------
    read_row : In, o : Out(lanes), row of one cycle before
    write_row, write : In, copy : In(1), write the following row too; i : In(lanes), one cycle later

    Cost: two bits of 16-word distributed memory and one multiplexer a column, up to 30 rows.
    """

    def __init__(self, config):
        self._config = config
        row = row_range(config)
        super().__init__({
            "read_row": In(row), "o": Out(config.lanes),
            "write_row": In(row), "write": In(1), "copy": In(1), "i": In(config.lanes),
        })

    def elaborate(self, platform):
        m = Module()
        banks = []
        for odd in range(2):
            bank = Memory(shape=self._config.lanes, depth=len(row_range(self._config)) // 2, init=[])
            m.submodules[f"bank{odd}"] = bank
            read, write = bank.read_port(domain="comb"), bank.write_port()
            m.d.comb += write.data.eq(self.i)
            m.d.sync += [
                read.addr.eq(self.read_row >> 1), write.addr.eq((self.write_row + 1 - odd) >> 1),
                write.en.eq(self.write & ((self.write_row[0] == odd) | self.copy)),
            ]
            banks.append(read.data)
        odd = Signal()
        m.d.sync += odd.eq(self.read_row[0])
        m.d.comb += self.o.eq(Mux(odd, banks[1], banks[0]))
        return m


class ResultRows(wiring.Component):
    """Bit rows of finished sums, and a few whole sums out of them.

    Members
    -------
    write_row, write : In; i : In(lanes), one cycle later
    done, is_signed : In(1), ``write_row`` is the top row of a sum, which goes on above it with its sign or 0
    select : In, columns; part : In, rows part*4 .. part*4 + 3
    result : Out, sums of columns select*D + d, two cycles after the last part; all parts come in order

    Timing: a sum can be selected from two cycles after ``done`` on, until the next one is written.
    Cost: four bits of 16-word distributed memory and 2.5 LUTs a column, 4 and ``acc_width`` flip-flops for
    each of the D sums.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "write_row": In(row_range(config)), "write": In(1), "i": In(config.lanes),
            "done": In(1), "is_signed": In(1),
            "select": In(range(config.drain_cycles)), "part": In(range(config.drain_step)),
            "result": Out(data.ArrayLayout(signed(config.acc_width), config.drain_width)),
        })

    def elaborate(self, platform):
        m = Module()
        lanes, drain, parts = self._config.lanes, self._config.drain_width, self._config.drain_step
        position_bits = (SNAPSHOT_ROWS - 1).bit_length()
        banks = []
        for n in range(SNAPSHOT_ROWS):
            bank = m.submodules[f"bank{n}"] = Memory(shape=lanes, depth=parts, init=[])
            read, write = bank.read_port(domain="comb"), bank.write_port()
            m.d.comb += [read.addr.eq(self.part), write.data.eq(self.i)]
            m.d.sync += [
                write.addr.eq(self.write_row >> position_bits),
                write.en.eq(self.write & (self.write_row[:position_bits] == n)),
            ]
            banks.append(read.data)

        top, is_signed = Signal.like(self.write_row), Signal()
        with m.If(self.done):
            m.d.sync += [top.eq(self.write_row), is_signed.eq(self.is_signed)]
        top_part, top_position = top >> position_bits, top[:position_bits]
        inside, sign = Signal(SNAPSHOT_ROWS), Signal(SNAPSHOT_ROWS)  # rows of the sum; its sign
        begins = Signal()
        m.d.sync += begins.eq(self.part == 0)
        for n in range(SNAPSHOT_ROWS):
            here = self.part == top_part
            m.d.sync += [
                inside[n].eq((self.part < top_part) | (here & (n <= top_position))),
                sign[n].eq(is_signed & here & (n == top_position)),
            ]
        for d in range(drain):
            columns = [Cat(bank[column] for bank in banks) for column in range(d, lanes, drain)]
            raw = Signal(SNAPSHOT_ROWS, name=f"raw{d}", reset_less=True)
            above, before = Signal(name=f"above{d}"), Signal(name=f"before{d}", reset_less=True)
            word = Signal(SNAPSHOT_ROWS * parts, name=f"word{d}", reset_less=True)
            bits = (raw & inside) | (above.replicate(SNAPSHOT_ROWS) & ~inside)
            m.d.comb += [above.eq((raw & sign).any() | (before & ~begins)), self.result[d].eq(word)]
            m.d.sync += [
                raw.eq(Array(columns)[self.select]), before.eq(above),
                word.eq(Cat(word[SNAPSHOT_ROWS:], bits)),
            ]
        return m
