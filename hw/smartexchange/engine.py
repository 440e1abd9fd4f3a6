"""The SmartExchange engine: program loader, sequencer and controller, and the arrays that follow them."""

from amaranth import Module, Mux, Signal
from amaranth.lib.memory import Memory

from ...golden.smartexchange.program import MAGIC
from ..common.destination import Destinations, InputReader
from ..common.drain_flags import DrainFlags
from ..common.engine import ArrayEngine
from ..common.layouts import Kind
from ..common.loader import ProgramLoader
from ..common.sequencer import Sequencer
from .array_unit import ArrayUnit
from .combine_control import CombineControl
from .drain_control import DrainControl
from .layouts import DESCRIPTOR, Widths, unit_fields, unit_strobes
from .list_reader import ListReader

__all__ = ["SmartExchangeEngine"]


class SmartExchangeEngine(ArrayEngine):
    """Runs factored networks: docs/engines/smartexchange-machine.md says what a program means.

    Parameters
    ----------
    config : SmartExchangeConfig

    Members: those of `ArrayEngine`.

    Timing: one term a cycle for all lanes; golden/smartexchange/timing.py predicts every cycle.
    """

    def elaborate(self, platform):
        m = Module()
        config = self.config
        sequencer = m.submodules.sequencer = Sequencer(config, DESCRIPTOR)
        loader = m.submodules.loader = self._loader()
        lists = m.submodules.lists = ListReader(config)
        combine = m.submodules.combine = CombineControl(config)
        control = m.submodules.control = DrainControl(config)
        flags = m.submodules.flags = DrainFlags(config, Widths(config).slots, pool_latency=3)
        reader = m.submodules.reader = InputReader(config)
        destinations = m.submodules.destinations = Destinations(config, DESCRIPTOR)
        units = [ArrayUnit(config) for _ in range(config.arrays)]
        for n, unit in enumerate(units):
            m.submodules[f"unit{n}"] = unit
        strobes, fields = Signal(unit_strobes(config)), Signal(unit_fields(config))
        m.d.comb += [
            part.descriptor.eq(sequencer.descriptor) for part in (lists, combine, control, destinations)]
        m.d.comb += [
            part.start.eq(sequencer.layer_start) for part in (combine, control, reader, destinations)]
        m.d.comb += lists.start.eq(sequencer.layer_start & (sequencer.descriptor.kind != Kind.INPUT))

        self._control(m, sequencer, loader, reader)
        self._memories(m, sequencer, loader, lists, control, fields)
        self._issue(m, sequencer, lists, combine, strobes, fields)
        self._results(m, sequencer, combine, control, flags, strobes, fields)
        mine = self._arrive(m, sequencer, control, flags, reader, destinations, strobes, fields)
        self._tell(m, units, mine, strobes, fields)
        self._output(m, destinations, units)
        return m

    def _loader(self):
        config = self.config
        return ProgramLoader(MAGIC, config.fingerprint, {
            "table": (config.table_depth, config.table_width),
            "items": (config.item_depth // 2, 32),
            "basis": (config.basis_depth, config.basis_width)})

    def _memories(self, m, sequencer, loader, lists, control, fields):
        """Table, items and basis, and who reads and writes them."""
        ports = {}
        for name, (depth, width) in loader.memories.items():
            memory = m.submodules[name] = Memory(
                shape=width, depth=depth, init=[], attrs={"no_rw_check": 1})
            write, ports[name] = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(getattr(loader, f"{name}_address")),
                write.data.eq(getattr(loader, f"{name}_data")),
                write.en.eq(getattr(loader, f"{name}_write")),
            ]
        table, items, basis = ports["table"], ports["items"], ports["basis"]
        scale = Signal(self.config.table_width, reset_less=True)
        m.d.sync += scale.eq(table.data)
        m.d.comb += [
            table.addr.eq(Mux(sequencer.fetching, sequencer.table_address, control.table_address)),
            sequencer.table_data.eq(table.data), fields.scale.eq(scale),
            items.addr.eq(lists.item_address), items.en.eq(lists.item_advance),
            lists.item_word.eq(items.data),
            basis.addr.eq(lists.basis_address), basis.en.eq(lists.basis_advance), lists.basis.eq(basis.data),
        ]

    def _issue(self, m, sequencer, lists, combine, strobes, fields):
        """From the controller to the arrays: terms, a last one when it may come."""
        item, valid = Signal.like(lists.o.p, reset_less=True), Signal()
        taken = lists.o.valid & lists.o.ready
        m.d.comb += [
            lists.o.ready.eq(~lists.o.p.last | combine.ready), combine.issued.eq(taken & lists.o.p.last),
            combine.head.eq(lists.o.p.head), combine.negative.eq(lists.o.p.negative),
            strobes.item.eq(valid), fields.signed.eq(sequencer.descriptor.signed),
        ]
        m.d.sync += [valid.eq(taken), item.eq(lists.o.p)]
        m.d.comb += [fields[name].eq(item[name]) for name in ("row", "negative", "shift", "last")]

    def _results(self, m, sequencer, combine, control, flags, strobes, fields):
        """From dot products to sums, and from sums through the drain."""
        m.d.comb += [
            control.finished.eq(combine.finished), combine.drained.eq(control.drained),
            strobes.combine.eq(combine.combine), strobes.finish.eq(combine.finish),
        ]
        m.d.comb += [fields[name].eq(getattr(combine, name)) for name in (
            "select", "flip", "coefficient", "read_sum", "restart", "write_sum", "write_finished")]
        m.d.comb += [
            fields.read_finished.eq(control.read_finished), fields.part.eq(control.part),
        ]
        self._drain(m, sequencer, control, flags, strobes, fields)

    def _drain(self, m, sequencer, control, flags, strobes, fields):
        """What scalers and pool need, step by step."""
        m.d.comb += [
            fields.low.eq(sequencer.descriptor.low), fields.high.eq(sequencer.descriptor.high),
            fields.masked.eq(flags.packing.masked), strobes.pool.eq(flags.pool),
            fields.pool_slot.eq(flags.pool_slot), fields.first.eq(flags.pool_first),
        ]
        m.d.comb += [getattr(flags, name).eq(getattr(control, name)) for name in (
            "valid", "select", "masked", "first", "last", "ends", "layer_ends")]
