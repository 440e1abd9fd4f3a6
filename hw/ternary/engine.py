"""The ternary engine: program loader, sequencer and controller, and the arrays that follow them."""

from functools import reduce
from operator import or_

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from ...golden.ternary.program import MAGIC
from ..common.column import ColumnArray
from ..common.delay import delay
from ..common.destination import Destinations, InputReader
from ..common.drain_flags import DrainFlags
from ..common.engine import ArrayEngine
from ..common.layouts import Kind
from ..common.loader import ProgramLoader
from ..common.sequencer import Sequencer
from .array_unit import ArrayUnit
from .drain_control import DrainControl
from .fetcher import Fetcher
from .layouts import DESCRIPTOR, Widths, item_layout, unit_fields, unit_strobes
from .sacu import SparseAdditionControl
from .vector import BitmapMemory

__all__ = ["TernaryEngine"]


class TernaryEngine(ArrayEngine):
    """Runs ternary networks: docs/engines/ternary-machine.md says what a program means.

    Parameters
    ----------
    config : TernaryConfig

    Members
    -------
    i_program : In(stream of packet(32)), i : In(stream of packet(A*D)), o : Out(stream of packet(16*D))
    start, clear : In(1), one cycle
    busy, loaded, error, layer, load_cycles, run_cycles, finished : Out, as "Ports" there

    Timing: one term a cycle for all lanes, or (``bit_serial``) one bit of a term;
    golden/ternary/timing.py predicts every cycle.
    """

    def elaborate(self, platform):
        m = Module()
        config = self.config
        sequencer = m.submodules.sequencer = Sequencer(config, DESCRIPTOR)
        loader = m.submodules.loader = ProgramLoader(MAGIC, config.fingerprint, {
            "table": (config.table_depth, config.table_width),
            "weights": (config.weight_depth, 2 * config.word_width)})
        fetcher = m.submodules.fetcher = Fetcher(config)
        sacu = m.submodules.sacu = SparseAdditionControl(config)
        control = m.submodules.control = DrainControl(config)
        flags = m.submodules.flags = DrainFlags(
            config, config.drain_cycles, 2 if config.bit_serial else 1)
        reader = m.submodules.reader = InputReader(config)
        destinations = m.submodules.destinations = Destinations(
            config, DESCRIPTOR, config.convolution, config.scatter_step)
        units = [ArrayUnit(config) for _ in range(config.arrays)]
        for n, unit in enumerate(units):
            m.submodules[f"unit{n}"] = unit
        strobes, fields = Signal(unit_strobes(config)), Signal(unit_fields(config))
        m.d.comb += [part.descriptor.eq(sequencer.descriptor) for part in (fetcher, control, destinations)]
        m.d.comb += [part.start.eq(sequencer.layer_start) for part in (control, reader, destinations)]
        m.d.comb += fetcher.start.eq(sequencer.layer_start & (sequencer.descriptor.kind != Kind.INPUT))

        wiring.connect(m, fetcher.o, sacu.i)
        self._control(m, sequencer, loader, reader)
        item = self._issue(m, sequencer, sacu, control, units[0], strobes, fields)
        self._memories(m, sequencer, loader, fetcher, control, fields, item)
        self._results(m, sequencer, control, flags, strobes, fields)
        mine = self._arrive(m, sequencer, control, flags, reader, destinations, strobes, fields)
        if config.transposed:
            self._vectors(m, sequencer, fetcher, destinations, mine, units, fields, item)
        self._output(m, destinations, units)
        self._tell(m, units, mine, strobes, fields)
        return m

    def _issue(self, m, sequencer, sacu, control, unit, strobes, fields):
        """From the controller to the arrays, which hold it until it is done: items, a last one when drained.

        An array without a use for terms that are zero takes them as nulls.
        """
        d, config = sequencer.descriptor, self.config
        item, valid = Signal(item_layout(config), reset_less=True), Signal()
        ready, done = unit.ready, unit.done
        if config.arrays > 1:       # arrays work a cycle late, which nobody here is to see
            ready = Const(1)
            done = delay(m, valid & item.last, ColumnArray.latency - 2, reset_less=False, name="done")
        m.d.comb += [
            sacu.o.ready.eq(ready & (~sacu.o.p.last | control.ready)),
            control.issued.eq(sacu.o.valid & sacu.o.ready & sacu.o.p.last), control.arrived.eq(done),
        ]
        with m.If(ready):
            m.d.sync += [valid.eq(sacu.o.valid & sacu.o.ready), item.eq(sacu.o.p)]
        zero = 0 if config.skip_zeros else item.zero
        m.d.comb += [
            strobes.item.eq(valid), fields.row.eq(item.index), fields.subtract.eq(item.subtract),
            fields.null.eq(item.null if config.bit_serial else item.null | zero), fields.last.eq(item.last),
            fields.signed.eq(d.signed), fields.dense.eq(d.kind == Kind.DENSE),
        ]
        if config.bit_serial:
            m.d.comb += [
                fields.zero.eq(zero), fields.bits.eq(d.activation_bits), fields.part.eq(control.part)]
        return item

    def _memories(self, m, sequencer, loader, fetcher, control, fields, item):
        """Table and weights, and who reads and writes them."""
        config, w = self.config, Widths(self.config)
        m.submodules.table = table = Memory(
            shape=config.table_width, depth=config.table_depth, init=[], attrs={"no_rw_check": 1})
        m.submodules.weights = weights = Memory(
            shape=2 * config.word_width, depth=config.weight_depth, init=[], attrs={"no_rw_check": 1})
        for memory, name in ((table, "table"), (weights, "weights")):
            port = memory.write_port()
            m.d.comb += [
                port.addr.eq(getattr(loader, f"{name}_address")),
                port.data.eq(getattr(loader, f"{name}_data")),
                port.en.eq(getattr(loader, f"{name}_write")),
            ]
        table_r, weights_r = table.read_port(), weights.read_port()
        scale = Signal(config.table_width, reset_less=True)
        m.d.sync += scale.eq(table_r.data)
        m.d.comb += [
            table_r.addr.eq(Mux(sequencer.fetching, sequencer.table_address, control.table_address)),
            sequencer.table_data.eq(table_r.data), fields.scale.eq(scale),
        ]
        dense = sequencer.descriptor.kind == Kind.DENSE
        word = Signal(2 * config.word_width, reset_less=True)
        m.d.comb += [
            weights_r.addr.eq(Mux(dense, item.index[:w.weight], fetcher.address)),
            weights_r.en.eq(fetcher.advance | dense), fetcher.weights.eq(word),
        ]
        with m.If(weights_r.en):
            m.d.sync += word.eq(weights_r.data)
        if config.transposed:
            m.d.comb += [
                fields.nonzero.eq(word[:config.word_width]), fields.negative.eq(word[config.word_width:])]

    def _results(self, m, sequencer, control, flags, strobes, fields):
        """From the arrays through their drains."""
        d = sequencer.descriptor
        m.d.comb += [
            flags.dense.eq(fields.dense), fields.select.eq(control.select),
            fields.low.eq(d.low), fields.high.eq(d.high),
            fields.masked.eq(flags.packing.masked), fields.lane.eq(flags.packing.lane),
            strobes.pool.eq(flags.pool), fields.pool_slot.eq(flags.pool_slot),
            fields.first.eq(flags.pool_first),
        ]
        for name in ("valid", "select", "lane", "masked", "first", "last", "ends", "layer_ends"):
            m.d.comb += getattr(flags, name).eq(getattr(control, name))

    def _vectors(self, m, sequencer, fetcher, destinations, mine, units, fields, item):
        """The bitmap beside the arrays' vector memories."""
        m.submodules.bitmaps = bitmaps = BitmapMemory(self.config)
        bitmap = Signal(self.config.scatter_width, reset_less=True)
        with m.If(fetcher.advance):
            m.d.sync += bitmap.eq(Mux(fields.dense, bitmaps.bitmap, 0))
        m.d.comb += [
            bitmaps.start.eq(sequencer.layer_start), bitmaps.base.eq(sequencer.descriptor.out_base),
            bitmaps.write.eq(destinations.vector_write), bitmaps.slot.eq(fields.slot),
            bitmaps.first.eq(mine[0]), bitmaps.final.eq(mine[-1]),
            bitmaps.nonzero.eq(reduce(or_, (unit.nonzero for unit in units))),
            bitmaps.address.eq(fetcher.address), bitmaps.read.eq(fetcher.advance),
            fetcher.bitmap.eq(bitmap),
            fields.position.eq(bitmaps.position), fields.source.eq(item.source),
        ]
