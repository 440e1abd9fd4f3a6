"""Programs without INPUT: they compute on what the memories hold."""

import numpy as np
import pytest
from shiftwork.golden.common.parts import word_section
from shiftwork.golden.ternary.descriptor import Descriptor, Kind
from shiftwork.golden.ternary.encode import encode
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.program import Memory, Program, ProgramError
from shiftwork.golden.ternary.timing import END_CYCLES, predict

from .networks import CONFIGS, conv_layer, random_input, random_network
from .test_timing import one_layer

CONFIG = CONFIGS["tiny"]


def without_input(program, config):
    """The program's other descriptors, from the table's first word on; its weights and scales stay."""
    machine = Machine(config)
    machine.load(program.to_words())
    words = []
    for _, d in machine._descriptors():
        words += [] if d.kind is Kind.INPUT else d.to_words()
    words += Descriptor(kind=Kind.END).to_words()
    return Program(config, (word_section(Memory.TABLE, words, config),))


def ran():
    rng = np.random.default_rng(0)
    network = one_layer(conv_layer(rng.integers(-1, 2, (3, 2, 3, 3)), pads=(1, 1, 1, 1)), (2, 5, 6))
    program, machine = encode(network, CONFIG), Machine(CONFIG)
    machine.load(program.to_words())
    values = machine.run(program.pack_input(random_input(rng, network, CONFIG.batch)))
    return program, machine, values


def test_again_on_the_same_rows():
    program, machine, values = ran()
    first = predict(machine)
    machine.load(without_input(program, CONFIG).to_words())
    for beats in ([], np.ones((7, CONFIG.drain_width), np.uint8)):    # it takes none of them
        np.testing.assert_array_equal(machine.run(beats), values)
        again = predict(machine)
        assert again.load_cycles == 0 and again.run_cycles == first.run_cycles
        assert again.layers == first.layers[1:]


def test_nothing_but_an_end():
    machine = Machine(CONFIG)
    machine.load(Program(CONFIG, ()).to_words())
    assert not machine.run([]).size and predict(machine).load_cycles == END_CYCLES
    assert machine.visits() == ()


@pytest.mark.parametrize("seed", range(4))
def test_visits_are_those_of_a_batch(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 2, 0)
    program, machine, idle = encode(network, CONFIG), Machine(CONFIG), Machine(CONFIG)
    for one in (machine, idle):
        one.load(program.to_words())
    machine.run(program.pack_input(random_input(rng, network, CONFIG.batch)))
    before = idle.arrays[0].rows.copy()
    for found, expected in zip(idle.visits(), machine.layers, strict=True):
        assert found.descriptor == expected.descriptor
        np.testing.assert_array_equal(found.bitmaps, expected.bitmaps)
        np.testing.assert_array_equal(found.signs, expected.signs)
    assert idle.layers == () and np.array_equal(idle.arrays[0].rows, before)


def test_visits_refused():
    machine = Machine(CONFIG)
    with pytest.raises(ProgramError, match="Program must be loaded before a start, not missing"):
        machine.visits()
    machine.load(encode(random_network(np.random.default_rng(0), 1, 1), CONFIG).to_words())
    with pytest.raises(ValueError, match="Descriptor 2 must be INPUT or CONV, whose visits do not depend on "
                                         "activations, not DENSE"):
        machine.visits()
