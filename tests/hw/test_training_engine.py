"""The training engine's RTL, compiled, beside the machine's golden model, which equals the interpreter."""

import numpy as np
import pytest
from shiftwork.flow.recipes import convolutional
from shiftwork.flow.training_program import beats, words
from shiftwork.golden.common.program import ErrorCode, ProgramError
from shiftwork.golden.training.dynasty import DynastySettings
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.program import MAGIC
from shiftwork.golden.training.registers import COUNTERS
from shiftwork.hw.training.top import emit
from shiftwork.sim.compiled import CompiledSimulator, EngineError
from shiftwork.sim.engines import TrainingEngine

from ..golden.training_firmware_kit import Pair, integer_network, varied

ROOM = dict(left_slots=256, right_slots=512, z_depth=2048, error_depth=1024, winner_depth=256,
            weight_depth=1024, data_depth=2048)
TINY = convolutional((1, 4, 4), (3, 5), 3, {2}, 0)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    return CompiledSimulator(emit(EngineConfig(side=2, **ROOM)), tmp_path_factory.mktemp("compiled"),
                             "shiftwork_training", magic=MAGIC, **TrainingEngine.compilation)


def pair_of(graph, mode, bits):
    settings = DynastySettings(interval=1, hold=1)
    return Pair(integer_network(graph, 2, error_bits=bits), 8, mode, settings=settings, room=ROOM)


def train(session, pair, steps, program=None):
    """Steps, each with what the network has learned and says afterwards, all words equal to golden's."""
    rng = np.random.default_rng(steps)
    shape, packets = tuple(pair.net.network.input_shape), pair.packets
    for n in range(steps):
        x, labels = rng.random((8, *shape)), rng.integers(0, packets.classes, 8)
        asked = [packets.train(x, labels, (400, 26, 511)[n % 3], (128, 2, 32)[n % 3]), packets.dump()]
        if n == steps - 1:
            asked += [packets.infer(x[:5]), packets.maps()]
        for packet in asked:
            found = words(session.run(beats(packet), program).values)
            expected, program = pair.machine.run(packet), None
            if packet is asked[0]:      # Cycles are the hardware's own.
                expected, found, cycles = expected[:-COUNTERS], found[:-COUNTERS], found[-COUNTERS:]
                assert cycles[:-1].all() and cycles[:-1].max() < cycles[-1]
            assert np.array_equal(found, expected)


@pytest.mark.parametrize("mode, bits, stalls", [("wide", 8, 0), ("fixed", 16, 30), ("dynamic", 8, 60)])
def test_steps(simulator, mode, bits, stalls):
    with simulator.session(stall_percent=stalls, seed=bits) as session:
        pair = pair_of(TINY, mode, bits)
        train(session, pair, 3, pair.program.to_words())


def test_strides_pads_hidden_gemms_and_several_blocks(simulator):
    with simulator.session(stall_percent=10) as session:
        pair = pair_of(varied(), "dynamic", 16)
        train(session, pair, 2, pair.program.to_words())


def test_refused_packets_change_nothing(simulator):
    pair = pair_of(TINY, "dynamic", 8)
    good = pair.packets.train(np.zeros((8, 1, 4, 4)), np.zeros(8, int), 100, 128)
    bad = {"unknown": [9], "short": good[:-1], "long": [*good, 0], "label": [*good[:4], 3, *good[5:]]}
    with simulator.session(stall_percent=20) as session:
        session.run(beats(pair.packets.dump()), pair.program.to_words())
        for packet in bad.values():
            with pytest.raises(ProgramError) as golden:
                pair.machine.run(packet)
            with pytest.raises(EngineError) as found:
                session.run(beats(np.array(packet, np.uint32)))
            assert found.value.code == golden.value.code
            assert found.value.code in (ErrorCode.COMMAND, ErrorCode.INPUT_SHORT, ErrorCode.INPUT_LONG)
        train(session, pair, 1)


def test_start_without_a_program(simulator):
    with simulator.session() as session, pytest.raises(EngineError) as raised:
        session.run(beats(np.array([2], np.uint32)))
    assert raised.value.code == ErrorCode.NO_PROGRAM
