"""The cocotb bench on the emitted Verilog of engines other than the presets of the ternary one."""

import dataclasses

import numpy as np
import pytest
from shiftwork.flow import circulant, smartexchange, ternary

TINY = dataclasses.replace(ternary.PRESETS["tiny"], row_depth=64, vector_depth=64)
ENGINES = {
    "bit-serial": (ternary, dataclasses.replace(TINY, bit_serial=True)),
    "three arrays": (ternary, dataclasses.replace(TINY, arrays=3)),
    "circulant": (circulant, dataclasses.replace(circulant.PRESETS["tiny"], rows=1)),
    "smartexchange": (smartexchange, smartexchange.PRESETS["tiny"]),
}


@pytest.mark.parametrize("name", ENGINES)
def test_bench_passes(name, tmp_path):
    """Batches with and without stalls, resets, bad packets, registers: sim/engine_tests.py."""
    module, config = ENGINES[name]
    program = module.encode(module.selftest(config), config)
    x = module.random_input(program, 2 * program.metadata["images"], np.random.default_rng(0))
    found = module.verify(module.verilog(config), program, x, tmp_path)
    assert found["batches"] == 2 and found["tests"] == 11 and found["values"] > 0
