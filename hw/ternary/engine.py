"""The ternary engine: program loader, sequencer, controller, column array, drain and destinations."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...golden.ternary.program import ErrorCode
from ..common.column import ColumnArray
from ..common.stream import packet
from .destination import Destinations, InputReader
from .drain import Drain
from .drain_control import DrainControl
from .fetcher import Fetcher
from .layouts import Kind, Widths, item_layout
from .loader import ProgramLoader
from .sacu import SparseAdditionControl
from .sequencer import Sequencer
from .serial_array import SerialColumnArray
from .vector import VectorMemory

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
        array = m.submodules.array = self._make_array()
        control = m.submodules.control = DrainControl(config)
        drain = m.submodules.drain = Drain(config)
        reader = m.submodules.reader = InputReader(config)
        destinations = m.submodules.destinations = Destinations(config)
        parts = (fetcher, control, drain, destinations)
        m.d.comb += [part.descriptor.eq(sequencer.descriptor) for part in parts]
        m.d.comb += [part.start.eq(sequencer.layer_start) for part in (control, reader, destinations)]
        m.d.comb += fetcher.start.eq(sequencer.layer_start & (sequencer.descriptor.kind != Kind.INPUT))

        wiring.connect(m, wiring.flipped(self.i_program), loader.i)
        wiring.connect(m, wiring.flipped(self.i), reader.i)
        wiring.connect(m, destinations.o, wiring.flipped(self.o))
        wiring.connect(m, fetcher.o, sacu.i)
        self._control(m, sequencer, loader, reader)
        item = self._issue(m, sequencer, sacu, control, array)
        self._memories(m, sequencer, loader, fetcher, control, drain, array, destinations, item)
        self._results(m, sequencer, control, array, drain, reader, destinations)
        return m

    def _make_array(self):
        config = self.config
        if config.bit_serial:
            return SerialColumnArray(config)
        return ColumnArray(
            config.lanes, config.acc_width, config.row_depth, config.drain_width, config.scatter_width,
            config.convolution, config.transposed, config.activation_width)

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

    def _issue(self, m, sequencer, sacu, control, array):
        """From the controller to the array, which holds it until it is done: items, a last one when drained.

        An array without a use for terms that are zero takes them as nulls.
        """
        d, config = sequencer.descriptor, self.config
        item, valid = Signal(item_layout(config), reset_less=True), Signal()
        m.d.comb += [
            sacu.o.ready.eq(array.ready & (~sacu.o.p.last | control.ready)),
            control.issued.eq(sacu.o.valid & sacu.o.ready & sacu.o.p.last), control.arrived.eq(array.done),
        ]
        with m.If(array.ready):
            m.d.sync += [valid.eq(sacu.o.valid & sacu.o.ready), item.eq(sacu.o.p)]
        zero = 0 if config.skip_zeros else item.zero
        m.d.comb += [
            array.valid.eq(valid), array.row.eq(item.index), array.subtract.eq(item.subtract),
            array.null.eq(item.null if config.bit_serial else item.null | zero), array.last.eq(item.last),
            array.signed.eq(d.signed), array.dense.eq(d.kind == Kind.DENSE),
        ]
        if config.bit_serial:
            m.d.comb += [array.zero.eq(zero), array.bits.eq(d.activation_bits), array.part.eq(control.part)]
        return item

    def _memories(self, m, sequencer, loader, fetcher, control, drain, array, destinations, item):
        """Table, weights and vector memory, and who reads and writes them."""
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
            sequencer.table_data.eq(table_r.data), drain.scale.eq(scale),
        ]
        dense = sequencer.descriptor.kind == Kind.DENSE
        word = Signal(2 * config.word_width, reset_less=True)
        m.d.comb += [
            weights_r.addr.eq(Mux(dense, item.index[:w.weight], fetcher.address)),
            weights_r.en.eq(fetcher.advance | dense), fetcher.weights.eq(word),
            array.dense_nonzero.eq(word[:config.word_width]),
            array.dense_negative.eq(word[config.word_width:]),
        ]
        with m.If(weights_r.en):
            m.d.sync += word.eq(weights_r.data)
        if config.transposed:
            m.submodules.vector = vector = VectorMemory(config)
            bitmap = Signal(config.scatter_width, reset_less=True)
            with m.If(fetcher.advance):
                m.d.sync += bitmap.eq(Mux(dense, vector.bitmap, 0))
            m.d.comb += [
                vector.start.eq(sequencer.layer_start), vector.base.eq(sequencer.descriptor.out_base),
                vector.write.eq(destinations.vector_write), vector.values.eq(destinations.vector_values),
                vector.source.eq(item.source), array.dense_value.eq(vector.value),
                vector.address.eq(fetcher.address), vector.read.eq(fetcher.advance),
                fetcher.bitmap.eq(bitmap),
            ]

    def _results(self, m, sequencer, control, array, drain, reader, destinations):
        """From the array or the input stream to their destination."""
        loading = sequencer.running & (sequencer.descriptor.kind == Kind.INPUT)
        m.d.comb += [
            array.select.eq(control.select), drain.result.eq(array.result),
            array.write_row.eq(destinations.write_row), array.write_data.eq(destinations.write_data),
            array.write_groups.eq(destinations.write_groups),
            control.row_free.eq(destinations.free), control.advance_row.eq(reader.valid & reader.ends),
            reader.running.eq(loading), reader.free.eq(destinations.free), reader.final.eq(control.final),
            destinations.reserve.eq(Mux(loading, reader.begins, control.reserve)),
            destinations.vectors.eq(control.vectors), sequencer.layer_done.eq(destinations.layer_done),
        ]
        for name in ("valid", "select", "lane", "masked", "first", "last", "ends", "layer_ends"):
            m.d.comb += getattr(drain, name).eq(getattr(control, name))
        # a register, for what decides about the next row is far from here
        m.d.sync += [
            destinations.valid.eq(Mux(loading, reader.valid, drain.o_valid)),
            destinations.values.eq(Mux(loading, reader.values.as_value(), drain.o_values.as_value())),
            destinations.slot.eq(Mux(loading, reader.slot, drain.o_slot)),
            destinations.ends.eq(Mux(loading, reader.ends, drain.o_ends)),
            destinations.layer_ends.eq(Mux(loading, reader.ends & reader.final, drain.o_layer_ends)),
        ]
