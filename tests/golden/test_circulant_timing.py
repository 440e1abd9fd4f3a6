"""Cycles of a step: by hand, cycle by cycle, and what must hold for any program."""

from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.circulant.cells import Lstm
from shiftwork.golden.circulant.config import PRESETS, CirculantConfig
from shiftwork.golden.circulant.program import Program
from shiftwork.golden.circulant.timing import multiplications, multipliers, predict, utilization
from shiftwork.golden.circulant.transform_config import latency
from shiftwork.golden.circulant.words import Header, Phase, Row, Segment

from .circulant_networks import CELLS, program_of

TINY = PRESETS["tiny"]
VECTOR = Row(to_vector=True)


def program(phases, rows, vectors, config=TINY):
    """A program of (rows, segments) of each phase, whose weights and coefficients are zeros."""
    words = [Phase(rows=count, weight_base=0, sum_shift=0, last=n == len(phases) - 1,
                   segments=(*segments, Segment())[:2]) for n, (count, segments) in enumerate(phases)]
    header = Header(input_blocks=1, input_base=0, vectors=vectors, output_beats=1)
    return Program.of_words(config, header, words, rows, np.zeros((1, 4), int),
                            np.zeros((1, config.rows, config.slots, 2), int))


def test_one_phase_by_hand():
    """k = 4, R = 2, h = 2."""
    late = TINY.write_latency
    assert late == 29 + latency(TINY.inverse) + latency(TINY.forward) + 2 == 43
    found = predict(program([(3, [Segment(count=3)])], [VECTOR] * 3, 3))
    # Columns 3, 4, 5; rows at 5 and 7. Then 6, 7, and the last one not before 5 + 2 * 2 = 9.
    assert [(p.first, p.last, p.rows) for p in found.passes] == [(3, 5, (5, 7)), (6, 9, (9,))]
    assert found.step_cycles == 9 + late
    # The second vector ends the step, if there are no more; rows that make none do not count.
    rows = [VECTOR, Row(to_c=True), VECTOR]
    assert predict(program([(3, [Segment(count=3)])], rows, 2)).step_cycles == 9 + late
    assert predict(program([(3, [Segment(count=3)])], rows, 1)).step_cycles == 5 + late


def test_columns_wait_for_vectors_by_hand():
    late = TINY.write_latency
    phases = [(3, [Segment(count=1)]),
              (3, [Segment(count=2), Segment(count=2, after=2, following=True)]),
              (1, [Segment(count=1, after=4), Segment(count=2)])]
    found = predict(program(phases, [VECTOR] * 7, 7))
    # Phase 0: columns 3 and then 7 (rows at 3, 5; free from 7 on); vectors 1 .. 3 at 3, 5, 7 + late.
    # Phase 1: from 7 + 3 on; the third column waits for vector 2, the fourth for vector 3.
    # Its second pass has a column a cycle, but the last one not before 2 rows more.
    last = 7 + late
    assert [(p.first, p.last, p.rows) for p in found.passes] == [
        (3, 3, (3, 5)), (7, 7, (7,)), (10, last, (last, last + 2)), (last + 1, last + 4, (last + 4,)),
        (last + late, last + late + 2, (last + late + 2,))]
    assert found.step_cycles == last + late + 2 + late


def by_cycles(program):
    """The specification, cycle by cycle: at most one column a cycle, if it may be issued."""
    config = program.config
    header, phases, rows = program.parse()
    cycle, free, earliest, written, row = 0, 0, 3, [], 0
    for phase in phases:
        left = phase.rows
        while left:
            count = min(left, config.rows)
            columns = [s.needs(n) for s in phase.segments for n in range(s.count)]
            while columns:
                ready = cycle >= earliest and all(w <= cycle for w in written[:columns[0]])
                if ready and (len(columns) > 1 or cycle >= free):
                    columns.pop(0)
                    issued = cycle
                cycle += 1
            for n in range(count):
                if rows[row].to_vector:
                    written.append(issued + n * config.slots + config.write_latency)
                row += 1
            free, left = issued + count * config.slots, left - count
        earliest = issued + 3
    return written[header.vectors - 1]


@pytest.mark.parametrize("config", [replace(config, spectrum_depth=256, row_depth=1024, phase_depth=32)
                                    for config in (TINY, PRESETS["default"], CirculantConfig(block=16))],
                         ids=["tiny", "default", "16"])
@pytest.mark.parametrize("name", ["lstm, projection", "gru, before, updates", "gru, after, updates"])
@pytest.mark.parametrize("sequences", [1, 3])
def test_steps_cycle_by_cycle(config, name, sequences):
    cell = replace(CELLS[name], hidden=16)
    if isinstance(cell, Lstm):
        cell = replace(cell, projection=16)
    found = program_of([cell, replace(cell, inputs=16)], config, sequences)
    assert predict(found).step_cycles == by_cycles(found)


def test_a_sequence_beside_hides_the_tail():
    config = replace(PRESETS["google-lstm"], row_depth=1024, state_depth=1024)
    cell = Lstm(inputs=64, hidden=256, projection=128)
    one, two = (program_of([cell], config, sequences) for sequences in (1, 2))
    assert multiplications(two) == 2 * multiplications(one)
    assert predict(two).step_cycles < 1.9 * predict(one).step_cycles
    assert utilization(one) < utilization(two) < 1


def test_multiplications_by_hand():
    # k = 8: 3 complex products of 3 and one slot of 2; R = 4.
    assert multipliers(PRESETS["default"]) == 4 * 11 + 6
    assert multipliers(replace(PRESETS["default"], peepholes=False)) == 48
    rows = [VECTOR, Row(), VECTOR]
    tiny = program([(3, [Segment(count=2), Segment(count=3)])], rows, 2)
    assert multiplications(tiny) == 2 * 5 * 5
    assert utilization(tiny) == 50 / ((2 * 5 + 6) * predict(tiny).step_cycles)


def test_a_program_that_would_never_end_is_refused():
    with pytest.raises(ValueError, match="^column must wait for one of the 1 vectors in front of it, "
                                         "not for number 2$"):
        predict(program([(1, [Segment(count=1)]), (1, [Segment(count=2, after=1, following=True)])],
                        [VECTOR] * 2, 2))
    with pytest.raises(ValueError, match="^vectors must be at most the 1 that rows write, not 2$"):
        predict(program([(1, [Segment(count=1)])], [VECTOR], 2))
