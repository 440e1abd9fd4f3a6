"""The array of the `rebuild` dataflow with scalers and output queue."""

from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..common.drain import Drain
from ..common.result_port import ResultPort
from ..common.stream import packet
from .layouts import DESCRIPTOR, MIN_SHIFT, RESULT_STROBES, result_fields
from .rebuild_array import RebuildArray
from .rebuild_layouts import RebuildWidths, fill_layout, position_layout

__all__ = ["RebuildUnit"]


class RebuildUnit(wiring.Component):
    """Computes positions, and does with their sums and with rows of inputs what it is told.

    Members
    -------
    descriptor, start, fill, go, position, free : In; waiting, end : Out: of `RebuildArray`
    select : In, two cycles after a drain step
    strobes : In(RESULT_STROBES), fields : In(result_fields)
    o : Out(stream of packet(16*D)), results for the output stream, two cycles after ``strobes.push``
    """

    def __init__(self, config):
        self._config, self._sums = config, RebuildWidths(config).sums
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "fill": In(fill_layout(config)),
            "go": In(1), "position": In(position_layout(config)), "waiting": Out(1),
            "free": In(1), "end": Out(1), "select": In(range(self._sums)),
            "strobes": In(data.StructLayout(RESULT_STROBES)),
            "fields": In(data.StructLayout(result_fields(config, self._sums))),
            "o": Out(stream.Signature(packet(16 * config.drain_width))),
        })

    def elaborate(self, platform):
        m = Module()
        config, strobes, fields = self._config, self.strobes, self.fields
        m.submodules.array = array = RebuildArray(config)
        m.submodules.drain = drain = Drain(config, config.sum_width, self._sums, min_shift=MIN_SHIFT)
        m.submodules.port = port = ResultPort(config)
        m.d.comb += [
            drain.result.eq(array.result), drain.pool.eq(strobes.pool), drain.slot.eq(fields.pool_slot),
            port.values.eq(drain.values), port.push.eq(strobes.push), port.valid.eq(strobes.operation),
            self.waiting.eq(array.waiting), self.end.eq(array.end),
        ]
        for part, source, names in (
                (array, self, ("descriptor", "start", "fill", "go", "position", "free", "select")),
                (array, port, ("write_row", "write_data", "write_groups")),
                (drain, fields, ("low", "high", "scale", "masked", "first")),
                (port, fields, ("beat", "loading", "layer_ends", "slot", "operation")),
                (port, strobes, ("write", "fill", "drain", "clear"))):
            m.d.comb += [getattr(part, name).eq(getattr(source, name)) for name in names]
        wiring.connect(m, port.o, wiring.flipped(self.o))
        return m
