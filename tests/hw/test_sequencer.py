"""The sequencer's cycles, of layers that take as long as they are told."""

import pytest
from shiftwork.golden.ternary.config import PRESETS
from shiftwork.golden.ternary.descriptor import Descriptor, Kind
from shiftwork.hw.common.sequencer import Sequencer
from shiftwork.hw.ternary.layouts import DESCRIPTOR

from .kit import simulate

FETCH, END = 18, 3


class Bench:
    """A table of ``kinds`` and END, and layers that are done so many cycles after their start."""

    def __init__(self, kinds, cycles):
        self.dut, self.cycles, self.started = Sequencer(PRESETS["tiny"], DESCRIPTOR), cycles, []
        words = [word for kind in (*kinds, Kind.END) for word in Descriptor(kind=kind).to_words()]
        self.table = words + [0] * (128 - len(words))

    async def memory(self, ctx):
        async for _, _, address in ctx.tick().sample(self.dut.table_address):
            ctx.set(self.dut.table_data, self.table[address])

    async def layers(self, ctx):
        for cycles in self.cycles:
            while not ctx.get(self.dut.layer_start):
                await ctx.tick()
            self.started.append((ctx.get(self.dut.layer), ctx.get(self.dut.descriptor.kind).value))
            await ctx.tick().repeat(cycles)
            ctx.set(self.dut.layer_done, 1)
            await ctx.tick()
            ctx.set(self.dut.layer_done, 0)

    async def batches(self, ctx):
        self.counted = []
        for _ in range(2):
            ctx.set(self.dut.start, 1)
            await ctx.tick()
            ctx.set(self.dut.start, 0)
            cycles = 0
            while ctx.get(self.dut.busy):
                await ctx.tick()
                cycles += 1
            self.counted.append((ctx.get(self.dut.load_cycles), ctx.get(self.dut.run_cycles), cycles))


@pytest.mark.parametrize("kinds, cycles, load, run", [
    ((), (), END, 0),
    ((Kind.INPUT,), (5,), FETCH + 5, END),
    ((Kind.INPUT, Kind.CONV, Kind.DENSE), (5, 9, 1), FETCH + 5, 2 * FETCH + 10 + END),
    ((Kind.CONV,), (7,), 0, FETCH + 7 + END),
    ((Kind.DENSE, Kind.DENSE), (1, 4), 0, 2 * FETCH + 5 + END),
])
def test_cycles(kinds, cycles, load, run):
    """A batch without INPUT loads nothing; one of no layers at all does nothing but that."""
    bench = Bench(kinds, 2 * cycles)
    simulate(bench.dut, bench.batches, background=(bench.memory, bench.layers), timeout=500)
    assert bench.counted == [(load, run, load + run)] * 2
    assert bench.started == 2 * [(n, kind.value) for n, kind in enumerate(kinds)]
