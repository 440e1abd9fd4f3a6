"""Programs for the training engine's machine, and its vectors of tensors."""

import numpy as np
from shiftwork.golden.common.program import Section
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.isa import Instruction, Op
from shiftwork.golden.training.machine import Machine
from shiftwork.golden.training.program import Memory, Program
from shiftwork.golden.training.registers import REGISTERS, Put


def section(memory, config, words, address=0):
    """A section of integers."""
    width = memory.width(config)
    bits = [[word >> n & 1 for n in range(width)] for word in words]
    return Section.from_bits(memory, address, np.array(bits, bool).reshape(-1, width))


def loaded(instructions, side=2, others=(), **depths):
    """A machine with a program of ``instructions`` and HALT; ``others``: sections, or (memory, words)."""
    config = EngineConfig(side=side, **depths)
    machine = Machine(config)
    reload(machine, instructions, others)
    return machine


def reload(machine, instructions, others=()):
    config = machine.config
    words = [i.word for i in (*instructions, Instruction(Op.HALT))]
    parts = [section(memory, config, data) for memory, data in ((Memory.PROGRAM, words), *others)]
    machine.load(Program(config, tuple(parts)).to_words())


def constant(d, value):
    """Instructions that set r[d] to an integer of up to 36 bits."""
    return [Instruction(Op.ADD, d=d, value=value >> 18, immediate=True),
            Instruction(Op.SHL, d=d, a=d, value=18, immediate=True),
            Instruction(Op.ADD, d=31, value=value & 0x1FF, immediate=True),
            Instruction(Op.OR, d=d, a=d, b=31),
            Instruction(Op.ADD, d=31, value=value >> 9 & 0x1FF, immediate=True),
            Instruction(Op.SHL, d=31, a=31, value=9, immediate=True),
            Instruction(Op.OR, d=d, a=d, b=31)]


def put(port, address, value):
    return [*constant(1, int(value)), Instruction(Op.PUT, d=port, a=0, b=1, value=address)]


def one_pass(unit, **registers):
    """Instructions of a pass: its registers, START, WAIT; registers not named are 0."""
    found = [i for number, name in enumerate(REGISTERS)
             for i in put(Put.REGISTER, number, registers.pop(name, 0))]
    assert not registers
    return [*found, Instruction(Op.START, value=unit), Instruction(Op.WAIT)]


def run_pass(machine, unit, words=(), **registers):
    """Runs one pass, as a program of its own, which must take all ``words``."""
    reload(machine, [*one_pass(unit, **registers), Instruction(Op.CHECK)])
    machine.run(words)


def parameters(side, slot, values):
    """Instructions that put ``values`` (B,), parameters of a block's channels."""
    return [i for channel, value in enumerate(values)
            for i in put(Put.PARAMETER, slot * 2 * side + channel, value)]


def filled(x, block):
    """``x`` (C, ...), zeros behind the last channel up to whole blocks."""
    return np.pad(x, ((0, -len(x) % block), *((0, 0),) * (x.ndim - 1)))


def to_vectors(x, side):
    """(halves * pixels * N, S) of ``x`` (C, H, W, N): half, pixel, image."""
    parts = filled(x, 2 * side).reshape(-1, side, *(x.shape[1] * x.shape[2], x.shape[3]))
    return parts.transpose(0, 2, 3, 1).reshape(-1, side)


def from_vectors(vectors, shape):
    """The inverse of `to_vectors`."""
    channels, rows, columns, batch = shape
    parts = vectors.reshape(-1, rows, columns, batch, vectors.shape[1])
    return parts.transpose(0, 4, 1, 2, 3).reshape(-1, rows, columns, batch)[:channels]


def weight_vectors(weight, side):
    """Vectors (tiles * 2 B, S) of a weight (M, C, R, S): tile, half of the filters, channel."""
    block = 2 * side
    whole = filled(filled(weight, block).swapaxes(0, 1), block).swapaxes(0, 1)
    parts = whole.reshape(-1, 2, side, whole.shape[1] // block, block, weight.shape[2] * weight.shape[3])
    return parts.transpose(0, 3, 5, 1, 4, 2).reshape(-1, side)


def input_words(x, side):
    """Words that input passes take for ``x`` (C, H, W, N) of 8 bits, block by block."""
    block, found = 2 * side, []
    for first in range(0, len(x), block):
        part = x[first:first + block]
        groups = part.reshape(len(part), x.shape[1] * x.shape[2], -1, block)
        halves = [groups[at:at + side] for at in range(0, len(part), side)]
        data = np.concatenate([half.transpose(1, 2, 3, 0).reshape(*half.shape[1:3], -1) for half in halves],
                              axis=2).astype(np.uint8).reshape(-1)
        found.append(np.pad(data, (0, -len(data) % 4)).view("<u4"))
    return found
