"""A depthwise network that was floats, on the RTL of both dataflows: every bit, and every cycle."""

import numpy as np
import pytest
from shiftwork.golden.common.network import calibrate
from shiftwork.golden.smartexchange import timing
from shiftwork.golden.smartexchange.compress import compress
from shiftwork.golden.smartexchange.encode import encode
from shiftwork.golden.smartexchange.interpreter import Machine
from shiftwork.golden.smartexchange.lower import lower
from shiftwork.golden.smartexchange.options import Options

from ..golden.test_depthwise import images, network
from .test_rebuild_engine import REBUILD
from .test_smartexchange_engine import TINY


@pytest.mark.parametrize("config", [TINY, REBUILD["2 x 2"]], ids=["factored", "rebuild"])
def test_depthwise(config, simulator):
    found = compress(network(), Options(element_share=0.5))
    program = encode(lower(calibrate(found.network, images()), found.factors, config), config)
    assert [about["kind"] for about in program.metadata["layers"]] == ["depthwise", "point", "dense"]
    x = np.rint(images(config.batch) / program.metadata["input_scale"]).astype(np.int64)
    words, beats, machine = program.to_words(), program.pack_input(x), Machine(config)
    machine.load(words)
    values, predicted = machine.run(beats), timing.predict(machine)
    run = simulator(config).run([int(word) for word in words], [beats], stall_percent=0, seed=0)
    np.testing.assert_array_equal(run.values[0].reshape(values.shape), values)
    assert (run.load_cycles[0], run.run_cycles[0]) == (predicted.load_cycles, predicted.run_cycles)
