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
    registered : bool
        A register stands behind the memory: for many slots, whose memory is slow.

    Raises ValueError if ``slots`` is below 2.

    Members
    -------
    i : In(stream of {x: ArrayLayout(signed(width), drain_width), slot: range(slots), first: 1, last: 1})
        Always ready. Two vectors in consecutive cycles must not be of the same slot.
    o : Out(stream of {y: ArrayLayout(signed(width), drain_width), slot: range(slots)})
        The maximum, once a window: for a vector with ``last``. Without back-pressure: it must be taken.

    Timing: ``o`` is valid ``latency`` cycles after ``i``, 2 or (``registered``) 3; a vector each cycle.

    Cost: ``slots`` words of ``drain_width * width`` bits in distributed or block RAM, and
    ``2 * width`` cells a value.
    """

    def __init__(self, drain_width, slots, width=16, registered=False):
        if slots < 2:
            raise ValueError(f"slots must be at least 2, not {slots}")
        self.drain_width = drain_width
        self.slots = slots
        self.width = width
        self.registered = registered
        self.latency = self.latency_of(registered)
        vector = data.ArrayLayout(signed(width), drain_width)
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({
                "x": vector, "slot": range(slots), "first": 1, "last": 1}), always_ready=True)),
            "o": Out(stream.Signature(data.StructLayout({
                "y": vector, "slot": range(slots)}), always_ready=True)),
        })

    @staticmethod
    def latency_of(registered):
        """Cycles from ``i`` to ``o``."""
        return 3 if registered else 2

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
        before = read.data
        if self.registered:
            before, valid, now = self._late(m, y, before, valid, now)
        for d in range(self.drain_width):
            keep = ~now.first & (before[d] > now.x[d])
            m.d.comb += y[d].eq(Mux(keep, before[d], now.x[d]))
        m.d.comb += [write.addr.eq(now.slot), write.data.eq(y), write.en.eq(valid)]

        held = Signal.like(self.o.p, reset_less=True)
        m.d.sync += [self.o.valid.eq(valid & now.last), held.y.eq(y), held.slot.eq(now.slot)]
        m.d.comb += self.o.p.eq(held)

        return m

    def _late(self, m, y, data, valid, now):
        """The same one cycle later; what was written in the cycle in which it was read, as it was written."""
        before, later = Signal.like(y, reset_less=True), Signal.like(now, name="later", reset_less=True)
        written, again, mark = Signal.like(y, reset_less=True), Signal(), Signal()
        m.d.sync += [
            mark.eq(valid), later.eq(now), written.eq(y), again.eq(mark & (later.slot == self.i.p.slot)),
            before.eq(Mux(again, written.as_value(), data.as_value())),
        ]
        return before, mark, later
