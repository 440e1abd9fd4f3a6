"""Tiles that come in: their vectors, and the bit lengths of their greatest numbers."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.engine_config import ERROR_BITS

from ..common.bits import encode, lowest
from ..common.delay import delay
from .layouts import MEMORY_CYCLES, vector
from .rounding import magnitude

__all__ = ["BUFFERS", "MAGNITUDE_BITS", "TileBuffer"]

BUFFERS = 4
"""Tiles that it holds."""

MAGNITUDE_BITS = ERROR_BITS - 1


class TileBuffer(wiring.Component):
    """A queue of tiles, 2 B vectors of S numbers each, as signs and magnitudes.

    Parameters: ``config``: EngineConfig.

    Members
    -------
    reserve : In(1), room : Out(1)
        A tile will come; only where there is room.
    i_valid : In(1), i : In(vector(S, 16))
        The vectors of reserved tiles; numbers above -2^15.
    valid : Out(1), length : Out(4)
        A tile is complete; bits of its greatest magnitude.
    take : In(1)
        One cycle of ``valid``: its vectors are read next. All of the one before have been asked for.
    read : In(1), o : Out({negative: 1, magnitude: 15} of each lane)
        The next vector, `MEMORY_CYCLES` later. A cycle behind the last one the tile's place is free.
    busy : Out(1)
        A place is reserved or taken.

    Timing: ``room`` follows ``reserve`` in the next cycle, ``read`` a cycle later; ``valid`` comes 4 cycles
    behind a tile's last vector. Reset forgets all.
    Cost: 8 B words of 16 S bits of memory.
    """

    def __init__(self, config):
        self._config = config
        number = data.StructLayout({"negative": 1, "magnitude": MAGNITUDE_BITS})
        super().__init__({
            "reserve": In(1), "room": Out(1, init=1), "i_valid": In(1),
            "i": In(vector(config.side, ERROR_BITS)), "valid": Out(1),
            "length": Out(range(MAGNITUDE_BITS + 1)), "take": In(1), "read": In(1),
            "o": Out(data.ArrayLayout(number, config.side)), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        depth = BUFFERS * 2 * self._config.block
        m.submodules.memory = memory = Memory(
            shape=len(self.o.as_value()), depth=depth, init=[], attrs={"no_rw_check": 1})
        write, read = memory.write_port(), memory.read_port()
        numbers, come = Signal.like(self.o, reset_less=True), delay(
            m, self.i_valid, 1, reset_less=False, name="come")
        for number, value in zip(numbers, self.i, strict=True):
            m.d.sync += [number.negative.eq(value[-1]), number.magnitude.eq(magnitude(value))]
        m.d.comb += [write.en.eq(come), write.data.eq(numbers)]
        m.d.sync += [write.addr.eq(write.addr + come), read.addr.eq(read.addr + self.read)]
        m.d.comb += self.o.eq(delay(m, read.data, MEMORY_CYCLES - 1, name="o_"))
        place = write.addr[:-2]
        done = self._lengths(m, numbers, come & ~place.any(), come & place.all(), write.addr[-2:])

        held, complete = Signal(range(BUFFERS + 1)), Signal(range(BUFFERS + 1))
        # Who reserves looks at ``room`` first, and so decides last.
        less = held - delay(m, self.read & read.addr[:-2].all(), 1, reset_less=False, name="left")
        m.d.sync += [held.eq(Mux(self.reserve, less + 1, less)),
                     self.room.eq(Mux(self.reserve, less < BUFFERS - 1, less < BUFFERS)),
                     complete.eq(complete + done - self.take)]
        m.d.comb += [self.valid.eq(complete.any()), self.busy.eq(held.any())]
        return m

    def _lengths(self, m, numbers, first, last, place):
        """Writes the length of each tile; "one is there"."""
        either = Cat(Cat(number.magnitude[n] for number in numbers).any() for n in range(MAGNITUDE_BITS))
        either = delay(m, either, 1, name="either")
        first, last = (delay(m, mark, 1, reset_less=False, name=name)
                       for mark, name in ((first, "first"), (last, "last")))
        done, place = delay(m, last, 1, reset_less=False, name="done"), delay(m, place, 2, name="place")
        there = delay(m, self.i_valid, 2, reset_less=False, name="there")
        seen = Signal(MAGNITUDE_BITS, reset_less=True)
        with m.If(first):
            m.d.sync += seen.eq(either)
        with m.Elif(there):
            m.d.sync += seen.eq(seen | either)
        # The greatest n whose bit n - 1 is set; 0 without any.
        ordered, highest = Signal(MAGNITUDE_BITS + 1), Signal(MAGNITUDE_BITS + 1)
        m.d.comb += [ordered.eq(Cat(1, seen)[::-1]), highest.eq(lowest(ordered)[0][::-1])]
        lengths = Array(Signal(self.length.shape(), name=f"length{n}", reset_less=True)
                        for n in range(BUFFERS))
        with m.If(done):
            m.d.sync += lengths[place].eq(encode(highest))
        taken = Signal(range(BUFFERS))
        m.d.sync += taken.eq(taken + self.take)
        m.d.comb += self.length.eq(lengths[taken])
        return done
