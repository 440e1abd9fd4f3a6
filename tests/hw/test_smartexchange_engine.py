# amaranth: UnusedElaboratable=no
"""The SmartExchange engine: every bit as the interpreter says, every cycle as timing.py predicts."""

import dataclasses

import numpy as np
import pytest
from shiftwork.golden.common.program import ErrorCode
from shiftwork.golden.smartexchange import timing
from shiftwork.golden.smartexchange.encode import EncodeError, encode
from shiftwork.golden.smartexchange.interpreter import Machine
from shiftwork.hw.common.drain import Drain
from shiftwork.hw.smartexchange.combine_control import CombineControl
from shiftwork.hw.smartexchange.engine import SmartExchangeEngine
from shiftwork.hw.smartexchange.list_reader import ListReader
from shiftwork.hw.smartexchange.rebuild_control import RebuildMachine

from ..golden.smartexchange_networks import CONFIGS, random_input, random_network
from .test_engine import Bench

TINY = CONFIGS["tiny"]
KINDS = [("conv",), ("conv", "conv"), ("depthwise", "point"), ("conv", "dense"), ("point", "conv", "dense"),
         ("dense", "dense"), ("point",), ("conv", "depthwise", "conv", "dense")]


class Case:
    """A random program, batches of it, and what the interpreter and timing.py say of them.

    The first seed from ``seed`` on whose network fits the engine and takes at most ``cycles`` a batch.
    """

    def __init__(self, config, kinds, seed=0, batches=2, cycles=10_000, bits=8):
        self.config = config
        while not self._try(kinds, seed, batches, bits) or sum(map(sum, self.cycles)) > cycles * batches:
            seed += 100

    def _try(self, kinds, seed, batches, bits):
        rng = np.random.default_rng([seed, len(kinds)])
        network = random_network(rng, kinds, self.config.taps, bits)
        try:
            program = encode(network, self.config)
        except EncodeError:
            return False
        machine = Machine(self.config)
        self.words = [int(word) for word in program.to_words()]
        machine.load(self.words)
        self.beats, self.outputs, self.cycles = [], [], []
        for _ in range(batches):
            self.beats.append(program.pack_input(random_input(rng, network, self.config.batch)))
            self.outputs.append(machine.run(self.beats[-1]))
            predicted = timing.predict(machine)
            self.cycles.append((predicted.load_cycles, predicted.run_cycles))
        self.inputs = [[int.from_bytes(beat.tobytes(), "little") for beat in beats] for beats in self.beats]
        return True


@pytest.mark.parametrize("name", ["tiny", "one column"])
def test_networks(name, simulator):
    """Two batches without stalls, values and cycles; and with many, values."""
    check_networks(CONFIGS[name], simulator)


def check_networks(config, simulator):
    """All KINDS of networks."""
    compiled = simulator(config)
    for seed, kinds in enumerate(KINDS):
        case = Case(config, kinds, seed)
        for stall in (0, 50):
            found = compiled.run(case.words, case.beats, stall_percent=stall, seed=seed)
            for n, values in enumerate(case.outputs):
                np.testing.assert_array_equal(found.values[n].reshape(values.shape), values, f"{kinds}")
                if not stall:
                    cycles = found.load_cycles[n], found.run_cycles[n]
                    assert cycles == case.cycles[n], f"{kinds}, seed {seed}, batch {n}"


def bench_of(config, p=1.0):
    return Bench(config, p, RebuildMachine if config.rebuild else SmartExchangeEngine)


@pytest.mark.parametrize("seed, name, kinds", [
    (1, "arrays", ("conv",)), (2, "arrays", ("depthwise", "dense")), (3, "four taps", ("conv", "point")),
    (4, "one cell", ("conv",)), (5, "one row", ("conv", "conv"))])
def test_other_grids(seed, name, kinds):
    """A batch without stalls, values and cycles, and one with many, values."""
    case, bench = Case(CONFIGS[name], kinds, seed, cycles=700), bench_of(CONFIGS[name])

    async def run(ctx):
        await bench.load(ctx, case.words)
        for number, bench.p in enumerate((1, 0.5)):
            await bench.batch(ctx, case, number)

    bench.run(run)


def test_predicted_latencies_are_the_hardwares():
    assert timing.START == ListReader.latency
    assert timing.COMBINE == CombineControl.latency
    assert (timing.GAP, timing.FREE) == (CombineControl.least_gap, CombineControl.free)
    assert timing.DRAIN == CombineControl.drain
    # two cycles from a step to the flags, one more to the result; the register before the destinations
    assert timing.DRAIN_LATENCY == 2 + 1 + Drain(
        TINY, TINY.sum_width, 8, registered=True).latency + 1


@pytest.mark.parametrize("p", [1, 0.5])
def test_wrong_inputs(p):
    """Packets that are too short or too long, and after each a good batch."""
    case, bench = Case(TINY, ("conv",), seed=1, cycles=500), bench_of(TINY, p)
    good = case.inputs[0]

    async def run(ctx):
        dut = bench.dut
        await bench.load(ctx, case.words)
        for code, beats in (
                (ErrorCode.INPUT_SHORT, good[:1]), (ErrorCode.INPUT_SHORT, good[:-1]),
                (ErrorCode.INPUT_LONG, good + good[:1]), (ErrorCode.INPUT_LONG, good + good)):
            await bench.pulse(ctx, dut.start)
            await bench.send(ctx, dut.i, beats)
            await bench.expect_error(ctx, code, loaded=1)
            await bench.batch(ctx, case, 1)

    bench.run(run)


@pytest.mark.parametrize("seed, name", [(5, "tiny"), (6, "arrays")])
def test_reset(seed, name):
    """Amid the program, the input, and in any cycle of the run; the next batch is as good as any."""
    check_resets(CONFIGS[name], ("conv",), seed)


def check_resets(config, kinds, seed, cycles=500):
    case = Case(config, kinds, seed, cycles=cycles)
    places = ("program", "input", "run", "run", "run")
    bench_of(config).check_resets(case, places, seed, case.cycles[1][1])


def test_malformed_programs():
    """Sections of unknown memories and beyond the end of each; and a good program after each."""
    case, bench = Case(TINY, ("conv",), seed=2, batches=1, cycles=500), bench_of(TINY)
    depths = {1: TINY.table_depth, 2: TINY.item_depth // 2, 3: TINY.basis_depth}

    async def run(ctx):
        dut = bench.dut
        for memory, address in [(0, 0), (4, 0), (255, 0), *((n, depth) for n, depth in depths.items())]:
            words = [*case.words[:3], memory | address << 8, 1, 0]
            await bench.send(ctx, dut.i_program, words)
            await bench.expect_error(ctx, ErrorCode.ADDRESS, loaded=0)
        await bench.send(ctx, dut.i_program, [0x31545753, *case.words[1:]])
        await bench.expect_error(ctx, ErrorCode.MAGIC, loaded=0)
        await bench.load(ctx, case.words)
        await bench.batch(ctx, case, 0)

    bench.run(run)


def test_wide_activations():
    config = dataclasses.replace(TINY, activation_width=16)
    case, bench = Case(config, ("conv",), seed=3, cycles=500, bits=16), bench_of(config)

    async def run(ctx):
        await bench.load(ctx, case.words)
        for number, bench.p in enumerate((1, 0.5)):
            await bench.batch(ctx, case, number)

    bench.run(run)
