"""The cocotb bench on the emitted Verilog of a training engine of 2 by 2 lanes, and on a mutant of it."""

import numpy as np
import pytest
from shiftwork.flow import training
from shiftwork.flow.recipes import convolutional
from shiftwork.flow.training_figures import fitted
from shiftwork.sim.runner import available_simulators

pytestmark = pytest.mark.skipif(not available_simulators(), reason="needs a Verilog simulator")

# Most of the others are the same session again, and what they share with other engines; `shiftwork verify`
# runs them all, with more steps.
TESTS = ["batches_with_stalls/repetition=0", "reset_in_mid_packet/where=running"]


@pytest.fixture(scope="module")
def engine():
    """The Verilog, a program of the smallest network with a pool, and images."""
    prepared = training.compress(convolutional((1, 2, 2), (2,), 2, {1}, 0), None, seed=1)
    config = fitted(prepared, side=2)
    program = training.encode(prepared, config)
    x = training.random_input(program, program.metadata["batch"], np.random.default_rng(0))
    return training.verilog(config), program, x


def test_bench_passes(engine, tmp_path):
    """Inference, a training step, inference, maps and all parameters under stalls; a reset amid a run."""
    found = training.verify(*engine, tmp_path, steps=1, tests=TESTS)
    assert found["batches"] == 5 and found["tests"] == len(TESTS) and found["values"] > 900


def test_bench_finds_a_mutant(engine, tmp_path):
    """One character of the Verilog: a lane of the packer never rounds negative numbers away from 0.

    The inference before the step, all in 8 bits, has nothing to round; that after it shows what was learned.
    """
    rtl, *rest = engine
    right, wrong = "up ^ negative_2", "up | negative_2"
    assert rtl.count(right) == 2    # A lane each; one of them shall be wrong.
    with pytest.raises(AssertionError, match="values of batch 2 differ; the first, value"):
        training.verify(rtl.replace(right, wrong, 1), *rest, tmp_path, steps=1,
                        tests=["batches_without_stalls"])
