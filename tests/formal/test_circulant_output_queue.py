# amaranth: UnusedElaboratable=no
"""The output queue loses no beat of a step that begins when there is room; packets end where they must."""

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Mux, Signal
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.hw.circulant import output_queue

from .kit import assert_stream_rules, held, mutant, prove, refuted, stay

DEPTH, BOARD, END = 3, 8, 12    #: beats of the queue; of the list of what it holds; cycles that are looked at


class Small(CirculantConfig):
    """A queue smaller than an engine may have."""

    def __post_init__(self):
        pass


CONFIG = Small(block=4, rows=2, vector_width=2, output_depth=DEPTH)


def queue_rules(m, dut):
    """Steps of 1 to DEPTH beats, with gaps or without; beats of zeros; ``o`` stalls as it likes.

    What leaves is what came, in order. A beat that is there is offered after 4 cycles, one of zeros after 5.
    ``room`` is exact.
    """
    left, pending = Signal(range(DEPTH + 1)), Signal()
    beats, valid = dut.output_beats, dut.valid
    begins = valid & (left == 0)
    m.d.comb += [
        Assume((beats >= 1) & (beats <= DEPTH)), Assume(~begins | (dut.room & ~held(m, valid))),
        Assume(~dut.zeros | ~(valid | left.any() | pending)),
    ]
    stay(m, left.any() | begins, beats)
    stay(m, left.any(), dut.step_last)
    remaining = Mux(begins, beats, left)
    with m.If(valid):
        m.d.sync += left.eq(remaining - 1)

    board = Array(Signal(33, name=f"beat{n}") for n in range(BOARD))
    come, gone, late = Signal(range(BOARD)), Signal(range(BOARD)), Signal(3)
    count = (come - gone)[:len(come)]
    leaves = dut.o.valid & dut.o.ready
    pair = Cat(Cat(value, value[-1].replicate(14)) for value in dut.i)
    last = dut.zeros | (dut.step_last & (remaining == 1))
    with m.If(valid | dut.zeros):
        m.d.sync += [come.eq(come + 1), board[come].eq(Cat(Mux(valid, pair, 0), last))]
    m.d.sync += [gone.eq(gone + leaves), late.eq(Mux((count != 0) & ~dut.o.valid, late + 1, 0))]
    m.d.comb += [
        Assert(~dut.o.valid | ((count != 0) & (dut.o.p.as_value() == board[gone]))),
        Assert(count <= DEPTH + 1), Assert(late <= 4),
    ]
    # The beat of zeros waits until one of the others leaves.
    room = Signal()
    m.d.sync += [pending.eq(dut.zeros | (pending & (count > DEPTH))),
                 room.eq((count + beats <= DEPTH) & ~pending & ~dut.zeros)]
    m.d.comb += Assert(dut.room == room)
    assert_stream_rules(m, dut.o)


def test_output_queue(tmp_path):
    prove(output_queue.OutputQueue(CONFIG), queue_rules, tmp_path, depth=END, bounded=True, registers=True)


@pytest.mark.parametrize("old, new", [
    ("free.eq(free - beat.valid +", "free.eq(free - self.valid +"),
    ("ending.eq(zeros & (free != 0))", "ending.eq(zeros)"),
    ("& ~(self.zeros | zeros))", "& ~zeros)"),
    ("ending | (ends & self.step_last)", "ending | ends"),
], ids=["free", "full", "zeros", "last"])
def test_other_queues_are_refuted(old, new, tmp_path):
    dut = mutant(output_queue, old, new).OutputQueue(CONFIG)
    refuted(dut, queue_rules, tmp_path, depth=END, bounded=True, registers=True)
