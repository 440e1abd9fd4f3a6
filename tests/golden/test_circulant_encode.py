"""Encoder and interpreter: cells in plain integers and in floats, hazards, messages."""

from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.circulant.cells import Gru, Lstm
from shiftwork.golden.circulant.config import PRESETS, CirculantConfig
from shiftwork.golden.circulant.encode import encode
from shiftwork.golden.circulant.interpreter import Machine
from shiftwork.golden.circulant.program import Memory
from shiftwork.golden.common.program import ErrorCode, ProgramError

from .circulant_networks import CELLS, WIDE, integers, plain_outputs, program_of, ran, random_input

DEFAULT = PRESETS["default"]
ENGINES = {
    "tiny": PRESETS["tiny"],
    "default": DEFAULT,
    "wide": WIDE,
    "narrow": CirculantConfig(block=4, rows=5, vector_width=8, weight_width=8, segment_bits=1,
                              inverse_shifts=(1, 0)),
}


def check_hazards(program):
    """Distances of rows and what columns wait for, from the words alone, over three steps."""
    header, phases, rows = program.parse()
    config, half = program.config, program.config.spectrum_depth // 2
    written, spectrum = {}, {}
    for step in range(3):
        at, count = 0, 0
        for block in range(header.input_blocks):
            spectrum[header.input_base + block ^ step % 2 * half] = (step, 0)
        for phase in phases:
            for segment in phase.segments:
                for column in range(segment.count):
                    place = segment.base + column ^ step % 2 * half * segment.alternate
                    if segment.old:
                        assert spectrum.get(place, (-1, 0))[0] == step - 1
                    else:
                        wrote, number = spectrum[place]
                        assert wrote == step and number <= segment.needs(column) <= count
            for row in rows[at:at + phase.rows]:
                now = step * len(rows) + at
                for name in row.reads:
                    if step or not row.old:
                        assert now - written[name, row.state] >= config.dependence
                for name in row.writes:
                    assert row.idle is False
                    written[name, row.state] = now
                if row.to_vector:
                    count += 1
                    spectrum[row.target ^ step % 2 * half * row.alternate] = (step, count)
                at += 1
        assert count == header.vectors and rows[-1].to_vector and at == len(rows)


@pytest.mark.parametrize("sequences", [1, 2, 3])
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("engine", ENGINES)
def test_programs_compute_the_cells(engine, name, sequences):
    """Every option, bit by bit what the equations in integers are."""
    config, cell = ENGINES[engine], CELLS[name]
    rng = np.random.default_rng([list(CELLS).index(name), sequences])
    network = integers([cell], config, rng)
    program = encode(network, config, sequences)
    check_hazards(program)
    x = random_input(rng, program, 4)
    found = ran(program, x)
    assert found.shape == (sequences, 4, cell.outputs) and len(np.unique(found)) > 5
    for of_sequence, values in zip(x, found, strict=True):
        np.testing.assert_array_equal(values, plain_outputs(network, config, of_sequence))


@pytest.mark.parametrize("sequences", [1, 2])
@pytest.mark.parametrize("names", [
    ("lstm, projection", "gru, after, updates"), ("gru, before, updates", "lstm"),
    ("lstm", "lstm, peephole", "gru, before, updates")])
def test_layers_on_layers(names, sequences):
    config = replace(PRESETS["default"], spectrum_depth=64)
    cells = [CELLS[names[0]]]
    cells += [replace(CELLS[name], inputs=cells[0].outputs) for name in names[1:]]
    rng = np.random.default_rng(len(names))
    network = integers(cells, config, rng)
    program = encode(network, config, sequences)
    check_hazards(program)
    x = random_input(rng, program, 3)
    for of_sequence, values in zip(x, ran(program, x), strict=True):
        np.testing.assert_array_equal(values, plain_outputs(network, config, of_sequence))


def test_states_begin_anew_with_each_sequence():
    """C and y' of the sequence before are forgotten, whatever the memories hold; also after an odd one."""
    config = PRESETS["tiny"]
    rng = np.random.default_rng(8)
    program = program_of([CELLS["lstm, peephole"]], config)
    x = random_input(rng, program, 3)
    machine = Machine(config)
    machine.load(program.to_words())
    first = machine.run(program.pack_input(x))
    assert machine.run(program.pack_input(x)).tolist() == first.tolist()


def test_the_order_of_an_lstm():
    """With a dependence of 2 rows blocks interleave, so that but one row is idle, in front of the last."""
    config = PRESETS["google-lstm"]
    cell = Lstm(inputs=16, hidden=512)
    program = program_of([cell], config)
    _, (phase,), rows = program.parse()
    # f and g both write C.
    kinds = {(True, False, False): "i", (False, True, False): "c", (False, False, True): "o",
             (False, False, False): "-"}
    order = "".join(kinds[row.to_t0, row.to_c, row.to_vector] for row in rows)
    assert order == "ic" + 15 * "iccocioc" + "iccoc-o"
    assert phase.rows == 32 * 4 + 1
    check_hazards(program)


@pytest.mark.parametrize("hidden", [4, 8])
def test_idle_rows_keep_distances_around_a_steps_end(hidden):
    """k = 4, 8 rows from one to the other: C is written by a step's last row, and read by an early one."""
    config = PRESETS["tiny"]
    for cell in (Lstm(inputs=1, hidden=hidden), Gru(inputs=1, hidden=hidden),
                 Gru(inputs=1, hidden=hidden, reset="after")):
        program = program_of([cell], config)
        check_hazards(program)
        assert any(row.idle for row in program.parse()[2])
    # r z - - - - - - - n: the next r comes 8 rows behind n only with 7 idle ones in front of it.
    rows = program_of([Gru(inputs=1, hidden=4)], config).parse()[2]
    assert [row.idle for row in rows] == [True] * 7 + [False] * 2 + [True] * 7 + [False]


def test_missing_rows_of_a_pass_have_weights_of_zero():
    config = replace(PRESETS["default"], rows=5)
    program = program_of([CELLS["lstm"]], config)
    _, (phase,), rows = program.parse()
    weights = program.image(Memory.WEIGHTS).reshape(-1, 5, 8 * config.weight_width)
    passes = weights.reshape(-1, phase.columns, *weights.shape[1:]).any(axis=(1, 3)).reshape(-1)
    assert passes.tolist() == [not row.idle for row in rows] + [False] * (-len(rows) % 5)


def test_engines_without_peepholes_and_without_tanh_are_enough_for_a_gru():
    config = replace(DEFAULT, peepholes=False, cell_tanh=False)
    rng = np.random.default_rng(3)
    network = integers([CELLS["gru, after, updates"]], config, rng)
    program = encode(network, config)
    x = random_input(rng, program, 3)
    np.testing.assert_array_equal(ran(program, x)[0], plain_outputs(network, config, x[0]))


def test_a_packet_that_ends_too_early():
    program = program_of([Gru(inputs=8, hidden=8)])
    machine = Machine(DEFAULT)
    with pytest.raises(ProgramError, match="^Program must be loaded before a start, not missing") as raised:
        machine.run(np.zeros((4, 2)))
    assert raised.value.code is ErrorCode.NO_PROGRAM
    machine.load(program.to_words())
    whole = program.pack_input(np.arange(24).reshape(1, 3, 8))
    wanted = machine.run(whole)
    message = "^Input must have a multiple of 4 beats, those of a step, not 10 "
    with pytest.raises(ProgramError, match=message) as raised:
        machine.run(whole[:-2])
    assert raised.value.code is ErrorCode.INPUT_SHORT
    assert machine.output.tolist() == [*wanted[:8].tolist(), [0, 0]]
    with pytest.raises(ProgramError, match="not 3 "):
        machine.run(whole[:3])
    assert machine.output.tolist() == [[0, 0]]
    # It is runnable still.
    assert machine.run(whole).tolist() == wanted.tolist() == machine.output.tolist()
    with pytest.raises(ProgramError):
        machine.load(program.to_words()[:-1])
    with pytest.raises(ProgramError, match="Program must be loaded"):
        machine.run(whole)


def test_bits_beyond_the_vectors_are_not_looked_at():
    program = program_of([Gru(inputs=8, hidden=8)])
    machine = Machine(DEFAULT)
    machine.load(program.to_words())
    beats = program.pack_input(np.arange(16).reshape(1, 2, 8) - 8)
    wanted = machine.run(beats)
    assert machine.run(beats ^ 0xF000).tolist() == wanted.tolist()
