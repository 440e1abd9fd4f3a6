"""One column array with all that exists once for each: memories, scalers, rotators, output queue."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..common.column import ColumnArray
from ..common.stream import Queue, packet
from .drain import Drain
from .layouts import unit_fields, unit_strobes
from .row_mover import RowMover
from .serial_array import SerialColumnArray
from .vector import VectorMemory

__all__ = ["ArrayUnit", "make_array"]


def make_array(config):
    """The column array of an engine of ``config``."""
    if config.bit_serial:
        return SerialColumnArray(config)
    return ColumnArray(
        config.lanes, config.acc_width, config.row_depth, config.drain_width, config.scatter_width,
        config.convolution, config.transposed, config.activation_width)


class ArrayUnit(wiring.Component):
    """Does what the controller says, with its own images; docs/engines/ternary-arrays.md.

    Members
    -------
    strobes, fields : In
        All from the controller: layouts of `unit_strobes`, `unit_fields`.
    ready, done : Out(1)
        Of the column array; for the controller of a single array.
    nonzero : Out(D)
        Which values of a vector that goes to the vector memory are not zero. Of several arrays: two cycles
        after ``strobes.keep``, and zeros without it.
    o : Out(stream of packet(16*D))
        Results for the output stream.

    Timing: of several arrays each works one cycle after the controller, from registers of its own. ``o``
    offers a vector two cycles after ``strobes.push`` (several arrays: three).
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "strobes": In(unit_strobes(config)), "fields": In(unit_fields(config)),
            "ready": Out(1), "done": Out(1), "nonzero": Out(config.drain_width),
            "o": Out(stream.Signature(packet(16 * config.drain_width))),
        })

    def elaborate(self, platform):
        m = Module()
        config, strobes, fields = self._config, self.strobes, self.fields
        if config.arrays > 1:
            strobes = Signal(unit_strobes(config))
            fields = Signal(unit_fields(config), reset_less=True)
            m.d.sync += [strobes.eq(self.strobes), fields.eq(self.fields)]
        m.submodules.array = array = make_array(config)
        m.submodules.drain = drain = Drain(config)
        self._terms(m, array, strobes, fields)
        m.d.comb += [
            array.select.eq(fields.select), drain.result.eq(array.result),
            drain.pool.eq(strobes.pool), drain.slot.eq(fields.pool_slot),
        ]
        for name in ("dense", "low", "high", "scale", "masked", "lane", "first"):
            m.d.comb += getattr(drain, name).eq(fields[name])
        # a register, for what decides about the next row is far from here
        values = Signal.like(drain.values, reset_less=True)
        beat = Signal.like(drain.values)
        for n in range(config.drain_width):
            m.d.comb += beat[n].eq(fields.beat.word_select(n, config.activation_width))
        m.d.sync += values.eq(Mux(fields.loading, beat.as_value(), drain.values.as_value()))
        self._keep(m, array, strobes, fields, values)
        return m

    def _terms(self, m, array, strobes, fields):
        """From the controller to the column array."""
        m.d.comb += [
            array.valid.eq(strobes.item), self.ready.eq(array.ready), self.done.eq(array.done),
            *(getattr(array, name).eq(fields[name])
              for name in ("row", "subtract", "null", "last", "signed", "dense")),
        ]
        if self._config.bit_serial:
            m.d.comb += [getattr(array, name).eq(fields[name]) for name in ("zero", "bits", "part")]
        if self._config.transposed:
            m.d.comb += [array.dense_nonzero.eq(fields.nonzero), array.dense_negative.eq(fields.negative)]

    def _keep(self, m, array, strobes, fields, values):
        """Vectors at their destination."""
        config = self._config
        kept = [values[n][:config.activation_width] for n in range(config.drain_width)]
        m.submodules.queue = queue = Queue(packet(16 * config.drain_width), 2 * config.drain_cycles)
        m.d.comb += [
            queue.i.valid.eq(strobes.push), queue.i.p.data.eq(values), queue.i.p.last.eq(fields.layer_ends)]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        if config.convolution:
            m.submodules.mover = mover = RowMover(config)
            m.d.comb += [
                mover.write.eq(strobes.write), mover.slot.eq(fields.slot), mover.values.eq(Cat(kept)),
                mover.fill.eq(strobes.fill), mover.drain.eq(strobes.drain), mover.clear.eq(strobes.clear),
                mover.valid.eq(strobes.operation), mover.operation.eq(fields.operation),
                array.write_row.eq(mover.write_row), array.write_data.eq(mover.write_data),
                array.write_groups.eq(mover.write_groups),
            ]
        if config.transposed:
            m.submodules.vector = vector = VectorMemory(config)
            m.d.comb += [
                vector.write.eq(strobes.keep), vector.position.eq(fields.position),
                vector.values.eq(Cat(kept)), vector.source.eq(fields.source),
                array.dense_value.eq(vector.value),
            ]
            nonzero = Cat(value.any() for value in kept)
            if config.arrays > 1:
                m.d.sync += self.nonzero.eq(Mux(strobes.keep, nonzero, 0))
            else:
                m.d.comb += self.nonzero.eq(nonzero)
