"""The circulant engine: program loader, sequencer, lanes, transforms and element unit."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...golden.circulant.program import MAGIC
from ...golden.common.program import ErrorCode
from ..common.delay import delay
from ..common.loader import ProgramLoader
from ..common.stream import Queue, packet
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

MEMORY_CYCLES = 3
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
        written = self._written(m, loader, "header")
        with m.If(written["enable"]):
            m.d.sync += header.eq(written["data"])
        self._control(m, sequencer, loader)
        self._steps(m, sequencer, issue, forward, header)
        self._program(m, loader, issue, elements)
        array = self._lanes(m, loader, issue, forward)
        self._rows(m, sequencer, issue, array, elements, forward)
        self._output(m, sequencer, elements, header)
        return m

    def _control(self, m, sequencer, loader):
        """Program, start, errors and what the status registers show."""
        start = delay(m, self.start, 1, reset_less=False, name="start")
        # The loader need not be near the port.
        word = delay(m, self.i_program.payload, 1, name="word")
        word_valid = delay(m, self.i_program.valid & self.i_program.ready, 1, reset_less=False,
                           name="word_valid")
        m.d.comb += [
            self.i_program.ready.eq(~self.busy), loader.enable.eq(1), loader.i.valid.eq(word_valid),
            loader.i.payload.eq(word), self.loaded.eq(loader.loaded & ~word_valid),
            sequencer.start.eq(start & self.loaded), self.busy.eq(sequencer.busy | start),
            self.load_cycles.eq(sequencer.load_cycles), self.run_cycles.eq(sequencer.run_cycles),
            self.finished.eq(sequencer.finished),
        ]
        short = delay(m, sequencer.zeros, 1, reset_less=False, name="short")
        with m.If(loader.failed):
            m.d.sync += self.error.eq(loader.error)
        with m.Elif(short):
            m.d.sync += self.error.eq(ErrorCode.INPUT_SHORT)
        with m.Elif(start & ~sequencer.busy & ~self.loaded):
            m.d.sync += self.error.eq(ErrorCode.NO_PROGRAM)
        with m.Elif(self.clear | loader.done):
            m.d.sync += self.error.eq(0)

    def _steps(self, m, sequencer, issue, forward, header):
        """When steps begin and end, and their input."""
        port = m.submodules.input = Queue(packet(32), 2)
        wiring.connect(m, wiring.flipped(self.i), port.i)
        wiring.connect(m, port.o, forward.i)
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
        written = self._written(m, loader, "phases")
        m.d.comb += [
            write.addr.eq(written["address"]), write.data.eq(written["data"]),
            write.en.eq(written["enable"]),
            read.addr.eq(issue.phase_address), issue.phase_data.eq(read.data),
        ]
        for name in ("rows", "coefficients"):
            for member, value in self._written(m, loader, name).items():
                m.d.comb += getattr(elements, f"write_{name}_{member}").eq(value)

    @staticmethod
    def _written(m, loader, name):
        """Writes of the memory ``name``, a cycle late: what decides is far from some block RAMs."""
        address, data, write = (getattr(loader, f"{name}_{what}") for what in ("address", "data", "write"))
        return {"address": delay(m, address, 1, name=f"{name}_address"),
                "data": delay(m, data, 1, name=f"{name}_data"),
                "enable": delay(m, write, 1, reset_less=False, name=f"{name}_write")}

    def _lanes(self, m, loader, issue, forward):
        """Columns and their weights through the lanes."""
        config, column = self.config, issue.o
        spectrum = m.submodules.spectrum = SpectrumMemory(config)
        weights = m.submodules.weights = WeightMemory(config)
        array = m.submodules.array = MacArray(config)
        written = self._written(m, loader, "weights")
        m.d.comb += [
            spectrum.address.eq(column.address), spectrum.zero.eq(column.zero),
            spectrum.write.eq(forward.write), spectrum.write_address.eq(forward.write_address),
            spectrum.write_data.eq(forward.write_data),
            weights.address.eq(column.weight), weights.write.eq(written["enable"]),
            weights.write_address.eq(written["address"]), weights.write_data.eq(written["data"]),
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
        port = m.submodules.port = Queue(packet(32), 2)
        wiring.connect(m, queue.o, port.i)
        wiring.connect(m, port.o, wiring.flipped(self.o))
        m.d.comb += [
            queue.i.eq(delay(m, elements.vector, 1, name="vector")),
            queue.valid.eq(delay(m, elements.output_valid, 1, reset_less=False, name="output_valid")),
            queue.step_last.eq(sequencer.final), queue.output_beats.eq(header.output_beats),
            queue.zeros.eq(sequencer.zeros), sequencer.room.eq(queue.room),
            sequencer.closed.eq(self.o.valid & self.o.ready & self.o.p.last),
        ]
