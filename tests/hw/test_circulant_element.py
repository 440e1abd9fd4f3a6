"""The element unit: rows of all options against the formulas, with extremes, gaps, steps and resets."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.hw.circulant.element_unit import ElementUnit
from shiftwork.hw.circulant.layouts import Activation, Addend, Left, Right

from .circulant_kit import element
from .kit import simulate

BLOCKS = 12     # of state, so that rows meet what others wrote
CONFIGS = [
    CirculantConfig(block=4, spectrum_depth=64, state_depth=2 * BLOCKS, row_depth=64, coefficient_depth=32),
    CirculantConfig(block=8, vector_width=8, state_depth=50, row_depth=64, segment_bits=5, peepholes=False),
    CirculantConfig(block=16, vector_width=16, row_depth=33, cell_tanh=False),
    CirculantConfig(block=16, sum_width=24, row_depth=33, state_depth=8 * BLOCKS),
    CirculantConfig(block=64, sum_width=13, segment_bits=1, state_depth=32 * BLOCKS),
]


def _extreme(rng, bits):
    """A number of ``bits`` bits; often one of the least or greatest, or a small one."""
    low, high = -1 << bits - 1, (1 << bits - 1) - 1
    return rng.choice([low, high, rng.randrange(low, high + 1), rng.randrange(low, high + 1),
                       rng.randrange(low, high + 1) >> rng.randrange(bits)])


def _rows(config, count, rng):
    """Words of a step's rows. A block is read ``dependence`` rows behind one that wrote it, or later."""
    rows, written = [], {}
    blocks = range(min(BLOCKS, config.state_depth // config.slots))
    for n in range(count):
        free = [b for b in blocks if n - written.get(b, -99) >= config.dependence]
        # The next step begins with the first rows again.
        if n >= count - config.dependence:
            free = [b for b in free if b not in {r["state"] for r in rows[:config.dependence]}] or [None]
        row = {
            "state": rng.choice(free or [None]),
            "coefficient": rng.randrange(config.coefficient_depth // config.slots),
            "target": rng.randrange(config.spectrum_depth),
            "pre_shift": min(rng.randrange(32), rng.randrange(32)), "out_shift": rng.randrange(16),
            "act": rng.choice(list(Activation)).value, "left": rng.choice(list(Left)).value,
            "right": rng.choice(list(Right)).value, "addend": rng.choice(list(Addend)).value,
            **{name: rng.randrange(2) for name in (
                "old", "peephole", "add", "to_t0", "to_t1", "to_c", "to_vector", "to_output", "alternate")}}
        if row["state"] is None:    # nothing is free: a row that does nothing
            row |= {"state": 0, **dict.fromkeys(("to_t0", "to_t1", "to_c", "to_vector", "to_output"), 0)}
        if row["to_t0"] or row["to_t1"] or row["to_c"]:
            written[row["state"]] = n
        rows.append(row)
    return rows


class Model:
    """Memories, and what becomes of rows one behind the other."""

    def __init__(self, config, rows, coefficients):
        self.config, self.rows, self.coefficients = config, rows, coefficients
        self.c, self.t0, self.t1 = ([[0, 0] for _ in range(config.state_depth)] for _ in range(3))

    def run(self, row, v, step):
        """What ``row`` yields in the step: its vec, h pairs. ``v``: h pairs."""
        found = []
        for number, pair in enumerate(v):
            word, coefficients = (self.rows[row][name] * self.config.slots + number
                                  for name in ("state", "coefficient"))
            found.append([])
            for n in range(2):
                bias, peephole = (self.coefficients[coefficients][name][n] for name in ("bias", "peephole"))
                held = (memory[word][n] for memory in (self.c, self.t0, self.t1))
                res, t, vec = element(self.config, self.rows[row], pair[n], *held, bias, peephole, step == 0)
                for name, memory, value in (("c", self.c, res), ("t0", self.t0, t), ("t1", self.t1, t)):
                    if self.rows[row][f"to_{name}"]:
                        memory[word][n] = value
                found[-1].append(vec)
        return found


async def _load(ctx, dut, rows, coefficients):
    for name, words in (("rows", rows), ("coefficients", coefficients)):
        ctx.set(getattr(dut, f"write_{name}_enable"), 1)
        for n, word in enumerate(words):
            ctx.set(getattr(dut, f"write_{name}_address"), n)
            ctx.set(getattr(dut, f"write_{name}_data"), word)
            await ctx.tick()
        ctx.set(getattr(dut, f"write_{name}_enable"), 0)


def _coefficients(config, rng):
    return [{name: [_extreme(rng, 16) for _ in range(2)] for name in ("bias", "peephole")}
            for _ in range(config.coefficient_depth)]


def _feeder(dut, config, starts, rng):
    """Rows of the list ``starts``, (cycle of the first pair, pairs, step), and noise where there is none."""
    h, width = config.slots, len(dut.i[0])
    early = {cycle - h for cycle, _, _ in starts}
    pairs = {cycle + t: pair for cycle, v, _ in starts for t, pair in enumerate(v)}
    step_begins = {}
    for cycle, _, step in starts:
        step_begins.setdefault(step, cycle - h - 3)
    begins = {cycle: step for step, cycle in step_begins.items()}

    async def feed(ctx, now):
        if now in begins:
            ctx.set(dut.first_step, begins[now] == 0)
            ctx.set(dut.parity, begins[now] % 2)
        ctx.set(dut.restart, now in begins)
        ctx.set(dut.early_first, now in early)
        for n, line in enumerate(dut.i):
            ctx.set(line, pairs[now][n] if now in pairs else rng.randrange(-1 << width - 1, 1 << width - 1))

    return feed


def _schedule(config, rows, steps, width, rng, begin):
    """``starts`` of so many steps, with gaps now and then."""
    starts, now = [], begin
    for step in range(steps):
        now += 40 + config.slots
        for _ in rows:
            now += rng.choice([0, 0, 0, 0, 1, 3, rng.randrange(40)])
            v = [[_extreme(rng, width) for _ in range(2)] for _ in range(config.slots)]
            starts.append((now, v, step))
            now += config.slots
    return starts


def _expected(config, model, starts):
    """{cycle: ...} of vectors that begin, of beats for the output, and cycles of ``coming``."""
    firsts, outputs, vectors, coming = {}, {}, {}, set()
    count = len(model.rows)
    for n, (cycle, v, step) in enumerate(starts):
        row = model.rows[n % count]
        vec = model.run(n % count, v, step)
        if row["to_vector"]:
            target = row["target"] ^ (row["alternate"] * (step % 2) * config.spectrum_depth // 2)
            firsts[cycle + 16] = target
            coming.add(cycle + 16 - config.slots)
            vectors |= {cycle + 16 + t: pair for t, pair in enumerate(vec)}
        if row["to_output"]:
            outputs |= {cycle + 16 + t: pair for t, pair in enumerate(vec)}
    return firsts, outputs, vectors, coming


async def _check(ctx, dut, now, expected):
    firsts, outputs, vectors, coming = expected
    assert (ctx.get(dut.vector_first), ctx.get(dut.output_valid), ctx.get(dut.coming)) == (
        now in firsts, now in outputs, now in coming), now
    if now in firsts:
        assert ctx.get(dut.target) == firsts[now], now
    for found in (outputs, vectors):
        if now in found:
            assert [ctx.get(line) for line in dut.vector] == found[now], now


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"k{c.block}-{c.vector_width}-{c.sum_width}")
def test_rows_of_all_options(config):
    rng = random.Random(config.fingerprint)
    rows, coefficients = _rows(config, 30, rng), _coefficients(config, rng)
    dut = ElementUnit(config)
    starts = _schedule(config, rows, 3 if config.block > 32 else 6, len(dut.i[0]), rng, begin=0)
    expected = _expected(config, Model(config, rows, coefficients), starts)
    assert len(expected[0]) > 20 and len(expected[1]) > 20

    async def bench(ctx):
        await _load(ctx, dut, rows, coefficients)
        feed = _feeder(dut, config, starts, rng)
        for now in range(starts[-1][0] + config.slots + 20):
            await feed(ctx, now)
            await _check(ctx, dut, now, expected)
            await ctx.tick()

    simulate(dut, bench, timeout=20000)


@pytest.mark.parametrize("block", [4, 64])
def test_dependent_rows(block):
    """C = C + 1 of one block, again and again, as soon as it may be."""
    config = CirculantConfig(block=block, row_depth=64)
    nothing = {"pre_shift": 0, "act": 0}
    counts = {"state": 1, "right": Right.ONE.value, "addend": Addend.C.value, "to_c": 1, "to_output": 1,
              "out_shift": 0, "act": 0}
    rows = [counts if n % config.dependence == 0 else nothing for n in range(5 * config.dependence + 1)]
    dut, found = ElementUnit(config), []

    async def bench(ctx):
        await _load(ctx, dut, rows, [{"bias": [1, 2], "peephole": [0, 0]}] * 64)
        for now in range(len(rows) * config.slots + 20 + config.slots):
            ctx.set(dut.early_first, now % config.slots == 0 and now < len(rows) * config.slots)
            if ctx.get(dut.output_valid):
                found.append([ctx.get(line) for line in dut.vector])
            await ctx.tick()

    simulate(dut, bench, timeout=5000)
    assert found == [[n, 2 * n] for n in range(1, 7) for _ in range(config.slots)]


@pytest.mark.parametrize("config", [CONFIGS[0], CONFIGS[3], CONFIGS[4]], ids=lambda c: f"k{c.block}")
def test_reset_within_rows(config):
    """Rows under way are forgotten: they write nothing, and the next sequence is as ever."""
    rng = random.Random(5)
    rows, coefficients = _rows(config, 12, rng), _coefficients(config, rng)
    dut, reset = ElementUnit(config), Signal()
    before = _schedule(config, rows[:5], 1, len(dut.i[0]), rng, begin=0)
    cut = before[-1][0] + config.slots // 2 + 7
    model = Model(config, rows, coefficients)
    for n, (cycle, v, step) in enumerate(before):
        # of a row that is cut off those pairs count whose results are written by then
        model.run(n, v[:max(0, cut - (cycle + 14) + 1)], step)
    after = _schedule(config, rows, 2, len(dut.i[0]), rng, begin=cut + 2)
    expected = _expected(config, model, after)

    async def bench(ctx):
        await _load(ctx, dut, rows, coefficients)
        feed = _feeder(dut, config, before, rng)
        for now in range(cut + 1):
            await feed(ctx, now)
            ctx.set(reset, now == cut)
            await ctx.tick()
        ctx.set(reset, 0)
        feed = _feeder(dut, config, after, rng)
        for now in range(cut + 1, after[-1][0] + config.slots + 20):
            await feed(ctx, now)
            await _check(ctx, dut, now, expected)
            await ctx.tick()

    simulate(ResetInserter(reset)(dut), bench, timeout=20000)
