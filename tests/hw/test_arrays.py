# amaranth: UnusedElaboratable=no
"""An engine of several arrays against as many machines of one array: docs/engines/ternary-arrays.md."""

import dataclasses
import random

import numpy as np
import pytest
from shiftwork.golden.ternary.encode import EncodeError, Order, encode
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.program import ErrorCode, Program
from shiftwork.hw.common.merger import Merger
from shiftwork.hw.ternary.vector import BitmapMemory

from ..golden.networks import CONFIGS, CONV_ONLY, random_input, random_network
from .kit import monitor, simulate, sink, source
from .test_engine import Bench
from .test_engine import Case as EngineCase

TINY = CONFIGS["tiny"]
DENSE_ONLY = dataclasses.replace(TINY, convolution=False)


class Case:
    """A random program for ``arrays`` arrays, two batches, and what machines of one array say of them."""

    def __init__(self, config, arrays, layers, seed=0, images=None, words=400):
        self.config = dataclasses.replace(config, arrays=arrays)
        while not self._try(config, layers, seed, images) or len(self.inputs[0] + [*self.outputs[0]]) > words:
            seed += 100

    def _try(self, config, layers, seed, images):
        arrays, rng = self.config.arrays, np.random.default_rng([seed, *layers])
        network = random_network(rng, *layers)
        try:
            program = encode(network, config, order=list(Order)[seed % 2], images=images)
        except EncodeError:
            return False
        self.words = [int(word) for word in Program(self.config, program.sections).to_words()]
        machine = Machine(config)
        machine.load(program.to_words())
        self.inputs, self.outputs, self.cycles = [], [], (None, None)
        for _ in range(2):
            beats = [program.pack_input(random_input(rng, network, images or config.batch))
                     for _ in range(arrays)]
            results = [machine.run(part).reshape(-1, config.drain_width) for part in beats]
            rows = [part.reshape(-1, config.drain_cycles, config.drain_width) for part in beats]
            stream = np.stack(rows, axis=1).reshape(-1, config.drain_width)
            self.inputs.append([int.from_bytes(beat.tobytes(), "little") for beat in stream])
            self.outputs.append(np.stack(results, axis=1).reshape(-1, config.drain_width))
        return True


class ArraysBench(Bench):
    """Compares values alone."""

    def compare_cycles(self, ctx, predicted):
        pass


CASES = {
    "2 arrays": (TINY, 2, (2, 1)), "3 arrays": (TINY, 3, (1, 2)), "5 arrays": (TINY, 5, (1, 1)),
    "denses": (TINY, 3, (0, 2)), "transposed only": (DENSE_ONLY, 2, (0, 2)),
    "convolution only": (CONV_ONLY, 3, (2, 0)), "one a cycle": (CONFIGS["grid1x4"], 2, (1, 1)),
}


@pytest.mark.parametrize("seed, name", list(enumerate(CASES)))
def test_networks(seed, name):
    """A batch without stalls, one with many."""
    config, arrays, layers = CASES[name]
    case = Case(config, arrays, layers, seed)
    bench = ArraysBench(case.config)

    async def run(ctx):
        await bench.load(ctx, case.words)
        for number, bench.p in enumerate((1, 0.5)):
            await bench.batch(ctx, case, number)

    bench.run(run)


@pytest.mark.parametrize("seed, name", list(enumerate(CASES)))
def test_cycles(seed, name):
    """Values and cycles of the golden model of all arrays."""
    config, arrays, layers = CASES[name]
    config = dataclasses.replace(config, arrays=arrays)
    case = EngineCase(config, layers, seed + 10, cycles=600, images=None if layers[0] else 2 * arrays)
    bench = Bench(config)

    async def run(ctx):
        await bench.load(ctx, case.words)
        for number in range(2):
            await bench.batch(ctx, case, number)

    bench.run(run)


@pytest.mark.parametrize("layers", [(1, 1), (0, 1)], ids=["to rows", "to the vector memory"])
def test_wrong_inputs(layers):
    """Packets that end with another array's beat, or go on; after each a good batch."""
    case = Case(TINY, 3, layers, seed=1, words=200)
    bench, good = ArraysBench(case.config), case.inputs[0]

    async def run(ctx):
        await bench.load(ctx, case.words)
        for code, beats in ((ErrorCode.INPUT_SHORT, good[:TINY.drain_cycles]),
                            (ErrorCode.INPUT_SHORT, good[:-1]), (ErrorCode.INPUT_LONG, good + good[:1])):
            await bench.pulse(ctx, bench.dut.start)
            await bench.send(ctx, bench.dut.i, beats)
            await bench.expect_error(ctx, code, loaded=1)
            await bench.batch(ctx, case, 1)

    bench.run(run)


def test_reset():
    """Amid the input and in any cycle of the run; the next batch is as good as any."""
    case = Case(TINY, 3, (1, 1), seed=5, words=200)
    bench, rng = ArraysBench(case.config), random.Random(6)

    async def run(ctx):
        dut, beats = bench.dut, case.inputs[1]
        for part in (rng.randrange(1, len(beats)), len(beats), len(beats)):
            await bench.load(ctx, case.words)
            await bench.pulse(ctx, dut.start)
            await bench.send(ctx, dut.i, beats[:part], ends=part == len(beats))
            await ctx.tick().repeat(rng.randrange(1, 150))
            await bench.pulse(ctx, bench.reset)
            assert [ctx.get(s) for s in (dut.busy, dut.loaded, dut.error, dut.o.valid)] == [0, 0, 0, 0]
            await bench.load(ctx, case.words)
            await bench.batch(ctx, case, 0)

    bench.run(run)


@pytest.mark.parametrize("p", [1, 0.4])
def test_merger(p):
    """Arrays in turn, ``last`` the last array's, one beat a cycle."""
    dut, count = Merger(dataclasses.replace(TINY, arrays=3)), 20
    taken = sink(dut.o, 3 * count, p=p, seed=1)
    sources = [source(getattr(dut, f"i{n}"), [{"data": 100 * n + k, "last": k == count - 1}
                                             for k in range(count)], p=p, seed=2 + n) for n in range(3)]
    simulate(dut, *sources, taken, background=[monitor(dut.o)], timeout=3 * count + 5 if p == 1 else 2000)
    assert taken.items == [{"data": 100 * n + k, "last": int(k == count - 1 and n == 2)}
                           for k in range(count) for n in range(3)]


def test_bitmap_of_the_union():
    """Rows of each array in turn: a bit is set where a value of any array is not zero."""
    config = dataclasses.replace(TINY, arrays=3)
    width, slots, rows = config.drain_width, config.drain_cycles, 4
    flags = np.random.default_rng(1).integers(0, 4, (rows, 3, slots, width)) == 0
    dut, base = BitmapMemory(config), config.scatter_width // width * 3

    async def run(ctx):
        ctx.set(dut.base, base)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        beats = [*np.ndindex(rows, 3, slots), *[None] * 4]
        for n, beat in enumerate(beats):
            ctx.set(dut.write, beat is not None)
            if beat is not None:
                row, array, slot = beat
                assert ctx.get(dut.position) == base + row * slots + slot
                ctx.set(dut.slot, slot)
                ctx.set(dut.first, array == 0)
                ctx.set(dut.final, array == 2)
            before = beats[n - 2] if n >= 2 else None
            bits = flags[before] if before is not None else np.zeros(width, bool)
            ctx.set(dut.nonzero, sum(int(bit) << k for k, bit in enumerate(bits)))
            await ctx.tick()
        expected = flags.any(axis=1).reshape(-1, config.scatter_width)
        ctx.set(dut.read, 1)
        for n, word in enumerate(expected):
            ctx.set(dut.address, base * width // config.scatter_width + n)
            await ctx.tick()
            assert ctx.get(dut.bitmap) == sum(int(bit) << k for k, bit in enumerate(word))

    simulate(dut, run, timeout=rows * 3 * slots + 60)
