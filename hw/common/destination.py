"""Where results and inputs go: the row memory, the vector memory or the output stream."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .layouts import Destination, operation_layout
from .scatter import Scatter
from .stream import packet

__all__ = ["InputReader", "Destinations"]


class InputReader(wiring.Component):
    """Cuts the input stream into rows of P activations of each array and checks where its packet ends.

    Members
    -------
    i : In(stream of packet(A*D))
    start : In(1); running : In(1), an INPUT layer runs
    free : In(1), a row can be taken; final : In(1), it is the last
    valid, slot, ends : Out, like the results of a layer; begins : Out(1), the first beat of a row
    number : Out, of the array that the beat is for: a row's beats are of array 0, then of array 1, ..
    short, long : Out(1), one cycle: the packet ends too early, or goes on
    swallowing : Out(1), the rest of a packet that is too long is thrown away

    Timing: combinational; one beat a cycle.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "i": In(stream.Signature(packet(config.activation_width * config.drain_width))),
            "start": In(1), "running": In(1), "free": In(1), "final": In(1),
            "valid": Out(1), "slot": Out(range(config.drain_cycles)), "number": Out(range(config.arrays)),
            "begins": Out(1), "ends": Out(1),
            "short": Out(1), "long": Out(1), "swallowing": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        transfer = self.i.valid & self.i.ready
        complete = self.ends & self.final
        part_ends = self.slot == config.drain_cycles - 1
        amid = (self.slot != 0) | (self.number != 0)
        m.d.comb += [
            self.i.ready.eq(self.swallowing | (self.running & (self.free | amid))),
            self.valid.eq(transfer & ~self.swallowing),
            self.ends.eq(part_ends & (self.number == config.arrays - 1)),
            self.begins.eq(self.valid & ~amid),
            self.short.eq(self.valid & self.i.p.last & ~complete),
            self.long.eq(self.valid & ~self.i.p.last & complete),
        ]
        with m.If(self.start):
            m.d.sync += [self.slot.eq(0), self.number.eq(0)]
        with m.Elif(self.valid):
            m.d.sync += self.slot.eq(Mux(part_ends, 0, self.slot + 1))
            with m.If(part_ends):
                m.d.sync += self.number.eq(Mux(self.ends, 0, self.number + 1))
        with m.If(self.long):
            m.d.sync += self.swallowing.eq(1)
        with m.Elif(transfer & self.i.p.last):
            m.d.sync += self.swallowing.eq(0)
        return m


class Destinations(wiring.Component):
    """Decides where vectors of D values go, and knows when the layer's destination has room.

    Parameters
    ----------
    config : ArrayConfig
    layout : StructLayout of a descriptor
    rows : bool, whether there is a row memory
    step : int, cycles of a scatter operation
    filters : int, most filters of a group, of `ScatterControl`

    Members
    -------
    descriptor, start : In; size : In, of `ScatterControl`
    free : Out(1), the destination can take a row; reserve : In(1), one of ``vectors`` vectors is on its way
    valid, ends, layer_ends : In, a vector; ``ends``: the last of its row
    row_write, vector_write, push : Out(1), it goes to the row memory, vector memory, output queue
    fill, drain, operation_valid, operation : Out, for `RowMover`
    popped : In(1), a vector has left the output; popped_last : In(1), it was the batch's last
    layer_done : Out(1), one cycle: all results of the layer are where they belong
    """

    def __init__(self, config, layout, rows=True, step=1, filters=1):
        self._config, self._layout, self._has_rows, self._step = config, layout, rows, step
        self._filters = filters
        super().__init__({
            "descriptor": In(layout), "start": In(1), "free": Out(1), "reserve": In(1),
            "vectors": In(range(config.drain_cycles + 1)),
            "valid": In(1), "ends": In(1), "layer_ends": In(1),
            "row_write": Out(1), "vector_write": Out(1), "push": Out(1),
            "fill": Out(1), "drain": Out(1), "operation_valid": Out(1),
            "operation": Out(operation_layout(config, step)),
            "popped": In(1), "popped_last": In(1), "layer_done": Out(1),
            "size": In(range(filters + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        destination = self.descriptor.destination
        m.d.comb += self.vector_write.eq(self.valid & (destination == Destination.VECTOR))
        with m.If(destination == Destination.VECTOR):
            m.d.comb += [self.free.eq(1), self.layer_done.eq(self.valid & self.layer_ends)]
        if self._has_rows:
            self._rows(m)
        self._stream(m)
        return m

    def _rows(self, m):
        m.submodules.scatter = scatter = Scatter(
            self._config, self._layout, self._step, self._filters)
        rows = self.descriptor.destination == Destination.ROWS
        m.d.comb += [
            scatter.descriptor.eq(self.descriptor), scatter.start.eq(self.start), scatter.size.eq(self.size),
            scatter.reserve.eq(self.reserve & rows),
            self.row_write.eq(self.valid & rows), self.fill.eq(self.row_write & self.ends),
            scatter.fill.eq(self.fill), self.drain.eq(scatter.drain),
            self.operation_valid.eq(scatter.valid), self.operation.eq(scatter.operation),
        ]
        with m.If(rows):
            m.d.comb += [self.free.eq(scatter.free), self.layer_done.eq(scatter.done)]

    def _stream(self, m):
        """The output queue holds two rows, so that a row that was let go always finds room."""
        row = self._config.drain_cycles
        chosen = self.descriptor.destination == Destination.STREAM
        room = Signal(signed(bits_for(row) + 1), init=row)  # vectors that may still come beside a whole row
        last_popped = Signal()
        m.d.sync += last_popped.eq(self.popped & self.popped_last)
        m.d.sync += room.eq(room - Mux(self.reserve & chosen, self.vectors, 0) + self.popped)
        m.d.comb += self.push.eq(self.valid & chosen)
        with m.If(chosen):
            m.d.comb += [self.free.eq(~room[-1]), self.layer_done.eq(last_popped)]
