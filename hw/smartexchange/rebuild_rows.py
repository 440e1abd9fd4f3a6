"""A line's activations: its copy of the row memory, and the rows that its multipliers need next."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..common.delay import delay
from ..common.row_memory import RowMemory
from .rebuild_booth import digit_counts, nonzero_digits
from .rebuild_layouts import RING, RebuildWidths

__all__ = ["LineRows"]


class LineRows(wiring.Component):
    """Fetches rows to a buffer, and counts their digits.

    Members
    -------
    write_row, write_data, write_groups : In, of `RowMemory`
    signed : In(1), activations are two's complement, constant while a layer runs
    row : In, place : In: the row is fetched to this place of the buffer; each cycle one
    steps_place : In; more : Out(digits - 1), of the row there, combinational: bit n: an activation of
        some lane has more than n + 1 digits that are not 0
    read_place : In; x : Out(A * P), the row there, combinational

    Timing: a row can be read ``latency - 1`` cycles after it is fetched, and its digits are counted
    ``latency`` cycles after.
    Cost: ``row_depth`` * P * A bits of block RAM, and 4 * ``taps`` (rounded up to a power of two) rows of
    distributed memory.
    """

    latency = 5

    def __init__(self, config):
        self._config = config
        w = RebuildWidths(config)
        self._place = w.tap + (RING - 1).bit_length()
        super().__init__({
            "write_row": In(w.row), "write_data": In(config.activation_width * config.scatter_width),
            "write_groups": In(config.groups), "signed": In(1),
            "row": In(w.row), "place": In(self._place),
            "steps_place": In(self._place), "more": Out(w.digits - 1),
            "read_place": In(self._place), "x": Out(config.activation_width * config.lanes),
        })

    def elaborate(self, platform):
        m = Module()
        config, width = self._config, self._config.activation_width
        m.submodules.rows = rows = RowMemory(config.lanes, width, config.row_depth, config.scatter_width)
        m.d.comb += [
            rows.write_row.eq(self.write_row), rows.write_data.eq(self.write_data),
            rows.write_groups.eq(self.write_groups), rows.row.eq(self.row), rows.signed.eq(self.signed),
        ]
        place = delay(m, self.place, 3)
        m.submodules.buffer = buffer = Memory(shape=len(rows.x), depth=1 << self._place, init=[])
        write, read = buffer.write_port(), buffer.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(place), write.data.eq(rows.x), write.en.eq(1),
            read.addr.eq(self.read_place), self.x.eq(read.data),
        ]
        counts = []
        for lane in range(config.lanes):
            count = Signal(self.more.shape(), name=f"count_{lane}", reset_less=True)
            m.d.sync += count.eq(digit_counts(nonzero_digits(rows.x.word_select(lane, width), self.signed)))
            counts.append(count)
        m.submodules.counts = memory = Memory(shape=self.more.shape(), depth=1 << self._place, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(delay(m, place, 1)), write.data.eq(Cat(reduce(or_, counts))), write.en.eq(1),
            read.addr.eq(self.steps_place), self.more.eq(read.data),
        ]
        return m
