# amaranth: UnusedElaboratable=no
"""Columns of a step are issued each once, in order, in the cycles that the specification gives."""

import pytest
from amaranth.hdl import Assert, Assume, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.hw.circulant import issue
from shiftwork.hw.circulant.layouts import PHASE

from .kit import mutant, prove, refuted, stay

PHASES, ROWS, COLUMNS, END = 2, 3, 2, 13    #: of a step, a phase, a segment; cycles looked at


class Small(CirculantConfig):
    """Memories smaller than an engine may have."""

    def __post_init__(self):
        pass


CONFIG = Small(block=4, rows=2, spectrum_depth=8, weight_depth=16, phase_depth=PHASES)


class Step(wiring.Component):
    """`Issue`, and a phase memory that holds what the solver likes: ``phases``, constant."""

    def __init__(self, module):
        self._issue = module.Issue(CONFIG)
        members = self._issue.signature.members
        super().__init__({
            "phases": In(data.ArrayLayout(PHASE, PHASES)),
            **{name: members[name] for name in ("start", "odd", "first", "written", "o", "phase")}})

    def elaborate(self, platform):
        m = Module()
        m.submodules.issue = part = self._issue
        word = Signal(PHASE)
        m.d.sync += word.eq(self.phases[part.phase_address])
        m.d.comb += [part.phase_data.eq(word), self.o.eq(part.o), self.phase.eq(part.phase)]
        m.d.comb += [getattr(part, name).eq(getattr(self, name))
                     for name in ("start", "odd", "first", "written")]
        return m


def step_rules(m, dut):
    """A step of one or two phases of any passes and segments; vectors are written in any cycle.

    Of the time: the step begins in cycle 0 and a column's is that of ``o``. ``needed`` vectors count from the
    second cycle after their ``written`` on.
    """
    cycle = Signal(range(END + 1))
    m.d.sync += cycle.eq(cycle + 1)
    m.d.comb += Assume(dut.start == (cycle == 0))
    stay(m, cycle != 0, dut.phases.as_value(), dut.odd, dut.first)
    for phase in dut.phases:
        first, second = phase.spans
        m.d.comb += [
            Assume((phase.rows >= 1) & (phase.rows <= ROWS)),
            Assume((first.count >= 1) & (first.count <= COLUMNS)), Assume(second.count <= COLUMNS),
        ]
        m.d.comb += [Assume(wait.after < 3) for wait in phase.waits]
    m.d.comb += Assume(dut.phases[1].last)

    number, done, passes, column = Signal(), Signal(), Signal(range(ROWS)), Signal(range(2 * COLUMNS))
    phase = dut.phases[number]
    begins, free = Signal(range(END + 4), init=3), Signal(range(END + 8))
    count = phase.spans[0].count
    segment = column >= count
    n = Signal(range(2 * COLUMNS))
    span, wait = phase.spans[segment], phase.waits[segment]
    columns = (count + phase.spans[1].count)[:4]
    last = column + 1 == columns
    left = phase.rows - passes * CONFIG.rows
    rows, final = Mux(left > CONFIG.rows, CONFIG.rows, left), left <= CONFIG.rows
    # vectors written two cycles before
    written, usable = Signal(range(END + 2)), Signal(range(END + 2))
    m.d.sync += [written.eq(written + (dut.written & (cycle != 0))), usable.eq(written)]
    due = Signal()
    m.d.comb += [
        n.eq(Mux(segment, column - count, column)),
        due.eq(~done & (cycle >= begins) & (usable >= wait.after + Mux(wait.following, n, 0))
               & (~last | (cycle >= free))),
        Assert(dut.o.valid == due),
    ]
    with m.If(due):
        o = dut.o
        half = Mux(wait.alternate & dut.odd, CONFIG.spectrum_depth // 2, 0)
        m.d.comb += [
            Assert(o.address == ((span.base + n)[:3] ^ half)), Assert(o.zero == (wait.old & dut.first)),
            Assert(o.weight == (phase.weight_base + passes * columns + column)[:4]), Assert(o.last == last),
            Assert(o.rows == rows), Assert(o.shift == phase.sum_shift[:5]),
        ]
        m.d.sync += column.eq(column + 1)
        with m.If(last):
            m.d.sync += [column.eq(0), passes.eq(passes + 1), free.eq(cycle + rows * CONFIG.slots)]
            with m.If(final):
                m.d.sync += [passes.eq(0), number.eq(1), begins.eq(cycle + 3), done.eq(phase.last)]


def test_issue(tmp_path):
    prove(Step(issue), step_rules, tmp_path, depth=END, bounded=True)


@pytest.mark.parametrize("old, new", [
    ("self.spare >= 0", "self.spare + written >= 0"),
    ("left.eq(rows * self._config.slots - 1)", "left.eq(rows * self._config.slots - 2)"),
    ("self.final.eq(self.left == 2)", "self.final.eq(self.left == 1)"),
    ("phase.waits[self.segment].following", "phase.waits[0].following"),
], ids=["vectors", "free", "final", "following"])
def test_other_issues_are_refuted(old, new, tmp_path):
    refuted(Step(mutant(issue, old, new)), step_rules, tmp_path, depth=END, bounded=True)
