"""Runs the layers of a program one after the other."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .layouts import ArrayWidths, Kind

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Reads a layer's descriptor from the table, starts the layer, waits for its end, goes on to the next.

    Parameters
    ----------
    config : ArrayConfig
    layout : StructLayout of a descriptor, `descriptor_layout`

    Members
    -------
    start : In(1), run one batch; ignored while ``busy``
    abort : In(1), give up and become idle
    table_address : Out, table_data : In, the descriptor's words while ``fetching``
    descriptor : Out(layout), constant while a layer runs; ``two_pass``, if there, is 0 where it is DENSE
    layer_start : Out(1), one cycle; layer_done : In(1), one cycle; running : Out(1), between the two
    layer : Out(8), number of the descriptor
    load_cycles, run_cycles : Out(32), cycles of this batch until the end of its INPUT layer and after it;
        of layers without one 0 and all
    finished : Out(1), one cycle: a batch is complete

    Timing: 17 cycles of ``fetching`` and one of ``layer_start`` before a layer runs, 3 after the last one.
    """

    def __init__(self, config, layout):
        w = ArrayWidths(config)
        self._layout = layout
        super().__init__({
            "start": In(1), "abort": In(1), "busy": Out(1), "fetching": Out(1),
            "table_address": Out(w.table), "table_data": In(config.table_width),
            "descriptor": Out(layout), "layer_start": Out(1), "layer_done": In(1), "running": Out(1),
            "layer": Out(8), "load_cycles": Out(32), "run_cycles": Out(32), "finished": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        size = self._layout.size // 32
        count, loading = Signal(range(size + 1)), Signal()
        words = Signal(self._layout)
        m.d.comb += [
            self.descriptor.eq(words), self.table_address.eq((self.layer << 4) + count),
            self.busy.eq(1),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [count.eq(0), self.layer.eq(0)]
                with m.If(self.start):
                    m.d.sync += [self.load_cycles.eq(0), self.run_cycles.eq(0), loading.eq(1)]
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += self.fetching.eq(1)
                m.d.sync += count.eq(count + 1)
                for n in range(size):
                    with m.If(count == n + 1):
                        m.d.sync += words.as_value()[32 * n:32 * n + 32].eq(self.table_data)
                if "two_pass" in self._layout.members:
                    with m.If((count == 1) & (self.table_data[:2] == Kind.DENSE.value)):
                        m.d.sync += words.two_pass.eq(0)    # here, where nothing waits for it
                with m.If((count == 2) & (words.kind == Kind.END)):
                    m.d.comb += self.finished.eq(1)
                    m.next = "IDLE"
                with m.Elif(count == size):
                    m.next = "START"
            with m.State("START"):
                m.d.comb += self.layer_start.eq(1)
                m.d.sync += count.eq(0)
                m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.running.eq(1)
                with m.If(self.abort):
                    m.next = "IDLE"
                with m.Elif(self.layer_done):
                    m.d.sync += self.layer.eq(self.layer + 1)
                    m.d.sync += loading.eq(loading & (words.kind != Kind.INPUT))
                    m.next = "FETCH"
        with m.If(self.busy):
            m.d.sync += [
                self.load_cycles.eq(self.load_cycles + loading),
                self.run_cycles.eq(self.run_cycles + Mux(loading, 0, 1)),
            ]
        with m.If(self.layer_start & loading & (words.kind != Kind.INPUT)):
            # nothing is loaded: what was counted so far is the layer's
            m.d.sync += [loading.eq(0), self.load_cycles.eq(0), self.run_cycles.eq(size + 2)]
        return m
