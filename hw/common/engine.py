"""What engines of column arrays share: ports, start and errors, and the way of results and inputs."""

from amaranth import Const, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...golden.common.program import ErrorCode
from .layouts import Kind
from .merger import Merger
from .stream import packet

__all__ = ["ArrayEngine"]


class ArrayEngine(wiring.Component):
    """An engine whose arrays follow one controller; docs/engines/ternary-machine.md, "Ports".

    Members
    -------
    i_program : In(stream of packet(32)), i : In(stream of packet(A*D)), o : Out(stream of packet(16*D))
    start, clear : In(1), one cycle
    busy, loaded, error, layer, load_cycles, run_cycles, finished : Out, as "Ports" there
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

    def _control(self, m, sequencer, loader, reader):
        """Packets, start, errors and what the status registers show."""
        wiring.connect(m, wiring.flipped(self.i_program), loader.i)
        wiring.connect(m, wiring.flipped(self.i), reader.i)
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
        if "write" in strobes.shape().members:
            m.d.comb += [
                strobes.write.eq(destinations.row_write), strobes.fill.eq(destinations.fill),
                strobes.drain.eq(destinations.drain), strobes.clear.eq(sequencer.layer_start),
                strobes.operation.eq(destinations.operation_valid),
                fields.operation.eq(destinations.operation),
            ]
        if "keep" in strobes.shape().members:
            m.d.comb += strobes.keep.eq(destinations.vector_write)
        if self.config.arrays == 1:
            m.d.comb += mine.eq(1)
        else:
            m.d.sync += mine.eq(Mux(loading, 1 << reader.number, ~0))
        return mine

    def _tell(self, m, units, mine, strobes, fields):
        """What the units are told: all the same but for beats of the input."""
        for unit, its in zip(units, mine, strict=True):
            m.d.comb += [unit.strobes.eq(strobes), unit.fields.eq(fields)]
            for name in ("write", "keep"):
                if name in strobes.shape().members:
                    m.d.comb += unit.strobes[name].eq(strobes[name] & its)

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
