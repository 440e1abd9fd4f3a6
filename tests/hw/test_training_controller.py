"""The training engine's controller against its specification."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.common.program import ErrorCode
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.isa import Instruction, Op
from shiftwork.golden.training.registers import REGISTERS, Put, Unit
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
        signals = dut.put, dut.put_address, dut.put_data
        async for _, _, put, *values in ctx.tick().sample(*signals):
            assert put & put - 1 == 0
            if put >> 1:        # of another than the pass registers
                self.events.append(("put", put.bit_length() - 1, *values))

    async def answer(self, ctx):
        """GET, as late as it may be."""
        asked = [(0, 0)] * GET_CYCLES
        async for _, _, kind, address in ctx.tick().sample(self.dut.get_kind, self.dut.get_address):
            asked = [*asked[1:], (kind, address)]
            ctx.set(self.dut.get_data, gotten(*asked[0]))

    async def units(self, ctx):
        """Units that begin as late as they may, or earlier, and take their time."""
        soon, left = 0, [0] * len(Unit)
        async for _, _, start in ctx.tick().sample(self.dut.unit_start):
            for n in Unit:
                if start >> n & 1:
                    assert not any(left), "No unit must be started while one is busy"
                    self.events.append(("start", n))
                    left[n] = self.rng.choice((1, 2, 30))
                elif left[n]:
                    left[n] -= 1
                    if not left[n]:
                        self.events.append(("idle",))
            soon = sum(bool(left[n]) << n for n in Unit)
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


@pytest.mark.parametrize("seed", range(5))
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


ENDS = {
    # name: (instructions before the end, the end, words of the packet, code)
    "exact": (2, at(Op.CHECK), 2, 0),
    "short": (3, at(Op.CHECK), 2, ErrorCode.INPUT_SHORT),
    "short by many": (9, at(Op.CHECK), 1, ErrorCode.INPUT_SHORT),
    "long": (2, at(Op.CHECK), 3, ErrorCode.INPUT_LONG),
    "long by many": (0, at(Op.CHECK), 40, ErrorCode.INPUT_LONG),
    "halt, exact": (2, at(Op.HALT), 2, 0),
    "halt, short": (3, at(Op.HALT), 2, 0),
    "halt, long": (1, at(Op.HALT), 9, ErrorCode.INPUT_LONG),
    "command": (1, at(Op.HALT, value=ErrorCode.COMMAND), 1, ErrorCode.COMMAND),
    "command, long": (1, at(Op.HALT, value=ErrorCode.COMMAND), 9, ErrorCode.COMMAND),
}


@pytest.mark.parametrize("name", ENDS)
def test_ends(name):
    """The code; the rest is swallowed, so the next run has its own packet; only after CHECK it may go on."""
    reads, end, count, code = ENDS[name]
    program = [*[at(Op.IN, d=1)] * reads, end, at(Op.OUT, a=1, value=1), at(Op.HALT)]
    bench, codes, p = Bench(), [], 0.5
    packets = [list(range(100, 100 + count)), list(range(200, 200 + count))]
    outputs = sink(bench.dut.o, 1 << 30, p=p)

    async def run(ctx):
        await bench.load(ctx, program)
        for _ in packets:
            codes.append(await bench.run(ctx))

    simulate(bench.dut, run, timeout=3000, background=[
        *bench.background, outputs,
        source(bench.dut.i, [item for words in packets for item in packet(words)], p=p)])
    assert codes == [code] * 2
    goes_on = end.op == Op.CHECK and not code
    assert outputs.items == [{"data": words[-1], "last": 1} for words in packets if goes_on]


def test_input_unit():
    """Words by turns to the controller and to the input unit; behind the last one zeros, always valid."""
    program = [at(Op.IN, d=1), at(Op.START, value=3), at(Op.WAIT), at(Op.IN, d=2),
               at(Op.START, value=3), at(Op.WAIT), at(Op.IN, d=3),
               *[at(Op.OUT, a=n, value=n == 3) for n in (1, 2, 3)], at(Op.CHECK)]
    bench, rng, taken = Bench(), random.Random(0), []
    dut = bench.dut
    words = [rng.getrandbits(32) for _ in range(14)]
    outputs = sink(dut.o, 3)

    async def unit(ctx):
        for count in (10, 5):
            await ctx.tick().until(dut.unit_start[3])
            await ctx.tick()
            ctx.set(dut.unit_busy, 8)
            while count:
                ready = rng.random() < 0.5
                ctx.set(dut.word.ready, ready)
                _, _, valid, payload = await ctx.tick().sample(dut.word.valid, dut.word.payload)
                if ready and valid:
                    taken.append(payload)
                    count -= 1
                if len(taken) > 12:
                    assert valid
            ctx.set(dut.word.ready, 0)
            ctx.set(dut.unit_busy, 0)

    async def run(ctx):
        await bench.load(ctx, program)
        assert await bench.run(ctx) == ErrorCode.INPUT_SHORT

    simulate(dut, run, unit, outputs, timeout=2000, background=[
        monitor(dut.o), source(dut.i, packet(words), p=0.3)])
    assert taken == [*words[1:11], *words[12:], 0, 0, 0]
    assert [item["data"] for item in outputs.items] == [words[0], words[11], 0]


def test_pass_registers():
    """Each by its number, 24 bits; other numbers write none."""
    values = {number: -number * 99991 for number in range(len(REGISTERS) + 5)}
    program = []
    for number, value in values.items():
        program += [constant(1, value % (1 << 18)), constant(2, value >> 18),
                    at(Op.SHL, 2, 2, value=18, immediate=True), at(Op.OR, 1, 1, 2),
                    at(Op.PUT, Put.REGISTER, 0, 1, number)]
    code, _, bench = ran([*program, at(Op.IN), at(Op.HALT)], [0])
    assert code == 0 and not bench.events
    assert bench.passes == {name: values[n] % (1 << 24) for n, name in enumerate(REGISTERS)}


def test_units_and_ports():
    """GET takes what stands as late as it may; WAIT waits for each unit, be it busy long or briefly."""
    rng, program, expected = random.Random(0), [at(Op.IN)], []
    for n in range(24):
        kind, address = rng.randrange(9), rng.randrange(1 << 18)
        program += [constant(1, n << 12), at(Op.GET, 2, 1, kind, address - (n << 12)),
                    at(Op.START, value=n % 4), at(Op.WAIT), at(Op.PUT, Put.ERROR, 0, 2, n)]
        low = gotten(kind, address) % (1 << 48)
        expected += [("start", n % 4), ("idle",), ("put", Put.ERROR, n, (low ^ 1 << 47) - (1 << 47))]
    code, _, bench = ran([*program, at(Op.HALT)], [0])
    assert code == 0 and bench.events == expected


def test_register_0_and_immediates():
    """Writes to r0 are lost; STORE, PUT and branches take r[b], whatever ``immediate`` says."""
    program = [
        constant(0, 7), at(Op.PUT, Put.ERROR, 0, 0, 11), constant(1, 5), constant(2, 60),
        at(Op.STORE, a=2, b=1, value=-20, immediate=True), at(Op.LOAD, d=3, value=40, immediate=True),
        at(Op.PUT, Put.PARAMETER, 2, 3, -61, True), at(Op.BEQ, a=3, b=1, value=9, immediate=True),
        at(Op.HALT, value=1), at(Op.IN), at(Op.HALT)]
    code, _, bench = ran(program, [0])
    assert code == 0
    assert bench.events == [("put", Put.ERROR, 11, 0), ("put", Put.PARAMETER, (1 << 24) - 1, 5)]


def test_reset():
    """In the middle of a run, wherever it is; then the next one is whole, with its own packet's words."""
    bench, rng, reset = Bench(), random.Random(5), Signal()
    dut = bench.dut
    program = [at(Op.IN, 1), at(Op.OUT, a=1), constant(2, 9), at(Op.MUL, 3, 1, 2), at(Op.DIV, 4, 3, 2),
               at(Op.START, value=1), at(Op.WAIT), at(Op.ROOT, 5, 3),
               at(Op.RND, 6, 3, value=40, immediate=True), at(Op.IN, 7), at(Op.ADD, 4, 4, 7),
               at(Op.OUT, a=4, value=1), at(Op.CHECK), at(Op.HALT)]
    offered, taken = [], []

    async def give(ctx):
        while True:
            ctx.set(dut.i.valid, bool(offered))
            if offered:
                ctx.set(dut.i.payload, offered[0])
            _, _, accepted = await ctx.tick().sample(dut.i.valid & dut.i.ready & ~reset)
            if accepted:
                offered.pop(0)

    async def take(ctx):
        ctx.set(dut.o.ready, 1)
        async for _, _, valid, payload in ctx.tick().sample(dut.o.valid & ~reset, dut.o.payload):
            if valid:
                taken.append(plain(payload)["data"])

    async def busy(ctx):
        left = 0
        async for _, _, start in ctx.tick().sample(dut.unit_start):
            left = 20 if start else max(left - 1, 0)
            ctx.set(dut.unit_busy, 2 * (left > 0))

    async def run(ctx):
        await bench.load(ctx, program)
        for _ in range(20):
            offered[:] = packet([rng.getrandbits(32), 1])
            await ctx.tick()
            await bench.start(ctx)
            await ctx.tick().repeat(rng.randrange(1, 240))
            ctx.set(reset, 1)
            offered.clear()
            await ctx.tick()
            ctx.set(reset, 0)
            await ctx.tick()
            assert not (ctx.get(dut.busy) or ctx.get(dut.o.valid) or ctx.get(dut.unit_start))
            await ctx.tick().repeat(25)
            taken.clear()
            words = [rng.getrandbits(32), rng.getrandbits(32)]
            offered[:] = packet(words)
            assert await bench.run(ctx) == 0
            assert taken == [words[0], sum(words) % (1 << 32)]

    simulate(ResetInserter(reset)(dut), run, timeout=30000, background=[give, take, busy])
