"""Packets on streams, and the queue that stands between two of them."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["packet", "Queue"]


def packet(shape):
    """Payload of a stream of packets: ``data`` of ``shape``, and ``last`` with the last word of a packet."""
    return data.StructLayout({"data": shape, "last": 1})


class Queue(wiring.Component):
    """A queue: what enters ``i`` leaves ``o`` in the same order, and nothing is lost or repeated.

    No combinational path leads from ``i`` to ``o`` or back, so a queue also cuts long paths.

    Parameters
    ----------
    shape
        Shape of the payload.
    depth : int
        Payloads that it holds, at least 1. Up to 2, it is a pair of registers that holds 2; above, a memory.

    Members
    -------
    i : In(stream of shape)
    o : Out(stream of shape)

    Timing: one payload a cycle; an empty queue passes one on after 1 cycle (depth 1 or 2) or 2 cycles.
    Cost: depth * width bits of memory, or 2 * width flip-flops and width lookup tables.

    Raises ValueError where ``depth`` is below 1.
    """

    def __init__(self, shape, depth):
        if depth < 1:
            raise ValueError(f"Queue depth must be at least 1, not {depth!r}")
        self.depth = max(depth, 2)
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
        })

    @property
    def latency(self):
        """Cycles from ``i`` to ``o`` through the empty queue."""
        return 1 if self.depth == 2 else 2

    def elaborate(self, platform):
        m = Module()
        i, o = Value.cast(self.i.payload), Value.cast(self.o.payload)

        if self.depth == 2:
            # What arrives in the cycle that the output stalls is put aside, so `ready` can be a register.
            aside = Signal.like(i)
            full = Signal()
            m.d.comb += self.i.ready.eq(~full)
            with m.If(~full):
                m.d.sync += aside.eq(i)
            with m.If(~self.o.valid | self.o.ready):
                m.d.sync += [
                    self.o.valid.eq(self.i.valid | full),
                    o.eq(Mux(full, aside, i)),
                    full.eq(0),
                ]
            with m.Else():
                m.d.sync += full.eq(self.i.valid | full)
        else:
            self._memory(m, i, o)

        return m

    def _memory(self, m, i, o):
        """A memory of ``depth`` - 1 payloads, and its output register."""
        # An address is only read while it holds a payload, so never in the cycle in which it is written.
        m.submodules.memory = memory = Memory(
            shape=len(i), depth=self.depth - 1, init=[], attrs={"no_rw_check": 1})
        write, read = memory.write_port(), memory.read_port()
        level = Signal(range(self.depth))
        pop = Signal()
        m.d.comb += [
            self.i.ready.eq(level != self.depth - 1),
            write.data.eq(i), write.en.eq(self.i.valid & self.i.ready),
            pop.eq((level != 0) & (~self.o.valid | self.o.ready)),
            read.en.eq(pop), o.eq(read.data),
        ]
        m.d.sync += level.eq(level + write.en - pop)
        for port, move in ((write, write.en), (read, pop)):
            with m.If(move):
                m.d.sync += port.addr.eq(Mux(port.addr == self.depth - 2, 0, port.addr + 1))
        with m.If(pop):
            m.d.sync += self.o.valid.eq(1)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
