"""What goes with the results of dot products on their way through the drain."""

from amaranth import Array, Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .pool import MaxPool
from .requantize import Requantizer

__all__ = ["DrainFlags", "outside"]


def outside(config, vector, rows, columns):
    """For each lane of a row's ``vector``: whether its cell is beyond the map's ``rows`` and ``columns``."""
    vectors = []
    for s in range(config.drain_cycles):
        cells = [divmod((s * config.drain_width + n) % config.image_lanes, config.grid_columns)
                 for n in range(config.drain_width)]
        vectors.append(Cat((i >= rows) | (j >= columns) for i, j in cells))
    return Array(vectors)[vector]


class DrainFlags(wiring.Component):
    """Delays what `DrainControl` says of results, as long as `Drain` has them; the same for all arrays.

    Parameters
    ----------
    config : ArrayConfig
    slots : int, windows of pooling that are open together, times vectors of a row
    array_latency : int, cycles from selecting results to `Drain`'s ``result``

    Members
    -------
    dense : In(1), the layer is of the transposed mode
    valid, select, lane, masked, first, last, ends, layer_ends : In, of DrainControl
    packing : Out, ``masked`` and ``lane`` of the results that `Drain` packs
    pool, pool_slot, pool_first : Out, of the vector that goes to the pool
    o_valid, o_slot, o_ends, o_layer_ends : Out, of the vector that leaves it; o_slot: of a row's vectors

    Timing: ``array_latency + Drain.latency`` cycles from ``valid`` to ``o_valid``; ``packing`` comes
    1 + ``MaxPool.latency`` cycles before that.
    """

    def __init__(self, config, slots, array_latency=1):
        self._config, self._array_latency = config, array_latency
        super().__init__({
            "dense": In(1), "valid": In(1), "select": In(range(slots)),
            "lane": In(range(max(2, config.drain_width))), "masked": In(config.drain_width),
            "first": In(1), "last": In(1), "ends": In(1), "layer_ends": In(1),
            "packing": Out(data.StructLayout({
                "masked": config.drain_width, "lane": range(max(2, config.drain_width))})),
            "pool": Out(1), "pool_slot": Out(range(slots)), "pool_first": Out(1),
            "o_valid": Out(1), "o_slot": Out(range(config.drain_cycles)), "o_ends": Out(1),
            "o_layer_ends": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        flags = Signal(data.StructLayout({
            "masked": config.drain_width, "lane": self.lane.shape(), "slot": self.select.shape(),
            "first": 1, "last": 1, "ends": 1, "layer_ends": 1}))
        m.d.comb += flags.eq(Cat(self.masked, self.lane, self.select, self.first, self.last, self.ends,
                                 self.layer_ends))
        valid = self.valid
        for n in range(self._array_latency + Requantizer.latency):
            register = Signal.like(flags, name=f"flags{n}", reset_less=True)
            mark = Signal(name=f"valid{n}")
            m.d.sync += [register.eq(flags), mark.eq(valid)]
            flags, valid = register, mark
        complete = ~self.dense | (flags.lane == config.drain_width - 1)

        last = Signal()
        tail = Signal(data.StructLayout({"slot": self.select.shape(), "ends": 1, "layer_ends": 1}))
        m.d.comb += [
            self.packing.masked.eq(flags.masked), self.packing.lane.eq(flags.lane),
            self.pool_slot.eq(tail.slot),
        ]
        m.d.sync += [
            self.pool.eq(valid & complete), self.pool_first.eq(flags.first), last.eq(flags.last),
            tail.slot.eq(flags.slot), tail.ends.eq(flags.ends), tail.layer_ends.eq(flags.layer_ends),
        ]
        valid = self.pool & last
        for n in range(MaxPool.latency):
            register, mark = Signal.like(tail, name=f"tail{n}", reset_less=True), Signal(name=f"out{n}")
            m.d.sync += [register.eq(tail), mark.eq(valid)]
            tail, valid = register, mark
        m.d.comb += [
            self.o_valid.eq(valid), self.o_slot.eq(tail.slot), self.o_ends.eq(tail.ends),
            self.o_layer_ends.eq(tail.layer_ends),
        ]
        return m
