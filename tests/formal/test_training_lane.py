# amaranth: UnusedElaboratable=no
"""Sums of a lane, and those that leave an array of four, are those of products of digits."""

from functools import reduce
from operator import add, or_

import pytest
from amaranth.hdl import Assert, Assume, Cat, Mux, Signal, signed
from amaranth.lib.data import ArrayLayout
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.hw.common.delay import delay
from shiftwork.hw.training import array, lane
from shiftwork.hw.training.array import latency

from .kit import Opened, mutant, prove, refuted

BITS = 40   #: of a sum


def value(digit, negative):
    """A digit whose upper bit counts as -2 if ``negative``."""
    return Cat(digit, digit[1] & negative).as_signed()


def lane_rules(m, dut):
    """Products, shifts and ends at any time: the accumulator and what leaves it."""
    late = lane.levels(len(dut.left))
    for couple in dut.right:
        m.d.comb += Assume(couple.upper == (couple.a + couple.b)[1:])
    left = [value(digit, dut.negative) for digit in delay(m, dut.left, late, name="left")]
    right = [digit for couple in delay(m, dut.right, late, name="right") for digit in (couple.a, couple.b)]
    # What is to be taken off if right digits are 2 too great: 2 * (sum of left). It is not made anew.
    surplus = dut.negative - dut.offset
    m.d.comb += Assume((surplus == 0) | (surplus == reduce(add, left)))
    dot = reduce(add, [a * b for a, b in zip(left, right, strict=True)]) - 2 * surplus
    dot = delay(m, dot, 3, name="dot")
    m.d.comb += Assume((dut.factor & (dut.factor - 1)) == 0)
    near, far = (delay(m, value, 1, name=name) for name, value in (("near", dut.near), ("far", dut.far)))
    m.d.comb += Assume(~(dut.near & dut.far))
    dot = Mux(far, dot << lane.FAR, Mux(near, dot, 0))
    powers = Signal(ArrayLayout(signed(BITS), len(dut.factor)))
    m.d.comb += [power.eq(Mux(bit, dot << n, 0)) for n, (power, bit) in
                 enumerate(zip(powers, dut.factor, strict=True))]
    term = reduce(or_, powers)
    so_far, total, result = (Signal(BITS, name=name) for name in ("so_far", "total", "result"))
    m.d.comb += total.eq(so_far + delay(m, term, 1, name="term"))
    m.d.sync += [so_far.eq(Mux(dut.ends, 0, total)), result.eq(Mux(dut.ends, total, dut.i))]
    m.d.comb += [Assert(dut.inner["accumulator"] == so_far.as_signed()), Assert(dut.o == result.as_signed())]


def opened(module, monkeypatch, block=4):
    return Opened(module.Lane(block), module, ["accumulator"], monkeypatch)


def test_lane(tmp_path, monkeypatch):
    prove(opened(lane, monkeypatch), lane_rules, tmp_path, depth=6)


@pytest.mark.parametrize("old, new", [
    ("second & b[1])", "second & b[0])"), ("accumulator.eq(0), o.eq(total)", "o.eq(total)"),
    ("dot << FAR", "dot << FAR - 1"), ("upper ^ self.negative.replicate(len(upper))", "upper"),
], ids=["choice", "ends", "shift", "sign"])
def test_other_lanes_are_refuted(old, new, tmp_path, monkeypatch):
    refuted(opened(mutant(lane, old, new), monkeypatch), lane_rules, tmp_path, depth=12, bounded=True)


def array_rules(m, dut):
    """Vectors of the sums of all lanes: outputs of one step each, of one product each, shifted by 18 or not.

    That products and steps add up is the lane's affair; this is about what comes where, and when.
    """
    config, step, late = EngineConfig(side=2), dut.step, latency(EngineConfig(side=2))
    m.d.comb += [Assume(~(step.ends & delay(m, step.ends, 1, reset_less=False, name="before"))),
                 Assume(Mux(step.ends, (step.shift == 0) | (step.shift == 18), step.shift == array.NOTHING))]
    for k, digits in enumerate(dut.left):
        others = Cat(other for n, other in enumerate(dut.left) if n != k)
        m.d.comb += Assume(~Cat(digits).any() | ~others.any())
    leaves = [delay(m, step.ends, late + n, reset_less=False, name=f"leaves{n}_") for n in range(config.side)]
    m.d.comb += [Assert(dut.o_valid == Cat(leaves).any()), Assert(dut.o_last == leaves[-1])]
    for i in range(config.side):
        left = [value(digits[i], step.left_top) for digits in dut.left]
        for j, leave in enumerate(leaves):
            right = [value(digits[j], step.right_top) for digits in dut.right]
            dot = reduce(add, [a * b for a, b in zip(left, right, strict=True)])
            expected = delay(m, Mux(step.shift == 18, dot << 18, dot), late + j, name=f"expected{i}{j}_")
            m.d.comb += Assert(~leave | (dut.o[i] == expected))


def test_array(tmp_path):
    prove(array.MatrixArray(EngineConfig(side=2)), array_rules, tmp_path, depth=10, bounded=True)


@pytest.mark.parametrize("old, new", [
    ("digits[column][1] ^ self.step.right_top", "digits[column][1]"),
    ("left_top - Mux(right_top, total, 0)", "Mux(left_top, 1, 0) - total"),
    ("shift < UNSIGNED_BITS, 1", "shift < UNSIGNED_BITS, 2"),
    ("vectors, side - 1 - row", "vectors, row"),
], ids=["signed", "offset", "near", "skew"])
def test_other_arrays_are_refuted(old, new, tmp_path):
    other = mutant(array, old, new)
    refuted(other.MatrixArray(EngineConfig(side=2)), array_rules, tmp_path, depth=10, bounded=True)
