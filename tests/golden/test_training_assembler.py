import numpy as np
import pytest
from shiftwork.golden.common.program import Section
from shiftwork.golden.training.arithmetic import reciprocal
from shiftwork.golden.training.assembler import ZERO
from shiftwork.golden.training.encode import words_as_bits
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.isa import INSTRUCTION_BITS, WORD_BITS
from shiftwork.golden.training.machine import Machine
from shiftwork.golden.training.macros import MacroAssembler
from shiftwork.golden.training.program import Memory, Program
from shiftwork.golden.training.quantize import scale_exponent

CONFIG = EngineConfig(side=2)


def run(asm, words=(0,)):
    """Output words of what ``asm`` has assembled."""
    parts = ((Memory.PROGRAM, [each.word for each in asm.program(CONFIG)], INSTRUCTION_BITS),
             (Memory.DATA, asm.data(CONFIG), WORD_BITS))
    sections = tuple(Section.from_bits(memory, 0, words_as_bits(values, width))
                     for memory, values, width in parts)
    machine = Machine(CONFIG)
    machine.load(Program(CONFIG, sections).to_words())
    return machine.run(np.array(words, np.uint32))


def test_loops_subroutines_and_labels():
    asm = MacroAssembler()
    count, total, link = asm.registers("count total link")
    end = asm.fresh()
    asm.set(total, 0)
    with asm.repeat(count, 5):
        asm.call("add", link)
    asm.out(total)
    asm.branch("lt", total, 16, end)
    asm.halt()
    asm.label(end)
    asm.out(total, last=True)
    asm.halt()
    with asm.part("adder"), asm.subroutine("add", link):
        asm.add(total, total, count)
    assert run(asm).tolist() == [15, 15]
    (part,) = asm.parts["adder"]
    assert len(part) == 2


@pytest.mark.parametrize("value", [0, 5, -1, (1 << 18) - 1, 1 << 18, -(1 << 18), -(1 << 18) - 1, 1 << 86])
def test_constants_of_any_width(value):
    asm = MacroAssembler()
    a, b = asm.registers("a b")
    address = asm.word("place", [7])
    asm.set(a, value)
    asm.set(b, 3)
    asm.add(b, b, value)
    asm.sub(a, b, a)
    asm.out(a)
    asm.store(value, address)
    asm.load(a, address)
    asm.sub(a, b, a)
    asm.out(a)
    asm.branch("eq", ZERO, value, "same")
    asm.out(a)
    asm.label("same")
    asm.halt()
    assert run(asm).tolist() == [3, 3, 3][:3 if value else 2]
    assert (f"constant {value}" in asm.addresses) == (not -(1 << 18) <= value < 1 << 18)


def test_scale_exponent_and_reciprocal():
    root = 3037000500       # the least integer of 32 bits above sqrt(2) * 2 ** 31
    values = [0, 1, 2, 3, 5, 6, root - 1, root, 1 << 40, (1 << 40) - 1]
    asm = MacroAssembler()
    x, d, t = asm.registers("x d t")
    first = asm.word("values", values)
    for n, value in enumerate(values):
        asm.load(x, first + n)
        asm.scale_exponent(d, x, t)
        asm.out(d)
        if value:
            asm.reciprocal(d, t, x)
            asm.out(d)
            asm.out(t)
    asm.halt()
    assert run(asm).tolist() == [word for value in values for word in
                                 (scale_exponent(value), *(reciprocal(value) if value else ()))]
    assert scale_exponent(root) == 32 == scale_exponent(root - 1) + 1


def test_registers_are_free_again():
    asm = MacroAssembler()
    asm.registers("a b")
    assert asm.free == 28
    with asm.borrowed("c d") as (c, d):
        assert asm.free == 26 and c != d
    assert asm.free == 28
    with pytest.raises(ValueError, match="registers must be at most 30, not 29 more where 28 are left"):
        asm.registers(" ".join("r" * 29))


def test_errors():
    asm = MacroAssembler()
    asm.label("here")
    with pytest.raises(ValueError, match="labels must be put once, not 'here' again"):
        asm.label("here")
    asm.word("words", range(2048))
    with pytest.raises(ValueError, match="data words must have a name of their own, not 'words' again"):
        asm.word("words", [0])
    asm.data(CONFIG)
    asm.word("more", [1 << 87])
    with pytest.raises(ValueError, match="data_depth must be at least 2049, .*, not 2048"):
        asm.data(CONFIG)
    with pytest.raises(ValueError, match="data words must have 88 bits, not be 154742504910672534362390528"):
        asm.data(EngineConfig(data_depth=2049))
    asm.go("nowhere")
    with pytest.raises(ValueError, match="a label that is gone to must be put, not 'nowhere' be missing"):
        asm.program(CONFIG)
    for _ in range(2048):
        asm.halt()
    with pytest.raises(ValueError, match="program_depth must be at least 2049, .*, not 2048"):
        asm.program(CONFIG)
