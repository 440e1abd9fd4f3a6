"""The row memory: an activation for each lane in every row."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .delay import delay

__all__ = ["RowMemory"]


class RowMemory(wiring.Component):
    """``row_depth`` rows of ``lanes`` activations: one row read and one group of lanes written a cycle.

    Members
    -------
    row : In, to read
    clear, signed : In(1), two cycles later: the activations are zeros; they are two's complement
    x : Out(A * lanes), sign : Out(lanes)
        Activations and what extends each to A + 1 bits, three cycles after ``row``, registered.
    write_row, write_data, write_groups : In
        Writes ``write_data`` to the row in each group whose bit is set. A row read in the same cycle or later
        has what was written; one read the cycle before must not be the same.

    ``registered`` False saves the register of each activation, in a chip that is full: what follows then has
    the block RAM's own delay before it. Cycles are the same.

    Cost: ``row_depth * lanes * A`` bits of block RAM.
    """

    def __init__(self, lanes, activation_width, row_depth, scatter_width, registered=True):
        self._lanes, self._width, self._depth, self._group = lanes, activation_width, row_depth, scatter_width
        self._registered = registered
        super().__init__({
            "row": In(range(row_depth)), "clear": In(1), "signed": In(1),
            "x": Out(activation_width * lanes), "sign": Out(lanes),
            "write_row": In(range(row_depth)), "write_data": In(activation_width * scatter_width),
            "write_groups": In(lanes // scatter_width),
        })

    def elaborate(self, platform):
        m = Module()
        width = self._width
        x, sign = Signal.like(self.x, reset_less=True), Signal.like(self.sign, reset_less=True)
        late = 0 if self._registered else 1
        row, write_row, write_data = (
            delay(m, value, cycles)
            for value, cycles in ((self.row, 1 + late), (self.write_row, late), (self.write_data, late)))
        write_groups = delay(m, self.write_groups, late, reset_less=False)
        words = []
        for group in range(self._lanes // self._group):
            # Never is a row read in the cycle in which it is written.
            memory = Memory(shape=width * self._group, depth=self._depth, init=[], attrs={"no_rw_check": 1})
            m.submodules[f"rows_{group}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(write_row),
                write.data.eq(write_data),
                write.en.eq(write_groups[group]),
                read.addr.eq(row),
            ]
            words.append(read.data)
        if not self._registered:
            clear, is_signed = delay(m, self.clear, 1), delay(m, self.signed & ~self.clear, 1)
            m.d.comb += [self.x.eq(Cat(words) & ~clear.replicate(len(x))),
                         self.sign.eq(Cat(words)[width - 1::width] & is_signed.replicate(self._lanes))]
            return m
        m.d.sync += [x.eq(Cat(words)), sign.eq(Cat(words)[width - 1::width])]
        with m.If(self.clear):
            m.d.sync += x.eq(0)
        with m.If(self.clear | ~self.signed):
            m.d.sync += sign.eq(0)
        m.d.comb += [self.x.eq(x), self.sign.eq(sign)]
        return m
