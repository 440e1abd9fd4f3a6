"""The matrix unit with its operand memories against the machine's golden model."""

from types import SimpleNamespace

import numpy as np
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.machine import Machine
from shiftwork.golden.training.machine_matrix import run_matrix
from shiftwork.golden.training.registers import REGISTERS, Matrix, Slot
from shiftwork.hw.training.matrix_unit import MatrixUnit
from shiftwork.hw.training.operand_memory import OperandMemory

from .kit import simulate

SLOTS = 64


class Bench(wiring.Component):
    """The unit and two operand memories."""

    def __init__(self, config):
        self.unit = MatrixUnit(config)
        self.left, self.right = OperandMemory(config, SLOTS), OperandMemory(config, SLOTS)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules += [self.unit, self.left, self.right]
        connect(m, self.unit.left, self.left.read)
        connect(m, self.unit.right, self.right.read)
        m.d.comb += [self.unit.left_digits.eq(self.left.digits), self.unit.right_digits.eq(self.right.digits)]
        return m


async def load(ctx, memory, golden, slot):
    """What the golden memory holds at ``slot``, word by word."""
    for bank, words in enumerate(golden.words(slot)):
        for n, word in enumerate(words):
            ctx.set(memory.write_slot, slot + n // 8)
            ctx.set(memory.write_plane, n // 2 % 4)
            ctx.set(memory.write_s, n % 2)
            ctx.set(memory.write_x, bank == 0)
            ctx.set(memory.write_y, bank == 1)
            ctx.set(memory.write_data, word)
            await ctx.tick()
    ctx.set(memory.write_x, 0)
    ctx.set(memory.write_y, 0)
    ctx.set(memory.descriptor_write, 1)
    ctx.set(memory.descriptor_write_slot, slot)
    ctx.set(memory.descriptor_data.planes, int(golden.planes[slot]) - 1)
    ctx.set(memory.descriptor_data.drop, int(golden.drops[slot]))
    await ctx.tick()
    ctx.set(memory.descriptor_write, 0)


def fill(golden, rng, wide, signed=True, errors=False):
    """Random tiles of random widths, each slot one, or every other one of 16 bits.

    The greatest digit of an error stands at bit 14, of others at bit 6, at most.
    """
    for slot in range(0, SLOTS, 1 + wide):
        planes = 8 if wide else int(rng.integers(1, 5))
        bits = 2 * planes
        least, most = (1 - (1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
        tile = rng.integers(least, most, (1, 2 * golden.side, 2 * golden.side))
        drop = rng.integers((14 if errors else 6) - 2 * (planes - 1) + 1)
        golden.write(np.array([slot]), tile, np.array([planes]), np.array([drop]))


PASSES = {
    "forward": dict(matrix_mode=Matrix.FORWARD, blocks=2, left_stride=9, right_stride=12, height=3, width=2,
                    out_height=3, out_width=2, kernel_height=3, kernel_width=3, stride=1, pad_top=1,
                    pad_left=1, groups=2),
    "forward, strided": dict(matrix_mode=Matrix.FORWARD | 4, blocks=1, left_stride=6, right_stride=0,
                             height=5, width=4, out_height=2, out_width=2, kernel_height=3,
                             kernel_width=2, stride=2,
                             pad_top=0, pad_left=0, groups=1, left_base=3),
    "input": dict(matrix_mode=Matrix.INPUT, blocks=2, left_stride=4, right_stride=12, height=4, width=3,
                  out_height=3, out_width=2, kernel_height=2, kernel_width=2, stride=1, pad_top=0,
                  pad_left=0, groups=2, right_base=5),
    "input, wide, strided": dict(matrix_mode=Matrix.INPUT | 4, blocks=1, left_stride=4, right_stride=4,
                                 height=4, width=4, out_height=2, out_width=2, kernel_height=2,
                                 kernel_width=2, stride=2, pad_top=0, pad_left=0, groups=2, wide=1,
                                 keep_most=1),
    "weight": dict(matrix_mode=Matrix.WEIGHT | 4, blocks=2, right_stride=12, height=3, width=2, out_height=3,
                   out_width=2, kernel_height=3, kernel_width=3, stride=1, pad_top=1, pad_left=1, groups=2),
    "weight, wide": dict(matrix_mode=Matrix.WEIGHT, blocks=1, right_stride=0, height=3, width=3, out_height=2,
                         out_width=2, kernel_height=2, kernel_width=2, stride=1, pad_top=0, pad_left=0,
                         groups=3, wide=1),
}


def run(side, names, seed):
    config, rng = EngineConfig(side=side), np.random.default_rng(seed)
    bench = Bench(config)
    dut, drain = bench.unit, bench.unit.drain
    machine = Machine(config)

    async def one(ctx, registers):
        passes = dict.fromkeys(REGISTERS, 0) | registers | {"out_base": 40, "sums_base": 3}
        mode, wide = passes["matrix_mode"] & 3, passes["wide"]
        fill(machine.left, rng, wide and mode == Matrix.WEIGHT, errors=mode == Matrix.WEIGHT)
        right = mode == Matrix.INPUT
        fill(machine.right, rng, wide and right, signed=right, errors=right)
        for golden, memory in ((machine.left, bench.left), (machine.right, bench.right)):
            step = 2 if golden.planes[0] == 8 else 1
            for slot in range(0, SLOTS, step):
                await load(ctx, memory, golden, slot)
        machine.parameters[Slot.BIAS, 0] = rng.integers(-127, 128, side)
        for lane in range(side):
            ctx.set(drain.bias_lane, lane)
            ctx.set(drain.bias_data, int(machine.parameters[Slot.BIAS, 0, lane]))
            ctx.set(drain.bias_write, 1)
            await ctx.tick()
        ctx.set(drain.bias_write, 0)
        for name, value in passes.items():
            ctx.set(dut.registers[name], int(value))
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        written, sums, cycles = {}, {}, 0
        while ctx.get(dut.busy) or cycles < 2:
            await ctx.tick()
            cycles += 1
            for write, address, data in (
                    (drain.z_write, drain.z_address, drain.z_data),
                    (drain.error_write, drain.wide_address, drain.wide_data),
                    (drain.gradient_write, drain.wide_address, drain.wide_data)):
                if ctx.get(write):
                    written[ctx.get(address)] = [ctx.get(data[n]) for n in range(side)]
            if ctx.get(drain.sums_write):
                sums[ctx.get(drain.sums_address)] = ctx.get(drain.sums_data)
        _, ideal = run_matrix(machine, SimpleNamespace(**passes))
        memory = {Matrix.FORWARD: machine.z, Matrix.INPUT: machine.errors,
                  Matrix.WEIGHT: machine.gradients}[Matrix(mode)]
        assert written and written == {n: memory[n].tolist() for n in written}
        assert bool(sums) == (mode != Matrix.FORWARD)
        assert all(value == machine.sums[n] for n, value in sums.items())
        found = []
        for address in range(3 * side):
            ctx.set(drain.probe_address, address)
            await ctx.tick().repeat(3)
            found.append(ctx.get(drain.probe_data))
        assert found == machine.matrix_sums.reshape(-1).tolist()
        return cycles, ideal

    taken = []

    async def testbench(ctx):
        for name in names:
            taken.append(await one(ctx, PASSES[name]))

    simulate(bench, testbench, timeout=60000)
    return taken


def test_pass():
    run(4, ["weight"], seed=4)


def test_one_after_the_other():
    """What a pass does not make stays, and the greatest one is kept where it must be."""
    run(2, PASSES, seed=5)


def test_cycles():
    """The array works in all cycles but a few at the beginning and the end."""
    (cycles, ideal), = run(4, ["forward"], seed=1)
    assert ideal <= cycles <= ideal + 60
