"""The training engine's controller against its specification."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.common.program import ErrorCode
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.isa import Instruction, Op
from shiftwork.golden.training.registers import REGISTERS, Put
from shiftwork.hw.training.controller import GET_CYCLES, Controller

from .kit import monitor, plain, simulate, sink, source
from .training_reference import Reference, random_program

CONFIG = EngineConfig(side=2, program_depth=1024, data_depth=64)
WORD = (1 << 88) - 1


def gotten(kind, address):
    """What the fake units hold: any word, other ones elsewhere."""
    value = (address * 0x9E3779B97F4A7C15F39CC0605CEDC835 + kind * 0x1234567 >> 20) & WORD
    return value - (1 << 88) if value >> 87 else value


class Bench:
    """A controller among fake units; `events` are what leaves it, in order."""

    def __init__(self, seed=0):
        self.dut, self.rng = Controller(CONFIG), random.Random(seed)
        self.events = []

    async def load(self, ctx, program, data=()):
        dut = self.dut
        for name, words in (("program", [at.word for at in program]), ("data", data)):
            for address, word in enumerate(words):
                ctx.set(getattr(dut, f"{name}_address"), address)
                ctx.set(getattr(dut, f"{name}_data"), word & WORD)
                ctx.set(getattr(dut, f"{name}_write"), 1)
                await ctx.tick()
            ctx.set(getattr(dut, f"{name}_write"), 0)
        await ctx.tick()

    async def start(self, ctx):
        ctx.set(self.dut.start, 1)
        await ctx.tick()
        ctx.set(self.dut.start, 0)
        assert ctx.get(self.dut.busy)

    async def run(self, ctx):
        """Starts, and starts again while it is busy; the code of its end."""
        dut, ends = self.dut, []
        await self.start(ctx)
        while ctx.get(dut.busy):
            ctx.set(dut.start, self.rng.random() < 0.1)
            _, _, *end = await ctx.tick().sample(dut.finished, dut.failed, dut.error)
            if any(end[:2]):
                assert not all(end[:2]) and not ctx.get(dut.busy)
                ends.append(end[2] if end[1] else 0)
        ctx.set(dut.start, 0)
        assert len(ends) == 1
        return ends[0]

    async def watch(self, ctx):
        dut = self.dut
        async for _, _, put, *values in ctx.tick().sample(dut.put, dut.put_kind, dut.put_address, dut.put_data):
            if put:
                self.events.append(("put", *values))

    async def answer(self, ctx):
        """GET, as late as it may be."""
        asked = [(0, 0)] * GET_CYCLES
        async for _, _, kind, address in ctx.tick().sample(self.dut.get_kind, self.dut.get_address):
            asked = [*asked[1:], (kind, address)]
            ctx.set(self.dut.get_data, gotten(*asked[0]))

    async def units(self, ctx):
        """Units that begin as late as they may, or earlier, and take their time."""
        soon, left = 0, [0] * 4
        async for _, _, start in ctx.tick().sample(self.dut.unit_start):
            for n in range(4):
                if start >> n & 1:
                    assert not any(left), "No unit must be started while one is busy"
                    self.events.append(("start", n))
                    left[n] = self.rng.choice((1, 2, 30))
                elif left[n]:
                    left[n] -= 1
                    if not left[n]:
                        self.events.append(("idle",))
            soon = sum(bool(left[n]) << n for n in range(4))
            ctx.set(self.dut.unit_busy, soon)

    @property
    def background(self):
        return [self.watch, self.answer, self.units, monitor(self.dut.o), monitor(self.dut.i)]


def packet(words):
    """A packet's payloads."""
    return [{"data": word, "last": int(n == len(words) - 1)} for n, word in enumerate(words)]


def at(op, d=0, a=0, b=0, value=0, immediate=False):
    return Instruction(op, d, a, b, value, immediate)


def constant(d, value):
    return at(Op.ADD, d, value=value, immediate=True)


def ran(program, words, *, seed=0, p=1.0, data=()):
    """One run of a program: (code, output's words, the bench)."""
    bench, found = Bench(seed), []
    outputs = sink(bench.dut.o, 1 << 30, p=p, seed=seed)

    async def run(ctx):
        await bench.load(ctx, program, data)
        found.append(await bench.run(ctx))
        assert not ctx.get(bench.dut.o.valid) and not ctx.get(bench.dut.word.valid)
        bench.passes = plain(ctx.get(bench.dut.registers))

    simulate(bench.dut, run, timeout=9000, background=[
        *bench.background, source(bench.dut.i, packet(words), p=p, seed=seed), outputs])
    return found[0], outputs.items, bench


@pytest.mark.parametrize("seed", range(8))
def test_random_programs(seed):
    """Three runs of each, registers and memories as the one before left them; stalls on both streams."""
    rng = random.Random(seed)
    bench, reference = Bench(seed), Reference(gotten)
    p = rng.choice((1.0, 0.5, 0.1))
    data = [rng.getrandbits(rng.randrange(88)) * rng.choice((1, -1)) for _ in range(CONFIG.data_depth)]
    reference.data = dict(enumerate(data))
    program = random_program(rng, CONFIG.data_depth)
    outputs, packets, codes = sink(bench.dut.o, 1 << 30, p=p, seed=seed), [], []
    for change in (0, 1, -1):
        count = max(1, _reads(reference, program) + change)
        packets.append([rng.getrandbits(32) for _ in range(count)])
        codes.append(reference.run(program, packets[-1]))

    async def run(ctx):
        await bench.load(ctx, program, data)
        for code in codes:
            assert await bench.run(ctx) == code
        assert plain(ctx.get(bench.dut.registers)) == reference.passes

    simulate(bench.dut, run, timeout=300000, background=[
        *bench.background, outputs,
        source(bench.dut.i, [item for words in packets for item in packet(words)], p=p, seed=seed)])
    assert bench.events == reference.events
    assert outputs.items == reference.outputs
    assert set(codes) <= {0, ErrorCode.INPUT_SHORT, ErrorCode.INPUT_LONG}


def _reads(reference, program):
    """Words of the packet that the program takes in its next run."""
    class Counted(list):
        taken = 0

        def __len__(self):
            return 1 << 30

        def __getitem__(self, n):
            self.taken += 1
            return n
    words, trial = Counted(), Reference(gotten, dict(reference.data), list(reference.registers))
    trial.run(program, words)
    return words.taken
