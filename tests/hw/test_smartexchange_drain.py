# amaranth: UnusedElaboratable=no
"""The drain against pooled, requantized and masked sums in Python integers, and rule 4, cycle by cycle."""

import dataclasses
import random
from collections import defaultdict

import numpy as np
import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from shiftwork.golden.smartexchange.config import FINISHED, PRESETS
from shiftwork.hw.common.drain import Drain
from shiftwork.hw.common.drain_flags import DrainFlags
from shiftwork.hw.smartexchange.drain_control import DrainControl
from shiftwork.hw.smartexchange.layouts import MIN_SHIFT, Widths

from .kit import simulate

TINY = PRESETS["tiny"]
CONFIGS = {"tiny": TINY, "one column": dataclasses.replace(TINY, grid_columns=1, grid_rows=8),
           "wide": dataclasses.replace(TINY, lanes=16, drain_width=4, grid_columns=4, pool_columns=2)}


class Unit(wiring.Component):
    """Who decides, what goes with the results, and who scales and pools."""

    def __init__(self, config):
        slots = Widths(config).slots
        self.control, self.flags = DrainControl(config), DrainFlags(config, slots, pool_latency=3)
        self.drain = Drain(config, config.sum_width, slots, min_shift=MIN_SHIFT, registered=True)
        members = {}
        for part, names in (
                (self.control, ("descriptor", "start", "finished", "row_free", "reserve", "drained",
                                "advance_row", "final", "read_finished", "part", "table_address")),
                (self.flags, ("o_valid", "o_slot", "o_ends", "o_layer_ends")),
                (self.drain, ("result", "scale", "low", "high", "values"))):
            members |= {name: part.signature.members[name] for name in names}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.control, m.submodules.flags, m.submodules.drain = parts = (
            self.control, self.flags, self.drain)
        for part in parts:
            for name, member in part.signature.members.items():
                if name in self.signature.members:
                    inner, outer = getattr(part, name), getattr(self, name)
                    m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        for name in ("valid", "select", "masked", "first", "last", "ends", "layer_ends"):
            m.d.comb += getattr(self.flags, name).eq(getattr(self.control, name))
        m.d.comb += [
            self.drain.masked.eq(self.flags.packing.masked), self.drain.pool.eq(self.flags.pool),
            self.drain.slot.eq(self.flags.pool_slot), self.drain.first.eq(self.flags.pool_first)]
        return m


class Layer:
    """Random sums in the order m, i, pi, j, pj, and the rows that they come to."""

    def __init__(self, config, rng, counts):
        m, i, pi, j, pj = self.counts = counts
        self.descriptor = {
            "m_count": m, "i_count": i, "j_count": j, "pi_count": pi, "pj_count": pj, "param_base": 3,
            "i_last_cell": rng.randrange(config.grid_rows), "i_last_local": rng.randrange(i),
            "j_last_cell": rng.randrange(config.grid_columns), "j_last_local": rng.randrange(j)}
        self.low, self.high = rng.choice([(0, 255), (-128, 127)])
        self.scales = [(rng.randrange(-1000, 1000), rng.randrange(1 << config.scale_width), rng.randrange(4))
                       for _ in range(m)]
        self.table = {3 + n: bias & 2 ** config.sum_width - 1 | scale << config.sum_width
                      | shift << config.sum_width + config.scale_width
                      for n, (bias, scale, shift) in enumerate(self.scales)}
        self.sums = np.array([rng.randrange(-9000, 9000) for _ in range(m * i * pi * j * pj * config.lanes)])
        self.sums = self.sums.reshape(*counts, config.lanes)
        self.rows = [self._row(config, *index) for index in np.ndindex(m, i, j)]

    def _row(self, config, m, i, j):
        d, (bias, scale, shift) = self.descriptor, self.scales[m]
        values = (self.sums[m, i, :, j] + bias) * scale + 2 ** (shift + MIN_SHIFT - 1) >> shift + MIN_SHIFT
        values = np.clip(values, self.low, self.high)
        cells = [divmod(lane % config.image_lanes, config.grid_columns) for lane in range(config.lanes)]
        inside = [(row, i) <= (d["i_last_cell"], d["i_last_local"])
                  and (column, j) <= (d["j_last_cell"], d["j_last_local"]) for row, column in cells]
        return np.where(inside, values, 0).max(axis=(0, 1)).tolist()


class Bench:
    """Finishes sums, and holds what becomes of them against the rule."""

    def __init__(self, config, seed, p):
        self.config, self.rng, self.p = config, random.Random(seed), p
        self.dut, self.reset = Unit(config), Signal()

    def run(self, bench):
        simulate(ResetInserter(self.reset)(self.dut), bench, timeout=20_000)

    async def layer(self, ctx, layer, cycles=None):
        dut, config, w = self.dut, self.config, Widths(self.config)
        for name, value in (("descriptor", layer.descriptor), ("low", layer.low), ("high", layer.high)):
            ctx.set(getattr(dut, name), value)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        sums, steps = layer.sums.reshape(-1, config.lanes).tolist(), config.drain_cycles
        pi, j, pj = layer.counts[2:]
        finished = waiting = number = now = 0
        step, later, rows = None, defaultdict(list), []
        while later or number < len(sums):
            if now == cycles:
                return
            for action, *arguments in later.pop(now, []):
                action(ctx, *arguments)
            free = self.rng.random() < self.p
            ctx.set(dut.row_free, free)
            if step is None and waiting:
                q = number % (pi * j * pj)
                ends = q // (j * pj) == pi - 1 and q % pj == pj - 1
                if free or not ends:
                    step, waiting = 0, waiting - 1
                assert ctx.get(dut.reserve) == (free and ends)
            else:
                assert not ctx.get(dut.reserve)
            assert ctx.get(dut.drained) == (step == steps - 1)
            if step is not None:
                n = step * config.drain_width
                lanes = sums[number][n:n + config.drain_width]
                address = step >> w.part | number % FINISHED << w.vector
                later[now + 1].append((self._equal, dut.read_finished, address))
                later[now + 1].append((self._look_up, layer, later, now))
                later[now + 2].append((self._equal, dut.part, step & (1 << w.part) - 1))
                later[now + 3].append((lambda ctx, lanes: ctx.set(dut.result, lanes), lanes))
                m, row = divmod(number, len(sums) // layer.counts[0])
                if ends:
                    index = (m * layer.counts[1] + row // (pi * j * pj)) * j + number // pj % j
                    expected = layer.rows[index][n:n + config.drain_width]
                    flags = step, step == steps - 1, step == steps - 1 and number == len(sums) - 1
                    later[now + 14].append((self._vector, expected, flags, rows))
                else:
                    later[now + 14].append((self._equal, dut.o_valid, 0))
                step = step + 1 if step < steps - 1 else None
                number += step is None
            more = finished < len(sums) and finished - number < FINISHED and self.rng.random() < self.p
            ctx.set(dut.finished, more)
            finished, waiting = finished + more, waiting + more
            await ctx.tick()
            now += 1
        assert len(rows) == len(layer.rows) * steps

    def _equal(self, ctx, signal, value):
        assert ctx.get(signal) == value

    def _look_up(self, ctx, layer, later, now):
        word = layer.table[ctx.get(self.dut.table_address)]
        later[now + 3].append((lambda ctx: ctx.set(self.dut.scale, word),))

    def _vector(self, ctx, expected, flags, rows):
        dut = self.dut
        assert ctx.get(dut.o_valid)
        assert (ctx.get(dut.o_slot), ctx.get(dut.o_ends), ctx.get(dut.o_layer_ends)) == flags
        assert [ctx.get(value) for value in dut.values] == expected
        rows.append(expected)


COUNTS = [   # m, i, pi, j, pj
    (2, 2, 1, 3, 1), (1, 2, 2, 2, 2), (2, 1, 3, 1, 2), (1, 1, 1, 5, 3), (3, 2, 2, 2, 1), (1, 3, 1, 1, 2)]


@pytest.mark.parametrize("seed, name", list(enumerate(CONFIGS)))
@pytest.mark.parametrize("p", [1, 0.4])
def test_layers(seed, name, p):
    """One after the other, without and with pooling over rows and columns; destinations that are full."""
    bench = Bench(CONFIGS[name], seed, p)

    async def run(ctx):
        for counts in COUNTS:
            await bench.layer(ctx, Layer(bench.config, bench.rng, counts))

    bench.run(run)


def test_reset():
    """In any cycle; the next layer is as good as any."""
    bench = Bench(TINY, 5, 0.8)

    async def run(ctx):
        for cycles in (2, 5, 9, 14, 23):
            await bench.layer(ctx, Layer(TINY, bench.rng, COUNTS[1]), cycles)
            ctx.set(bench.dut.finished, 0)
            ctx.set(bench.reset, 1)
            await ctx.tick()
            ctx.set(bench.reset, 0)
            await bench.layer(ctx, Layer(TINY, bench.rng, COUNTS[3]))

    bench.run(run)


def test_input_rows():
    """Rows of an INPUT layer are counted: ``final`` stands at the last one."""
    bench = Bench(TINY, 1, 1)

    async def run(ctx):
        dut = bench.dut
        ctx.set(dut.descriptor, {"m_count": 2, "i_count": 3, "j_count": 2, "pi_count": 1, "pj_count": 1})
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.advance_row, 1)
        for row in range(12):
            assert ctx.get(dut.final) == (row == 11)
            await ctx.tick()

    bench.run(run)
