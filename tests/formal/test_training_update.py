# amaranth: UnusedElaboratable=no
"""CQ, the optimizer's step, random numbers and the packer's rounding are their formulas, whatever comes.

Where the solver has to multiply or to shift far, formats are smaller than an engine's.
That lanes of random numbers repeat after 2^32 - 1 and not before is tests/golden/test_training_lfsr.py's.
"""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.hw.common.delay import delay
from shiftwork.hw.training import constant_quantizer, digit_rounder, optimizer, random_lane, rounding

from .kit import mutant, prove, refuted, stay
from .test_circulant_shift import old_enough


def limited(value, bits):
    """clip_bits(``value``), symmetric."""
    most = (1 << bits - 1) - 1
    return Mux(value < -most, -most, Mux(value > most, most, value))


def nearest(value, shift):
    """round(``value`` / 2^``shift``) as docs/engines/training.md, "Rounding", writes it."""
    half = (1 << shift) >> 1
    return Mux(shift == 0, value, (value + half - 1 + (value >> shift & 1)) >> shift)


class Functions(wiring.Component):
    """The functions of `rounding`, of all numbers of 7 bits."""

    def __init__(self, module):
        self._module = module
        super().__init__({
            "i": In(signed(7)), "up": In(1), "negative": In(1),
            "magnitude": Out(7), "with_sign": Out(signed(7)),
            **{f"rounded{n}": Out(signed(8)) for n in (1, 2, 5)},
            **{f"clipped{n}": Out(signed(n)) for n in (2, 4, 6, 7)},
        })

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.magnitude.eq(self._module.magnitude(self.i)),
                     self.with_sign.eq(self._module.with_sign(self.i[:6], self.up, self.negative))]
        m.d.comb += [getattr(self, f"rounded{n}").eq(self._module.rounded(self.i, n)) for n in (1, 2, 5)]
        m.d.comb += [getattr(self, f"clipped{n}").eq(self._module.clipped(self.i, n)) for n in (2, 4, 6, 7)]
        return m


def function_rules(m, dut):
    m.d.comb += Assert(dut.magnitude == Mux(dut.i < 0, -dut.i, dut.i))
    total = dut.i[:6] + dut.up
    m.d.comb += Assert((total == 64) | (dut.with_sign == Mux(dut.negative, -total, total)))
    m.d.comb += [Assert(getattr(dut, f"rounded{n}") == nearest(dut.i, n)) for n in (1, 2, 5)]
    m.d.comb += [Assert(getattr(dut, f"clipped{n}") == limited(dut.i, n)) for n in (2, 4, 6, 7)]


class Shifted(wiring.Component):
    """A quantizer of small numbers and, of every shift, the distance that it takes."""

    def __init__(self, module, gradient_bits=6, level_bits=2, fraction=3):
        self._inner = inner = module.ConstantQuantizer(gradient_bits, level_bits, fraction)
        self.latency, self.random_latency = inner.latency, inner.random_latency
        super().__init__({
            "i": In(signed(gradient_bits)), "shift": In(signed(6)), "limit": In(level_bits),
            "random": In(fraction), "o": Out(signed(level_bits + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = self._inner
        m.d.comb += [inner.i.eq(self.i), inner.distance.eq(inner.distance_of(self.shift)),
                     inner.limit.eq(self.limit), inner.random.eq(self.random), self.o.eq(inner.o)]
        return m


def constant_rules(m, dut):
    """CQ for shifts far beyond the numbers' bits on both sides; the random number comes late."""
    stay(m, old_enough(m, 1), dut.limit)
    fraction, late = len(dut.random), dut.random_latency
    magnitude = Mux(dut.i < 0, -dut.i, dut.i)[:len(dut.i)]
    left, right = Signal(6), Signal(6)
    m.d.comb += [left.eq(-dut.shift), right.eq(dut.shift)]
    y = Signal(len(dut.i) + 32)
    m.d.comb += y.eq(Mux(dut.shift < 0, magnitude << left, magnitude >> right))
    y, negative = delay(m, y, late, name="y"), delay(m, dut.i < 0, late, name="is_negative")
    total = (y >> fraction) + (y[:fraction] > dut.random)
    c, expected = Mux(total > dut.limit, dut.limit, total)[:len(dut.limit)], Signal(signed(len(dut.o)))
    m.d.comb += expected.eq(Mux(negative, -c, c))
    expected = delay(m, expected, dut.latency - late, name="expected")
    m.d.comb += Assert(~old_enough(m, dut.latency + 1) | (dut.o == expected))


def optimizer_rules(m, dut):
    """The whole numbers of the formula: if any bit were lost on the way, the results would differ."""
    stay(m, old_enough(m, 1), dut.rate, dut.momentum)
    fresh, stored, accumulator = Signal(signed(20)), Signal(signed(24)), Signal(signed(20))
    m.d.comb += [
        fresh.eq(dut.momentum * dut.accumulator + dut.gradient),
        stored.eq(limited(dut.stored - dut.rate * fresh, len(dut.stored))),
        accumulator.eq(nearest(fresh, 2)),
    ]
    known = old_enough(m, dut.latency + 1)
    for found, expected, name in ((dut.new_stored, stored, "stored"),
                                  (dut.new_accumulator, accumulator, "accumulator")):
        m.d.comb += Assert(~known | (found == delay(m, expected, dut.latency, name=f"expected_{name}")))


def small_optimizer(module):
    return module.Optimizer(stored_bits=7, accumulator_bits=4, rate_bits=3, gradient_bits=3)


def random_rules(m, dut):
    """16 times b[n] = b[n-32] ^ b[n-30] ^ b[n-26] ^ b[n-25], bit by bit, the newest bit on top."""
    bits = list(dut.state)
    for _ in range(16):
        bits.append(bits[-32] ^ bits[-30] ^ bits[-26] ^ bits[-25])
    following = Mux(dut.load, dut.load_state, Mux(dut.step, Cat(bits[-32:]), dut.state))
    known = old_enough(m, 1)
    m.d.comb += Assert(~known | (dut.state == delay(m, following, 1)))
    m.d.comb += Assert(dut.number == dut.state >> 16)
    # Never 0, unless that is loaded.
    m.d.comb += [Assume(dut.load_state != 0), Assert(dut.state != 0)]


def rounder_rules(m, dut):
    """sign * min(R(magnitude / 2^drop), 2^M - 1) for every M and drop that leave at most M bits."""
    stay(m, old_enough(m, 1), dut.at_random)
    width, late = len(dut.magnitude), dut.random_latency
    most, whole = ~dut.beyond, dut.magnitude >> dut.drop
    fraction = ((dut.magnitude & ((1 << dut.drop) - 1)) << (16 - dut.drop)[:5])[:16]
    m.d.comb += [
        Assume((most & 1) & ((most & (most + 1)[:width]) == 0)),        # 2^M - 1, M = 1 .. width
        Assume((dut.drop < width) & (whole <= most)),
    ]
    given = Cat(most, dut.negative, fraction, whole[:width], nearest(dut.magnitude, dut.drop)[:width + 1])
    held = data.View(data.StructLayout({"most": width, "negative": 1, "fraction": 16, "whole": width,
                                        "nearest": width + 1}), delay(m, given, late, name="given"))
    total = Mux(dut.at_random, held.whole + (held.fraction > dut.random), held.nearest)
    found, expected = Mux(total > held.most, held.most, total)[:width], Signal(signed(width + 1))
    m.d.comb += expected.eq(Mux(held.negative, -found, found))
    m.d.comb += Assert(~old_enough(m, dut.latency + 1)
                       | (dut.o == delay(m, expected, dut.latency - late, name="expected")))


PARTS = {
    "functions": (rounding, Functions, function_rules),
    "constant": (constant_quantizer, Shifted, constant_rules),
    "optimizer": (optimizer, small_optimizer, optimizer_rules),
    "random": (random_lane, lambda module: module.RandomLane(0x9E3779B9), random_rules),
    "rounder": (digit_rounder, lambda module: module.DigitRounder(), rounder_rules),
}
"""What is proved: a module, what is made of it, and its rules."""

MUTANTS = [
    ("functions", "value[:shift - 1].any() | value[shift])", "value[:shift - 1].any())"),
    ("functions", "upper.all() | ~upper.any()", "~upper.any()"),
    ("functions", " | (negative & ~value[1:bits - 1].any())", ""),
    ("functions", "+ (up ^ negative))", "+ up)"),
    ("functions", ".as_unsigned() + negative)", ".as_unsigned())"),
    ("constant", "distance < 0, 0, ", "distance < 0, 1, "),
    ("constant", "distance > self._most, self._most, ", "distance > self._most, 0, "),
    ("constant", "beyond |= value[kept:].any()", "beyond = value[kept:].any()"),
    ("constant", "self._low + 2 ** bit - 1", "self._low + 2 ** bit - 2"),
    ("constant", "(whole >= self.limit)", "(whole > self.limit)"),
    ("constant", "> self.random)", ">= self.random)"),
    ("constant", "1 + len(self._levels)", "2 + len(self._levels)"),
    ("optimizer", "rounded(fresh, 2)", "(fresh >> 2)"),
    ("optimizer", "- (Mux(fresh[-1], self.rate, 0) << 1)", "+ (Mux(fresh[-1], self.rate, 0) << 1)"),
    ("optimizer", "accumulator_bits + 2", "accumulator_bits + 1"),
    ("optimizer", "(high << bits - 2)", "(high << bits - 3)"),
    ("optimizer", "clipped(value, self._stored_bits)", "value[:self._stored_bits].as_signed()"),
    ("random", "self.state[STATE_BITS + n - lag]", "self.state[STATE_BITS + n - lag - 1]"),
    ("random", "Cat(self.state[RANDOM_BITS:], *new)", "Cat(*new, self.state[:RANDOM_BITS])"),
    ("rounder", "(fraction[:-1].any() | kept[0])", "kept[0]"),
    ("rounder", "(fraction[:-1].any() | kept[0])", "fraction[:-1].any()"),
    ("rounder", "- fraction)[-1]", "- fraction - 1)[-1]"),
    ("rounder", "self.random[RANDOM_BITS - len(fraction):]", "self.random[:len(fraction)]"),
    ("rounder", "Mux(self.at_random, chance, nearest)", "nearest"),
    ("rounder", " & ~(kept | beyond).all()", ""),
    ("rounder", "delay(m, drop, 1,", "delay(m, drop, 0,"),
]


def depth_of(dut):
    return getattr(dut, "latency", 1) + 3


@pytest.mark.parametrize("name", PARTS)
def test_formula(name, tmp_path):
    module, make, rules = PARTS[name]
    dut = make(module)
    prove(dut, rules, tmp_path, depth=depth_of(dut))


@pytest.mark.parametrize("name, old, new", MUTANTS)
def test_others_are_refuted(name, old, new, tmp_path):
    module, make, rules = PARTS[name]
    dut = make(mutant(module, old, new))
    refuted(dut, rules, tmp_path, depth=depth_of(dut), bounded=True)
