# amaranth: UnusedElaboratable=no
"""The element unit against the golden model's functions: all passes, pools, extremes, a packer in between."""

import random

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.training.arithmetic import saturate, shift_round
from shiftwork.golden.training.batch_norm import scale_and_shift
from shiftwork.golden.training.config import TrainingConfig
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.interpreter import product_error, rectify
from shiftwork.golden.training.quantize import Scaled, scale_exponent, shifted
from shiftwork.golden.training.registers import Element, Slot
from shiftwork.hw.training.element_unit import ElementUnit
from shiftwork.hw.training.layouts import MEMORY_CYCLES, Z_CYCLES

from .kit import plain, simulate

BITS = {Slot.MEAN: 25, Slot.SHIFT: 6, Slot.GAMMA: 8, Slot.BETA: 8, Slot.P: 18, Slot.Q: 20, Slot.FACTOR: 18}
PACKED = (Element.ACTIVATE, Element.ERROR, Element.RAW)


def _extremes(rng, bits, shape):
    """Symmetric integers of ``bits`` bits: uniform in size, every eighth the greatest, a tenth 0."""
    most = (1 << bits - 1) - 1
    value = rng.integers(-most, most + 1, shape) >> rng.integers(0, bits, shape)
    value = np.where(rng.random(shape) < 0.125, np.where(value < 0, -most, most), value)
    return np.where(rng.random(shape) < 0.1, 0, value)


def _parameters(rng, side, wild):
    """{slot: (2, side)}: any if ``wild``; else such as clip little, those of lane 0 yield halves."""
    shape = 2, side
    found = {slot: _extremes(rng, bits, shape) for slot, bits in BITS.items()}
    found[Slot.MANTISSA] = rng.integers(1 << 15, (1 << 16) + 1, shape)
    found[Slot.SHIFT] = rng.integers(0, 64, shape) if wild else rng.integers(19, 24, shape)
    if not wild:
        found[Slot.MEAN] >>= 2
        found[Slot.GAMMA] = rng.choice([-1, 1, 1], shape) * rng.integers(20, 128, shape)
        found[Slot.P] >>= 2
        found[Slot.Q] >>= 5
        found[Slot.MANTISSA][:, 0], found[Slot.GAMMA][:, 0] = 1 << 15, 64
        found[Slot.Q][:, 0] = 0x700
        found[Slot.FACTOR] |= 1 << 14
    return found


def _errors(rng, shape):
    """Wide errors: some extremes; of many the last bits are 0, so that halves come."""
    found = rng.integers(1 - (1 << 39), 1 << 39, shape) >> rng.integers(0, 8, shape)
    for bits in (31, 23):
        found = np.where(rng.random(shape) < 0.2, found >> bits << bits, found)
    return saturate(np.where(rng.random(shape) < 0.1, _extremes(rng, 40, shape), found), 40)


class Case:
    """A map with its memories, and what each pass makes of it, in numpy; channels are (2, side)."""

    def __init__(self, side, rows, columns, groups, *, pooled, seed, wild):
        self.side, self.rows, self.columns, self.groups, self.pooled = side, rows, columns, groups, pooled
        self.batch = batch = groups * 2 * side
        rng = np.random.default_rng(seed)
        self.pixels, self.out_rows, self.out_columns = rows * columns, rows >> pooled, columns >> pooled
        pooled_pixels = self.out_rows * self.out_columns
        self.parameters = _parameters(rng, side, wild)
        # of half, pixel, image, lane
        self.z = _extremes(rng, 24, (2, rows, columns, batch, side))
        if not wild:
            near = (self._of(Slot.MEAN) >> 1) + rng.integers(-1 << 18, 1 << 18, self.z.shape)
            self.z = np.where(rng.random(self.z.shape) < 0.1, self.z, saturate(near, 24))
            # equal ones within a window, too
            self.z[:, ::2] = np.where(rng.random(self.z[:, ::2].shape) < 0.2, self.z[:, :1], self.z[:, ::2])
        self.errors = _errors(rng, (2, pooled_pixels, batch, side))
        self.winners = rng.integers(0, 4, self.errors.shape)
        random_base = rng.integers(0, 500, 6).tolist()
        self.registers = {
            "groups": groups, "rows": rows, "columns": columns, "pooled": int(pooled),
            "z_base": random_base[0], "z_half": self.pixels * batch + random_base[1],
            "error_base": random_base[2], "error_half": pooled_pixels * batch + random_base[3],
            "winner_base": random_base[4]}
        self.x_hat, self.a = self._forward()

    def _of(self, slot):
        return self.parameters[slot][:, None, None, None, :]

    def _forward(self):
        centred = 2 * self.z - self._of(Slot.MEAN)
        x_hat = saturate(shift_round(centred * self._of(Slot.MANTISSA), self._of(Slot.SHIFT)), 16)
        # channels first: (2 * side, rows, columns, batch)
        first = np.moveaxis(x_hat, -1, 1).reshape(2 * self.side, *self.z.shape[1:4])
        gamma, beta = (self.parameters[slot].reshape(-1) for slot in (Slot.GAMMA, Slot.BETA))
        a = rectify(scale_and_shift(Scaled(first, -12), gamma, beta)).integers
        a = np.moveaxis(a.reshape(2, self.side, *self.z.shape[1:4]), 1, -1)
        return x_hat, a

    def memory(self, name):
        """{address: vector} of z, errors, winners."""
        half = self.registers["z_half" if name == "z" else "error_half"]
        base = self.registers[{"z": "z", "errors": "error", "winners": "winner"}[name] + "_base"]
        flat = getattr(self, name).reshape(2, -1, self.side)
        return {base + h * half + n: vector for h in range(2) for n, vector in enumerate(flat[h].tolist())}

    def tiles(self, values):
        """Vectors of (2, rows, columns, batch, side) in the packer's order."""
        block = 2 * self.side
        values = values.reshape(2, -1, self.groups, block, self.side)
        return np.transpose(values, (1, 2, 0, 3, 4)).reshape(-1, self.side).tolist()

    def windows(self):
        """(2, out_rows, out_columns, batch, side, 4): the activations of each window."""
        a = self.a[:, :2 * self.out_rows, :2 * self.out_columns]
        a = a.reshape(2, self.out_rows, 2, self.out_columns, 2, self.batch, self.side)
        return np.transpose(a, (0, 1, 3, 5, 6, 2, 4)).reshape(*a.shape[:2], self.out_columns, *a.shape[5:], 4)

    def activate(self):
        """(vectors to the packer, {address of winners: vector})."""
        if not self.pooled:
            return self.tiles(self.a), {}
        windows = self.windows()
        self.winners = windows.argmax(axis=-1).reshape(self.winners.shape)
        return self.tiles(windows.max(axis=-1)), self.memory("winners")

    def wide(self):
        """D: errors of z's map."""
        if not self.pooled:
            return self.errors.reshape(self.z.shape)
        wide = np.zeros_like(self.z)
        errors, winners = (value.reshape(2, self.out_rows, self.out_columns, self.batch, self.side)
                           for value in (self.errors, self.winners))
        for tap in range(4):
            to = wide[:, tap >> 1:2 * self.out_rows:2, tap & 1:2 * self.out_columns:2]
            to[:] = np.where(winners == tap, errors, 0)
        return wide

    def error(self, greatest):
        """(e, dx), where the whole layer's errors have the ``greatest`` magnitude; at least that of D."""
        layer = Scaled(np.append(self.wide(), greatest), 0)
        e = shifted(layer, 8).integers[:-1].reshape(self.z.shape) * ((self.a > 0) & (self.a < 255))
        share = shift_round(self.x_hat * self._of(Slot.Q), 12)
        return e, saturate(e * 256 - self._of(Slot.P) - share, 18) * self._of(Slot.FACTOR)

    def product_error(self, x, greatest, flag):
        """E2 of ``x``, where the whole layer's has the ``greatest`` magnitude."""
        found = product_error(Scaled(np.append(x, greatest), 0), TrainingConfig(error_bits=8 if flag else 16))
        return found.integers[:-1].reshape(self.z.shape)

    def sums(self, values):
        """Sums of each half and lane."""
        return values.sum(axis=(1, 2, 3)).tolist()


class Bench:
    """The unit with its memories, a packer with ``room`` at times, and the controller's ports."""

    def __init__(self, side, seed, room=1.0):
        self.config = EngineConfig(side=side)
        self.reset, self.dut = Signal(), ElementUnit(self.config)
        self.rng, self.room = random.Random(seed), room
        self.memories = {"z": {}, "error": {}, "winner": {}}
        self.clear()

    def clear(self):
        self.given, self.written, self.due = [], {}, 0

    def simulate(self, bench, timeout):
        simulate(ResetInserter(self.reset)(self.dut), bench, timeout=timeout, background=[self._world])

    async def _world(self, ctx):
        """Memories have what stands at the address of some cycles before, or noise; a packer counts."""
        dut, rng, past = self.dut, self.rng, []
        signals = self.reset, dut.reserve, dut.room, dut.o_valid, dut.o, dut.winner_write
        signals += dut.winner_write_address, dut.winner_write_data
        while True:
            past = [*past, {name: ctx.get(getattr(dut, f"{name}_address")) for name in self.memories}]
            past = past[-Z_CYCLES - 1:]
            for name in self.memories:
                before = (Z_CYCLES if name == "z" else MEMORY_CYCLES) + 1
                address = past[-min(before, len(past))][name]
                data = getattr(dut, f"{name}_data")
                if address in self.memories[name]:
                    ctx.set(data, self.memories[name][address])
                else:
                    ctx.set(data.as_value(), rng.getrandbits(len(data.as_value())))
            ctx.set(dut.room, rng.random() < self.room)
            _, _, reset, reserve, room, valid, vector, write, *winners = await ctx.tick().sample(*signals)
            if reset:
                continue
            assert room or not reserve
            self.due += reserve * 2 * self.config.block
            if valid:
                assert self.due > 0, "Vectors must be of a tile that was reserved"
                self.due -= 1
                self.given.append(plain(vector))
            if write:
                assert winners[0] not in self.written
                self.written[winners[0]] = plain(winners[1])

    async def put(self, ctx, parameters):
        """PUT of {slot: (2, side)}, in any order."""
        words = [(slot, half, lane) for slot in Slot for half in range(2) for lane in range(self.config.side)]
        self.rng.shuffle(words)
        for slot, half, lane in words:
            # the matrix unit's are not the element unit's business
            value = self.rng.getrandbits(8) if slot == Slot.BIAS else int(parameters[slot][half, lane])
            ctx.set(self.dut.parameter_address, (slot * 2 + half) * self.config.side + lane)
            ctx.set(self.dut.parameter_data, value)
            ctx.set(self.dut.parameter_write, 1)
            await ctx.tick()
            ctx.set(self.dut.parameter_write, 0)

    async def begin(self, ctx, case, mode, **registers):
        """Starts a pass."""
        self.memories = {"z": case.memory("z"), "error": case.memory("errors"),
                         "winner": case.memory("winners")}
        self.clear()
        ctx.set(self.dut.registers, {**case.registers, "element_mode": mode, **registers})
        ctx.set(self.dut.start, 1)
        await ctx.tick()
        ctx.set(self.dut.start, 0)
        assert ctx.get(self.dut.busy)

    async def run(self, ctx, case, mode, **registers):
        """A pass: its cycles, the vectors that it gave and the winners that it wrote."""
        await self.begin(ctx, case, mode, **registers)
        cycles = 0
        while ctx.get(self.dut.busy):
            await ctx.tick()
            cycles += 1
        await ctx.tick()    # the others, too, have seen the last cycle of it
        count = len(self.given)
        await ctx.tick().repeat(self.rng.randrange(1, 4))
        assert self.due == 0 and len(self.given) == count and (mode in PACKED or not count)
        return cycles, self.given, self.written

    async def get(self, ctx, quantity):
        """GET ELEMENT of a quantity: [half][lane]."""
        found = []
        for n in range(2 * self.config.side):
            ctx.set(self.dut.probe_address, quantity * 2 * self.config.side + n)
            await ctx.tick().repeat(4)
            found.append(ctx.get(self.dut.probe_data))
        return [found[:self.config.side], found[self.config.side:]]


async def _check(bench, ctx, case, rng):
    """All passes of a case against the formulas."""
    await bench.put(ctx, case.parameters)
    _, given, written = await bench.run(ctx, case, Element.ACTIVATE)
    assert (given, written) == case.activate()

    greatest = int(np.abs(case.errors).max()) << int(rng.integers(0, 2))
    shift = scale_exponent(greatest) - 7
    e, dx = case.error(greatest)
    await bench.run(ctx, case, Element.SUMS, error_shift=shift & 0xFFFFFF)
    sums = [case.sums(e), case.sums(e * case.x_hat)]
    assert [await bench.get(ctx, n) for n in range(2)] == sums

    await bench.run(ctx, case, Element.MOST, error_shift=shift & 0xFFFFFF)
    assert await bench.get(ctx, 2) == np.abs(dx).max(axis=(1, 2, 3)).tolist()
    flag, most = int(rng.integers(0, 2)), int(np.abs(dx).max()) << int(rng.integers(0, 3))
    _, given, written = await bench.run(
        ctx, case, Element.ERROR, error_shift=shift & 0xFFFFFF, flagged=flag,
        product_shift=scale_exponent(most))
    assert given == case.tiles(case.product_error(dx, most, flag)) and not written
    # Sums stay.
    assert [await bench.get(ctx, n) for n in range(2)] == sums


async def _check_raw(bench, ctx, case, rng):
    """RAW of a case without a pool; what other passes summed stays."""
    before = [await bench.get(ctx, n) for n in (1, 2)]
    for flag in range(2):
        most = int(np.abs(case.errors).max()) << int(rng.integers(0, 2))
        e2 = case.product_error(case.wide(), most, flag)
        _, given, _ = await bench.run(ctx, case, Element.RAW, flagged=flag,
                                      product_shift=scale_exponent(most))
        assert given == case.tiles(e2)
        assert await bench.get(ctx, 0) == case.sums(e2)
    assert [await bench.get(ctx, n) for n in (1, 2)] == before


CASES = [   # side, rows, columns, groups, pooled, wild
    (2, 3, 2, 1, False, False), (2, 5, 3, 2, True, False), (2, 2, 4, 3, True, True),
    (2, 1, 1, 1, False, True), (4, 2, 3, 1, False, False), (4, 3, 3, 1, True, False),
    (4, 2, 3, 2, True, True), (8, 2, 2, 1, True, False),
]


@pytest.mark.parametrize("case", CASES)
def test_passes(case):
    side, rows, columns, groups, pooled, wild = case
    seed = CASES.index(case)
    bench, rng = Bench(side, seed, room=0.3 if seed % 2 else 1.0), np.random.default_rng(seed)
    maps = [Case(side, rows, columns, groups, pooled=pooled, seed=100 * seed + n, wild=wild)
            for n in range(2 if side == 2 else 1)]

    async def run(ctx):
        for one in maps:
            await _check(bench, ctx, one, rng)
            if not pooled:
                await _check_raw(bench, ctx, one, rng)

    bench.simulate(run, 60000)


@pytest.mark.parametrize("mode, pooled", [
    (Element.ACTIVATE, False), (Element.ACTIVATE, True), (Element.SUMS, True), (Element.MOST, False),
    (Element.ERROR, True), (Element.RAW, False)])
def test_rate(mode, pooled):
    """A vector of z (or errors) a cycle, and a constant less than 40 a pass."""
    bench, rest = Bench(2, 1), set()

    async def run(ctx):
        for n, (rows, columns, groups) in enumerate(((2, 2, 1), (4, 3, 1), (3, 2, 3))):
            case = Case(2, rows, columns, groups, pooled=pooled, seed=n, wild=False)
            cycles, *_ = await bench.run(ctx, case, mode, error_shift=30, product_shift=30)
            windows = pooled and mode == Element.ACTIVATE
            vectors = 2 * case.batch * (4 * case.out_rows * case.out_columns if windows else rows * columns)
            rest.add(cycles - vectors)

    bench.simulate(run, 2000)
    assert len(rest) == 1 and rest.pop() < 40


def test_waits_for_room():
    """Without room nothing is begun, however long; passes that pack nothing need none."""
    bench, case = Bench(2, 1, room=0.0), Case(2, 2, 2, 1, pooled=False, seed=1, wild=False)

    async def run(ctx):
        await bench.run(ctx, case, Element.SUMS, error_shift=30)
        await bench.begin(ctx, case, Element.ERROR, error_shift=30, product_shift=30)
        await ctx.tick().repeat(100)
        assert ctx.get(bench.dut.busy) and not bench.due and not bench.given

    bench.simulate(run, 1000)


def test_reset():
    """A pass that is cut off leaves nothing behind."""
    bench, rng = Bench(2, 5, room=0.5), random.Random(5)
    case = Case(2, 3, 3, 1, pooled=True, seed=5, wild=False)

    async def run(ctx):
        await bench.put(ctx, case.parameters)
        for _ in range(8):
            await bench.begin(ctx, case, rng.choice(list(Element)), error_shift=30, product_shift=30)
            await ctx.tick().repeat(rng.randrange(1, 150))
            ctx.set(bench.reset, 1)
            await ctx.tick()
            ctx.set(bench.reset, 0)
            assert not ctx.get(bench.dut.busy)
            await ctx.tick()
            bench.clear()
            await ctx.tick().repeat(rng.randrange(1, 30))
            assert not bench.given and not bench.written
            _, given, written = await bench.run(ctx, case, Element.ACTIVATE)
            assert (given, written) == case.activate()
        await _check(bench, ctx, case, np.random.default_rng(5))

    bench.simulate(run, 10000)
