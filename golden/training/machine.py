"""The training engine's golden model: memories, ports and units, as docs/engines/training-machine.md says."""

from collections import Counter
from types import SimpleNamespace

import numpy as np

from ..common.program import ErrorCode, ProgramError
from .arithmetic import wrap
from .config import MASTER_BITS, RANDOM_BITS
from .engine_config import ACCUMULATOR_BITS, LABEL_BITS, LABELS, SUM_BITS
from .isa import REGISTER_COUNT
from .lfsr import STATE_BITS, RandomLanes
from .machine_controller import Controller
from .machine_element import run_element
from .machine_loss import run_loss
from .machine_matrix import run_matrix
from .machine_memory import OperandMemory
from .machine_update import run_input, run_update
from .program import MAP_BITS, Memory, Program
from .registers import REGISTER_BITS, REGISTERS, Get, Put, Slot, Unit

__all__ = ["PARAMETER_BITS", "Machine"]

PARAMETER_BITS = {Slot.MEAN: 25, Slot.MANTISSA: 17, Slot.SHIFT: 6, Slot.GAMMA: 8, Slot.BETA: 8, Slot.P: 18,
                  Slot.Q: 20, Slot.FACTOR: 18, Slot.BIAS: 8}
"""Bits of a parameter; mantissas and shifts are unsigned, the others signed."""

_UNSIGNED = (Slot.MANTISSA, Slot.SHIFT)
_SHIFTS = ("error_shift", "product_shift", "gradient_shift")
_RUN = {Unit.MATRIX: run_matrix, Unit.ELEMENT: run_element, Unit.UPDATE: run_update, Unit.INPUT: run_input,
        Unit.LOSS: run_loss}

# While which units are busy a program must leave a port alone; PARAMETER: see `Machine.put`.
_PACKING = {Unit.ELEMENT, Unit.UPDATE, Unit.INPUT}
_DRAWING = {Unit.ELEMENT, Unit.UPDATE}
_GETS = {Get.MATRIX: {Unit.MATRIX}, Get.ELEMENT: {Unit.ELEMENT}, Get.RANDOM: _DRAWING,
         Get.Z: {Unit.MATRIX, Unit.ELEMENT, Unit.LOSS}, Get.LENGTH: _PACKING, Get.SUM: {Unit.MATRIX},
         Get.PLANES: _PACKING, Get.STORED: {Unit.UPDATE}, Get.ACCUMULATOR: {Unit.UPDATE},
         Get.CYCLES: set(), Get.LOSS: {Unit.LOSS}}
_PUTS = {Put.REGISTER: set(Unit), Put.PARAMETER: set(),
         Put.ERROR: {Unit.MATRIX, Unit.ELEMENT, Unit.LOSS}, Put.PLANES: _PACKING, Put.RANDOM: _DRAWING,
         Put.LABEL: {Unit.LOSS}}


def _integers(bits, width, signed=True):
    """Integers, Python's, of bits (n, width)."""
    words = [int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little") for row in bits]
    return [wrap(word, width) for word in words] if signed else words


class Machine:
    """An engine of ``config`` (EngineConfig) with empty memories.

    ``program`` (instructions' words) and ``data`` are object arrays of Python integers; int64 are ``stored``,
    ``accumulators``, ``gradients`` (weight_depth, S), ``z``, ``errors``, ``winners`` (depth, S), ``maps``
    (planes - 1), ``lengths``, ``sums``, ``labels``, ``loss`` (miss, most), and ``parameters`` (slots, 2, S).
    ``left`` and ``right`` are `OperandMemory`. All keep what they hold between runs, as ``registers`` (of
    passes, unsigned) and ``random`` do.

    ``cycles`` {Unit: {mode: cycles}} counts since the machine was made: products' pairs of planes, cycles of
    the loss unit and the update of weights, others' vectors; ``instructions`` those of the last run,
    ``output`` its (word, last), also after an error.
    """

    def __init__(self, config):
        self.config = config
        lanes, depth = config.side, config.weight_depth
        self.program = np.full(config.program_depth, 0, object)
        self.data = np.full(config.data_depth, 0, object)
        self.stored, self.accumulators, self.gradients = np.zeros((3, depth, lanes), np.int64)
        self.z, self.errors, self.winners = (np.zeros((rows, lanes), np.int64) for rows in
                                             (config.z_depth, config.error_depth, config.winner_depth))
        self.maps, self.lengths = np.zeros((2, config.maps), np.int64)
        self.sums = np.zeros(2 * config.maps, np.int64)
        self.labels, self.loss = np.zeros(LABELS, np.int64), np.zeros(2, np.int64)
        self.left = OperandMemory(config.left_slots, lanes)
        self.right = OperandMemory(config.right_slots, lanes)
        self.parameters = np.zeros((len(Slot), 2, lanes), np.int64)
        self.matrix_sums = np.zeros((3, lanes), np.int64)
        self.element_sums = np.zeros((3, 2, lanes), np.int64)
        self.registers, self.controller = dict.fromkeys(REGISTERS, 0), [0] * REGISTER_COUNT
        self.random = RandomLanes(0, lanes)
        self.cycles = {unit: Counter() for unit in Unit}
        self.instructions, self.output, self.loaded, self.busy = 0, [], False, None

    def load(self, words):
        """Loads a program, uint32 words. Raises ProgramError, and then no program is loaded."""
        self.loaded = False
        for section in Program.from_words(words, self.config).sections:
            bits = section.bits(section.memory.width(self.config))
            span = slice(section.address, section.address + len(bits))
            if section.memory is Memory.WEIGHTS:
                lanes = bits.reshape(-1, MASTER_BITS + ACCUMULATOR_BITS)
                for memory, part in ((self.stored, lanes[:, :MASTER_BITS]),
                                     (self.accumulators, lanes[:, MASTER_BITS:])):
                    memory[span] = np.reshape(_integers(part, part.shape[1]), memory[span].shape)
            else:
                memory = {Memory.PROGRAM: self.program, Memory.DATA: self.data,
                          Memory.MAP: self.maps}[section.memory]
                memory[span] = _integers(bits, bits.shape[1], signed=section.memory is Memory.DATA)
        self.loaded = True

    def run(self, words, limit=1 << 22):
        """Output words, uint32 (n,), of a run with the packet ``words``, uint32, at least one.

        Raises ProgramError without a program and for the errors of CHECK and HALT, TimeoutError after
        ``limit`` instructions, ValueError for what the specification gives no meaning.
        """
        if not self.loaded:
            raise ProgramError(ErrorCode.NO_PROGRAM, "Program must be loaded before a start, not missing")
        self._input, self._taken, self.busy = [int(word) for word in words], 0, None
        self._before = self._counted()
        controller = Controller(self, self.controller)
        try:
            controller.run(limit)
        finally:
            self.instructions, self.output = controller.count, controller.output
        return np.array([word for word, _ in self.output], np.uint32)

    def take(self):
        """The input's next word; 0 behind the last one."""
        self._input_free()
        self._taken += 1
        return self._input[self._taken - 1] if self._taken <= len(self._input) else 0

    def check_input(self):
        """Raises ProgramError where the packet has not as many words as were taken."""
        self._input_free()
        if self._taken != len(self._input):
            code = ErrorCode.INPUT_SHORT if self._taken > len(self._input) else ErrorCode.INPUT_LONG
            raise ProgramError(code, f"Input must have {self._taken} words, not {len(self._input)}")

    def _input_free(self):
        if self.busy is Unit.INPUT:
            raise ValueError("input must be read after a WAIT for input")

    def start(self, number):
        """Runs a pass of unit ``number`` at once; it counts as busy until the program waits."""
        unit = Unit(number)
        if self.busy is not None:
            raise ValueError(f"unit {unit.name.lower()} must start after a WAIT for {self.busy.name.lower()}")
        passes = SimpleNamespace(**self.registers)
        for name in _SHIFTS:
            setattr(passes, name, wrap(self.registers[name], REGISTER_BITS))
        mode, cycles = _RUN[unit](self, passes)
        self.cycles[unit][mode] += cycles
        self.busy = unit

    def _free(self, port, users):
        if self.busy in users:
            raise ValueError(f"port {port.name.lower()} must be used after a WAIT for "
                             f"{self.busy.name.lower()}")

    def _counted(self):
        """Cycles of each unit since the machine was made, and behind them their sum."""
        found = [self.cycles[unit].total() for unit in Unit]
        return [*found, sum(found)]

    def get(self, number, address):
        """What GET reads from port ``number``."""
        port = Get(number)
        self._free(port, _GETS[port])
        if port == Get.RANDOM:
            states = self.random.states
            return int(states[self._within(port, address, len(states))]) >> STATE_BITS - RANDOM_BITS
        if port == Get.CYCLES:
            return self._counted()[address] - self._before[address]
        memory = {Get.MATRIX: self.matrix_sums, Get.ELEMENT: self.element_sums, Get.Z: self.z,
                  Get.LENGTH: self.lengths, Get.SUM: self.sums, Get.PLANES: self.maps,
                  Get.STORED: self.stored, Get.ACCUMULATOR: self.accumulators,
                  Get.LOSS: self.loss}[port].reshape(-1)
        return int(memory[self._within(port, address, len(memory))])

    def put(self, number, address, value):
        """PUT of ``value`` to port ``number``."""
        port = Put(number)
        self._free(port, _PUTS[port])
        if port == Put.REGISTER:
            name = REGISTERS[self._within(port, address, len(REGISTERS))]
            self.registers[name] = value & (1 << REGISTER_BITS) - 1
        elif port == Put.RANDOM:
            if value:
                lane = self._within(port, address, self.config.side)
                self.random.states[lane] = value & (1 << STATE_BITS) - 1
            else:
                self.random.numbers(1)      # one step of all lanes
        elif port == Put.PARAMETER:
            slot = Slot(self._within(port, address, self.parameters.size) // (2 * self.config.side))
            self._free(port, {Unit.MATRIX if slot == Slot.BIAS else Unit.ELEMENT})
            bits = PARAMETER_BITS[slot]
            fitted = value & (1 << bits) - 1 if slot in _UNSIGNED else wrap(value, bits)
            self.parameters.reshape(-1)[address] = fitted
        else:
            memory = {Put.ERROR: self.errors, Put.PLANES: self.maps, Put.LABEL: self.labels}[port].reshape(-1)
            if port == Put.ERROR:
                fitted = wrap(value, SUM_BITS)
            else:
                fitted = value & (1 << (MAP_BITS if port == Put.PLANES else LABEL_BITS)) - 1
            memory[self._within(port, address, len(memory))] = fitted

    @staticmethod
    def _within(port, address, size):
        if not 0 <= address < size:
            raise ValueError(f"address of port {port.name.lower()} must be 0 .. {size - 1}, not {address}")
        return address
