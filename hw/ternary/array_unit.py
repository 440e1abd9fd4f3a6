"""One column array with all that exists once for each: memories, scalers, rotators, output queue."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..common.column import ColumnArray
from ..common.drain import Drain
from ..common.result_port import ResultPort
from ..common.stream import packet
from .layouts import unit_fields, unit_strobes
from .serial_array import SerialColumnArray
from .vector import VectorMemory

__all__ = ["ArrayUnit", "make_array"]


def make_array(config):
    """The column array of an engine of ``config``."""
    if config.bit_serial:
        return SerialColumnArray(config)
    return ColumnArray(
        config.lanes, config.acc_width, config.row_depth, config.drain_width, config.scatter_width,
        config.convolution, config.transposed, config.activation_width, registered=config.arrays == 1)


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
        m.submodules.drain = drain = Drain(config, config.acc_width, config.drain_cycles)
        self._terms(m, array, strobes, fields)
        m.d.comb += [
            array.select.eq(fields.select), drain.result.eq(array.result),
            drain.pool.eq(strobes.pool), drain.slot.eq(fields.pool_slot),
        ]
        for name in ("dense", "low", "high", "scale", "masked", "lane"):
            m.d.comb += getattr(drain, name).eq(fields[name])
        m.d.comb += drain.first.eq(fields.first if config.convolution else 1)
        self._keep(m, array, drain, strobes, fields)
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

    def _keep(self, m, array, drain, strobes, fields):
        """Vectors at their destination."""
        config = self._config
        m.submodules.port = port = ResultPort(config, config.convolution, config.scatter_step)
        m.d.comb += [
            port.values.eq(drain.values), port.beat.eq(fields.beat), port.loading.eq(fields.loading),
            port.push.eq(strobes.push), port.layer_ends.eq(fields.layer_ends)]
        wiring.connect(m, port.o, wiring.flipped(self.o))
        if config.convolution:
            m.d.comb += [
                port.write.eq(strobes.write), port.slot.eq(fields.slot), port.fill.eq(strobes.fill),
                port.drain.eq(strobes.drain), port.clear.eq(strobes.clear),
                port.valid.eq(strobes.operation), port.operation.eq(fields.operation),
                array.write_row.eq(port.write_row), array.write_data.eq(port.write_data),
                array.write_groups.eq(port.write_groups),
            ]
        if config.transposed:
            m.submodules.vector = vector = VectorMemory(config)
            m.d.comb += [
                vector.write.eq(strobes.keep), vector.position.eq(fields.position),
                vector.values.eq(port.kept), vector.source.eq(fields.source),
                array.dense_value.eq(vector.value),
            ]
            nonzero = Cat(port.kept.word_select(n, config.activation_width).any()
                          for n in range(config.drain_width))
            if config.arrays > 1:
                m.d.sync += self.nonzero.eq(Mux(strobes.keep, nonzero, 0))
            else:
                m.d.comb += self.nonzero.eq(nonzero)
