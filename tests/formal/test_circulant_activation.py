"""The activations of all 65,536 inputs: simulated, as a solver would have to multiply."""

import pytest
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.hw.circulant import activation
from shiftwork.hw.circulant.layouts import Activation

from ..hw.circulant_kit import activate
from ..hw.kit import simulate
from .kit import mutant

CONFIG = CirculantConfig(segment_bits=2)
INPUTS = range(-1 << 15, 1 << 15)


def differences(dut, inputs, acts):
    """The inputs x, act whose outputs are not what the specification says."""
    stimuli = [(x, act) for act in acts for x in inputs]
    found = []

    async def bench(ctx):
        for n in range(len(stimuli) + dut.latency):
            if n < len(stimuli):
                ctx.set(dut.x, stimuli[n][0])
                if "act" in dut.signature.members:
                    ctx.set(dut.act, stimuli[n][1])
            if n >= dut.latency and ctx.get(dut.y) != _expected(*stimuli[n - dut.latency]):
                found.append(stimuli[n - dut.latency])
            await ctx.tick()

    simulate(dut, bench, timeout=len(stimuli) + dut.latency + 10)
    return found


def _expected(x, act):
    return activate(x, act.value, CONFIG.segment_bits)


@pytest.mark.parametrize("act, inputs", [
    (Activation.SIGMOID, INPUTS), (Activation.TANH, INPUTS), (Activation.NONE, INPUTS[::16])])
def test_all(act, inputs):
    assert not differences(activation.ActivationUnit(CONFIG), inputs, [act])


def test_all_by_additions():
    dut = activation.ActivationUnit(CONFIG, multiplier=False, tanh=True)
    assert not differences(dut, INPUTS, [Activation.TANH])


@pytest.mark.parametrize("multiplier, old, new", [
    (True, "Mux(tanh, magnitude[-2:].any(), magnitude[-1])", "Mux(tanh, magnitude[-2:].any(), 0)"),
    (True, "Cat(Const(1 << bits - 1, bits), base)", "Cat(Const(0, bits), base)"),
    (False, "tanh & ~negative", "tanh"),
    (False, "<< n for n, bit in enumerate(place)", "<< n for n, bit in enumerate(place[:-1])"),
], ids=["limit", "rounding", "negative", "term"])
def test_others_differ(multiplier, old, new):
    dut = mutant(activation, old, new).ActivationUnit(CONFIG, multiplier=multiplier)
    assert differences(dut, [*INPUTS[::301], INPUTS[-1]], list(Activation))
