"""The circulant engine's words and packets; errors of the format."""

import re
import zlib

import numpy as np
import pytest
from shiftwork.golden.circulant.config import PRESETS
from shiftwork.golden.circulant.program import MAGIC, Memory, Program
from shiftwork.golden.circulant.words import Act, Addend, Header, Left, Phase, Right, Row, Segment
from shiftwork.golden.common.program import ErrorCode, ProgramError, Section

CONFIG = PRESETS["tiny"]


def number(word):
    """A word's bits as an integer."""
    return sum(1 << int(n) for n in np.flatnonzero(word.to_bits()))


def test_words_stand_where_the_specification_has_them():
    header = Header(input_blocks=3, input_base=0x1234, vectors=5, output_beats=0xABCD)
    assert number(header) == 3 | 0x1234 << 16 | 5 << 32 | 0xABCD << 48
    first = Segment(base=0x1111, count=0x2222, after=0x3333, following=True)
    second = Segment(base=0x4444, count=0x5555, after=0x6666, alternate=True, old=True)
    phase = Phase(rows=0x7777, weight_base=0x8888, sum_shift=31, last=True, segments=(first, second))
    assert number(phase) == (0x7777 | 0x8888 << 16 | 31 << 32 | 1 << 38 | 0x1111 << 64 | 0x2222 << 80
                             | 0x4444 << 96 | 0x5555 << 112 | 0x3333 << 128 | 1 << 144 | 0x6666 << 160
                             | 1 << 177 | 1 << 178)
    row = Row(state=1, coefficient=2, target=3, pre_shift=31, out_shift=15, act=Act.TANH, left=Left.C_LESS_A,
              right=Right.TANH_C, addend=Addend.A)
    assert number(row) == 1 | 2 << 16 | 3 << 32 | 31 << 48 | 15 << 53 | 2 << 58 | 2 << 60 | 4 << 62 | 2 << 65
    flags = ("old", "peephole", "add", "to_t0", "to_t1", "to_c", "to_vector", "to_output", "alternate")
    for n, name in enumerate(flags):
        assert number(Row(**{name: True})) == 1 << 67 + n
    assert [len(word.to_bits()) for word in (header, phase, row)] == [96, 192, 96]


def test_words_come_back():
    rng = np.random.default_rng(1)
    limits = {"sum_shift": 32, "out_shift": 16, "act": 3, "left": 3, "right": 5, "addend": 3}
    for cls in (Header, Segment, Row):
        for _ in range(20):
            word = cls(**{name: int(rng.integers(1, limits.get(name, 1 << width))) if width > 1
                          else bool(rng.integers(2)) for name, (_, width) in cls.LAYOUT.items()})
            found = cls.from_bits(word.to_bits())
            assert found == word and [type(v) for v in vars(found).values()] == [
                type(v) for v in vars(word).values()]
    phase = Phase(rows=3, weight_base=4, sum_shift=5, last=False,
                  segments=(Segment(base=9, count=2, following=True), Segment(old=True, count=1)))
    assert Phase.from_bits(phase.to_bits()) == phase and phase.columns == 3
    assert phase.segments[0].needs(np.arange(2)).tolist() == [0, 1]


SEGMENTS = (Segment(count=1), Segment())


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Header(input_blocks=0, input_base=0, vectors=1, output_beats=1),
     "input_blocks must be within 1 .. 65535, not 0"),
    (lambda: Header(input_blocks=1, input_base=0, vectors=0, output_beats=1),
     "vectors must be within 1 .. 65535, not 0"),
    (lambda: Header(input_blocks=1, input_base=0, vectors=1, output_beats=65536),
     "output_beats must be within 1 .. 65535, not 65536"),
    (lambda: Phase(rows=0, weight_base=0, sum_shift=0, last=True, segments=SEGMENTS),
     "rows must be within 1 .. 65535, not 0"),
    (lambda: Phase(rows=1, weight_base=0, sum_shift=32, last=True, segments=SEGMENTS),
     "sum_shift must be within 0 .. 31, not 32"),
    (lambda: Phase(rows=1, weight_base=0, sum_shift=0, last=True, segments=SEGMENTS[::-1]),
     "count of segment 0 must be at least 1, not 0"),
    (lambda: Row(out_shift=16), "out_shift must be within 0 .. 15, not 16"),
    (lambda: Row(pre_shift=-1), "pre_shift must be within 0 .. 31, not -1"),
    (lambda: Row.from_bits(np.ones(96, bool)), "out_shift must be within 0 .. 15, not 31"),
    (lambda: Row.from_bits(np.arange(96) >= 62), "right must be within 0 .. 4, not 7"),
])
def test_a_field_that_cannot_be_is_named(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


def test_what_rows_read_and_write():
    assert Row(right=Right.T0, addend=Addend.C, to_c=True).reads == {"t0", "c"}
    assert Row(add=True, to_t1=True).reads == {"t1"} and Row(to_t1=True, to_t0=True).writes == {"t0", "t1"}
    assert Row(peephole=True).reads == Row(left=Left.A_LESS_C).reads == Row(right=Right.TANH_C).reads == {"c"}
    assert Row().idle and not Row(to_output=True).idle and not Row(to_c=True).idle


def packet(body, magic=MAGIC, version=1, fingerprint=CONFIG.fingerprint):
    words = np.array([magic, version | fingerprint << 8, len(body), *body], "<u4")
    return np.append(words, np.uint32(zlib.crc32(words.tobytes())))


@pytest.mark.parametrize(("words", "code", "message"), [
    (packet([], magic=1), ErrorCode.MAGIC, "First word must be 0x31435753, not 0x00000001"),
    (packet([], version=2), ErrorCode.VERSION, "Version must be 1, not 2"),
    (packet([], fingerprint=5), ErrorCode.GEOMETRY,
     "Fingerprint must be the engine's 0x[0-9a-f]{6}, not 0x000005"),
    (packet([6, 0]), ErrorCode.ADDRESS, re.escape("Memory must be 1 (header), 2 (phases), 3 (rows), 4 "
                                                  "(coefficients) or 5 (weights), not 6")),
    (packet([1, 2, 0, 0, 0, 0, 0, 0]), ErrorCode.ADDRESS, "within the 1 words of memory 1, not at 2"),
    (packet([4 | 255 << 8, 2, 0, 0, 0, 0]), ErrorCode.ADDRESS,
     "within the 256 words of memory 4, not at 257"),
    (packet([3, 1, 0, 0]), ErrorCode.TRUNCATED, "Number of words must be that of whole sections, not 4"),
])
def test_errors_of_a_packet(words, code, message):
    with pytest.raises(ProgramError, match=message) as raised:
        Program.from_words(words, CONFIG)
    assert raised.value.code is code


def small():
    """A program of one phase of two rows, not of an encoder, with weights and coefficients at random."""
    rng = np.random.default_rng(3)
    header = Header(input_blocks=2, input_base=4, vectors=2, output_beats=4)
    phase = Phase(rows=2, weight_base=0, sum_shift=2, last=True,
                  segments=(Segment(base=4, count=2), Segment()))
    rows = [Row(target=n, to_vector=True, to_output=True) for n in range(2)]
    coefficients = rng.integers(-32768, 32768, (4, 4))
    weights = rng.integers(-2048, 2048, (2, CONFIG.rows, CONFIG.slots, 2))
    metadata = {"sequences": 2, "inputs": 3, "outputs": 3, "output_blocks": [[1, 0], [0, 0]]}
    return Program.of_words(CONFIG, header, [phase], rows, coefficients, weights, metadata), \
        (header, (phase,), tuple(rows)), coefficients, weights


def test_a_program_is_what_its_words_say():
    program, words, coefficients, weights = small()
    assert program.parse() == words
    again = Program.from_words(program.to_words(), CONFIG)
    assert again.parse() == words
    # One word by hand: row 1, slot 0, part 1 of the second column stands from bit (2 + 0) * 2 + 1 parts on.
    bits = again.image(Memory.WEIGHTS)[1, 12 * 5:12 * 6]
    assert sum(1 << int(n) for n in np.flatnonzero(bits)) == weights[1, 1, 0, 1] % 4096
    bits = again.image(Memory.COEFFICIENTS)[2, 32:48]
    assert sum(1 << int(n) for n in np.flatnonzero(bits)) == coefficients[2, 2] % 65536


def test_a_memory_may_be_written_in_several_sections():
    program, words, *_ = small()
    header, phases, rows, *rest = program.sections
    parts = [Section(Memory.ROWS, 1, rows.words[1:]), Section(Memory.ROWS, 0, rows.words[:1])]
    assert Program(CONFIG, (*parts, *rest, phases, header)).parse() == words
    assert not Program(CONFIG, (parts[0],)).image(Memory.ROWS)[0].any()


def test_a_file_holds_all_of_it(tmp_path):
    program = small()[0]
    program.save(tmp_path / "program.npz")
    again = Program.load(tmp_path / "program.npz")
    assert again.to_words().tolist() == program.to_words().tolist()
    assert (again.config, again.metadata) == (program.config, program.metadata)


def test_a_program_without_a_last_phase_is_refused():
    program = small()[0]
    with pytest.raises(ValueError, match="^Program must have a header and a last phase$"):
        Program(CONFIG, program.sections[2:]).parse()


def test_input_goes_step_by_step_and_sequence_by_sequence():
    program = small()[0]
    x = np.arange(12).reshape(2, 2, 3) - 5
    beats = program.pack_input(x)
    assert beats.dtype == np.uint16 and beats.astype(np.int16).tolist() == [
        [-5, -4], [-3, 0], [1, 2], [3, 0], [-2, -1], [0, 0], [4, 5], [6, 0]]


@pytest.mark.parametrize(("x", "message"), [
    (np.zeros((1, 2, 3), int), r"Input must have shape \(2, steps, 3\), at least one step, not \(1, 2, 3\)"),
    (np.zeros((2, 0, 3), int), r"at least one step, not \(2, 0, 3\)"),
    (np.zeros((2, 1, 3)), "Input must be of integers, not float64"),
    (np.full((2, 1, 3), 2048), "Input must be within -2048 .. 2047, not 2048 .. 2048"),
])
def test_input_that_cannot_be_is_refused(x, message):
    with pytest.raises(ValueError, match=message):
        small()[0].pack_input(x)


def test_output_goes_in_the_order_of_the_rows():
    program = small()[0]
    values = np.arange(16) - 3
    found = program.unpack_output(values.astype(np.int16).view(np.uint16).reshape(-1, 2))
    assert found.tolist() == [[[1, 2, 3], [9, 10, 11]], [[-3, -2, -1], [5, 6, 7]]]
    with pytest.raises(ValueError, match="^Output must have a multiple of 8 values, those of a step, not 6$"):
        program.unpack_output(values[:6])
