# amaranth: UnusedElaboratable=no
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

from ..golden.test_depthwise import ENGINES, images, network
from .test_smartexchange_engine import bench_of


class Floats:
    """A program of a float network, a batch of it, and what the interpreter and timing.py say of it."""

    def __init__(self, config):
        self.config, found = config, compress(network(size=2), Options(element_share=0.5))
        integer = lower(calibrate(found.network, images(size=2)), found.factors, config)
        program, machine = encode(integer, config), Machine(config)
        self.words = [int(word) for word in program.to_words()]
        machine.load(self.words)
        x = np.rint(images(config.batch, 2) / integer.input_scale).astype(np.int64)
        self.beats = [program.pack_input(x)]
        self.outputs = [machine.run(self.beats[0])]
        predicted = timing.predict(machine)
        self.cycles = [(predicted.load_cycles, predicted.run_cycles)]
        self.inputs = [[int.from_bytes(beat.tobytes(), "little") for beat in self.beats[0]]]


@pytest.mark.parametrize("name", ENGINES)
def test_depthwise(name):
    case = Floats(ENGINES[name])
    bench = bench_of(case.config)

    async def run(ctx):
        await bench.load(ctx, case.words)
        await bench.batch(ctx, case, 0)

    bench.run(run)
