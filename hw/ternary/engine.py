"""The ternary engine: program loader, sequencer and controller, and the arrays that follow them."""

from functools import reduce
from operator import or_

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...golden.ternary.program import ErrorCode
from ..common.column import ColumnArray
from ..common.delay import delay
from ..common.stream import packet
from .array_unit import ArrayUnit
from .destination import Destinations, InputReader
from .drain_control import DrainControl
from .drain_flags import DrainFlags
from .fetcher import Fetcher
from .layouts import Kind, Widths, item_layout, unit_fields, unit_strobes
from .loader import ProgramLoader
from .merger import Merger
from .sacu import SparseAdditionControl
from .sequencer import Sequencer
from .vector import BitmapMemory

__all__ = ["TernaryEngine"]


class TernaryEngine(wiring.Component):
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

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i_program": In(stream.Signature(packet(32))),
            "i": In(stream.Signature(packet(config.activation_width * config.drain_width))),
            "o": Out(stream.Signature(packet(16 * config.drain_width))),
            "start": In(1), "clear": In(1),
            "busy": Out(1), "loaded": Out(1), "error": Out(4), "layer": Out(8),
            "load_cycles": Out(32), "run_cycles": Out(32), "finished": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        sequencer = m.submodules.sequencer = Sequencer(config)
        loader = m.submodules.loader = ProgramLoader(config)
        fetcher = m.submodules.fetcher = Fetcher(config)
        sacu = m.submodules.sacu = SparseAdditionControl(config)
        control = m.submodules.control = DrainControl(config)
        flags = m.submodules.flags = DrainFlags(config)
        reader = m.submodules.reader = InputReader(config)
        destinations = m.submodules.destinations = Destinations(config)
        units = [ArrayUnit(config) for _ in range(config.arrays)]
        for n, unit in enumerate(units):
            m.submodules[f"unit{n}"] = unit
        # what the units are told, all the same but for beats of the input
        strobes, fields = Signal(unit_strobes(config)), Signal(unit_fields(config))
        m.d.comb += [part.descriptor.eq(sequencer.descriptor) for part in (fetcher, control, destinations)]
        m.d.comb += [part.start.eq(sequencer.layer_start) for part in (control, reader, destinations)]
        m.d.comb += fetcher.start.eq(sequencer.layer_start & (sequencer.descriptor.kind != Kind.INPUT))

        wiring.connect(m, wiring.flipped(self.i_program), loader.i)
        wiring.connect(m, wiring.flipped(self.i), reader.i)
        wiring.connect(m, fetcher.o, sacu.i)
        self._control(m, sequencer, loader, reader)
        item = self._issue(m, sequencer, sacu, control, units[0], strobes, fields)
        self._memories(m, sequencer, loader, fetcher, control, fields, item)
        self._results(m, sequencer, control, flags, strobes, fields)
        mine = self._arrive(m, sequencer, control, flags, reader, destinations, strobes, fields)
        if config.transposed:
            self._vectors(m, sequencer, fetcher, destinations, mine, units, fields, item)
        self._output(m, destinations, units)
        for unit, its in zip(units, mine, strict=True):
            m.d.comb += [unit.strobes.eq(strobes), unit.fields.eq(fields)]
            for name in ("write", "keep"):
                if name in unit_strobes(config).members:
                    m.d.comb += unit.strobes[name].eq(strobes[name] & its)
        return m

    def _control(self, m, sequencer, loader, reader):
        """Start, errors and what the status registers show."""
        m.d.comb += [
            sequencer.start.eq(self.start & loader.loaded & ~reader.swallowing),
            sequencer.abort.eq(reader.short | reader.long),
            loader.enable.eq(~self.busy), self.loaded.eq(loader.loaded),
            self.busy.eq(sequencer.busy | reader.swallowing), self.layer.eq(sequencer.layer),
            self.load_cycles.eq(sequencer.load_cycles), self.run_cycles.eq(sequencer.run_cycles),
            self.finished.eq(sequencer.finished),
        ]
        with m.If(loader.failed):
            m.d.sync += self.error.eq(loader.error)
        with m.Elif(reader.short):
            m.d.sync += self.error.eq(ErrorCode.INPUT_SHORT)
        with m.Elif(reader.long):
            m.d.sync += self.error.eq(ErrorCode.INPUT_LONG)
        with m.Elif(self.start & ~self.busy & ~loader.loaded):
            m.d.sync += self.error.eq(ErrorCode.NO_PROGRAM)
        with m.Elif(self.clear | loader.done):
            m.d.sync += self.error.eq(0)

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

    def _arrive(self, m, sequencer, control, flags, reader, destinations, strobes, fields):
        """From drains or input stream to the destination; for each array a bit: the vector is its, too."""
        loading = Signal()
        mine, slot = Signal(self.config.arrays), Signal.like(flags.o_slot)
        m.d.comb += [
            fields.slot.eq(slot),
            loading.eq(sequencer.running & (sequencer.descriptor.kind == Kind.INPUT)),
            fields.loading.eq(loading), fields.beat.eq(self.i.p.data),
            control.row_free.eq(destinations.free), control.advance_row.eq(reader.valid & reader.ends),
            reader.running.eq(loading), reader.free.eq(destinations.free), reader.final.eq(control.final),
            destinations.reserve.eq(Mux(loading, reader.begins, control.reserve)),
            destinations.vectors.eq(control.vectors), sequencer.layer_done.eq(destinations.layer_done),
            fields.layer_ends.eq(destinations.layer_ends), strobes.push.eq(destinations.push),
        ]
        m.d.sync += [
            destinations.valid.eq(Mux(loading, reader.valid, flags.o_valid)),
            slot.eq(Mux(loading, reader.slot, flags.o_slot)),
            destinations.ends.eq(Mux(loading, reader.ends, flags.o_ends)),
            destinations.layer_ends.eq(Mux(loading, reader.ends & reader.final, flags.o_layer_ends)),
        ]
        if self.config.convolution:
            m.d.comb += [
                strobes.write.eq(destinations.row_write), strobes.fill.eq(destinations.fill),
                strobes.drain.eq(destinations.drain), strobes.clear.eq(sequencer.layer_start),
                strobes.operation.eq(destinations.operation_valid),
                fields.operation.eq(destinations.operation),
            ]
        if self.config.transposed:
            m.d.comb += strobes.keep.eq(destinations.vector_write)
        if self.config.arrays == 1:
            m.d.comb += mine.eq(1)
        else:
            m.d.sync += mine.eq(Mux(loading, 1 << reader.number, ~0))
        return mine

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

    def _output(self, m, destinations, units):
        """From the arrays' queues to the output stream."""
        final = Const(1)
        if self.config.arrays == 1:
            wiring.connect(m, units[0].o, wiring.flipped(self.o))
        else:
            m.submodules.merger = merger = Merger(self.config)
            for n, unit in enumerate(units):
                wiring.connect(m, unit.o, getattr(merger, f"i{n}"))
            wiring.connect(m, merger.o, wiring.flipped(self.o))
            final = merger.final
        m.d.comb += [
            destinations.popped.eq(self.o.valid & self.o.ready & final),
            destinations.popped_last.eq(self.o.p.last),
        ]
