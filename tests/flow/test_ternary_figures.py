"""Figures of engines of several column arrays."""

import dataclasses

import numpy as np
import pytest
from shiftwork.flow.ternary import REGISTERS, selftest
from shiftwork.flow.ternary_figures import layer_cycles, memory_use
from shiftwork.golden.ternary.config import PRESETS
from shiftwork.golden.ternary.encode import encode
from shiftwork.sim.engines import engine_of


def test_all_arrays_count():
    """Memories of activations, lanes and images are three times as many; cycles of convolutions are not."""
    one = PRESETS["tiny"]
    config = dataclasses.replace(one, arrays=3)
    network = selftest(one)
    programs = encode(network, one), encode(network, config)
    for before, after in zip(*map(memory_use, programs), strict=True):
        times = 3 if before["name"] in ("row memory", "vector memory") else 1
        assert (after["bits"], after["used"]) == (times * before["bits"], times * before["used"])
    x = np.random.default_rng(1).integers(1, 256, (config.batch, *network.input_shape))
    layers = [layer_cycles(program, x[:program.metadata["images"]]) for program in programs]
    for before, after in zip(*layers, strict=True):
        assert after["dense"] == pytest.approx(before["dense"], abs=1)
        if before["kind"] == "conv":
            for name in ("cycles", "work", "drain", "bound", "ideal"):
                assert after[name] == before[name]
        assert after["cycles"] >= after["bound"]


def test_the_register_of_arrays():
    assert (0x34, "ARRAYS") in [register[:2] for register in REGISTERS]
    config = dataclasses.replace(PRESETS["tiny"], arrays=3)
    assert dict(engine_of(config).registers(config).T.tolist())[0x34] == 3
