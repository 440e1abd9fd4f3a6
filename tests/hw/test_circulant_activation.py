"""The activation's every bit; shifts that round and limit."""

import random

import pytest
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.hw.circulant.activation import ActivationUnit
from shiftwork.hw.circulant.layouts import Activation
from shiftwork.hw.circulant.rounding_shift import RoundingShift

from .circulant_kit import activate, limited, rounded
from .kit import simulate


def _found(dut, output, stimuli):
    """``output`` for ``stimuli``, a dict of inputs each, one a cycle, after the latency."""
    found = []

    async def bench(ctx):
        for n in range(len(stimuli) + dut.latency):
            if n < len(stimuli):
                for name, value in stimuli[n].items():
                    ctx.set(getattr(dut, name), value)
            if n >= dut.latency:
                found.append(ctx.get(getattr(dut, output)))
            await ctx.tick()

    simulate(dut, bench, timeout=len(stimuli) + dut.latency + 10)
    return found


def _inputs(segment_bits):
    """Ends, what is around the ends of segments of both functions, and a dense sample."""
    step = 1 << 11 - segment_bits
    near = {n * step + d for n in range(-(1 << 15) // step, (1 << 15) // step + 1) for d in (-1, 0, 1)}
    return sorted(x for x in {*near, *range(-1 << 15, 1 << 15, 37)} if -1 << 15 <= x < 1 << 15)


@pytest.mark.parametrize("segment_bits", [1, 2, 5])
def test_all_kinds(segment_bits):
    config = CirculantConfig(segment_bits=segment_bits)
    dut = ActivationUnit(config)
    assert dut.latency == 5
    stimuli = [{"x": x, "act": act} for x in _inputs(segment_bits)
               for act in (Activation.SIGMOID, Activation.TANH)]
    rng = random.Random(1)
    rng.shuffle(stimuli)
    for n in range(0, len(stimuli), 9):
        stimuli[n]["act"] = Activation.NONE
    assert _found(dut, "y", stimuli) == [activate(s["x"], s["act"].value, segment_bits) for s in stimuli]


@pytest.mark.parametrize("segment_bits", [1, 2, 5])
def test_tanh_by_additions(segment_bits):
    dut = ActivationUnit(CirculantConfig(segment_bits=segment_bits), multiplier=False, tanh=True)
    assert dut.latency == (6 if segment_bits == 5 else 7)
    inputs = _inputs(segment_bits)[::2]
    assert _found(dut, "y", [{"x": x} for x in inputs]) == [activate(x, 2, segment_bits) for x in inputs]


@pytest.mark.parametrize("in_width, out_width, levels", [
    (23, 16, ((4, 3, 2), (1, 0))), (14, 16, ((4, 3, 2), (1, 0))), (30, 16, ((4, 3, 2), (1, 0))),
    (18, 12, ((3, 2, 1, 0),)), (18, 16, ((3, 2, 1, 0),)), (18, 8, ((3, 2, 1, 0),)),
])
def test_rounding_shift(in_width, out_width, levels):
    dut = RoundingShift(in_width, out_width, levels)
    rng = random.Random(in_width)
    low, high = -1 << in_width - 1, (1 << in_width - 1) - 1
    stimuli = []
    for shift in range(1 << len(dut.shift)):
        # around the limits of the result and where the rounding turns
        around = [(limit << shift) + (1 << shift >> 1) + d
                  for limit in (-1 << out_width - 1, (1 << out_width - 1) - 1, 0, -1) for d in (-1, 0, 1)]
        # beyond the limits, and all bits that are kept are alike
        alike = [sign ^ 1 << n for sign in (0, -1) for n in range(in_width)]
        values = [low, high, *around, *alike, *(rng.randrange(low, high + 1) >> rng.randrange(in_width)
                                        for _ in range(20))]
        stimuli += [{"i": v, "shift": shift} for v in values if low <= v <= high]
    rng.shuffle(stimuli)
    assert _found(dut, "o", stimuli) == [limited(rounded(s["i"], s["shift"]), out_width) for s in stimuli]
