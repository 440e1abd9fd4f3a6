# amaranth: UnusedElaboratable=no
"""Steps, phases, passes and columns of the circulant engine in the cycles that the specification gives."""

import itertools
import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.hw.circulant.issue import Issue, column_layout
from shiftwork.hw.circulant.layouts import PHASE
from shiftwork.hw.circulant.sequencer import Sequencer
from shiftwork.hw.circulant.spectrum_memory import SpectrumMemory
from shiftwork.hw.circulant.weight_memory import WeightMemory

from .kit import plain, simulate


class Control(wiring.Component):
    """Sequencer, issue and the phases."""

    def __init__(self, config, phases):
        self._config, self._phases = config, phases
        self.sequencer = Sequencer()
        super().__init__({"written": In(1), "o": Out(column_layout(config)), "phase": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.sequencer = sequencer = self.sequencer
        m.submodules.issue = issue = Issue(self._config)
        m.submodules.phases = phases = Memory(
            shape=PHASE, depth=self._config.phase_depth, init=self._phases)
        read = phases.read_port()
        m.d.comb += [
            issue.start.eq(sequencer.begin), issue.odd.eq(sequencer.odd), issue.first.eq(sequencer.first),
            read.addr.eq(issue.phase_address), issue.phase_data.eq(read.data),
            issue.written.eq(self.written), sequencer.count.eq(issue.count),
            self.o.eq(issue.o), self.phase.eq(issue.phase)]
        return m


def phase(rows, *segments, weight=0, shift=0, last=0):
    """A phase word; segments are (base, count, after, following, alternate, old)."""
    segments = [*segments, (0,) * 6][:2]
    return {"rows": rows, "weight_base": weight, "sum_shift": shift, "last": last,
            "spans": [{"base": base, "count": count} for base, count, *_ in segments],
            "waits": [{"after": after, "following": following, "alternate": alternate, "old": old}
                      for *_, after, following, alternate, old in segments]}


def walk(config, phases, vectors, step):
    """Columns {cycle: column} of a step, its rows' starts and its cycles, by "Timing of a step"."""
    columns, starts, free, begin = {}, [], 0, 3

    def usable(needed):
        """W(n); None as long as its row has no start."""
        found = [start for start, vector in zip(starts, vectors, strict=False) if vector]
        return 0 if not needed else found[needed - 1] + config.write_latency

    for this in phases:
        at, weight = begin, this["weight_base"]
        for first in range(0, this["rows"], config.rows):
            rows = min(config.rows, this["rows"] - first)
            listed = [(segment, n) for segment in range(2) for n in range(this["spans"][segment]["count"])]
            for segment, n in listed:
                wait, last = this["waits"][segment], (segment, n) == listed[-1]
                at = max(at, usable(wait["after"] + n * wait["following"]), free if last else 0)
                half = config.spectrum_depth // 2 if wait["alternate"] and step % 2 else 0
                columns[at] = {
                    "valid": 1, "address": this["spans"][segment]["base"] + n ^ half,
                    "zero": int(wait["old"] and step == 0), "weight": weight, "last": int(last), "rows": rows,
                    "shift": this["sum_shift"]}
                at, weight = at + 1, weight + 1
            starts += [at - 1 + r * config.slots for r in range(rows)]
            free = at - 1 + rows * config.slots
        begin = at + 2
    assert len(starts) == len(vectors)
    return columns, starts, usable(sum(vectors))


class Bench:
    """Runs sequences of one program; `columns` are all that were issued, by cycle from their step's begin."""

    def __init__(self, config, phases, vectors):
        self.config, self.phases, self.vectors, self.columns = config, phases, vectors, []
        self.dut = Control(config, phases)

    async def sequence(self, ctx, gaps, closing=5):
        """A step for each of ``gaps``, ready so many cycles, 0 or at least 2, after the one before ended."""
        dut, sequencer, due = self.dut, self.dut.sequencer, set()
        ctx.set(sequencer.vectors, sum(self.vectors))
        ctx.set(sequencer.room, 1)
        ctx.set(sequencer.start, 1)
        await ctx.tick()
        ctx.set(sequencer.start, 0)
        row, base, seen = 0, None, 0
        for cycle in itertools.count():
            if ctx.get(sequencer.begin):
                base, row = cycle, 0
                self.columns.append({})
                seen += 1
            waited = ctx.get(sequencer.load_cycles) + 1
            ctx.set(sequencer.ready, seen < len(gaps) and (not gaps[seen] or waited >= sum(gaps[:seen + 1])))
            ctx.set(sequencer.last, seen == len(gaps) - 1)
            column = plain(ctx.get(dut.o))
            if column["valid"]:
                self.columns[-1][cycle - base] = column
                if column["last"]:
                    for n in range(column["rows"]):
                        if self.vectors[row]:
                            due.add(cycle + n * self.config.slots + self.config.write_latency - 2)
                        row += 1
            ctx.set(dut.written, cycle in due)
            if not ctx.get(sequencer.enable):
                closing -= 1
                ctx.set(sequencer.closed, closing == 0)
                if ctx.get(sequencer.finished):
                    await ctx.tick()
                    ctx.set(sequencer.closed, 0)
                    return
            await ctx.tick()


SMALL = CirculantConfig(block=4, rows=2, spectrum_depth=64, phase_depth=4)


def test_by_hand():
    """Two phases, h = 2, R = 2: every cycle counted by hand."""
    assert SMALL.write_latency == 42
    phases = [
        phase(3, (8, 2, 0, 0, 1, 0), (16, 1, 0, 0, 0, 1), weight=5, shift=3),
        phase(1, (40, 2, 1, 1, 0, 0), weight=100, shift=1, last=1)]
    bench = Bench(SMALL, phases, [1, 1, 0, 1])

    async def run(ctx):
        await bench.sequence(ctx, [7, 0])
        assert ctx.get(bench.dut.sequencer.load_cycles) == 7
        # rows start in 5, 7; 9 (not before 5 + 2 * 2); 49: the step ends before the cycle 49 + 42
        assert ctx.get(bench.dut.sequencer.run_cycles) == 2 * 91

    simulate(bench.dut, run, timeout=1000)

    def issued(cycle, address, weight, zero=0, last=0, rows=2, shift=3):
        return cycle, {"valid": 1, "address": address, "zero": zero, "weight": weight, "last": last,
                       "rows": rows, "shift": shift}

    for step, columns in enumerate(bench.columns):
        half, zero = 32 * step, 1 - step
        assert columns == dict([
            issued(3, 8 + half, 5), issued(4, 9 + half, 6), issued(5, 16, 7, zero, 1),
            issued(6, 8 + half, 8, rows=1), issued(7, 9 + half, 9, rows=1), issued(9, 16, 10, zero, 1, 1),
            # vectors of the rows that started in 5 and 7
            issued(47, 40, 100, rows=1, shift=1), issued(49, 41, 101, last=1, rows=1, shift=1)])


def _random_step(rng, config):
    """Phases, and for each row whether it is a vector; every wait is for a vector of an earlier phase."""
    phases, vectors = [], []
    for n in range(count := rng.randint(1, 4)):
        before = sum(vectors)
        segments = []
        for _ in range(rng.randint(1, 2)):
            columns = rng.randint(1, 6)
            following = rng.random() < 0.5 and before >= columns
            after = rng.randint(0, before - (columns - 1 if following else 0))
            segments.append((rng.randrange(32), columns, after, int(following), *rng.choices((0, 1), k=2)))
        rows = rng.randint(1, 3 * config.rows)
        phases.append(phase(rows, *segments, weight=rng.randrange(64), shift=rng.randrange(32),
                            last=int(n == count - 1)))
        vectors += [rng.randrange(2) for _ in range(rows)]
    vectors[-1] = 1
    return phases, vectors


CONFIGS = {
    "small": SMALL, "default": CirculantConfig(), "one row": CirculantConfig(block=16, rows=1),
    "rows": CirculantConfig(block=8, rows=5)}


@pytest.mark.parametrize("seed, name", list(enumerate(CONFIGS)))
def test_random(seed, name):
    """Random steps: two sequences, with and without waits between the steps."""
    config = CONFIGS[name]
    rng = random.Random(seed)
    for _ in range(2):
        bench = Bench(config, *_random_step(rng, config))
        sequences = [[2, 0, 0], [rng.randint(2, 9), 0, rng.randint(2, 20)]]

        async def run(ctx, bench=bench, sequences=sequences):
            for gaps in sequences:
                bench.columns.clear()
                await bench.sequence(ctx, gaps, closing=rng.randint(1, 5))
                assert len(bench.columns) == 3
                cycles = 0
                for step, columns in enumerate(bench.columns):
                    wanted, _, end = walk(bench.config, bench.phases, bench.vectors, step)
                    assert columns == wanted
                    cycles += end
                assert ctx.get(bench.dut.sequencer.run_cycles) == cycles
                assert ctx.get(bench.dut.sequencer.load_cycles) == sum(gaps)

        simulate(bench.dut, run, timeout=6000)


def test_short():
    """An input that ends within its second step: one step, a beat of zeros; then a sequence of one step."""
    bench = Bench(SMALL, [phase(1, (0, 1, 0, 0, 0, 0), last=1)], [1])
    sequencer, zeros, begins = bench.dut.sequencer, [], []

    async def watch(ctx):
        async for _, _, zero, begin in ctx.tick().sample(sequencer.zeros, sequencer.begin):
            zeros.append(zero)
            begins.append(begin)

    async def run(ctx):
        async def pulse(*signals, cycles=1):
            for signal in signals:
                ctx.set(signal, 1)
            await ctx.tick().repeat(cycles)
            for signal in signals:
                ctx.set(signal, 0)
        ctx.set(sequencer.vectors, 1)
        ctx.set(sequencer.room, 1)
        await pulse(sequencer.start)
        await pulse(sequencer.ready)
        await ctx.tick().repeat(20)
        await pulse(sequencer.short)
        await pulse(bench.dut.written)
        await ctx.tick().repeat(6)
        assert (sum(zeros), sum(begins), ctx.get(sequencer.busy), ctx.get(sequencer.enable)) == (1, 1, 1, 0)
        await pulse(sequencer.closed)
        await ctx.tick()
        assert not ctx.get(sequencer.busy)
        ctx.set(bench.dut.written, 0)
        await bench.sequence(ctx, [3])
        assert (sum(zeros), sum(begins)) == (1, 2)

    simulate(bench.dut, run, timeout=500, background=[watch])


@pytest.mark.parametrize("depth", [16, 1024, 1025, 3072])
def test_weight_memory(depth):
    """Words of all banks, while others are written; a word takes two cycles."""
    dut, rng = WeightMemory(depth, 20), random.Random(depth)
    addresses = sorted({0, 1, depth - 1, *(rng.randrange(depth) for _ in range(30))})
    words = {address: rng.getrandbits(20) for address in addresses}

    async def bench(ctx):
        ctx.set(dut.write, 1)
        for address, word in words.items():
            ctx.set(dut.write_address, address)
            ctx.set(dut.write_data, word)
            await ctx.tick()
        ctx.set(dut.write, 0)
        asked = [rng.choice(addresses) for _ in range(60)]
        for n, address in enumerate(asked):
            ctx.set(dut.address, address)
            if n >= 2:
                assert ctx.get(dut.o) == words[asked[n - 2]]
            await ctx.tick()

    simulate(dut, bench, timeout=500)


def test_spectrum_memory():
    """Blocks written and read, zeros where told, two cycles later."""
    dut, rng = SpectrumMemory(SMALL), random.Random(0)
    blocks = [rng.getrandbits(len(dut.x.as_value())) for _ in range(SMALL.spectrum_depth)]

    async def bench(ctx):
        ctx.set(dut.write, 1)
        for address, block in enumerate(blocks):
            ctx.set(dut.write_address, address)
            ctx.set(dut.write_data.as_value(), block)
            await ctx.tick()
        ctx.set(dut.write, 0)
        asked = [(rng.randrange(len(blocks)), rng.random() < 0.3) for _ in range(100)]
        for n, (address, zero) in enumerate(asked):
            ctx.set(dut.address, address)
            ctx.set(dut.zero, zero)
            if n >= 2:
                was, zeroed = asked[n - 2]
                assert ctx.get(dut.x.as_value()) == (0 if zeroed else blocks[was])
            await ctx.tick()

    simulate(dut, bench, timeout=500)
