# amaranth: UnusedElaboratable=no
"""Rows of a pass leave the lanes' snapshots each once, before the next pass's come, shifted and rounded."""

import pytest
from amaranth.hdl import Assert, Assume, Mux, Signal, signed
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.golden.circulant.transform_config import schedule
from shiftwork.hw.circulant import drain
from shiftwork.hw.common.delay import delay

from .kit import Opened, mutant, prove, refuted

ROWS, ACC, SUM = 2, 6, 3    #: R; bits of an accumulator, of what leaves
LATENCY = drain.Drain.latency


class Small(CirculantConfig):
    """Numbers smaller than an engine may have."""

    def __post_init__(self):
        pass


CONFIG = Small(block=4, rows=ROWS, acc_width=ACC, sum_width=SUM)


def drain_rules(m, dut, *, induction=True):
    """Passes at least rows * h cycles apart, as `Issue` has them; snapshots are what the solver likes.

    What leaves is, 4 cycles later, a row's t-th pair, made of the snapshot of that cycle, and of no other.
    """
    left, pair, shift = Signal(range(ROWS * CONFIG.slots + 1)), Signal(), Signal(5)
    m.d.comb += [Assume((dut.rows >= 1) & (dut.rows <= ROWS)), Assume(~dut.load | (left <= 1))]
    with m.If(dut.load):
        m.d.sync += [left.eq(dut.rows * CONFIG.slots), shift.eq(dut.shift), pair.eq(0)]
    with m.Elif(left != 0):
        m.d.sync += [left.eq(left - 1), pair.eq(~pair)]
    if induction:
        inner = dut.inner
        m.d.comb += [Assert(left == inner["left"] * CONFIG.slots - inner["pair"]),
                     Assert(pair == inner["pair"]), Assert(shift == inner["shift"])]
    reads = left != 0
    m.d.comb += Assert(dut.advance == (reads & pair))
    m.d.comb += Assert(dut.first == delay(m, reads & ~pair, LATENCY))

    # Slots: of real bins, and real and imaginary parts of products.
    slots = [dut.i.real, *((k1 - k3, k1 + k2) for k1, k2, k3 in dut.i.complex)]
    order = schedule(CONFIG.block)[-1].results[..., 1:].tolist()
    known = delay(m, reads, LATENCY)
    for line in range(2):
        value, result = Signal(signed(ACC), name=f"value{line}"), Signal(SUM, name=f"result{line}")
        with m.Switch(pair):
            for t, pairs in enumerate(order):
                slot, part = pairs[line]
                with m.Case(t):
                    m.d.comb += value.eq(slots[slot][part])
        half = Mux(shift == 0, 0, 1 << (shift - 1)[:5])
        m.d.comb += result.eq((value + half) >> shift)
        m.d.comb += Assert(~known | (dut.o[line][:SUM] == delay(m, result, LATENCY)))


def test_drain(tmp_path, monkeypatch):
    dut = Opened(drain.Drain(CONFIG), drain, ("pair", "left", "shift"), monkeypatch)
    prove(dut, drain_rules, tmp_path, depth=LATENCY + 1)


@pytest.mark.parametrize("old, new", [
    ("self._config.sum_width + (1 << bit)", "self._config.sum_width + (1 << bit) - 1"),
    ("bool(slot) and not part", "bool(slot)"),
    ("else ~k3.as_unsigned()", "else k3.as_unsigned()"),
    ("with m.If(left.any()):", "with m.If(left.any() & ~self.load):"),
    ("left.eq(left - self.advance)", "left.eq(left - 1)"),
    ("shift = delay(m, shift, 2,", "shift = delay(m, shift, 1,"),
], ids=["kept", "carry", "difference", "load", "rows", "shift"])
def test_other_drains_are_refuted(old, new, tmp_path):
    dut = mutant(drain, old, new).Drain(CONFIG)
    refuted(dut, lambda m, dut: drain_rules(m, dut, induction=False), tmp_path, depth=10, bounded=True)
