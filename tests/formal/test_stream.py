# amaranth: UnusedElaboratable=no
"""Stream rules of queues and of the AXI-Lite slave, proved; and proofs that must fail."""

from types import SimpleNamespace

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.hw.common.axi import AxiLite
from shiftwork.hw.common.stream import Queue, packet

from . import kit
from .kit import NotProved, assert_stream_rules, assume_stream_rules, prove, refuted


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_queue(depth, tmp_path):
    def rules(m, dut):
        assume_stream_rules(m, dut.i)
        assert_stream_rules(m, dut.o)

    prove(Queue(packet(3), depth), rules, tmp_path)


def test_queue_counts(tmp_path):
    """A queue offers only what it holds, keeps nothing back, and is ready exactly where it has room."""
    def rules(m, dut):
        depth = 2     # deeper ones have pointers that no member shows, and no induction sees
        held, left_over = Signal(range(depth + 2)), Signal()
        leaving = dut.o.valid & dut.o.ready
        m.d.sync += [held.eq(held + (dut.i.valid & dut.i.ready) - leaving), left_over.eq(held > leaving)]
        m.d.comb += [
            Assert(held <= depth),
            Assert(~dut.o.valid | (held > 0)),
            Assert(~left_over | dut.o.valid),
            Assert(dut.i.ready == (held < depth)),
        ]

    prove(Queue(packet(1), 2), rules, tmp_path)


@pytest.mark.parametrize("channel, payload", [("b", ["bresp"]), ("r", ["rdata", "rresp"])])
def test_axi_answers(channel, payload, tmp_path):
    """Answers stay as they are until taken, whatever the registers and the other channels do meanwhile."""
    def rules(m, dut):
        assert_stream_rules(m, SimpleNamespace(
            payload=Cat(getattr(dut, name) for name in payload),
            valid=getattr(dut, f"{channel}valid"), ready=getattr(dut, f"{channel}ready")))

    prove(AxiLite(4), rules, tmp_path)


def test_axi_answers_each_once(tmp_path):
    """Each transaction is answered once, a write after both halves (answers wait at most 4 cycles)."""
    def rules(m, dut):
        addresses, words, reads, wait = Signal(2), Signal(2), Signal(2), Signal(3)
        b, r = dut.bvalid & dut.bready, dut.rvalid & dut.rready
        m.d.sync += [
            addresses.eq(addresses + (dut.awvalid & dut.awready) - b),
            words.eq(words + (dut.wvalid & dut.wready) - b),
            reads.eq(reads + (dut.arvalid & dut.arready) - r),
            wait.eq(Mux(dut.bvalid & ~b | dut.rvalid & ~r, wait + 1, 0)),
        ]
        # States that none leads to could else stall for ever, and so pass for reachable.
        m.d.comb += Assume(wait < 4)
        m.d.comb += [
            Assert(addresses <= 1), Assert(words <= 1), Assert(reads <= 1),
            Assert(dut.awready == (addresses == 0)), Assert(dut.wready == (words == 0)),
            Assert(dut.arready == (reads == 0)),
            Assert(~dut.bvalid | (addresses == 1) & (words == 1)), Assert(~dut.rvalid | (reads == 1)),
            Assert(~dut.write_enable | (addresses == 1) & (words == 1) & ~dut.bvalid),
        ]

    prove(AxiLite(4), rules, tmp_path)


class Broken(wiring.Component):
    """A register between streams that takes a new payload even while its output is stalled."""

    i: In(stream.Signature(4))
    o: Out(stream.Signature(4))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(1)
        with m.If(self.i.valid | self.o.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        return m


def test_refutes(tmp_path):
    refuted(Broken(), lambda m, dut: assert_stream_rules(m, dut.o), tmp_path)


def test_assumptions_count(tmp_path):
    def rules(m, dut):
        m.d.comb += Assume(~dut.i.valid)
        assert_stream_rules(m, dut.o)

    prove(Broken(), rules, tmp_path)


class Counter(wiring.Component):
    """Counts 0, 1, 2, 0, ... where 4, 5, 6, 7 lead to one another but cannot be reached."""

    count: Out(3)

    def elaborate(self, platform):
        m = Module()
        with m.If(self.count[2]):
            m.d.sync += self.count.eq(Cat(self.count[:2] + 1, Const(0, 1))[:2] | 4)
        with m.Else():
            m.d.sync += self.count.eq(0)
            with m.If(self.count < 2):
                m.d.sync += self.count.eq(self.count + 1)
        return m


def test_not_inductive(tmp_path):
    """What is true, but not by induction of this depth, is told apart."""
    with pytest.raises(NotProved, match="^Property must be inductive:"):
        prove(Counter(), lambda m, dut: m.d.comb.__iadd__(Assert(dut.count != 7)), tmp_path, depth=3)


def test_tools_fail(tmp_path, monkeypatch):
    monkeypatch.setattr(kit, "SCRIPT", "nonsense")
    with pytest.raises(RuntimeError, match="^Proof must run, not end with exit code"):
        prove(Broken(), lambda m, dut: None, tmp_path)
