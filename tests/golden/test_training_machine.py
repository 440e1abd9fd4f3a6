"""The training engine's machine: the controller's instructions, ports, packets and errors."""

import math

import numpy as np
import pytest
from shiftwork.golden.common.program import ErrorCode, ProgramError
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.isa import Instruction, Op
from shiftwork.golden.training.machine import Machine
from shiftwork.golden.training.program import Memory
from shiftwork.golden.training.registers import REGISTERS, Element, Get, Put, Slot, Unit

from .training_machine_kit import constant, input_words, loaded, one_pass, put, reload, run_pass

WORD = 1 << 88
BIG = (1 << 87) - 5


def immediate(op, d, a, value):
    return Instruction(op, d=d, a=a, value=value, immediate=True)


def wrapped(value):
    value %= WORD
    return value - WORD if value >= WORD // 2 else value


@pytest.mark.parametrize("op,x,y,expected", [
    (Op.ADD, BIG, 9, wrapped(BIG + 9)), (Op.SUB, -BIG, 9, wrapped(-BIG - 9)),
    (Op.MUL, BIG, -3, wrapped(-3 * BIG)), (Op.MUL, -(1 << 44), 1 << 43, -(1 << 87)),
    (Op.AND, -6, 0xFF, 0xFA), (Op.OR, -6, 1, -5), (Op.MIN, -6, 5, -6), (Op.MAX, -6, 5, 5),
    (Op.SHL, 3, 86, wrapped(3 << 86)), (Op.SHR, -7, 1, -4), (Op.SHR, -BIG, 87, -1),
    (Op.RND, 5, 1, 2), (Op.RND, 7, 1, 4), (Op.RND, -5, 1, -2), (Op.RND, -7, 2, -2), (Op.RND, 3, -4, 48),
    (Op.RND, -BIG, 87, -1), (Op.RND, 5, 0, 5), (Op.LEN, -8, 0, 4), (Op.LEN, 0, 0, 0), (Op.ABS, -8, 0, 8),
    (Op.ABS, -(1 << 87), 0, -(1 << 87)), (Op.SAT, -200, 8, -127), (Op.SAT, 200, 8, 127), (Op.SAT, 5, 1, 0),
    (Op.DIV, 7, 2, 4), (Op.DIV, 5, 2, 2), (Op.DIV, -5, 2, -2), (Op.DIV, -7, 4, -2),
    (Op.DIV, BIG, 3, BIG // 3), (Op.ROOT, 16, 0, 8), (Op.ROOT, 17, 0, 9),
    (Op.ROOT, (1 << 86) - 1, 0, 2 * math.isqrt((1 << 86) - 1) + 1)])
def test_arithmetic(op, x, y, expected):
    """With both operands in registers, and the second one in the instruction where it fits."""
    machine = loaded([Instruction(Op.LOAD, d=1, value=3), Instruction(Op.LOAD, d=2, value=4),
                      Instruction(op, d=3, a=1, b=2), Instruction(Op.STORE, b=3, value=5)],
                     others=[(Memory.DATA, [0, 0, 0, x % WORD, y % WORD])])
    machine.run([0])
    assert machine.data[5] == expected
    if -(1 << 18) <= y < 1 << 18:
        reload(machine, [Instruction(Op.LOAD, d=1, value=3), immediate(op, 3, 1, y),
                         Instruction(Op.STORE, b=3, value=6)])
        machine.run([0])
        assert machine.data[6] == expected


@pytest.mark.parametrize("op,x,y,message", [
    (Op.SHL, 1, 88, "shift must be 0 .. 87, not 88"), (Op.SHR, 1, -1, "shift must be 0 .. 87, not -1"),
    (Op.RND, 1, 88, "shift must be -87 .. 87, not 88"), (Op.SAT, 1, 0, "width must be 1 .. 87, not 0"),
    (Op.DIV, 1, 0, "divisor must be 1 .. .*, not 0"), (Op.ROOT, -1, 0, "square must be 0 .. .*, not -1")])
def test_operands_that_the_specification_excludes(op, x, y, message):
    machine = loaded([immediate(Op.ADD, 1, 0, x), immediate(op, 3, 1, y)])
    with pytest.raises(ValueError, match=message):
        machine.run([0])


def test_register_zero_reads_zero():
    machine = loaded([immediate(Op.ADD, 0, 0, 7), Instruction(Op.OUT, a=0), immediate(Op.ADD, 5, 0, -2),
                      Instruction(Op.OUT, a=5, value=1)])
    assert machine.run([0]).tolist() == [0, 0xFFFFFFFE]
    assert machine.output == [(0, False), (0xFFFFFFFE, True)]
    assert machine.instructions == 5


@pytest.mark.parametrize("op,taken", [(Op.BEQ, [0, 1, 0]), (Op.BNE, [1, 0, 1]), (Op.BLT, [1, 0, 0]),
                                      (Op.BGE, [0, 1, 1])])
def test_branches(op, taken):
    """Of -1, 0 and 1 against 0; r[b], not the value, is compared."""
    for x, expected in zip((-1, 0, 1), taken, strict=True):
        machine = loaded([immediate(Op.ADD, 1, 0, x), immediate(Op.ADD, 2, 0, 0),
                          Instruction(op, a=1, b=2, value=4), immediate(Op.ADD, 3, 0, 1),
                          Instruction(Op.OUT, a=3)])
        assert machine.run([0]).tolist() == [1 - expected]


def test_calls_return():
    machine = loaded([Instruction(Op.CALL, d=7, value=3), Instruction(Op.OUT, a=7), Instruction(Op.HALT),
                      immediate(Op.ADD, 8, 7, 0), Instruction(Op.JUMP, d=9, a=7, value=0)])
    assert machine.run([0]).tolist() == [1]
    assert machine.controller[7:10] == [1, 1, 0]


def test_input_and_its_end():
    take = [Instruction(Op.IN, d=1), Instruction(Op.OUT, a=1)]
    machine = loaded([*take, *take, Instruction(Op.CHECK), Instruction(Op.OUT, a=1)])
    assert machine.run([0xFFFFFFFF, 5]).tolist() == [0xFFFFFFFF, 5, 5]
    assert machine.controller[1] == 5
    for words, code in (([1], ErrorCode.INPUT_SHORT), ([1, 2, 3], ErrorCode.INPUT_LONG)):
        with pytest.raises(ProgramError, match=f"Input must have 2 words, not {len(words)}") as raised:
            machine.run(words)
        assert raised.value.code == code
        assert [word for word, _ in machine.output] == [*words, 0][:2]


def test_errors_of_a_run():
    machine = loaded([Instruction(Op.WAIT), Instruction(Op.HALT, value=ErrorCode.COMMAND)])
    with pytest.raises(ProgramError, match=r"stopped at instruction 1 \(error 11, command\)") as raised:
        machine.run([0])
    assert raised.value.code is ErrorCode.COMMAND
    reload(machine, [Instruction(Op.JUMP)])
    with pytest.raises(TimeoutError, match="Program must halt within 100 instructions, not go on at 0"):
        machine.run([0], limit=100)
    reload(machine, [Instruction(Op.LOAD, value=2048)])
    with pytest.raises(ValueError, match="data address must be 0 .. 2047, not 2048"):
        machine.run([0])
    reload(machine, [Instruction(Op.JUMP, value=-1)])
    with pytest.raises(ValueError, match="instruction's address must be 0 .. 2047, not -1"):
        machine.run([0])
    with pytest.raises(ProgramError, match="Program must be loaded before a start") as raised:
        Machine(EngineConfig()).run([0])
    assert raised.value.code is ErrorCode.NO_PROGRAM


def test_programs_fill_memories():
    config = EngineConfig(side=2)
    words = [0x7FFFFF | 0x10000 << 24 | 0x800001 << 41 | 0xFFFF << 65]
    machine = loaded([], others=[(Memory.WEIGHTS, words), (Memory.MAP, [3, 0, 2]), (Memory.DATA, [WORD - 1])])
    assert Memory.WEIGHTS.width(config) == 82
    assert machine.stored[0].tolist() == [0x7FFFFF, -0x7FFFFF]
    assert machine.accumulators[0].tolist() == [-0x10000, 0xFFFF]
    assert machine.maps[:4].tolist() == [3, 0, 2, 0] and machine.data[0] == -1


def test_ports():
    get = [(Get.Z, 7, -3), (Get.LENGTH, 4, 9), (Get.SUM, 5, 1 << 31), (Get.PLANES, 2, 3), (Get.STORED, 9, -8),
           (Get.ACCUMULATOR, 3, -2), (Get.MATRIX, 5, 6), (Get.ELEMENT, 11, 12)]
    program = [i for port, address, _ in get for i in
               (Instruction(Op.GET, d=1, b=port, value=address), Instruction(Op.OUT, a=1))]
    machine = loaded([*program, *put(Put.ERROR, 6, 1 << 32), *put(Put.PLANES, 1, 2),
                      *put(Put.REGISTER, REGISTERS.index("error_shift"), -1),
                      *put(Put.PARAMETER, 2 * Slot.MANTISSA * 2 + 3, 65536), *put(Put.PARAMETER, 0, 1 << 24)])
    machine.z[3, 1], machine.lengths[4], machine.sums[5], machine.maps[2] = -3, 9, 1 << 31, 3
    machine.stored[4, 1], machine.accumulators[1, 1] = -8, -2
    machine.matrix_sums[2, 1], machine.element_sums[2, 1, 1] = 6, 12
    assert machine.run([0]).tolist() == [value % (1 << 32) for _, _, value in get]
    assert machine.errors[3].tolist() == [1 << 32, 0] and machine.maps[1] == 2
    assert machine.registers["error_shift"] == 0xFFFFFF
    assert machine.parameters[Slot.MANTISSA, 1, 1] == 65536 and machine.parameters[0, 0, 0] == -(1 << 24)
    reload(machine, [Instruction(Op.GET, d=1, b=Get.LENGTH, value=512)])
    with pytest.raises(ValueError, match="address of port length must be 0 .. 511, not 512"):
        machine.run([0])


@pytest.mark.parametrize("unit,instruction,what", [
    (Unit.MATRIX, Instruction(Op.GET, d=1, b=Get.Z), "port z must be used after a WAIT for matrix"),
    (Unit.UPDATE, Instruction(Op.PUT, d=Put.REGISTER), "port register must be used after .* for update"),
    (Unit.ELEMENT, Instruction(Op.PUT, d=Put.PARAMETER), "port parameter must be used after .* element"),
    (Unit.INPUT, Instruction(Op.IN), "input must be read after a WAIT for input"),
    (Unit.INPUT, Instruction(Op.CHECK), "input must be read after a WAIT for input"),
    (Unit.MATRIX, Instruction(Op.START, value=Unit.INPUT), "unit input must start after a WAIT for matrix")])
def test_what_a_busy_unit_uses_is_left_alone(unit, instruction, what):
    sizes = dict.fromkeys(("groups", "rows", "columns", "tiles", "channels", "pixels", "blocks", "height",
                           "width", "out_height", "out_width", "kernel_height", "kernel_width", "stride"), 1)
    start = one_pass(unit, element_mode=Element.SUMS, **sizes)
    machine = loaded([*start, instruction])
    machine.run([0])
    reload(machine, [*start[:-1], instruction])
    with pytest.raises(ValueError, match=what):
        machine.run([0])


def test_what_a_busy_unit_does_not_use_may_be_used():
    machine = loaded([*one_pass(Unit.ELEMENT, element_mode=Element.SUMS, groups=1, rows=1, columns=1)[:-1],
                      *put(Put.PARAMETER, Slot.BIAS * 4, 7), Instruction(Op.GET, d=1, b=Get.STORED),
                      Instruction(Op.IN, d=2), Instruction(Op.CHECK)])
    machine.run([9])
    assert machine.parameters[Slot.BIAS, 0, 0] == 7 and machine.controller[2] == 9


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_input_passes_take_whole_words(channels):
    """Bytes of a tile: half, image, channel; a half without channels takes none; IN goes on behind them."""
    x = np.random.default_rng(channels).integers(0, 256, (channels, 1, 3, 8))
    words, = input_words(x, 2)
    machine = loaded([*one_pass(Unit.INPUT, groups=2, channels=channels, pixels=3), Instruction(Op.IN, d=1),
                      Instruction(Op.OUT, a=1), Instruction(Op.CHECK)])
    machine.maps[:3] = 3
    assert machine.run([*words, 77]).tolist() == [77]
    tiles, _, _ = machine.right.read(np.arange(6), False)
    whole = tiles.reshape(3, 2, 4, 4).transpose(2, 0, 1, 3).reshape(4, 1, 3, 8)
    assert np.array_equal(whole[:channels], x) and not whole[channels:].any()
    first = x[:2, 0, 0, :2].T.reshape(-1) if channels > 1 else x[0, 0, 0, :4]
    assert int(words[0]).to_bytes(4, "little") == bytes(first.tolist())


def test_state_stays_between_runs():
    machine = loaded(constant(4, 1 << 35))
    machine.run([0])
    run_pass(machine, Unit.INPUT, [200], groups=1, channels=1, pixels=1)
    reload(machine, [Instruction(Op.WAIT)])
    machine.run([0])
    tiles, planes, drops = machine.right.read(np.zeros(1, int), False)
    assert (tiles[0, 0, 0], planes[0], drops[0]) == (3, 1, 6)       # 200, nearly, in two bits
    assert machine.controller[4] == 1 << 35 and machine.cycles[Unit.INPUT][0] == 2 * 4
