"""Vectors of results and of inputs on their way into an array's memories and to the output stream."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import ArrayWidths, operation_layout
from .row_mover import RowMover
from .stream import Queue, packet

__all__ = ["ResultPort"]


class ResultPort(wiring.Component):
    """Where vectors of one array arrive: its output queue and, where there is a row memory, its `RowMover`.

    Parameters
    ----------
    config : ArrayConfig
    rows : bool, whether there is a row memory
    step : int, cycles of a scatter operation

    Members
    -------
    values : In, D results of 16 bits
    beat : In, D activations of the input stream; loading : In(1), they count instead
    kept : Out(D * A), the activations of what is chosen, one cycle later; with them
    push, layer_ends : In, to the output queue, the layer's last one
    write, slot, fill, drain, clear, valid, operation : In, of `RowMover`
    write_row, write_data, write_groups : Out, to the row memory
    o : Out(stream of packet(16*D)), results for the output stream, two cycles after ``push``

    Cost: a queue of two rows of results, and `RowMover`'s.
    """

    def __init__(self, config, rows=True, step=1):
        self._config, self._rows, self._step = config, rows, step
        w, width = ArrayWidths(config, step), config.activation_width * config.drain_width
        super().__init__({
            "values": In(data.ArrayLayout(signed(16), config.drain_width)),
            "beat": In(width), "loading": In(1), "kept": Out(width),
            "push": In(1), "layer_ends": In(1), "o": Out(stream.Signature(packet(16 * config.drain_width))),
            **({"write": In(1), "slot": In(range(config.drain_cycles)), "fill": In(1), "drain": In(1),
                "clear": In(1), "valid": In(1), "operation": In(operation_layout(config, step)),
                "write_row": Out(w.write_row), "write_data": Out(w.piece * config.scatter_width),
                "write_groups": Out(config.groups)} if rows else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config, width = self._config, self._config.activation_width
        # a register, for what decides about the next row is far from here
        values = Signal.like(self.values, reset_less=True)
        beat = Signal.like(self.values)
        for n in range(config.drain_width):
            m.d.comb += beat[n].eq(self.beat.word_select(n, width))
        m.d.sync += values.eq(Mux(self.loading, beat.as_value(), self.values.as_value()))
        m.submodules.queue = queue = Queue(packet(16 * config.drain_width), 2 * config.drain_cycles)
        m.d.comb += [
            self.kept.eq(Cat(values[n][:width] for n in range(config.drain_width))),
            queue.i.valid.eq(self.push), queue.i.p.data.eq(values), queue.i.p.last.eq(self.layer_ends)]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        if self._rows:
            m.submodules.mover = mover = RowMover(config, self._step)
            m.d.comb += [mover.values.eq(self.kept)]
            m.d.comb += [getattr(mover, name).eq(getattr(self, name)) for name in (
                "write", "slot", "fill", "drain", "clear", "valid", "operation")]
            m.d.comb += [getattr(self, name).eq(getattr(mover, name)) for name in (
                "write_row", "write_data", "write_groups")]
        return m
