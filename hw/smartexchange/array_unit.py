"""One column array with all that exists once for each: memories, combination, scalers, output queue."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..common.drain import Drain
from ..common.result_port import ResultPort
from ..common.stream import packet
from .combiner import Combiner
from .layouts import MIN_SHIFT, Widths, unit_fields, unit_strobes
from .shift_add import ShiftAddColumn

__all__ = ["ArrayUnit"]


class ArrayUnit(wiring.Component):
    """Does what the controller says, with its own images; docs/engines/ternary-arrays.md.

    Members
    -------
    strobes, fields : In
        All from the controller: layouts of `unit_strobes`, `unit_fields`.
    o : Out(stream of packet(16*D))
        Results for the output stream.

    Timing: of several arrays each works one cycle after the controller, from registers of its own. ``o``
    offers a vector two cycles after ``strobes.push`` (several arrays: three).
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "strobes": In(unit_strobes(config)), "fields": In(unit_fields(config)),
            "o": Out(stream.Signature(packet(16 * config.drain_width))),
        })

    def elaborate(self, platform):
        m = Module()
        config, strobes, fields = self._config, self.strobes, self.fields
        if config.arrays > 1:
            strobes = Signal(unit_strobes(config))
            fields = Signal(unit_fields(config), reset_less=True)
            m.d.sync += [strobes.eq(self.strobes), fields.eq(self.fields)]
        m.submodules.array = array = ShiftAddColumn(config)
        m.submodules.combiner = combiner = Combiner(config)
        m.submodules.drain = drain = Drain(
            config, config.sum_width, Widths(config).slots, min_shift=MIN_SHIFT, registered=True)
        m.submodules.port = port = ResultPort(config)
        m.d.comb += [
            array.valid.eq(strobes.item), combiner.t.eq(array.result),
            combiner.combine.eq(strobes.combine), combiner.finish.eq(strobes.finish),
            drain.result.eq(combiner.result), drain.pool.eq(strobes.pool), drain.slot.eq(fields.pool_slot),
            port.values.eq(drain.values), port.push.eq(strobes.push), port.valid.eq(strobes.operation),
        ]
        for part, names in (
                (array, ("row", "negative", "shift", "last", "signed", "select")),
                (combiner, ("flip", "coefficient", "read_sum", "restart", "write_sum", "write_finished",
                            "read_finished", "part")),
                (drain, ("low", "high", "scale", "masked", "first")),
                (port, ("beat", "loading", "layer_ends", "slot", "operation"))):
            m.d.comb += [getattr(part, name).eq(fields[name]) for name in names]
        m.d.comb += [getattr(port, name).eq(strobes[name]) for name in ("write", "fill", "drain", "clear")]
        m.d.comb += [getattr(array, name).eq(getattr(port, name))
                     for name in ("write_row", "write_data", "write_groups")]
        wiring.connect(m, port.o, wiring.flipped(self.o))
        return m
