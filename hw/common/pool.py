"""Max pooling on the fly: the running maximum of each position, kept while a window passes."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["MaxPool"]


class MaxPool(wiring.Component):
    """The maximum of what came for a slot since ``first``.

        y[d] = x[d] if first else max(x[d], memory[slot][d])        memory[slot] = y

    Without pooling every vector is its window's ``first`` and ``last``, and passes unchanged.

    Parameters
    ----------
    drain_width : int
        Values of a vector.
    slots : int
        Windows that are open together, at least 2.
    width : int
        Bits of a value, two's complement.

    Raises ValueError if ``slots`` is below 2.

    Members
    -------
    i : In(stream of {x: ArrayLayout(signed(width), drain_width), slot: range(slots), first: 1, last: 1})
        Always ready. Two vectors in consecutive cycles must not be of the same slot.
    o : Out(stream of {y: ArrayLayout(signed(width), drain_width), slot: range(slots)})
        The maximum, once a window: for a vector with ``last``. Without back-pressure: it must be taken.

    Timing: ``o`` is valid ``latency`` cycles after ``i``; a vector each cycle.

    Cost: ``slots`` words of ``drain_width * width`` bits in distributed or block RAM, and
    ``2 * width`` cells a value.
    """

    latency = 2

    def __init__(self, drain_width, slots, width=16):
        if slots < 2:
            raise ValueError(f"slots must be at least 2, not {slots}")
        self.drain_width = drain_width
        self.slots = slots
        self.width = width
        vector = data.ArrayLayout(signed(width), drain_width)
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({
                "x": vector, "slot": range(slots), "first": 1, "last": 1}), always_ready=True)),
            "o": Out(stream.Signature(data.StructLayout({
                "y": vector, "slot": range(slots)}), always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()

        # The read port's register is the pipeline's; no word is read in the cycle in which it is written.
        m.submodules.memory = memory = Memory(
            shape=self.i.p.x.shape(), depth=self.slots, init=[], attrs={"no_rw_check": 1})
        write, read = memory.write_port(), memory.read_port()

        valid = Signal()
        now = Signal.like(self.i.p, reset_less=True)
        m.d.sync += [valid.eq(self.i.valid), now.eq(self.i.p)]
        m.d.comb += read.addr.eq(self.i.p.slot)

        y = Signal.like(now.x)
        for d in range(self.drain_width):
            keep = ~now.first & (read.data[d] > now.x[d])
            m.d.comb += y[d].eq(Mux(keep, read.data[d], now.x[d]))
        m.d.comb += [write.addr.eq(now.slot), write.data.eq(y), write.en.eq(valid)]

        held = Signal.like(self.o.p, reset_less=True)
        m.d.sync += [self.o.valid.eq(valid & now.last), held.y.eq(y), held.slot.eq(now.slot)]
        m.d.comb += self.o.p.eq(held)

        return m
