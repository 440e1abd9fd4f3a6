"""Schedules of all mappings on the compiled RTL: the plain model's outputs, the cost model's cycles."""

from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.ternary.mapping import TileCosts, schedules
from shiftwork.golden.ternary.model import forward_layer
from shiftwork.hw.ternary.top import emit
from shiftwork.sim.compiled import CompiledSimulator, EngineError

from ..golden.test_mapping import CASES, SMALL, work_of

ARRAYS = (1, 3)
COUNTS = ("program_cycles", "load_cycles", "run_cycles")


@pytest.fixture(scope="module", params=ARRAYS, ids=lambda arrays: f"{arrays} arrays")
def engine(request, tmp_path_factory):
    """(config, simulator); its Verilog is compiled once."""
    config = replace(SMALL, arrays=request.param)
    return config, CompiledSimulator(emit(config), tmp_path_factory.mktemp("mapping"))


@pytest.mark.parametrize("name", CASES)
def test_passes(engine, name):
    config, simulator = engine
    work, x = work_of(name, config)
    expected = forward_layer(work.layer, x)
    for found in schedules(work).values():
        done = simulator.run_passes(found.packets(x), max_cycles=100_000)
        np.testing.assert_array_equal(found.outputs([one.values for one in done]), expected)
        costs = TileCosts(found.tiling)
        for count in COUNTS:
            assert sum(getattr(one, count) for one in done) == getattr(found.cost, count), found.mapping
            for one, pass_ in zip(done, found.passes, strict=True):
                assert getattr(one, count) == getattr(costs.of([pass_]), count), pass_


@pytest.mark.parametrize("name", CASES)
def test_stalls_change_cycles_only(engine, name):
    config, simulator = engine
    work, x = work_of(name, config)
    expected = forward_layer(work.layer, x)
    for seed, found in enumerate(schedules(work).values()):
        done = simulator.run_passes(found.packets(x), stall_percent=35, seed=seed, max_cycles=200_000)
        np.testing.assert_array_equal(found.outputs([one.values for one in done]), expected)
        assert sum(one.run_cycles for one in done) >= found.cost.run_cycles
        assert sum(one.program_cycles for one in done) > found.cost.program_cycles


def test_errors_name_the_pass(engine):
    config, simulator = engine
    work, x = work_of("halo", config)
    packets = list(next(iter(schedules(work).values())).packets(x))
    wrong = packets[0][0].copy()
    wrong[-1] ^= 1
    with pytest.raises(EngineError, match="Program of pass 1 must be accepted .* error 5, checksum"):
        simulator.run_passes([packets[0], (wrong, None)])
    with pytest.raises(EngineError, match="Pass 0 must be accepted .* error 8, input short"):
        simulator.run_passes([(packets[0][0], packets[0][1][:-1])])
    with pytest.raises(ValueError, match=r"Pass 0 must have shape \(beats, 2\), not \(5, 3\)"):
        simulator.run_passes([(packets[0][0], np.zeros((5, 3)))])
