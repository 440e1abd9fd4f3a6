# amaranth: UnusedElaboratable=no
"""Shifts, limits, butterflies and swaps of the circulant engine are their formulas, whatever comes."""

import pytest
from amaranth.hdl import Assert, Assume, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.hw.circulant import butterfly, rounding_shift, swap
from shiftwork.hw.common.delay import delay

from .kit import mutant, prove, refuted


class Limiters(wiring.Component):
    """`saturated`, to each of the widths ``outs``."""

    def __init__(self, module, in_width, outs):
        self._limited, self.outs = module.saturated, outs
        super().__init__({"i": In(signed(in_width)), **{f"o{n}": Out(signed(n)) for n in outs}})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [getattr(self, f"o{n}").eq(self._limited(self.i, n)) for n in self.outs]
        return m


def limited(value, width):
    """sat_width(``value``)."""
    low, high = -1 << width - 1, (1 << width - 1) - 1
    return Mux(value < low, low, Mux(value > high, high, value))


def old_enough(m, latency):
    """What stood in registers in cycle 0 has left them."""
    age = Signal(range(latency + 1))
    m.d.sync += age.eq(Mux(age == latency, latency, age + 1))
    return age == latency


def limiter_rules(m, dut):
    m.d.comb += [Assert(getattr(dut, f"o{n}") == limited(dut.i, n)) for n in dut.outs]


def shift_rules(m, dut):
    """sat_n(floor((i + 2 ** (shift - 1)) / 2 ** shift)) and, for shift 0, sat_n(i)."""
    i, shift = (delay(m, value, dut.latency) for value in (dut.i, dut.shift))
    half = 1 << shift >> 1
    m.d.comb += Assert(~old_enough(m, dut.latency) | (dut.o == limited(i + half >> shift, len(dut.o))))


SHIFTS = [(8, 4, ((2, 1), (0,))), (4, 6, ((2, 1, 0),))]


def test_limits(tmp_path):
    prove(Limiters(rounding_shift, 7, (4, 6, 7, 8)), limiter_rules, tmp_path, depth=1)


@pytest.mark.parametrize("shape", SHIFTS)
def test_shift(shape, tmp_path):
    dut = rounding_shift.RoundingShift(*shape)
    prove(dut, shift_rules, tmp_path, depth=dut.latency + 1)


@pytest.mark.parametrize("old, new", [
    ("kept = Mux(shift[bit], value >> 2 ** bit, value), width + 2 ** bit",
     "kept = Mux(shift[bit], value >> 2 ** bit, value), width + 1"),       # a bit is lost that comes down
    ("~beyond & (found[-2] == found[-1]), value[-1])", "~beyond & (found[-2] == found[-1]), found[-1])"),
    ("~beyond & (found[-2] == found[-1])", "~beyond"),
    ("beyond |= upper", "beyond = upper"),
], ids=["kept", "sign", "fits", "beyond"])
def test_other_shifts_are_refuted(old, new, tmp_path):
    dut = mutant(rounding_shift, old, new).RoundingShift(*SHIFTS[0])
    refuted(dut, shift_rules, tmp_path, depth=dut.latency + 2, bounded=True)


@pytest.mark.parametrize("old, new", [
    ("value[width - 1:]\n", "value[width:]\n"),
    ("upper.all() | ~upper.any(), value[-1])", "upper.all() | ~upper.any(), ~value[-1])"),
], ids=["upper", "sign"])
def test_other_limits_are_refuted(old, new, tmp_path):
    dut = Limiters(mutant(rounding_shift, old, new), 7, (4,))
    refuted(dut, limiter_rules, tmp_path, depth=2, bounded=True)


WIDTH = 4


KINDS = [(shift, double) for shift in (False, True) for double in (False, True)]


class Butterflies(wiring.Component):
    """One of each kind, with the same input."""

    latency = 2

    def __init__(self, module):
        self._parts = [module.Butterfly(WIDTH, WIDTH + 2, shift=shift, double=double)
                       for shift, double in KINDS]
        super().__init__({"i": In(swap.lines(WIDTH)), "passed": In(1),
                          **{f"o{n}": Out(swap.lines(WIDTH + 2)) for n in range(len(KINDS))}})

    def elaborate(self, platform):
        m = Module()
        for n, part in enumerate(self._parts):
            m.submodules[f"part{n}"] = part
            m.d.comb += [part.i.eq(self.i), part.passed.eq(self.passed), getattr(self, f"o{n}").eq(part.o)]
        return m


def butterfly_rules(m, dut):
    """Sums and differences, halved if ``shift``; what is passed comes as often as ``double`` says."""
    a, b, passed = (delay(m, value, dut.latency) for value in (*dut.i, dut.passed))
    known = old_enough(m, dut.latency)
    for n, (shift, double) in enumerate(KINDS):
        for out, summed, alone in zip(getattr(dut, f"o{n}"), (a + b, a - b), (a, -b), strict=True):
            value = Signal(signed(WIDTH + 3))
            m.d.comb += [value.eq(Mux(passed, alone * (1 + double), summed)),
                         Assert(~known | (out == (value + 1 >> 1 if shift else value)))]


def test_butterflies(tmp_path):
    prove(Butterflies(butterfly), butterfly_rules, tmp_path, depth=3)


@pytest.mark.parametrize("old, new", [
    ("other_a - b + 1 >> 1", "other_a - b >> 1"),
    ("doubled = a, -b", "doubled = a, b"),
    ("other_a - b\n", "a - b\n"),
], ids=["rounding", "double", "passed"])
def test_other_butterflies_are_refuted(old, new, tmp_path):
    refuted(Butterflies(mutant(butterfly, old, new)), butterfly_rules, tmp_path, depth=4, bounded=True)


DISTANCE = 2


def swap_rules(m, dut):
    """The values of two cycles, ``DISTANCE`` apart, in their own places or in each other's."""
    upper, lower = [dut.i[0]], [dut.i[1]]
    crossed = [dut.crossed]
    for _ in range(2 * DISTANCE):
        for values in (upper, lower, crossed):
            values.append(delay(m, values[-1], 1))
    m.d.comb += Assume(~dut.crossed | ~(crossed[1] | crossed[2]))
    known = old_enough(m, 2 * DISTANCE)
    # The output of now is of the cycle that was DISTANCE before.
    m.d.comb += [
        Assert(~known | (dut.o[0] == Mux(crossed[DISTANCE], lower[2 * DISTANCE], upper[DISTANCE]))),
        Assert(~known | (dut.o[1] == Mux(crossed[0], upper[0], lower[DISTANCE]))),
    ]


def test_swap(tmp_path):
    prove(swap.LineSwap(3, DISTANCE), swap_rules, tmp_path, depth=2 * DISTANCE + 1)


def test_other_swap_is_refuted(tmp_path):
    other = mutant(swap, "Mux(self.crossed, upper, lower)", "Mux(self.crossed, kept, lower)")
    refuted(other.LineSwap(3, DISTANCE), swap_rules, tmp_path, depth=2 * DISTANCE + 2, bounded=True)
