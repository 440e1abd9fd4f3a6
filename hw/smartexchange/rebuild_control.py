"""The SmartExchange engine with the `rebuild` dataflow."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data

from ..common.delay import delay
from ..common.destination import Destinations, InputReader
from ..common.drain_flags import DrainFlags
from ..common.layouts import Kind
from ..common.sequencer import Sequencer
from .engine import SmartExchangeEngine
from .layouts import DESCRIPTOR, RESULT_STROBES, result_fields
from .rebuild_drain import RebuildDrain
from .rebuild_layouts import RebuildWidths
from .rebuild_lists import RebuildLists
from .rebuild_positions import PositionWalk
from .rebuild_unit import RebuildUnit

__all__ = ["RebuildMachine"]


class RebuildMachine(SmartExchangeEngine):
    """Runs factored networks as the paper's machine does: docs/engines/smartexchange-rebuild.md.

    Parameters
    ----------
    config : SmartExchangeConfig

    Members: those of `ArrayEngine`.

    Timing: golden/smartexchange/rebuild_timing.py predicts every cycle.
    """

    next_go = 1       #: cycles from the last line's mark to the next position's ``go``
    filled_go = 2     #: cycles from the one in which a group is read in to ``go``

    def elaborate(self, platform):
        m = Module()
        config = self.config
        sums = RebuildWidths(config).sums
        sequencer = m.submodules.sequencer = Sequencer(config, DESCRIPTOR)
        loader = m.submodules.loader = self._loader()
        lists = m.submodules.lists = RebuildLists(config)
        walk = m.submodules.walk = PositionWalk(config)
        unit = m.submodules.unit0 = RebuildUnit(config)
        control = m.submodules.control = RebuildDrain(config)
        flags = m.submodules.flags = DrainFlags(config, sums)
        reader = m.submodules.reader = InputReader(config)
        destinations = m.submodules.destinations = Destinations(config, DESCRIPTOR, filters=config.slices)
        strobes = Signal(data.StructLayout(RESULT_STROBES))
        fields = Signal(data.StructLayout(result_fields(config, sums)))
        d, size = sequencer.descriptor, self._size(m, sequencer.descriptor)
        computes = sequencer.layer_start & (d.kind != Kind.INPUT)
        m.d.comb += [part.descriptor.eq(d) for part in (lists, walk, unit, control, destinations)]
        m.d.comb += [part.start.eq(sequencer.layer_start) for part in (unit, control, reader, destinations)]
        m.d.comb += [part.start.eq(computes) for part in (lists, walk)]
        m.d.comb += [part.size.eq(size) for part in (lists, walk, control, destinations)]

        self._control(m, sequencer, loader, reader)
        self._memories(m, sequencer, loader, lists, control, fields)
        self._positions(m, computes, lists, walk, unit, control)
        m.d.comb += [unit.fill[name].eq(getattr(lists, name)) for name in unit.fill.shape().members]
        m.d.comb += unit.select.eq(control.select)
        self._drain(m, sequencer, control, flags, strobes, fields)
        mine = self._arrive(m, sequencer, control, flags, reader, destinations, strobes, fields)
        self._tell(m, [unit], mine, strobes, fields)
        self._output(m, destinations, [unit])
        return m

    def _size(self, m, d):
        """Filters of a group; rows of inputs come one by one."""
        size = Signal(range(self.config.slices + 1))
        with m.If(d.kind == Kind.INPUT):
            m.d.comb += size.eq(1)
        with m.Elif(d.index_m_stride != 0):
            m.d.comb += size.eq(RebuildWidths(self.config).diagonal)
        with m.Else():
            m.d.comb += size.eq(self.config.slices)
        return size

    def _positions(self, m, start, lists, walk, unit, control):
        """When all lines begin a position, and when it has ended."""
        ready, go = Signal(range(3)), Signal()
        filled = delay(m, lists.filled, self.filled_go, reset_less=False)
        m.d.comb += [
            go.eq(unit.waiting & walk.valid & (~walk.position.first | (ready != 0))),
            unit.go.eq(go), walk.step.eq(go), unit.position.eq(walk.position),
            unit.free.eq(control.free), control.end.eq(unit.end), lists.released.eq(control.released),
        ]
        m.d.sync += ready.eq(Mux(start, 0, ready + filled - (go & walk.position.first)))
