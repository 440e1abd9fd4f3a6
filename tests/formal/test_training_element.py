# amaranth: UnusedElaboratable=no
"""Rounding shifts, limits and both formats of E2 are their formulas, whatever comes."""

from itertools import combinations

import pytest
from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.hw.common.delay import delay
from shiftwork.hw.training import error_quantizer, even_shift

from .kit import mutant, prove, refuted, stay
from .test_circulant_shift import old_enough


def rounded(value, shift, lift=0):
    """round(value * 2 ** lift / 2 ** shift) as docs/engines/training.md has it; ``shift`` a signal."""
    value = value << lift
    half = (1 << shift >> 1) - (shift != 0)
    return value + half + Mux(shift != 0, (value >> shift) & 1, 0) >> shift


def limited(value, bits):
    """``value`` in -m .. m, m = 2 ** (bits - 1) - 1."""
    most = (1 << bits - 1) - 1
    return Mux(value < -most, -most, Mux(value > most, most, value))


class Even(wiring.Component):
    """`even` at each of the ``cuts``, in both ways."""

    def __init__(self, module, width, cuts):
        self._even, self.cuts = module.even, cuts
        super().__init__({"i": In(signed(width)), "more": In(signed(3)), **{
            f"{name}{n}": Out(signed(width)) for n in cuts for name in ("o", "whole")}})

    def elaborate(self, platform):
        m = Module()
        for name in ("o", "whole"):
            m.d.comb += [getattr(self, f"{name}{n}").eq(
                self._even(self.i, n, self.more, whole=name == "whole")) for n in self.cuts]
        return m


def even_rules(m, dut):
    for cut in dut.cuts:
        amount = Signal(3, init=cut, name=f"amount{cut}")
        m.d.comb += [
            Assert(getattr(dut, f"o{cut}") == rounded(dut.i, amount) + dut.more),
            Assert(getattr(dut, f"whole{cut}") == rounded(dut.i + (dut.more << cut), amount))]


def shift_rules(lift, *alternatives):
    """Of each of the ``alternatives``, bits of the shift, one is set at the most."""
    def rules(m, dut):
        for bits in alternatives:
            m.d.comb += Assume(~Cat(dut.shift[a] & dut.shift[b] for a, b in combinations(bits, 2)).any())
        i, shift = (delay(m, value, dut.latency) for value in (dut.i, dut.shift))
        right = limited(rounded(i, shift, lift), len(dut.o))
        m.d.comb += Assert(~old_enough(m, dut.latency) | (dut.o == right))
    return rules


def quantizer_rules(fraction):
    """What is constant while numbers are under way is constant in the proof."""
    def rules(m, dut):
        n, latency = len(dut.o), dut.latency
        flagged, less = dut.flagged, Mux(dut.flagged, n - 1 - 2 * fraction, 0)
        r = (dut.shift - less).as_unsigned()
        m.d.comb += Assume(dut.shift >= less)
        stay(m, old_enough(m, 1), dut.shift, flagged)
        i, before = delay(m, dut.i, latency), delay(m, dut.i, 1)
        magnitude = Mux(i < 0, -i, i)
        # r - f and r - 2 f as shifts of what is lifted by as much, so that none is negative
        coarse = rounded(magnitude, r, fraction)
        great = magnitude << fraction >= 1 << r
        large = Mux(coarse > (1 << fraction) - 1, (1 << fraction) - 1, coarse) << fraction
        small = rounded(magnitude, r, 2 * fraction)
        flag = Mux(great, large, small)
        m.d.comb += [
            Assert(~old_enough(m, 1) | (dut.key == Mux(before < 0, -2 * before - 1, 2 * before))),
            Assert(~old_enough(m, latency) | (dut.o == Mux(
                flagged, Mux(i < 0, -flag, flag), limited(rounded(i, r, n - 1), n)))),
        ]
    return rules


SHIFTS = [(6, 4, 2, (((3,), (2,)), ((1,), (0,)))), (5, 6, 0, (((2,), (1,), (0,)),)),
          (7, 3, 1, (((2,),), ((1,),), ((0,),)))]
QUANTIZERS = [(7, 6, 2, (((3,), (2,)), ((1,), (0,)))), (7, 5, 2, (((2,), (1,), (0,)),)),
              (5, 8, 3, (((3,), (2,), (1,), (0,)),))]
TOGETHER = [(7, 3, 2, (((3, 2), (1,)), ((0,),))), (8, 3, 1, (((3,),), ((2, 1, 0),)))]


def test_even(tmp_path):
    prove(Even(even_shift, 7, (2, 3, 5)), even_rules, tmp_path, depth=1)


@pytest.mark.parametrize("old, new", [
    ("any() | odd)", "any())"), ("[:cut - 1].any() | ", "[:cut - 2].any() | "),
    ("value[cut] ^ more[0] if", "value[cut] if"), ("else value[cut]", "else value[cut] ^ more[0]"),
], ids=["halves", "rest", "whole", "apart"])
def test_other_even_is_refuted(old, new, tmp_path):
    refuted(Even(mutant(even_shift, old, new), 7, (2, 3)), even_rules, tmp_path, depth=2, bounded=True)


@pytest.mark.parametrize("shape", SHIFTS)
def test_shift(shape, tmp_path):
    dut = even_shift.EvenShift(*shape)
    prove(dut, shift_rules(shape[2]), tmp_path, depth=dut.latency + 1)


@pytest.mark.parametrize("shape", TOGETHER)
def test_shift_of_alternatives(shape, tmp_path):
    dut = even_shift.EvenShift(*shape)
    rules = shift_rules(shape[2], *(bits for level in shape[3] for bits in level))
    prove(dut, rules, tmp_path, depth=dut.latency + 1)


@pytest.mark.parametrize("old, new", [
    ("far |= shift[bit]", "far = shift[bit]"), ("(*steps[1:], 0)", "[0] * len(steps)"),
], ids=["farther", "less"])
def test_other_alternatives_are_refuted(old, new, tmp_path):
    dut = mutant(even_shift, old, new).EvenShift(*TOGETHER[0])
    refuted(dut, shift_rules(2, (3, 2)), tmp_path, depth=dut.latency + 2, bounded=True)


@pytest.mark.parametrize("old, new", [
    ("sticky |= far &", "sticky = far &"),
    ("lower, upper = value[less:step]", "lower, upper = value[less:step - 1]"),
    ("len(self.o.floor) + steps[-1]", "len(self.o.floor) + bits[-1]"),
    ("beyond |= upper", "beyond = upper"), ("beyond |= ~far", "beyond = ~far"),
    ("floor[0]) & ~plain.o.beyond", "floor[0])"),
    ("low[0] | (negative & ~low.any())", "low[0]"),
    ("(upper.all() | ~upper.any()) & ~beyond", "~beyond"),
], ids=["sticky", "dropped", "kept", "beyond", "near", "up", "symmetric", "fits"])
def test_other_shifts_are_refuted(old, new, tmp_path):
    dut = mutant(even_shift, old, new).EvenShift(*SHIFTS[0])
    refuted(dut, shift_rules(SHIFTS[0][2]), tmp_path, depth=dut.latency + 2, bounded=True)


@pytest.mark.parametrize("shape", QUANTIZERS)
def test_quantizer(shape, tmp_path):
    dut = error_quantizer.ErrorQuantizer(*shape)
    prove(dut, quantizer_rules(shape[2]), tmp_path, depth=dut.latency + 2)


@pytest.mark.parametrize("old, new", [
    ("(beyond | found[bits:].any())", "found[bits:].any()"),
    ("found[bits:].any())", "found[bits - 1:].any())"),
    ("plain.o.sticky | (Cat(", "(Cat("),
    ("(Cat(plain.o.guard, found[:bits - 1]) !=", "(Cat(plain.o.guard, found[:bits - 1]) =="),
    ("(sticky | (value[1] ^ negative))", "sticky"),
    ("found.all())", "0)"),
    ("most | found[2 * bits:].any()", "found[2 * bits:].any()"),
    ("most | found[2 * bits:].any()", "most"),
    ("limited = beyond | Mux(", "limited = Mux("),
    ("Mux(limited, negative, up)", "up"),
    ("(~flagged).replicate", "flagged.replicate"),
    ("(floor + up)", "floor"),
], ids=["beyond", "great", "rest", "low", "halves", "most of 16", "most of 8", "more", "limited", "up", "top",
        "sum"])
def test_other_quantizers_are_refuted(old, new, tmp_path):
    dut = mutant(error_quantizer, old, new).ErrorQuantizer(*QUANTIZERS[0])
    refuted(dut, quantizer_rules(2), tmp_path, depth=dut.latency + 2, bounded=True)
