# amaranth: UnusedElaboratable=no
"""The circulant engine: every bit of its output as the interpreter says, every step as timing.py predicts."""

import dataclasses
from contextlib import nullcontext

import numpy as np
import pytest
from shiftwork.golden.circulant.config import PRESETS, CirculantConfig
from shiftwork.golden.circulant.interpreter import Machine
from shiftwork.golden.circulant.program import Memory, Program
from shiftwork.golden.circulant.timing import predict
from shiftwork.golden.circulant.transform_config import latency
from shiftwork.golden.circulant.words import Header, Phase, Row, Segment
from shiftwork.golden.common.program import ErrorCode, ProgramError
from shiftwork.hw.circulant.engine import CirculantEngine
from shiftwork.hw.circulant.layouts import COEFFICIENTS, HEADER, PHASE, ROW
from shiftwork.hw.circulant.top import CirculantTop

from ..golden.circulant_networks import CELLS, program_of
from .circulant_programs import random_program
from .kit import simulate
from .test_engine import Bench as ArrayBench

TINY = PRESETS["tiny"]
CONFIGS = {
    "tiny": TINY, "default": PRESETS["default"],
    "wide": CirculantConfig(block=8, rows=3, vector_width=16, weight_width=16, acc_width=44, sum_width=24,
                            segment_bits=4, peepholes=False),
    "blocks of 16": CirculantConfig(block=16, rows=1, vector_width=8, cell_tanh=False, weight_depth=1100),
    "blocks of 64": CirculantConfig(block=64, rows=1, acc_width=40, sum_width=20, spectrum_depth=64,
                                    row_depth=64, state_depth=512, output_depth=1024),
}


class Bench(ArrayBench):
    """Of a circulant engine: two numbers a beat; steps take as long as they do, whatever the streams do."""

    def __init__(self, config, p=1.0):
        super().__init__(config, p, CirculantEngine, width=2)

    def compare_cycles(self, ctx, predicted):
        assert ctx.get(self.dut.run_cycles) == predicted


class Case:
    """A program, packets of ``steps`` and some more beats, and what interpreter and timing.py say of them.

    Without ``program``, the first random one from ``seed`` on whose outputs are not all much the same.
    """

    def __init__(self, config, seed, steps, more=(), program=None):
        self.config, self.program = config, program
        while not self._run(np.random.default_rng(seed), steps, more or [0] * len(steps), program):
            seed += 100

    def _run(self, rng, steps, more, program):
        self.program = program or random_program(rng, self.config)
        self.words = [int(word) for word in self.program.to_words()]
        size = self.program.parse()[0].input_blocks * self.config.slots
        machine, cycles = Machine(self.config), predict(self.program).step_cycles
        # without stalls: the beats, and the last block's way into memory; none for later steps
        self.load_cycles = size + latency(self.config.forward) + self.config.slots + 3
        machine.load(self.words)
        self.inputs, self.outputs, self.cycles = [], [], []
        for count, further in zip(steps, more, strict=True):
            if further >= size:
                return False
            beats = rng.integers(0, 1 << 16, (count * size + further, 2))
            small = rng.random(len(beats)) < 0.5
            beats[small] = (beats[small] >> 8) - 128 & 0xFFFF
            with pytest.raises(ProgramError) if further else nullcontext():
                machine.run(beats)
            self.outputs.append(machine.output)
            self.inputs.append([int(low) | int(high) << 16 for low, high in beats])
            self.cycles.append(count * cycles)
        return len(np.unique(np.concatenate(self.outputs))) > (20 if program is None else 5)


@pytest.mark.parametrize("name, seed", [
    ("tiny", 0), ("tiny", 1), ("tiny", 2), ("default", 0), ("wide", 0), ("blocks of 16", 0),
    ("blocks of 64", 11)])
def test_random_programs(name, seed):
    """Any phases and rows: sequences with and without stalls, the memories full of what went before."""
    case, bench = Case(CONFIGS[name], seed, (3, 1, 2)), Bench(CONFIGS[name])

    async def run(ctx):
        await bench.load(ctx, case.words)
        for number, bench.p in enumerate((1, 0.3, 0.7)):
            await bench.batch(ctx, case, number)
            if bench.p == 1:
                assert ctx.get(bench.dut.load_cycles) == case.load_cycles

    bench.run(run)


def test_words_are_goldens():
    """Every field where golden has it."""
    for layout, word in ((HEADER, Header), (ROW, Row)):
        assert layout.size == word.WIDTH
        for name, place in word.LAYOUT.items():
            assert (layout[name].offset, layout[name].width) == place, name
    assert PHASE.size == Phase.WIDTH
    for name, (first, width) in {**Phase.LAYOUT, **Segment.LAYOUT}.items():
        part, at = next(((PHASE[group].shape.elem_shape, PHASE[group].offset) for group in ("spans", "waits")
                         if name in PHASE[group].shape.elem_shape.members), (PHASE, 0))
        assert (at + part[name].offset, part[name].width) == (first, width), name
    assert COEFFICIENTS.size == Memory.COEFFICIENTS.width(TINY)


def test_short_inputs():
    """Packets that end within a step's input, its first beat or a later one; good ones between."""
    more = (1, 0, 2, 0, 3, 0, 1)
    case, bench = Case(TINY, 5, (0, 1, 2, 2, 1, 1, 3), more), Bench(TINY)

    async def run(ctx):
        dut = bench.dut
        await bench.load(ctx, case.words)
        for number, (short, bench.p) in enumerate(zip(more, (1, 1, 1, 0.5, 0.5, 1, 0.3), strict=True)):
            if not short:
                await bench.batch(ctx, case, number)
                continue
            bench.forget()
            await bench.pulse(ctx, dut.start)
            await bench.send(ctx, dut.i, case.inputs[number])
            await bench.expect_error(ctx, ErrorCode.INPUT_SHORT, loaded=1)
            bench.compare_output(case.outputs[number])
            bench.compare_cycles(ctx, case.cycles[number])

    bench.run(run)


def test_start_without_program():
    Bench(TINY).check_start_without_program(Case(TINY, 0, (1, 1)))


def test_start_while_busy_is_ignored():
    Bench(TINY).check_start_while_busy(Case(TINY, 2, (2, 2)))


def test_bad_programs():
    """Another engine's, one with a section beyond a memory; an empty program runs what was loaded before."""
    case, bench = Case(TINY, 1, (1, 2)), Bench(TINY)
    other = dataclasses.replace(TINY, factor_bits=10)
    beyond = dataclasses.replace(case.program, sections=(
        dataclasses.replace(case.program.sections[0], address=1), *case.program.sections[1:]))

    async def run(ctx):
        await bench.load(ctx, case.words)
        await bench.batch(ctx, case, 0)
        for code, program in ((ErrorCode.GEOMETRY, dataclasses.replace(case.program, config=other)),
                              (ErrorCode.ADDRESS, beyond)):
            await bench.send(ctx, bench.dut.i_program, [int(word) for word in program.to_words()])
            await bench.expect_error(ctx, code, loaded=0)
        await bench.load(ctx, [int(word) for word in Program(TINY, ()).to_words()])
        await bench.batch(ctx, case, 1)

    bench.run(run)


@pytest.mark.parametrize("name, sequences", [("lstm, peephole", 1), ("gru, before, updates", 2)])
def test_cells(name, sequences):
    """What the encoder makes of recurrent layers: a packet of several steps, then others with stalls."""
    program = program_of([CELLS[name]], TINY, sequences)
    case, bench = Case(TINY, 3, (4, 1, 3), program=program), Bench(TINY)

    async def run(ctx):
        await bench.load(ctx, case.words)
        for number, bench.p in enumerate((1, 1, 0.4)):
            await bench.batch(ctx, case, number)

    bench.run(run)


def test_programs_follow_one_another():
    """Each finds the memories full of what the one before left."""
    cases = [Case(TINY, n, (2,), program=program_of([CELLS[name]], TINY))
             for n, name in enumerate(("lstm", "gru, after, keeps", "lstm, sigmoid"))]
    bench = Bench(TINY)

    async def run(ctx):
        for case in [*cases, cases[0]]:
            await bench.load(ctx, case.words)
            await bench.batch(ctx, case, 0)

    bench.run(run)


def test_reset():
    """In the last step of a packet's three, too."""
    case = Case(TINY, 4, (2, 3), program=program_of([CELLS["gru, after, keeps"]], TINY))
    places = ("program", "input", "run", "run", "run", "output")
    Bench(TINY).check_resets(case, places, 6, case.cycles[1] // 3)


def test_registers():
    """What is read over the bus before a start, and ports of the specified widths."""
    top = CirculantTop(TINY, engine=CirculantEngine(TINY))
    expected = {
        0x00: 0x31435753, 0x04: 1 | TINY.fingerprint << 8, 0x08: 4 | 2 << 16 | 4 << 24,
        0x0C: 12 | 12 << 8 | 34 << 16 | 18 << 24, 0x14: 0, 0x18: 0, 0x1C: 0, 0x20: 0,
        0x24: 64, 0x28: 512, 0x2C: 128, 0x30: 128, 0x34: 1}
    assert len(top.s_axis_input_tdata) == len(top.m_axis_output_tdata) == 32

    async def run(ctx):
        ctx.set(top.s_axil_rready, 1)
        for address, value in expected.items():
            ctx.set(top.s_axil_araddr, address)
            ctx.set(top.s_axil_arvalid, 1)
            await ctx.tick().until(top.s_axil_arready)
            ctx.set(top.s_axil_arvalid, 0)
            data, response = await ctx.tick().sample(top.s_axil_rdata, top.s_axil_rresp).until(
                top.s_axil_rvalid)
            assert (data, response) == (value, 0), hex(address)

    simulate(top, run, timeout=500)
