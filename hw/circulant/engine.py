"""The circulant engine: program loader, sequencer, lanes, transforms and element unit."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...golden.circulant.program import MAGIC
from ...golden.common.program import ErrorCode
from ..common.delay import delay
from ..common.loader import ProgramLoader
from ..common.stream import packet
from .drain import Drain
from .element_unit import ElementUnit
from .forward_path import ForwardPath
from .issue import Issue
from .layouts import COEFFICIENTS, HEADER, PHASE, ROW
from .mac_array import MacArray
from .output_queue import OutputQueue
from .sequencer import Sequencer
from .spectrum_memory import SpectrumMemory
from .transform import Transform
from .weight_memory import WeightMemory

__all__ = ["CirculantEngine"]

MEMORY_CYCLES = 2
"""Of the spectrum and the weight memory."""


class CirculantEngine(wiring.Component):
    """Runs block-circulant recurrent networks: docs/engines/circulant-machine.md says what a program means.

    Parameters
    ----------
    config : CirculantConfig

    Members
    -------
    i_program, i : In(stream of packet(32)), o : Out(stream of packet(32))
    start, clear : In(1), one cycle
    busy, loaded, error, layer, load_cycles, run_cycles, finished : Out, as "Ports" there

    Timing: a column of ``rows`` blocks a cycle; golden/circulant/timing.py predicts every cycle.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i_program": In(stream.Signature(packet(32))), "i": In(stream.Signature(packet(32))),
            "o": Out(stream.Signature(packet(32))),
            "start": In(1), "clear": In(1),
            "busy": Out(1), "loaded": Out(1), "error": Out(4), "layer": Out(8),
            "load_cycles": Out(32), "run_cycles": Out(32), "finished": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        sequencer = m.submodules.sequencer = Sequencer()
        issue = m.submodules.issue = Issue(config)
        loader = m.submodules.loader = ProgramLoader(MAGIC, config.fingerprint, {
            "header": (1, HEADER.size), "phases": (config.phase_depth, PHASE.size),
            "rows": (config.row_depth, ROW.size),
            "coefficients": (config.coefficient_depth, COEFFICIENTS.size),
            "weights": (config.weight_depth, config.weight_word)})
        forward = m.submodules.forward = ForwardPath(config)
        elements = m.submodules.elements = ElementUnit(config)
        header = Signal(HEADER, reset_less=True)
        with m.If(loader.header_write):
            m.d.sync += header.eq(loader.header_data)
        self._control(m, sequencer, loader)
        self._steps(m, sequencer, issue, forward, header)
        self._program(m, loader, issue, elements)
        array = self._lanes(m, loader, issue, forward)
        self._rows(m, sequencer, issue, array, elements, forward)
        self._output(m, sequencer, elements, header)
        return m

    def _control(self, m, sequencer, loader):
        """Program, start, errors and what the status registers show."""
        wiring.connect(m, wiring.flipped(self.i_program), loader.i)
        m.d.comb += [
            sequencer.start.eq(self.start & loader.loaded), loader.enable.eq(~self.busy),
            self.loaded.eq(loader.loaded), self.busy.eq(sequencer.busy),
            self.load_cycles.eq(sequencer.load_cycles), self.run_cycles.eq(sequencer.run_cycles),
            self.finished.eq(sequencer.finished),
        ]
        with m.If(loader.failed):
            m.d.sync += self.error.eq(loader.error)
        with m.Elif(sequencer.zeros):
            m.d.sync += self.error.eq(ErrorCode.INPUT_SHORT)
        with m.Elif(self.start & ~self.busy & ~loader.loaded):
            m.d.sync += self.error.eq(ErrorCode.NO_PROGRAM)
        with m.Elif(self.clear | loader.done):
            m.d.sync += self.error.eq(0)

    def _steps(self, m, sequencer, issue, forward, header):
        """When steps begin and end, and their input."""
        wiring.connect(m, wiring.flipped(self.i), forward.i)
        m.d.comb += [
            forward.input_blocks.eq(header.input_blocks), forward.input_base.eq(header.input_base),
            forward.enable.eq(sequencer.enable), forward.step_take.eq(sequencer.begin),
            sequencer.ready.eq(forward.step_ready), sequencer.last.eq(forward.step_last),
            sequencer.short.eq(forward.short), sequencer.vectors.eq(header.vectors),
            sequencer.count.eq(issue.count), issue.start.eq(sequencer.begin), issue.odd.eq(sequencer.odd),
            issue.first.eq(sequencer.first), self.layer.eq(issue.phase),
        ]
        # A vector is for columns that are issued 3 cycles behind `row_written`.
        m.d.comb += issue.written.eq(delay(m, forward.row_written, 1, reset_less=False, name="written"))

    def _program(self, m, loader, issue, elements):
        """The phases, and what others keep of a program."""
        m.submodules.phases = phases = Memory(
            shape=PHASE, depth=self.config.phase_depth, init=[], attrs={"no_rw_check": 1})
        write, read = phases.write_port(), phases.read_port()
        m.d.comb += [
            write.addr.eq(loader.phases_address), write.data.eq(loader.phases_data),
            write.en.eq(loader.phases_write),
            read.addr.eq(issue.phase_address), issue.phase_data.eq(read.data),
        ]
        for name in ("rows", "coefficients"):
            m.d.comb += [
                getattr(elements, f"write_{name}_address").eq(getattr(loader, f"{name}_address")),
                getattr(elements, f"write_{name}_data").eq(getattr(loader, f"{name}_data")),
                getattr(elements, f"write_{name}_enable").eq(getattr(loader, f"{name}_write")),
            ]

    def _lanes(self, m, loader, issue, forward):
        """Columns and their weights through the lanes."""
        config, column = self.config, issue.o
        spectrum = m.submodules.spectrum = SpectrumMemory(config)
        weights = m.submodules.weights = WeightMemory(config.weight_depth, config.weight_word)
        array = m.submodules.array = MacArray(config)
        m.d.comb += [
            spectrum.address.eq(column.address), spectrum.zero.eq(column.zero),
            spectrum.write.eq(forward.write), spectrum.write_address.eq(forward.write_address),
            spectrum.write_data.eq(forward.write_data),
            weights.address.eq(column.weight), weights.write.eq(loader.weights_write),
            weights.write_address.eq(loader.weights_address), weights.write_data.eq(loader.weights_data),
            array.x.eq(spectrum.x), array.w.eq(weights.o),
            array.valid.eq(delay(m, column.valid, MEMORY_CYCLES, reset_less=False, name="valid")),
            array.last.eq(delay(m, column.last, MEMORY_CYCLES, name="last")),
        ]
        return array

    def _rows(self, m, sequencer, issue, array, elements, forward):
        """From the sums of a pass to elements, and from those to spectra."""
        config, column = self.config, issue.o
        drain = m.submodules.drain = Drain(config)
        inverse = m.submodules.inverse = Transform(config.inverse)
        late = MEMORY_CYCLES + MacArray.latency - 1
        m.d.comb += [
            drain.i.eq(array.o), array.advance.eq(drain.advance),
            drain.load.eq(delay(m, column.valid & column.last, late, reset_less=False, name="load")),
            drain.rows.eq(delay(m, column.rows, late, name="rows")),
            drain.shift.eq(delay(m, column.shift, late, name="shift")),
            inverse.i.eq(drain.o), inverse.first.eq(drain.first), elements.i.eq(inverse.o),
            # h cycles ahead of the row's first pair
            elements.early_first.eq(delay(m, drain.first, inverse.latency - config.slots, reset_less=False,
                                          name="early_first")),
            elements.first_step.eq(sequencer.first), elements.parity.eq(sequencer.odd),
            elements.restart.eq(sequencer.begin),
            forward.rows_i.eq(elements.vector), forward.rows_first.eq(elements.vector_first),
            forward.rows_target.eq(elements.target), forward.row_coming.eq(elements.coming),
        ]

    def _output(self, m, sequencer, elements, header):
        """From elements to the output stream."""
        queue = m.submodules.queue = OutputQueue(self.config)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        m.d.comb += [
            queue.i.eq(elements.vector), queue.valid.eq(elements.output_valid),
            queue.step_last.eq(sequencer.final), queue.output_beats.eq(header.output_beats),
            queue.zeros.eq(sequencer.zeros), sequencer.room.eq(queue.room),
            sequencer.closed.eq(self.o.valid & self.o.ready & self.o.p.last),
        ]
