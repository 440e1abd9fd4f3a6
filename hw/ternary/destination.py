"""Where results and inputs go: the row memory, the vector memory or the output stream."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..common.stream import Queue, packet
from .layouts import DESCRIPTOR, Destination, Widths
from .scatter import Scatter

__all__ = ["InputReader", "Destinations"]


class InputReader(wiring.Component):
    """Cuts the input stream into rows of P activations and checks where its packet ends.

    Members
    -------
    i : In(stream of packet(A*D))
    start : In(1); running : In(1), an INPUT layer runs
    free : In(1), a row can be taken; final : In(1), it is the last
    valid, values, slot, ends : Out, like the results of a layer; begins : Out(1), the first beat of a row
    short, long : Out(1), one cycle: the packet ends too early, or goes on
    swallowing : Out(1), the rest of a packet that is too long is thrown away

    Timing: combinational; one beat a cycle.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "i": In(stream.Signature(packet(config.activation_width * config.drain_width))),
            "start": In(1), "running": In(1), "free": In(1), "final": In(1),
            "valid": Out(1), "values": Out(data.ArrayLayout(signed(16), config.drain_width)),
            "slot": Out(range(config.drain_cycles)), "begins": Out(1), "ends": Out(1),
            "short": Out(1), "long": Out(1), "swallowing": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        transfer = self.i.valid & self.i.ready
        complete = self.ends & self.final
        m.d.comb += [
            self.i.ready.eq(self.swallowing | (self.running & (self.free | (self.slot != 0)))),
            self.valid.eq(transfer & ~self.swallowing),
            self.ends.eq(self.slot == config.drain_cycles - 1), self.begins.eq(self.valid & (self.slot == 0)),
            self.short.eq(self.valid & self.i.p.last & ~complete),
            self.long.eq(self.valid & ~self.i.p.last & complete),
        ]
        for n in range(config.drain_width):
            m.d.comb += self.values[n].eq(self.i.p.data.word_select(n, config.activation_width))
        with m.If(self.start):
            m.d.sync += self.slot.eq(0)
        with m.Elif(self.valid):
            m.d.sync += self.slot.eq(Mux(self.ends, 0, self.slot + 1))
        with m.If(self.long):
            m.d.sync += self.swallowing.eq(1)
        with m.Elif(transfer & self.i.p.last):
            m.d.sync += self.swallowing.eq(0)
        return m


class Destinations(wiring.Component):
    """Hands vectors of D values to the layer's destination.

    Members
    -------
    descriptor, start : In
    free : Out(1), the destination can take a row; reserve : In(1), one of ``vectors`` vectors is on its way
    valid, values, slot, ends, layer_ends : In, a vector; ``ends``: the last of its row
    write_row, write_data, write_groups : Out, to the row memory (scatter)
    vector_write, vector_values : Out, to the vector memory
    o : Out(stream of packet(16*D))
    layer_done : Out(1), one cycle: all results of the layer are where they belong
    """

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "free": Out(1), "reserve": In(1),
            "vectors": In(range(config.drain_cycles + 1)),
            "valid": In(1), "values": In(data.ArrayLayout(signed(16), config.drain_width)),
            "slot": In(range(config.drain_cycles)), "ends": In(1), "layer_ends": In(1),
            "write_row": Out(w.write_row), "write_data": Out(w.piece * config.scatter_width),
            "write_groups": Out(config.groups),
            "vector_write": Out(1),
            "vector_values": Out(data.ArrayLayout(config.activation_width, config.drain_width)),
            "o": Out(stream.Signature(packet(16 * config.drain_width))),
            "layer_done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, destination = self._config, self.descriptor.destination
        activations = Cat(self.values[n][:config.activation_width] for n in range(config.drain_width))
        m.d.comb += [
            self.vector_write.eq(self.valid & (destination == Destination.VECTOR)),
            self.vector_values.eq(activations),
        ]
        with m.If(destination == Destination.VECTOR):
            m.d.comb += [self.free.eq(1), self.layer_done.eq(self.valid & self.layer_ends)]
        if config.convolution:
            self._rows(m, activations)
        self._stream(m)
        return m

    def _rows(self, m, activations):
        m.submodules.scatter = scatter = Scatter(self._config)
        rows = self.descriptor.destination == Destination.ROWS
        m.d.comb += [
            scatter.descriptor.eq(self.descriptor), scatter.start.eq(self.start),
            scatter.reserve.eq(self.reserve & rows), scatter.write.eq(self.valid & rows),
            scatter.slot.eq(self.slot), scatter.values.eq(activations), scatter.row_end.eq(self.ends),
            self.write_row.eq(scatter.write_row), self.write_data.eq(scatter.write_data),
            self.write_groups.eq(scatter.write_groups),
        ]
        with m.If(rows):
            m.d.comb += [self.free.eq(scatter.free), self.layer_done.eq(scatter.done)]

    def _stream(self, m):
        """The output queue holds two rows, so that a row that was let go always finds room."""
        config = self._config
        row = config.drain_cycles
        m.submodules.queue = queue = Queue(packet(16 * config.drain_width), 2 * row)
        chosen = self.descriptor.destination == Destination.STREAM
        room = Signal(signed(bits_for(row) + 1), init=row)  # vectors that may still come beside a whole row
        pop, last_popped = self.o.valid & self.o.ready, Signal()
        m.d.sync += last_popped.eq(pop & self.o.p.last)
        m.d.sync += room.eq(room - Mux(self.reserve & chosen, self.vectors, 0) + pop)
        m.d.comb += [
            queue.i.p.data.eq(self.values), queue.i.p.last.eq(self.layer_ends),
            queue.i.valid.eq(self.valid & chosen),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        with m.If(chosen):
            m.d.comb += [self.free.eq(~room[-1]), self.layer_done.eq(last_popped)]
