# amaranth: UnusedElaboratable=no
"""The ternary engine: every bit of its output as the interpreter says, every cycle as timing.py predicts."""

import dataclasses
import random

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.ternary import timing
from shiftwork.golden.ternary.encode import EncodeError, Order, encode
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.program import ErrorCode, Program
from shiftwork.hw.common.column import ColumnArray
from shiftwork.hw.common.drain import Drain
from shiftwork.hw.ternary.drain_control import DrainControl
from shiftwork.hw.ternary.engine import TernaryEngine
from shiftwork.hw.ternary.layouts import DESCRIPTOR
from shiftwork.hw.ternary.sacu import SparseAdditionControl
from shiftwork.hw.ternary.serial_array import SerialColumnArray

from ..golden.networks import CONFIGS, CONV_ONLY, random_input, random_network
from .kit import monitor, simulate, source

TINY = CONFIGS["tiny"]
DENSE_ONLY = dataclasses.replace(TINY, convolution=False)
SERIAL = dataclasses.replace(TINY, bit_serial=True)
BASELINE = {"bit_serial": True, "carry_write_back": True, "skip_zeros": False}


class Case:
    """A random program, batches of it, and what the interpreter and timing.py say of them.

    The first seed from ``seed`` on whose network fits the engine and takes at most ``cycles``.
    """

    def __init__(self, config, layers, seed=0, batches=2, cycles=2500, images=None, bits=8):
        self.config = config
        arguments = batches, images, bits
        while not self._try(layers, seed, *arguments) or sum(map(sum, self.cycles)) > cycles * batches:
            seed += 100

    def _try(self, layers, seed, batches, images, bits):
        rng = np.random.default_rng([seed, *layers])
        network = random_network(rng, *layers, bits)
        try:
            program = encode(network, self.config, order=list(Order)[seed % 2], images=images)
        except EncodeError:
            return False
        machine = Machine(self.config)
        self.words = [int(word) for word in program.to_words()]
        machine.load(self.words)
        self.beats, self.inputs, self.outputs, self.cycles = [], [], [], []
        for _ in range(batches):
            beats = program.pack_input(random_input(rng, network, images or self.config.batch))
            self.beats.append(beats)
            self.outputs.append(machine.run(beats))
            self.inputs.append([int.from_bytes(beat.tobytes(), "little") for beat in beats])
            predicted = timing.predict(machine)
            self.cycles.append((predicted.load_cycles, predicted.run_cycles))
        return True


class Bench:
    """An engine and what is done with it; the ports stall where ``p`` is below 1."""

    def __init__(self, config, p=1.0, engine=TernaryEngine, width=None):
        self.dut, self.reset = engine(config), Signal()
        self.p, self._width = p, width or config.drain_width
        self._taken, self._random = [], random.Random(2)

    def run(self, bench, timeout=30_000):
        """Simulates ``bench``."""
        simulate(ResetInserter(self.reset)(self.dut), bench, timeout=timeout,
                 background=[self._take, monitor(self.dut.o, self.reset)])

    async def _take(self, ctx):
        """Takes what comes out, all the time."""
        o = self.dut.o
        while True:
            ctx.set(o.ready, self._random.random() < self.p)
            _, _, valid, ready, payload = await ctx.tick().sample(o.valid, o.ready, o.p)
            if valid and ready:
                self._taken.append(payload)

    async def pulse(self, ctx, signal):
        ctx.set(signal, 1)
        await ctx.tick()
        ctx.set(signal, 0)

    async def send(self, ctx, stream, values, ends=True):
        """A packet; without ``ends`` only the beginning of one."""
        items = [{"data": v, "last": ends and n == len(values) - 1} for n, v in enumerate(values)]
        await source(stream, items, p=self.p, seed=3)(ctx)

    async def load(self, ctx, words):
        await self.send(ctx, self.dut.i_program, words)
        await ctx.tick().repeat(3)
        assert ctx.get(self.dut.loaded) and not ctx.get(self.dut.error) and not ctx.get(self.dut.busy)

    async def batch(self, ctx, case, number):
        """Runs a batch and compares its output and, if nothing stalls, its cycles."""
        dut = self.dut
        self.forget()
        await self.pulse(ctx, dut.start)
        await self.send(ctx, dut.i, case.inputs[number])
        while ctx.get(dut.busy):
            await ctx.tick()
        assert (ctx.get(dut.error), ctx.get(dut.loaded)) == (0, 1)
        self.compare_output(case.outputs[number])
        self.compare_cycles(ctx, case.cycles[number])

    def forget(self):
        """What was taken."""
        self._taken.clear()

    def compare_output(self, expected):
        """Compares what was taken, one packet, with ``expected`` (beats, values)."""
        lasts = [item.last for item in self._taken]
        assert lasts == [0] * (len(lasts) - 1) + [1]
        values = [item.data >> 16 * n & 0xFFFF for item in self._taken for n in range(self._width)]
        found = np.array(values, np.uint16).astype(np.int16).reshape(-1, self._width)
        np.testing.assert_array_equal(found, expected)

    def compare_cycles(self, ctx, predicted):
        """Compares the last batch's cycles if nothing stalled."""
        if self.p == 1:
            assert (ctx.get(self.dut.load_cycles), ctx.get(self.dut.run_cycles)) == predicted

    async def output(self, ctx, beats):
        """Waits until so many beats of a batch's output were taken."""
        self.forget()
        while len(self._taken) < beats:
            await ctx.tick()

    async def expect_error(self, ctx, code, loaded):
        """Waits for an error, which stays until it is cleared."""
        while not ctx.get(self.dut.error) or ctx.get(self.dut.busy):
            await ctx.tick()
        await ctx.tick().repeat(5)
        assert (ctx.get(self.dut.error), ctx.get(self.dut.loaded)) == (code, loaded)
        await self.pulse(ctx, self.dut.clear)
        assert (ctx.get(self.dut.error), ctx.get(self.dut.loaded)) == (0, loaded)

    def check_start_without_program(self, case):
        """Refused, before any program and after a bad one; a good one makes the error forgotten."""
        dut = self.dut

        async def run(ctx):
            await self.pulse(ctx, dut.start)
            await self.expect_error(ctx, ErrorCode.NO_PROGRAM, loaded=0)
            await self.load(ctx, case.words)
            await self.batch(ctx, case, 0)
            await self.send(ctx, dut.i_program, [*case.words[:-1], case.words[-1] ^ 1])
            await self.expect_error(ctx, ErrorCode.CHECKSUM, loaded=0)
            await self.pulse(ctx, dut.start)
            await ctx.tick().repeat(3)
            assert ctx.get(dut.error) == ErrorCode.NO_PROGRAM and not ctx.get(dut.busy)
            await self.load(ctx, case.words)
            await self.batch(ctx, case, 1)

        self.run(run)

    def check_start_while_busy(self, case):
        """Ignored."""
        dut = self.dut

        async def run(ctx):
            await self.load(ctx, case.words)
            await self.pulse(ctx, dut.start)
            await self.send(ctx, dut.i, case.inputs[0][:1], ends=False)
            ctx.set(dut.start, 1)
            await self.send(ctx, dut.i, case.inputs[0][1:])
            ctx.set(dut.start, 0)
            while ctx.get(dut.busy):
                await ctx.tick()
            await self.batch(ctx, case, 1)

        self.run(run)

    def check_resets(self, case, places, seed, cycles):
        """Amid program, input and output, and in any of the ``cycles`` of a run; the next batch is good."""
        dut, rng = self.dut, np.random.default_rng(seed)

        async def begin(ctx, place):
            if place == "program":
                part = case.words[:rng.integers(1, len(case.words))]
                return await self.send(ctx, dut.i_program, part, ends=False)
            await self.load(ctx, case.words)
            self.forget()
            await self.pulse(ctx, dut.start)
            beats = case.inputs[1]
            if place == "input":
                return await self.send(ctx, dut.i, beats[:len(beats) // 2], ends=False)
            await self.send(ctx, dut.i, beats)
            if place == "run":
                return await ctx.tick().repeat(int(rng.integers(1, cycles)))
            await self.output(ctx, int(rng.integers(1, len(case.outputs[1]) - len(self._taken))))

        async def run(ctx):
            for place in places:
                await begin(ctx, place)
                await self.pulse(ctx, self.reset)
                assert [ctx.get(s) for s in (dut.busy, dut.loaded, dut.error, dut.o.valid)] == [0, 0, 0, 0]
                await self.load(ctx, case.words)
                await self.batch(ctx, case, 0)

        self.run(run)


CASES = {
    "tiny conv": (TINY, (1, 0)), "tiny convs": (TINY, (3, 0)), "tiny conv dense": (TINY, (1, 1)),
    "tiny convs denses": (TINY, (2, 2)), "tiny dense": (TINY, (0, 1)), "tiny denses": (TINY, (0, 3)),
    "icebreaker": (CONFIGS["icebreaker"], (2, 1)), "icebreaker denses": (CONFIGS["icebreaker"], (0, 2)),
    "batch1": (CONFIGS["batch1"], (2, 1)), "grid1x4": (CONFIGS["grid1x4"], (2, 1)),
    "convolution only": (CONV_ONLY, (2, 0)), "transposed only": (DENSE_ONLY, (0, 2)),
}


@pytest.mark.parametrize("seed, name", list(enumerate(CASES)))
def test_networks(seed, name):
    """Two batches without stalls, one with many; odd seeds are for the other order of the weights."""
    config, layers = CASES[name]
    case, bench = Case(config, layers, seed, batches=3, cycles=600), Bench(config)

    async def run(ctx):
        await bench.load(ctx, case.words)
        for number in range(3):
            bench.p = 0.5 if number == 1 else 1
            await bench.batch(ctx, case, number)

    bench.run(run)


VARIANTS = {
    "serial": ({"bit_serial": True}, (2, 1), 8),
    "serial denses": ({"bit_serial": True, "convolution": False}, (0, 2), 5),
    "write back": ({"bit_serial": True, "carry_write_back": True}, (1, 1), 8),
    "all terms": ({"skip_zeros": False}, (2, 1), 8),
    "serial all terms": ({"bit_serial": True, "skip_zeros": False}, (1, 1), 1),
    "write back all terms": (BASELINE, (2, 0), 4),
    "16 bits": ({"activation_width": 16}, (1, 1), 16),
    "serial 16 bits": ({"bit_serial": True, "activation_width": 16, "acc_width": 26}, (1, 1), 16),
}


@pytest.mark.parametrize("seed, name", list(enumerate(VARIANTS)))
def test_variants(seed, name):
    """Bit-serial columns, controllers that do not skip zeros, wide activations; the second batch stalls."""
    fields, layers, bits = VARIANTS[name]
    config = dataclasses.replace(TINY, **fields)
    case, bench = Case(config, layers, seed, cycles=2500, bits=bits), Bench(config)

    async def run(ctx):
        await bench.load(ctx, case.words)
        for number, bench.p in enumerate((1, 0.5)):
            await bench.batch(ctx, case, number)

    bench.run(run)


@pytest.mark.parametrize("name, layers", [("default", (1, 1)), ("grid8x8", (1, 1))])
def test_networks_on_64_lanes(name, layers):
    case, bench = Case(CONFIGS[name], layers, seed=2, batches=1, cycles=600), Bench(CONFIGS[name])

    async def run(ctx):
        await bench.load(ctx, case.words)
        await bench.batch(ctx, case, 0)

    bench.run(run)


@pytest.mark.parametrize("images", [1, 5])
def test_images_of_a_dense_batch(images):
    case, bench = Case(TINY, (0, 2), images=images, cycles=1000), Bench(TINY)

    async def run(ctx):
        await bench.load(ctx, case.words)
        await bench.batch(ctx, case, 0)

    bench.run(run)


def test_programs_follow_one_another():
    """Each finds the memories full of what the one before left."""
    cases = [Case(TINY, layers, seed=4, cycles=600) for layers in ((2, 1), (0, 2), (1, 0), (1, 2))]
    bench = Bench(TINY)

    async def run(ctx):
        for case in [*cases, cases[0]]:
            await bench.load(ctx, case.words)
            await bench.batch(ctx, case, 0)

    bench.run(run)


@pytest.mark.parametrize("layers, p", [((1, 1), 1), ((0, 1), 0.6)], ids=["to rows", "to the vector memory"])
def test_wrong_inputs(layers, p):
    """Packets that are too short or too long, and after each a good batch."""
    case, bench = Case(TINY, layers, seed=1, cycles=400), Bench(TINY, p)
    good = case.inputs[0]

    async def run(ctx):
        dut = bench.dut
        await bench.load(ctx, case.words)
        for code, beats in (
                (ErrorCode.INPUT_SHORT, good[:1]), (ErrorCode.INPUT_SHORT, good[:-1]),
                (ErrorCode.INPUT_SHORT, good[:len(good) // 2]),
                (ErrorCode.INPUT_LONG, good + good[:1]), (ErrorCode.INPUT_LONG, good + good)):
            await bench.pulse(ctx, dut.start)
            await bench.send(ctx, dut.i, beats)
            await bench.expect_error(ctx, code, loaded=1)
            await bench.batch(ctx, case, 1)

    bench.run(run)


def test_start_without_program():
    Bench(TINY).check_start_without_program(Case(TINY, (0, 1), cycles=800))


def test_start_while_busy_is_ignored():
    Bench(TINY).check_start_while_busy(Case(TINY, (1, 0), cycles=800))


def test_empty_program():
    """It makes runnable what the memories hold: at first no layer, then the program before it."""
    case, bench = Case(TINY, (1, 1), batches=1, cycles=600), Bench(TINY)
    empty = [int(word) for word in Program(TINY, ()).to_words()]

    async def run(ctx):
        dut = bench.dut
        await bench.load(ctx, empty)
        await bench.pulse(ctx, dut.start)
        assert ctx.get(dut.busy)
        while ctx.get(dut.busy):
            assert not ctx.get(dut.i.ready) and not ctx.get(dut.o.valid)
            await ctx.tick()
        assert [ctx.get(s) for s in (dut.error, dut.loaded, dut.load_cycles, dut.run_cycles)] == [0, 1, 3, 0]
        for words in (case.words, empty):
            await bench.load(ctx, words)
            await bench.batch(ctx, case, 0)

    bench.run(run)


def test_unused_bits_are_ignored():
    """Ones in every bit of the descriptors that no field has, above their 32 bits, and for the order of terms
    where none has a sign.
    """
    case, bench = Case(TINY, (1, 1), seed=1, batches=1, cycles=600), Bench(TINY)
    table, *others = Program.from_words(case.words, TINY).sections
    words = table.words.copy()
    words[:64:16, 0] |= 0xFFC0
    words[[0, 32, 48], 0] |= 4                  # of INPUT, DENSE, END
    words[15:64:16, 0] |= 0xFFFF0000
    words[:64, 1] |= 0xFFFFFFFF
    program = Program(TINY, (dataclasses.replace(table, words=words), *others))

    machine = Machine(TINY)
    machine.load(program.to_words())
    np.testing.assert_array_equal(machine.run(case.beats[0]), case.outputs[0])
    predicted = timing.predict(machine)
    assert (predicted.load_cycles, predicted.run_cycles) == case.cycles[0]

    async def run(ctx):
        await bench.load(ctx, [int(word) for word in program.to_words()])
        await bench.batch(ctx, case, 0)

    bench.run(run)


@pytest.mark.parametrize("config, layers, cycles", [
    (TINY, (1, 1), 400), (TINY, (2, 0), 400), (SERIAL, (1, 1), 1500),
    (dataclasses.replace(TINY, skip_zeros=False), (1, 1), 500),
    (dataclasses.replace(TINY, **BASELINE), (1, 0), 700)])
def test_reset(config, layers, cycles):
    case = Case(config, layers, seed=5, cycles=cycles)
    places = ("program", "input", "run", "run", "output")
    Bench(config).check_resets(case, places, 6, case.cycles[1][1])


def test_predicted_latencies_are_the_hardwares():
    assert timing.ARRAY_LATENCY == ColumnArray.latency == SerialColumnArray.latency
    assert timing.DRAIN_LATENCY == 1 + Drain(TINY, TINY.acc_width, 4).latency + 1   # array; register
    assert timing.LEAST_GAP == DrainControl.least_gap
    assert timing.QUEUE_DEPTH == SparseAdditionControl.queue_depth
    assert timing.DESCRIPTOR_CYCLES == DESCRIPTOR.size // 32 + 2
