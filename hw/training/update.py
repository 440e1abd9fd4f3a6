"""Passes over the weights: a step with their gradients, or their rounding to operands."""

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import FRACTION, MASTER_BITS, MASTER_FRACTION, RANDOM_BITS, WEIGHT_BITS
from shiftwork.golden.training.engine_config import ACCUMULATOR_BITS, ERROR_BITS, SUM_BITS
from shiftwork.golden.training.lfsr import STATE_BITS
from shiftwork.golden.training.registers import Update

from ..common.delay import delay
from .constant_quantizer import ConstantQuantizer
from .layouts import MEMORY_CYCLES, PASS, vector
from .optimizer import Optimizer
from .random_lanes import RandomLanes
from .rounding import clipped, rounded

__all__ = ["UpdateUnit", "weights"]


def weights(side):
    """Layout of a word of weight memory: of each lane the stored parameter and its accumulator."""
    lane = data.StructLayout({"stored": signed(MASTER_BITS), "accumulator": signed(ACCUMULATOR_BITS)})
    return data.ArrayLayout(lane, side)


class UpdateUnit(wiring.Component):
    """The passes STEP and ROUND of docs/engines/training-machine.md, "Update unit".

    Parameters: ``config``: EngineConfig.

    Members
    -------
    registers : In(PASS)
        Of them weight_base, tiles (16 bits), update_mode, gradient_shift, levels (1 .. 128), rate (9 bits),
        momentum (2 bits); they do not change from ``start`` until ``busy`` is low.
    start : In(1), busy : Out(1)
        ``busy`` follows in the next cycle, if there are tiles, until the last vector is written or pushed.
    gradient_address : Out, gradient_data : In, weight_address : Out, weight_data : In
        A vector of gradient or weight memory, `MEMORY_CYCLES` later.
    weight_write : Out(1), weight_write_address : Out, weight_write_data : Out
    random_step : In(1), random_load : In(1), random_address : In, random_state : In(32)
    random_data : Out(16), random : Out(16 bits of each lane)
        The access of others to random numbers, as `RandomLanes` has it; not while ``busy``, but to read.
    reserve : Out(1), room : In(1), o_valid : Out(1), o : Out
        The packer's.

    Timing: a vector a cycle, in ROUND where there is room. A vector is written 14 cycles after its gradient's
    address, and pushed 4 after its weights'; ``busy`` for 15 more than there are vectors. Reset forgets the
    pass, and what of it is under way.
    Cost: in each lane `ConstantQuantizer`, `Optimizer`, `RandomLane`; S = 8: 3,334 LUT4, 803 CCU2C, 4,234
    flip-flops, 8 multipliers (ECP5).
    """

    def __init__(self, config):
        self._config = config
        address, word = range(config.weight_depth), weights(config.side)
        self._quantizers = [ConstantQuantizer(SUM_BITS) for _ in range(config.side)]
        super().__init__({
            "registers": In(PASS), "start": In(1), "busy": Out(1),
            "gradient_address": Out(address), "gradient_data": In(vector(config.side, SUM_BITS)),
            "weight_address": Out(address), "weight_data": In(word),
            "weight_write": Out(1), "weight_write_address": Out(address), "weight_write_data": Out(word),
            "random_step": In(1), "random_load": In(1), "random_address": In(range(config.side)),
            "random_state": In(STATE_BITS), "random_data": Out(RANDOM_BITS),
            "random": Out(data.ArrayLayout(RANDOM_BITS, config.side)),
            "reserve": Out(1), "room": In(1), "o_valid": Out(1), "o": Out(vector(config.side, ERROR_BITS)),
        })

    def elaborate(self, platform):
        m = Module()
        running, step = Signal(), Signal()
        m.d.sync += step.eq(self.registers.update_mode[0] == Update.STEP)
        left = self._tiles(m, running, step)
        # Marks of the vectors under way: mark n is ``running`` n cycles before.
        quantizer = self._quantizers[0]
        asked = quantizer.latency                   # .. for weights, which so come with the rounded gradient
        come = asked + MEMORY_CYCLES
        changed = come + Optimizer.latency
        marks = Signal(changed)
        m.d.sync += marks.eq(Cat(running, marks))
        marks = Cat(running, marks)
        m.d.comb += [
            self.busy.eq(left.any() | marks.any()),
            self.weight_write.eq(marks[changed] & step),
            self.o_valid.eq(marks[come + 2] & ~step),
        ]
        for address, mark in ((self.gradient_address, marks[0]), (self.weight_address, marks[asked]),
                              (self.weight_write_address, marks[changed])):
            with m.If(self.start):
                m.d.sync += address.eq(self.registers.weight_base)
            with m.Elif(mark):
                m.d.sync += address.eq(address + 1)

        m.submodules.random = random = RandomLanes(self._config.side)
        m.d.comb += [
            random.step.eq(self.random_step | (marks[MEMORY_CYCLES + quantizer.random_latency - 1] & step)),
            random.load.eq(self.random_load), random.address.eq(self.random_address),
            random.load_state.eq(self.random_state), self.random_data.eq(random.data),
            self.random.eq(random.numbers),
        ]
        distance, limit = Signal.like(quantizer.distance), Signal.like(quantizer.limit)
        m.d.sync += [distance.eq(quantizer.distance_of(self.registers.gradient_shift.as_signed())),
                     limit.eq(self.registers.levels - 1)]
        for n in range(self._config.side):
            self._lane(m, n, distance, limit, random.numbers[n])
        return m

    def _tiles(self, m, running, step):
        """Counts tiles and their vectors, and has a place reserved for each tile; the tiles left."""
        last = Signal(range(2 * self._config.block))
        left, begin = Signal(16), Signal()
        ends = last.all()
        m.d.comb += [begin.eq(left.any() & (~running | ends) & (step | self.room)),
                     self.reserve.eq(begin & ~step)]
        m.d.sync += [running.eq(begin | (running & ~ends)), last.eq(last + running)]
        with m.If(self.start):
            m.d.sync += left.eq(self.registers.tiles)
        with m.Elif(begin):
            m.d.sync += left.eq(left - 1)
        return left

    def _lane(self, m, n, distance, limit, number):
        m.submodules[f"quantizer{n}"] = quantizer = self._quantizers[n]
        m.submodules[f"optimizer{n}"] = optimizer = Optimizer()
        old, new = self.weight_data[n], self.weight_write_data[n]
        m.d.comb += [
            quantizer.i.eq(self.gradient_data[n]), quantizer.distance.eq(distance),
            quantizer.limit.eq(limit), quantizer.random.eq(number),
            optimizer.gradient.eq(quantizer.o), optimizer.stored.eq(old.stored),
            optimizer.accumulator.eq(old.accumulator), optimizer.rate.eq(self.registers.rate),
            optimizer.momentum.eq(self.registers.momentum),
            new.stored.eq(optimizer.new_stored), new.accumulator.eq(optimizer.new_accumulator),
        ]
        weight = delay(m, rounded(old.stored, MASTER_FRACTION - FRACTION), 1, name=f"rounded{n}_")
        m.d.comb += self.o[n].eq(delay(m, clipped(weight, WEIGHT_BITS), 1, name=f"weight{n}_"))
