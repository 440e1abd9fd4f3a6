"""The cocotb bench on the emitted Verilog of engines other than the presets."""

import dataclasses

import numpy as np
import pytest
from shiftwork.flow import ternary
from shiftwork.golden.ternary.config import PRESETS

TINY = dataclasses.replace(PRESETS["tiny"], row_depth=64, vector_depth=64)
ENGINES = {
    "bit-serial": dict(bit_serial=True),
    "three arrays": dict(arrays=3),
}


@pytest.mark.parametrize("name", ENGINES)
def test_bench_passes(name, tmp_path):
    """Batches with and without stalls, resets, bad packets, registers: sim/engine_tests.py."""
    config = dataclasses.replace(TINY, **ENGINES[name])
    program = ternary.encode(ternary.selftest(config), config)
    x = ternary.random_input(program, 2 * program.metadata["images"], np.random.default_rng(0))
    found = ternary.verify(ternary.verilog(config), program, x, tmp_path)
    assert found["batches"] == 2 and found["tests"] == 11 and found["values"] > 0
