# amaranth: UnusedElaboratable=no
"""A lane's results are the sums of complex products, or of real ones, over a pass's columns."""

import pytest
from amaranth.hdl import Assert, Assume, Signal
from shiftwork.hw.circulant import lane
from shiftwork.hw.common.delay import delay

from .kit import Opened, mutant, prove, refuted

WIDTH, WEIGHT, ACC = 2, 2, 4    #: bits of a vector's number, of a weight, of a sum, which products exceed


def complex_terms(m, dut, w):
    """What a column adds: the real and the imaginary part of (a + j b) (c + j d)."""
    c, d = w
    x, b = dut.x, dut.x.difference + dut.x.a
    m.d.comb += [Assume(b == b[:WIDTH].as_signed()), Assume(x.sum == x.a + b)]
    return x.a * c - b * d, x.a * d + b * c


def complex_parts(sums):
    """The real and the imaginary part."""
    k1, k2, k3 = sums
    return k1 - k3, k1 + k2


def real_terms(m, dut, w):
    """What a column adds: two products of real numbers."""
    return [x * factor for x, factor in zip(dut.x, w, strict=True)]


def lane_rules(terms, parts):
    """Rules of a lane whose sums' ``parts`` are sums of ``terms``; columns and advances at any time."""
    def rules(m, dut):
        w, last, forgets = delay(m, dut.w, 1), dut.valid & dut.ends, ~dut.valid & dut.ends
        known = Signal()
        m.d.sync += known.eq((dut.advance | last | known) & ~forgets)
        inner = [dut.inner[f"acc{n}"] for n in range(len(dut.o))]
        for n, (term, part, i, acc) in enumerate(zip(terms(m, dut, w), parts(dut.o), parts(dut.i),
                                                     parts(inner), strict=True)):
            term = delay(m, term[:ACC], 1, name=f"term{n}_")
            so_far, total, result = (Signal(ACC, name=f"{name}{n}") for name in ("so_far", "total", "result"))
            m.d.comb += total.eq(so_far + term)
            with m.If(dut.ends):
                m.d.sync += so_far.eq(0)
            with m.Elif(dut.valid):
                m.d.sync += so_far.eq(total)
            with m.If(last):
                m.d.sync += result.eq(total)
            with m.Elif(dut.advance):
                m.d.sync += result.eq(i)
            m.d.comb += [Assert(acc[:ACC] == so_far), Assert(~known | (part[:ACC] == result))]

    return rules


PROOFS = {"complex": lane_rules(complex_terms, complex_parts), "real": lane_rules(real_terms, tuple)}


def opened(name, module, monkeypatch):
    part = {"complex": module.ComplexLane, "real": module.RealLane}[name](WIDTH, WEIGHT, ACC)
    return Opened(part, module, [], monkeypatch)


@pytest.mark.parametrize("name", PROOFS)
def test_lane(name, tmp_path, monkeypatch):
    prove(opened(name, lane, monkeypatch), PROOFS[name], tmp_path, depth=3)


@pytest.mark.parametrize("name, old, new", [
    ("complex", "(self.x.sum, d)", "(self.x.difference, d)"),
    ("complex", "m.d.sync += sums[n].eq(self.i[n])", "m.d.sync += [sums[n].eq(self.i[n]), acc.eq(0)]"),
    ("real", "with m.If(self.ends):", "with m.If(self.valid):"),
    ("real", "sums[n].eq(total)", "sums[n].eq(acc)"),
], ids=["factor", "advance", "idle", "last"])
def test_other_lanes_are_refuted(name, old, new, tmp_path, monkeypatch):
    refuted(opened(name, mutant(lane, old, new), monkeypatch), PROOFS[name], tmp_path, depth=6, bounded=True)
