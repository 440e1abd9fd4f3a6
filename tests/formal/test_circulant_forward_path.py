# amaranth: UnusedElaboratable=no
"""Rows and blocks of the input share the forward transform; each is whole, and written in its place."""

import numpy as np
import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.hw.circulant import forward_path, input_blocks
from shiftwork.hw.circulant.swap import lines
from shiftwork.hw.common.delay import delay

from .kit import assume_stream_rules, held, mutant, prove, refuted, stay

CYCLES, WIDTH, LATENCY, BLOCKS, END = 2, 2, 3, 2, 13  #: h, V; of the transform; of a step; cycles looked at


class Small(CirculantConfig):
    """Numbers and memories smaller than an engine may have."""

    spectrum_width = WIDTH

    def __post_init__(self):
        pass


CONFIG = Small(block=2 * CYCLES, rows=2, vector_width=WIDTH, spectrum_depth=4)


class Delay(wiring.Component):
    """Takes the place of the transform: pairs as they are, ``LATENCY`` cycles later."""

    latency, order = LATENCY, np.array([[(t, part) for part in range(2)] for t in range(CYCLES)])

    def __init__(self, _):
        super().__init__({"i": In(lines(WIDTH)), "first": In(1), "o": Out(lines(WIDTH)), "o_first": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.o.eq(delay(m, self.i.as_value(), LATENCY)),
            self.o_first.eq(delay(m, self.first, LATENCY, reset_less=False))]
        return m


def opened(monkeypatch, blocks=input_blocks, path=forward_path):
    """A path of these modules' parts, and the stand-in for its transform."""
    monkeypatch.setattr(path, "InputBlocks", blocks.InputBlocks)
    monkeypatch.setattr(path, "Transform", Delay)
    return path.ForwardPath(CONFIG)


def path_rules(m, dut):
    """Rows of any distance, packets of steps of one or two blocks, which end anywhere.

    A row is written ``latency`` cycles after its first pair, a block of the input in the order of its coming,
    and not before the step before its own was taken. Between packets, when all is taken, ``enable`` is low.
    """
    m.d.comb += Assume(~dut.step_take | dut.step_ready)
    entered = dut._transform.first
    # No block's pairs are another's.
    m.d.comb += Assert(~entered | ~Cat(delay(m, entered, n) for n in range(1, CYCLES)).any())
    row_rules(m, dut)

    # Blocks of a packet before this one may still be in the transform; nobody needs them.
    inside, old, block_written = Signal(4), Signal(4), dut.write & ~dut.row_written
    remaining = inside + (entered & ~dut.rows_first) - block_written
    m.d.sync += [inside.eq(remaining), old.eq(Mux(dut.enable, old - (block_written & (old != 0)), remaining))]
    packet = ResetInserter(~dut.enable)(Module())
    over = packet_rules(packet, dut, block_written & (old == 0))
    m.submodules.packet = packet
    before = held(m, dut.enable)
    m.d.comb += [
        Assume(~before | dut.enable | held(m, over)), Assume(~dut.enable | before | ~held(m, before)),
        Assume((dut.input_blocks >= 1) & (dut.input_blocks <= BLOCKS)),
    ]
    stay(m, before & dut.enable, dut.input_blocks, dut.input_base)


def row_rules(m, dut):
    """Of rows, announced and at least h cycles apart."""
    rows, coming = dut.rows_first, [dut.row_coming]
    for _ in range(CYCLES):
        coming.append(delay(m, coming[-1], 1))
    m.d.comb += [Assume(rows == coming[-1]), Assume(~coming[0] | ~Cat(coming[1:-1]).any())]
    row, target = delay(m, rows, dut.latency), delay(m, dut.rows_target, dut.latency)
    pairs = [delay(m, dut.rows_i.as_value(), dut.latency - n) for n in range(CYCLES)]
    m.d.comb += Assert(dut.row_written == row)
    with m.If(row):
        m.d.comb += [
            Assert(dut.write), Assert(dut.write_address == target),
            Assert(dut.write_data.as_value() == Cat(pairs)),
        ]


def packet_rules(m, dut, block_written):
    """Of a packet, reset before it; whether all of it that is to be taken was taken."""
    # beats that came, blocks that were written, which of which step; steps that were taken
    board, i = Array(Signal(2 * WIDTH, name=f"beat{n}") for n in range(16)), dut.i
    assume_stream_rules(m, i)
    come, blocks, number, step, taken = (Signal(4, name=name)
                                         for name in ("come", "blocks", "number", "step", "taken"))
    ended, final, ready = Signal(), Signal(), Signal()
    collected, whole = Signal(4), Signal(4)     # of the step that comes; steps
    accepted = i.valid & i.ready
    ends = accepted & (collected + 1 == dut.input_blocks * CYCLES)
    with m.If(accepted):
        m.d.sync += [
            board[come].eq(Cat(i.p.data[:WIDTH], i.p.data[16:16 + WIDTH])), come.eq(come + 1),
            collected.eq(Mux(ends, 0, collected + 1)), whole.eq(whole + ends), ended.eq(i.p.last),
            final.eq(i.p.last & ends),
        ]
    m.d.comb += [Assert(~(ended | ~dut.enable) | ~i.ready), Assume(come < 15)]
    step_ends = number + 1 == dut.input_blocks
    with m.If(block_written & dut.enable):
        place = (dut.input_base + number)[:2] ^ (step[0] << 1)
        m.d.comb += [
            Assert(CYCLES * (blocks + 1) <= come), Assert(taken >= step), Assert(dut.write_address == place),
            Assert(dut.write_data.as_value() == Cat(board[CYCLES * blocks + n] for n in range(CYCLES))),
        ]
        m.d.sync += [blocks.eq(blocks + 1), number.eq(Mux(step_ends, 0, number + 1)),
                     step.eq(step + step_ends), ready.eq(step_ends)]
    with m.If(dut.step_take):
        m.d.sync += [ready.eq(0), taken.eq(taken + 1)]
    m.d.comb += [
        Assert(~dut.enable | (dut.step_ready == ready)),
        Assert(~ready | (dut.step_last == (final & (taken + 1 == whole)))),
    ]
    short, over = Signal(), ended & ~final & (taken == whole)
    m.d.sync += short.eq(short | dut.short)
    m.d.comb += Assert(~dut.enable | (dut.short == (over & ~short)))
    return (final & (taken == whole)) | short


def test_path(tmp_path, monkeypatch):
    prove(opened(monkeypatch), path_rules, tmp_path, depth=END, bounded=True, registers=True)


@pytest.mark.parametrize("module, old, new", [
    (forward_path, "taken.eq(2 * cycles - 1)", "taken.eq(2 * cycles - 2)"),
    (forward_path, "with m.If(self.row_coming):", "with m.If(self.row_coming & ~taken.any()):"),
    (input_blocks, " | (self.enter & self.place.step_ends)", ""),
    (input_blocks, "missing & (steps == 0)", "missing"),
    (input_blocks, "(left == 2)", "(left == 3)"),
    (input_blocks, "[beat.eq(0), ", "["),
], ids=["behind", "next", "held", "short", "full", "rest"])
def test_other_paths_are_refuted(module, old, new, tmp_path, monkeypatch):
    blocks, path = (mutant(part, old, new) if part is module else part
                    for part in (input_blocks, forward_path))
    refuted(opened(monkeypatch, blocks, path), path_rules, tmp_path, depth=END, bounded=True, registers=True)
