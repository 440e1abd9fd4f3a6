# amaranth: UnusedElaboratable=no
"""Stream rules of the fetcher; loop counters stay within their counts."""

from amaranth.hdl import Assert, Assume, Cat, Const, Mux, Signal
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.hw.common.nest import Nest
from shiftwork.hw.ternary.fetcher import Fetcher

from .kit import assert_stream_rules, prove, refuted

CONFIG = TernaryConfig(lanes=8, grid_rows=2, grid_columns=2, drain_width=2, scatter_width=4, row_depth=32,
                       weight_depth=32, table_depth=32, vector_depth=32)


def fetcher_rules(m, dut, *, memories=True):
    """Payloads stay while they wait, as the memories' registers do while ``advance`` is low."""
    read = Cat(dut.weights, dut.bitmap)
    kept, held, descriptor, running = Signal(), Signal(len(read)), Signal(512), Signal()
    m.d.sync += [kept.eq(~dut.advance), held.eq(read), descriptor.eq(dut.descriptor), running.eq(1)]
    m.d.comb += Assume(~running | (descriptor == dut.descriptor.as_value()))
    if memories:
        m.d.comb += Assume(~kept | (read == held))
    assert_stream_rules(m, dut.o)


def test_fetcher(tmp_path):
    prove(Fetcher(CONFIG), fetcher_rules, tmp_path, depth=2)


def test_fetcher_needs_its_memories(tmp_path):
    refuted(Fetcher(CONFIG), lambda m, dut: fetcher_rules(m, dut, memories=False), tmp_path, depth=6)


WIDTHS = 2, 1, 3


def nest_rules(m, dut, *, constant=True):
    """Counters stay below their counts; a step adds one to the number whose digits they are, or wraps."""
    ranks = range(len(WIDTHS))
    counts = [getattr(dut, f"count{k}") for k in ranks]
    values = [getattr(dut, f"value{k}") for k in ranks]
    running, stepped, reset, wraps = Signal(), Signal(), Signal(), Signal()
    counts_before = [Signal.like(count) for count in counts]
    before = [Signal.like(value) for value in values]
    ends = [value + 1 == count for value, count in zip(values, counts, strict=True)]
    m.d.sync += [running.eq(1), stepped.eq(dut.step), reset.eq(dut.reset), wraps.eq(Cat(ends).all())]
    m.d.sync += [was.eq(now) for was, now in zip(counts_before + before, counts + values, strict=True)]
    if constant:
        m.d.comb += Assume(~running | dut.reset | (Cat(counts_before) == Cat(counts)))
    m.d.comb += [Assume(count != 0) for count in counts]
    m.d.comb += Assume(running | dut.reset)

    def number(digits):
        total = Const(0, 8)
        for digit, count in zip(digits, counts, strict=True):
            total = (total * count + digit)[:8]
        return total

    with m.If(running & reset):
        m.d.comb += Assert(~Cat(values).any())
    with m.Elif(running & ~dut.reset & ~stepped):
        m.d.comb += Assert(Cat(values) == Cat(before))
    with m.Elif(running & ~dut.reset):
        m.d.comb += Assert(number(values) == Mux(wraps, 0, number(before) + 1))
    with m.If(running & ~dut.reset):
        m.d.comb += [Assert(value < count) for value, count in zip(values, counts, strict=True)]
        m.d.comb += Assert(dut.done == Cat(ends).all())
        m.d.comb += [Assert(getattr(dut, f"at_end{k}") == ends[k]) for k in ranks]


def test_nest(tmp_path):
    prove(Nest(WIDTHS), nest_rules, tmp_path, depth=4)


def test_nest_of_changing_counts_is_refuted(tmp_path):
    """Registers of ends look ahead: with a count that changes meanwhile counters pass it."""
    refuted(Nest(WIDTHS), lambda m, dut: nest_rules(m, dut, constant=False), tmp_path, depth=6)
