"""The order of rows, by hand."""

from shiftwork.golden.circulant.schedule import schedule
from shiftwork.golden.circulant.words import Act, Addend, Right, Row

_I, _F, _G, _O = (Row(act=Act.SIGMOID, peephole=True, to_t0=True),
              Row(act=Act.SIGMOID, peephole=True, right=Right.C, to_c=True),
              Row(act=Act.TANH, right=Right.T0, addend=Addend.C, to_c=True),
              Row(act=Act.SIGMOID, peephole=True, right=Right.TANH_C, to_vector=True))


def test_readers_come_late_enough_and_overwriters_behind_readers():
    # f overwrites the C that i reads; g waits for both, o for g.
    assert schedule([[_I, _F, _G, _O]], 3) == [[0, 1, None, None, 2, None, None, 3]]
    # Listed the other way round f's C is what i reads.
    assert schedule([[_F, _I, _G, _O]], 2) == [[0, None, 1, None, 2, None, 3]]


def test_the_first_that_may_come_next_fills_gaps():
    other = [Row(**{**vars(row), "state": 1, "target": 1}) for row in (_I, _F, _G, _O)]
    assert schedule([[_I, _F, _G, _O, *other]], 2) == [[0, 1, 4, 2, 5, 3, 6, None, 7]]


def test_vectors_are_written_in_the_order_of_their_targets():
    rows = [Row(to_vector=True, target=target) for target in (2, 0, 1)]
    assert schedule([rows], 4) == [[1, 2, 0]]
    # In each phase by itself, and whatever else is in between.
    rows.insert(0, Row(to_t0=True))
    assert schedule([rows, rows], 1) == [[0, 2, 3, 1], [0, 2, 3, 1]]


def test_distances_are_counted_over_phases():
    write, read = Row(to_t1=True), Row(add=True, to_vector=True)
    assert schedule([[write], [read]], 3) == [[0], [None, None, 0]]
    assert schedule([[write, Row(state=5, to_t0=True)], [read]], 3) == [[0, 1], [None, 0]]


def test_idle_rows_in_front_are_those_that_a_steps_end_asks_for():
    both = Row(right=Right.C, to_c=True, to_vector=True)
    assert schedule([[both]], 4) == [[None, None, None, 0]]
    assert schedule([[Row(right=Right.C, to_t0=True)], [Row(to_c=True, to_vector=True)]], 4) == [
        [None, None, None, 0], [0]]
    # Far enough apart there are none.
    others = [Row(state=n, to_vector=True, target=n) for n in range(1, 4)]
    assert schedule([[both, *others]], 4) == [[0, 1, 2, 3]]
