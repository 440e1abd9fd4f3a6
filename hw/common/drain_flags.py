"""What goes with the results of dot products on their way through the drain."""

from amaranth import Array, Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .delay import delay
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
    pool_latency : int, `MaxPool`'s

    Members
    -------
    dense : In(1), the layer is of the transposed mode
    valid, select, lane, masked, first, last, ends, layer_ends : In, of DrainControl
    packing : Out, ``masked`` and ``lane`` of the results that `Drain` packs
    pool, pool_slot, pool_first : Out, of the vector that goes to the pool
    o_valid, o_slot, o_ends, o_layer_ends : Out, of the vector that leaves it; o_slot: of a row's vectors

    Timing: ``array_latency + Drain.latency`` cycles from ``valid`` to ``o_valid``; ``packing`` comes
    1 + ``pool_latency`` cycles before that.
    """

    def __init__(self, config, slots, array_latency=1, pool_latency=2):
        self._config, self._array_latency, self._pool_latency = config, array_latency, pool_latency
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
        latency = self._array_latency + Requantizer.latency
        flags = delay(m, flags, latency, name="flags")
        valid = delay(m, self.valid, latency, reset_less=False, name="valid")
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
        o_valid = delay(m, self.pool & last, self._pool_latency, reset_less=False, name="out")
        tail = delay(m, tail, self._pool_latency, name="tail")
        m.d.comb += [
            self.o_valid.eq(o_valid), self.o_slot.eq(tail.slot), self.o_ends.eq(tail.ends),
            self.o_layer_ends.eq(tail.layer_ends),
        ]
        return m
