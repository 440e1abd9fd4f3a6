"""Passes over the weights: a step with their gradients, in fewer lanes, or their rounding to operands."""

from amaranth import Array, Cat, Const, Module, Mux, Signal, signed
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
    weight_write : Out(S / L), weight_write_address : Out, weight_write_data : Out
        Bit k writes part k of a word: lanes k L .. k L + L - 1, L = ``config.update_lanes``; data of L lanes.
    random_step : In(1), random_load : In(1), random_address : In, random_state : In(32)
    random_data : Out(16), random : Out(16 bits of each lane)
        The access of others to random numbers, as `RandomLanes` has it; not while ``busy``.
    reserve : Out(1), room : In(1), o_valid : Out(1), o : Out
        The packer's.

    Timing: STEP: S / L cycles a vector, in which its addresses stay; part k is written 15 + k cycles after
    its gradient's address came. ROUND: a vector a cycle, where there is room; it is pushed 4 after its
    weights' address. ``busy`` for 16 cycles more. Reset forgets the pass, and what of it is under way.
    Cost: L times `ConstantQuantizer`, `Optimizer` and 97 multiplexers of S / L bits, S times `RandomLane` and
    a rounding; S = 8: 1,882 LUT4, 275 CCU2C, 1,623 flip-flops, 2 multipliers (ECP5).
    """

    def __init__(self, config):
        self._config = config
        self._parts = config.side // config.update_lanes
        self._quantizers = [ConstantQuantizer(SUM_BITS) for _ in range(config.update_lanes)]
        address = range(config.weight_depth)
        super().__init__({
            "registers": In(PASS), "start": In(1), "busy": Out(1),
            "gradient_address": Out(address), "gradient_data": In(vector(config.side, SUM_BITS)),
            "weight_address": Out(address), "weight_data": In(weights(config.side)),
            "weight_write": Out(self._parts), "weight_write_address": Out(address),
            "weight_write_data": Out(weights(config.update_lanes)),
            "random_step": In(1), "random_load": In(1), "random_address": In(range(config.side)),
            "random_state": In(STATE_BITS), "random_data": Out(RANDOM_BITS),
            "random": Out(data.ArrayLayout(RANDOM_BITS, config.side)),
            "reserve": Out(1), "room": In(1), "o_valid": Out(1), "o": Out(vector(config.side, ERROR_BITS)),
        })

    def elaborate(self, platform):
        m = Module()
        running, step = Signal(), Signal()
        m.d.sync += step.eq(self.registers.update_mode[0] == Update.STEP)
        # Counts on for ever, so what it was n cycles before is known without a register.
        phase = Signal(range(self._parts))
        m.d.sync += phase.eq(Mux(self.start, self._parts - 1, phase + 1))

        def turn(part, cycles):
            """Whether it was ``part``'s turn so many cycles before."""
            return phase == (part + cycles) % self._parts

        left = self._tiles(m, running, step, ~step | turn(self._parts - 1, 0))
        # Marks of the parts under way: mark n is ``running`` n cycles before.
        quantizer = self._quantizers[0]
        asked = quantizer.latency                   # .. for weights, to come with the rounded gradient
        come = asked + MEMORY_CYCLES
        changed = come + 1 + Optimizer.latency      # one cycle for the choice of lanes
        drawn = MEMORY_CYCLES + 1 + quantizer.random_latency - RandomLanes.latency
        marks = Signal(changed)
        m.d.sync += marks.eq(Cat(running, marks))
        marks = Cat(running, marks)
        # Decided a cycle before, near the pass: the memory is far.
        m.d.sync += self.weight_write.eq(
            Cat(marks[changed - 1] & step & turn(k, changed - 1) for k in range(self._parts)))
        m.d.comb += [
            self.busy.eq(left.any() | marks.any()),
            self.o_valid.eq(marks[come + 2] & ~step),
        ]
        for address, cycles in ((self.gradient_address, 0), (self.weight_address, asked),
                                (self.weight_write_address, changed)):
            with m.If(self.start):
                m.d.sync += address.eq(self.registers.weight_base)
            with m.Elif(marks[cycles] & (~step | turn(self._parts - 1, cycles))):
                m.d.sync += address.eq(address + 1)

        draws = marks[drawn] & step
        m.submodules.random = random = RandomLanes(self._config.side, self._config.update_lanes)
        m.d.comb += [
            random.step.eq(self.random_step | (draws & turn(0, drawn))),
            random.load.eq(self.random_load), random.load_address.eq(self.random_address),
            random.load_state.eq(self.random_state),
            random.address.eq(Mux(draws, self._first(phase - drawn), self.random_address)),
            self.random_data.eq(random.data), self.random.eq(random.numbers),
        ]
        self._lanes(m, self._chosen(m, "gradient", phase, MEMORY_CYCLES),
                    self._chosen(m, "weight", phase, come), random.chosen)
        for n, lane in enumerate(self.weight_data):
            weight = delay(m, rounded(lane.stored, MASTER_FRACTION - FRACTION), 1, name=f"rounded{n}_")
            m.d.comb += self.o[n].eq(delay(m, clipped(weight, WEIGHT_BITS), 1, name=f"weight{n}_"))
        return m

    def _first(self, part):
        """The first lane of a part; ``part`` may be any integer, and counts modulo the parts."""
        lanes = self._config.update_lanes
        return Cat(Const(0, lanes.bit_length() - 1), part[:(self._parts - 1).bit_length()])

    def _chosen(self, m, name, phase, cycles):
        """Of memory ``name``'s vector the part whose turn it was ``cycles`` before, a cycle later."""
        part = delay(m, (phase - cycles + 1)[:len(phase)], 1, name=f"part_{name}")
        word, count = getattr(self, f"{name}_data"), self._config.update_lanes
        lane = word.shape().elem_shape
        chosen = Signal(data.ArrayLayout(lane, count), reset_less=True, name=f"chosen_{name}")
        for n in range(count):
            lanes = Array(word[k * count + n] for k in range(self._parts))
            m.d.sync += chosen[n].eq(lanes[part])
        return chosen

    def _tiles(self, m, running, step, whole):
        """Counts tiles and their vectors, and has a place reserved for each tile; the tiles left.

        ``whole``: a vector's last cycle, while ``running``.
        """
        last = Signal(range(2 * self._config.block))
        left, begin = Signal(16), Signal()
        ends = last.all() & whole
        m.d.comb += [begin.eq(left.any() & (~running | ends) & (step | self.room)),
                     self.reserve.eq(begin & ~step)]
        m.d.sync += [running.eq(begin | (running & ~ends)), last.eq(last + (running & whole))]
        with m.If(self.start):
            m.d.sync += left.eq(self.registers.tiles)
        with m.Elif(begin):
            m.d.sync += left.eq(left - 1)
        return left

    def _lanes(self, m, gradients, old, numbers):
        """STEP of a part; ``numbers`` come with what they round."""
        registers, new = self.registers, self.weight_write_data
        distance, limit = (Signal.like(getattr(self._quantizers[0], name)) for name in ("distance", "limit"))
        shift = registers.gradient_shift.as_signed()
        m.d.sync += [distance.eq(self._quantizers[0].distance_of(shift)), limit.eq(registers.levels - 1)]
        for n, quantizer in enumerate(self._quantizers):
            m.submodules[f"quantizer{n}"] = quantizer
            m.submodules[f"optimizer{n}"] = optimizer = Optimizer()
            m.d.comb += [
                quantizer.i.eq(gradients[n]), quantizer.distance.eq(distance),
                quantizer.limit.eq(limit), quantizer.random.eq(numbers[n]),
                optimizer.gradient.eq(quantizer.o), optimizer.stored.eq(old[n].stored),
                optimizer.accumulator.eq(old[n].accumulator), optimizer.rate.eq(registers.rate),
                optimizer.momentum.eq(registers.momentum),
                new[n].stored.eq(optimizer.new_stored), new[n].accumulator.eq(optimizer.new_accumulator),
            ]
