# amaranth: UnusedElaboratable=no
"""The combination against sums in Python integers, and rules 2 and 3 of the specification, cycle by cycle."""

import dataclasses
import random
from collections import defaultdict

import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from shiftwork.golden.smartexchange.config import FINISHED, PRESETS
from shiftwork.hw.smartexchange.combine_control import CombineControl
from shiftwork.hw.smartexchange.combiner import Combiner
from shiftwork.hw.smartexchange.layouts import DESCRIPTOR, Widths, head_layout

from .kit import simulate

TINY = PRESETS["tiny"]
CONFIGS = {
    "tiny": TINY, "four taps": dataclasses.replace(TINY, taps=4),
    "K=4": dataclasses.replace(TINY, lanes=16, acc_width=32),
    "one a part": dataclasses.replace(TINY, combine_width=2, acc_width=17, sum_width=24),
    "narrow sums": dataclasses.replace(TINY, acc_width=19, sum_width=20),
}


class Combination(wiring.Component):
    """Who decides and who adds, together."""

    def __init__(self, config):
        self.control, self.combiner = CombineControl(config), Combiner(config)
        ours = {name: self.control.signature.members[name]
                for name in ("ready", "issued", "negative", "drained", "finished", "select")}
        theirs = {name: self.combiner.signature.members[name]
                  for name in ("t", "read_finished", "part", "result")}
        super().__init__({**ours, **theirs, "descriptor": In(DESCRIPTOR), "start": In(1),
                          "head": In(head_layout(config))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.control, m.submodules.combiner = control, combiner = self.control, self.combiner
        for part in (control, combiner):
            for name, member in part.signature.members.items():
                if hasattr(self, name):
                    inner, outer = getattr(part, name), getattr(self, name)
                    m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
                elif part is combiner:
                    m.d.comb += getattr(combiner, name).eq(getattr(control, name))
        return m


def wrapped(value, width):
    value &= 2 ** width - 1
    return value - (value >> width - 1 << width)


class Layer:
    """Random dot products of ``runs`` runs, and the sums that they come to."""

    def __init__(self, config, rng, taps, hop, columns, outputs, skip, lists, runs=3):
        self.descriptor = {"tap_count": taps, "hop": hop, "column_count": columns, "skip": skip,
                           "run_outputs_less_1": outputs - 1, "lists": lists}
        self.dots, self.sums = [], []
        for _ in range(runs):
            sums = {}
            for column in range(columns):
                there = {s: (skip + column - s) // hop for s in range(taps) if skip + column >= s
                         and (skip + column - s) % hop == 0 and (skip + column - s) // hop < outputs}
                ended = [f for s, f in there.items() if s == taps - 1 or column == columns - 1]
                for number in range(lists):
                    top = 2 ** (config.acc_width - 1)
                    t = [rng.choice([-top, top - 1, rng.randrange(-top, top)]) for _ in range(config.lanes)]
                    b = [rng.randrange(-128, 128) for _ in range(config.taps)]
                    head = {"lift": rng.randrange(8), "b": b,
                            "first": number == 0, "last": number == lists - 1}
                    for s, f in there.items():
                        weight = head["b"][s] << head["lift"]
                        sums[f] = [before + weight * x for before, x in
                                   zip(sums.get(f, [0] * config.lanes), t, strict=True)]
                    complete = sorted(ended) if head["last"] else []
                    order = sorted(there.values())
                    self.dots.append((head, t, len(there), [order.index(f) for f in complete]))
                    self.sums += [[wrapped(x, config.sum_width) for x in sums[f]] for f in complete]


class Bench:
    """Issues dot products, drains complete sums, and holds both against the rules."""

    def __init__(self, config, seed, p):
        self.config, self.rng, self.p = config, random.Random(seed), p
        self.dut, self.reset = Combination(config), Signal()

    def run(self, bench):
        simulate(ResetInserter(self.reset)(self.dut), bench, timeout=20_000)

    async def layer(self, ctx, layer, cycles=None):
        """All of a layer, or ``cycles`` cycles of it."""
        dut = self.dut
        ctx.set(dut.descriptor, layer.descriptor)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        self.now, self.busy, self.issued, self.started = 1, 0, 0, 0
        self.steps, self.finished, self.available = {}, set(), 0
        self.drained, self.draining, self.later = 0, None, defaultdict(list)
        while self.later or self.drained < len(layer.sums) or self.issued < len(layer.dots):
            if self.now == cycles:
                return
            ctx.set(dut.t, [self.rng.randrange(-9, 9) for _ in range(self.config.combine_width)])
            for action, *arguments in self.later.pop(self.now, []):
                action(ctx, *arguments)
            self._issue(ctx, layer)
            self._combine(ctx)
            self._drain(ctx, layer)
            await ctx.tick()
            self.now += 1
        assert not self.steps and not self.finished

    def _issue(self, ctx, layer):
        """Rule 2: ready exactly when it says so."""
        dut, steps = self.dut, self.config.combine_cycles
        ctx.set(dut.issued, 0)
        if self.now < 8 or self.issued == len(layer.dots):
            return
        head, t, taps, complete = layer.dots[self.issued]
        ctx.set(dut.head, head)
        room = not complete or self.started + len(complete) - FINISHED <= self.drained
        assert ctx.get(dut.ready) == (self.now >= self.busy and room), (self.now, self.issued)
        if not ctx.get(dut.ready) or self.rng.random() >= self.p:
            return
        negative = self.rng.getrandbits(1)
        ctx.set(dut.issued, 1)
        ctx.set(dut.negative, negative)
        self.busy = self.now + max(CombineControl.least_gap, steps * taps)
        first, size = self.now + CombineControl.latency, self.config.combine_width
        for n in range(taps * steps):
            vector = n % steps
            values = [~x if negative else x for x in t[vector * size:][:size]]
            self.steps[first + n] = 1 << vector
            self.later[first + n + 1].append((lambda ctx, values: ctx.set(dut.t, values), values))
        self.finished |= {first + tap * steps + CombineControl.drain - 1 for tap in complete}
        self.started += len(complete)
        self.issued += 1

    def _combine(self, ctx):
        """Rule 3: a step exactly when it says so."""
        if self.now in self.steps:
            assert ctx.get(self.dut.select) == self.steps.pop(self.now)
        finished = self.now in self.finished
        assert ctx.get(self.dut.finished) == finished
        if finished:
            self.finished.remove(self.now)
            self.later[self.now + 1].append((self._more,))

    def _more(self, ctx):
        self.available += 1

    def _drain(self, ctx, layer):
        """Steps through complete sums some time after they are finished."""
        dut, config, w = self.dut, self.config, Widths(self.config)
        if self.draining is None and self.available and self.rng.random() < self.p:
            self.draining = 0
            self.available -= 1
        ctx.set(dut.drained, self.draining == config.drain_cycles - 1)
        if self.draining is None:
            return
        n, number = self.draining, self.drained
        address = n >> w.part | number % FINISHED << w.vector
        lanes = layer.sums[number][n * config.drain_width:][:config.drain_width]
        self.later[self.now + 1].append((lambda ctx: ctx.set(dut.read_finished, address),))
        self.later[self.now + 2].append((lambda ctx: ctx.set(dut.part, n & (1 << w.part) - 1),))
        self.later[self.now + 3].append((self._compare, lanes))
        self.draining = n + 1
        if self.draining == config.drain_cycles:
            self.draining = None
            self.drained += 1

    def _compare(self, ctx, lanes):
        assert [ctx.get(x) for x in self.dut.result] == lanes


LAYERS = [   # taps, hop, columns, outputs, skip, lists
    (3, 1, 6, 4, 0, 2), (3, 1, 5, 6, 2, 1), (3, 2, 7, 3, 0, 2), (3, 2, 6, 3, 1, 1), (3, 3, 6, 2, 0, 1),
    (2, 2, 4, 2, 0, 1), (1, 1, 5, 5, 0, 3), (2, 1, 2, 2, 1, 1), (3, 1, 1, 1, 2, 2)]


@pytest.mark.parametrize("seed, name", list(enumerate(CONFIGS)))
@pytest.mark.parametrize("p", [1, 0.4, 0.05])
def test_layers(seed, name, p):
    """One layer after the other: dot products that come at once, and sums that wait to be drained."""
    bench = Bench(CONFIGS[name], seed, p)

    async def run(ctx):
        for layer in LAYERS[seed % 2::2] if p == 1 else bench.rng.sample(LAYERS, 2):
            await bench.layer(ctx, Layer(bench.config, bench.rng, *layer, runs=2))

    bench.run(run)


def test_four_taps():
    bench = Bench(CONFIGS["four taps"], 9, 0.8)

    async def run(ctx):
        for layer in ((4, 1, 6, 6, 3, 1), (4, 3, 7, 2, 0, 2), (4, 2, 6, 3, 2, 1)):
            await bench.layer(ctx, Layer(bench.config, bench.rng, *layer, runs=2))

    bench.run(run)


def test_reset():
    """In any cycle; the next layer is as good as any."""
    bench = Bench(TINY, 3, 0.9)

    async def run(ctx):
        for cycles in (9, 12, 14, 20, 33, 47):
            await bench.layer(ctx, Layer(TINY, bench.rng, *LAYERS[0]), cycles)
            ctx.set(bench.dut.issued, 0)
            ctx.set(bench.dut.drained, 0)
            ctx.set(bench.reset, 1)
            await ctx.tick()
            ctx.set(bench.reset, 0)
            await bench.layer(ctx, Layer(TINY, bench.rng, *LAYERS[1], runs=1))

    bench.run(run)
