# amaranth: UnusedElaboratable=no
"""Steps begin when they may, one behind the other, and a sequence ends once, when its output is gone."""

import pytest
from amaranth.hdl import Assert, Assume, Mux, Signal
from shiftwork.hw.circulant import sequencer

from .kit import Opened, held, mutant, prove, refuted


def flag(m, when, until, name):
    """High from the cycle after ``when`` on until that of ``until``; the cycle itself does not count."""
    level = Signal(name=name)
    m.d.sync += level.eq(when | (level & ~until))
    return level


def sequencer_rules(m, dut, *, induction=True):
    """Inputs of any kind, whatever their order; for the induction the end is closed within 3 cycles."""
    starts, ends = dut.start & ~dut.busy, Signal()
    done = dut.count == dut.vectors
    running = flag(m, dut.begin, ends, "running")
    over = Signal()         # the last step has ended, or the beat of zeros was asked for
    closed, short = (flag(m, strobe & dut.busy, ~dut.busy, name)
                     for name, strobe in (("is_closed", dut.closed), ("is_short", dut.short)))
    begun, odd = Signal(), Signal()
    m.d.comb += ends.eq(running & done)
    # A start is heard in no other cycle than those that are not busy.
    busy = flag(m, starts, dut.finished, "runs")
    m.d.comb += Assert(dut.busy == busy)
    with m.If(starts):
        m.d.sync += [over.eq(0), begun.eq(0), odd.eq(0)]
    with m.If(dut.begin):
        m.d.sync += [begun.eq(1), odd.eq(~odd)]
    with m.If((ends & dut.final) | dut.zeros):
        m.d.sync += over.eq(1)
    m.d.comb += [
        Assert(dut.enable == (busy & ~over)),
        # as soon as they may
        Assert(dut.begin == held(m, busy & ~over & dut.ready & dut.room & ~dut.begin
                                 & (~running | (ends & ~dut.final)))),
        Assert(~dut.begin | ((dut.first == ~begun) & (dut.odd == odd) & (dut.final == held(m, dut.last)))),
        Assert(dut.zeros == (busy & ~over & ~running & ~dut.begin & ~(dut.ready & dut.room) & short)),
        Assert(dut.finished == (busy & over & closed)),
    ]
    for level in (dut.odd, dut.first, dut.final):
        m.d.comb += Assert(~(running & ~dut.begin) | (level == held(m, level)))
    # Each cycle until the last step's end, or the beat of zeros, counts once.
    cycles, step = Signal(32), Signal(32)
    m.d.sync += [cycles.eq(Mux(starts, 0, cycles + dut.enable)),
                 step.eq(Mux(starts, 0, step + (dut.begin | running)))]
    m.d.comb += [Assert((dut.load_cycles + dut.run_cycles)[:32] == cycles), Assert(dut.run_cycles == step)]
    if induction:
        # States that none leads to could else wait for ever, and so pass for the end's.
        inner, wait = dut.inner, Signal(2)
        m.d.sync += wait.eq(Mux(busy & over, wait + 1, 0))
        m.d.comb += [
            Assume(~(busy & over) | (wait != 3) | closed),
            Assert(~busy | (inner["begun"] == (begun | dut.begin))), Assert(busy | ~(running | dut.begin)),
            Assert(~busy | (inner["closed"] == closed)), Assert(~busy | (inner["short"] == short)),
            Assert(~(running & dut.begin)), Assert(~over | ~running), Assert(~running | begun),
            Assert(~busy | dut.begin | (odd == (begun & ~dut.odd))),
        ]


def test_sequencer(tmp_path, monkeypatch):
    dut = Opened(sequencer.Sequencer(), sequencer, ("begun", "short", "closed"), monkeypatch)
    prove(dut, sequencer_rules, tmp_path, depth=5)


@pytest.mark.parametrize("old, new", [
    ("may.eq(self.ready & self.room)", "may.eq(self.ready)"),
    ("closed.eq(closed | self.closed)", "closed.eq(self.closed)"),
    ("self.odd.eq(begun & ~self.odd)", "self.odd.eq(~self.odd)"),
    ("short.eq(0), ", ""),
], ids=["room", "closed", "odd", "short"])
def test_other_sequencers_are_refuted(old, new, tmp_path):
    dut = mutant(sequencer, old, new).Sequencer()
    refuted(dut, lambda m, dut: sequencer_rules(m, dut, induction=False), tmp_path, depth=12, bounded=True)
