"""Programs: their words and every error of the format."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shiftwork.golden.common.descriptor import SIGNED
from shiftwork.golden.ternary.descriptor import Descriptor, Kind
from shiftwork.golden.ternary.encode import encode
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.program import MAGIC, ErrorCode, Memory, Program, ProgramError, Section

from .networks import CONFIGS, random_input, random_network

CONFIG = CONFIGS["tiny"]


def packet(body, config=CONFIG, count=None, magic=MAGIC, version=1, fingerprint=None):
    """A packet written by hand, so that the tests do not share the code under test."""
    fingerprint = config.fingerprint if fingerprint is None else fingerprint
    words = np.array([magic, version | fingerprint << 8, len(body) if count is None else count, *body], "<u4")
    return np.append(words, np.uint32(zlib.crc32(words.tobytes())))


# Table words of this configuration are 36 bits, weight words 16.
TABLE = [1 | 3 << 8, 2, 10, 11, 12, 13]
WEIGHTS = [2 | 5 << 8, 1, 0x0103]


def test_words_of_the_specification():
    program = Program.from_words(packet(TABLE + WEIGHTS), CONFIG)
    table, weights = program.sections
    assert (table.memory, table.address) == (Memory.TABLE, 3)
    assert (weights.memory, weights.address) == (Memory.WEIGHTS, 5)
    assert table.words.tolist() == [[10, 11], [12, 13]]
    machine = Machine(CONFIG)
    machine.load(packet(TABLE + WEIGHTS))
    assert machine.table[3:5] == [10 | 11 << 32, 12 | 13 << 32]
    assert machine.nonzero[5].tolist() == [True, True] + [False] * 6
    assert machine.negative[5].tolist() == [True] + [False] * 7


GOOD = packet(TABLE + WEIGHTS)

BROKEN = {
    "magic": (packet(TABLE, magic=MAGIC + 1), 1, "First word must be 0x31545753, not 0x31545754"),
    "magic first": (packet(TABLE, magic=0, version=9)[:1], 1, "First word"),
    "version": (packet(TABLE, version=2), 2, "Version must be 1, not 2"),
    "version before geometry": (packet(TABLE, version=2, fingerprint=0), 2, "Version must be"),
    "geometry": (packet(TABLE, fingerprint=0xABCDEF), 3,
                 "Fingerprint must be the engine's 0x[0-9a-f]{6}, not 0xabcdef"),
    "unknown memory": (packet([7, 0]), 4, r"Memory must be 1 \(table\) or 2 \(weights\), not 7"),
    "memory zero": (packet([0, 0]), 4, r"not 0"),
    "beyond depth": (packet([1 | 1023 << 8, 2]), 4,
                     "Section must end within the 1024 words of memory 1, not at 1025"),
    "huge count": (packet([2, 0xFFFFFFFF]), 4, "within the 8192 words of memory 2, not at 4294967295"),
    "huge address": (packet([2 | 0xFFFFFF << 8, 1]), 4, "memory 2, not at 16777216"),
    "address before checksum": (np.append(packet([7, 0])[:-1], 0), 4, "Memory must be"),
    "checksum": (np.append(GOOD[:-1], GOOD[-1] ^ 1), 5, "Checksum must be 0x[0-9a-f]{8}, not 0x[0-9a-f]{8}"),
    "checksum before overlong": (np.append(GOOD, 0)[[*range(len(GOOD) - 1), -1, -1]], 5, "Checksum must be"),
    "empty": (GOOD[:0], 6, "Program must go on to its checksum, not end after 0 words"),
    "only magic": (GOOD[:1], 6, "not end after 1 words"),
    "no count": (GOOD[:2], 6, "not end after 2 words"),
    "in the header": (GOOD[:4], 6, "not end after 4 words"),
    "in a section": (GOOD[:7], 6, "not end after 7 words"),
    "without checksum": (GOOD[:-1], 6, f"not end after {len(GOOD) - 1} words"),
    "n within a section": (packet(TABLE, count=4), 6,
                           "Number of words must be that of whole sections, not 4"),
    "n within a header": (np.append(packet(TABLE + [2])[:-1], 0), 6, "whole sections, not 7"),
    "checksum taken as count": (np.append(packet(TABLE + [2])[:-1], 9999), 4, "memory 2, not at 9999"),
    "overlong": (np.append(GOOD, 0), 7, f"Program must end after {len(GOOD)} words, not {len(GOOD) + 1}"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_error(name):
    words, code, message = BROKEN[name]
    with pytest.raises(ProgramError, match=message) as raised:
        Program.from_words(words, CONFIG)
    assert raised.value.code == code
    assert isinstance(raised.value, ValueError)


def test_section_may_end_at_the_depth():
    Program.from_words(packet([1 | 1022 << 8, 2, 0, 0, 0, 0]), CONFIG)


def test_error_names_its_code():
    with pytest.raises(ProgramError, match=r"\(error 6, truncated\)$"):
        Program.from_words(GOOD[:-1], CONFIG)


@pytest.mark.parametrize("length", range(len(GOOD)))
def test_every_truncation_is_found(length):
    with pytest.raises(ProgramError) as raised:
        Program.from_words(GOOD[:length], CONFIG)
    assert raised.value.code is ErrorCode.TRUNCATED


@settings(deadline=None, max_examples=200, derandomize=True)
@given(data=st.data())
def test_corrupted_words_never_run(data):
    words = encode(random_network(np.random.default_rng(1), 1, 1), CONFIG).to_words()
    position = data.draw(st.integers(0, len(words) - 1))
    flips = data.draw(st.integers(1, 2 ** 32 - 1))
    words[position] ^= np.uint32(flips)
    machine = Machine(CONFIG)
    with pytest.raises(ProgramError):
        machine.load(words)
    with pytest.raises(ProgramError) as raised:
        machine.run(np.zeros((0, CONFIG.drain_width)))
    assert raised.value.code is ErrorCode.NO_PROGRAM


def test_a_bad_program_unloads_the_good_one():
    machine = Machine(CONFIG)
    machine.load(GOOD)
    with pytest.raises(ProgramError):
        machine.load(GOOD[:-1])
    message = r"Program must be loaded before a start, not missing \(error 10, no program\)"
    with pytest.raises(ProgramError, match=message):
        machine.run(np.zeros((0, CONFIG.drain_width)))


@pytest.mark.parametrize("change, code", [(-1, 8), (1, 9)])
def test_input_length(change, code):
    rng = np.random.default_rng(2)
    network = random_network(rng, 1, 1)
    program, machine = encode(network, CONFIG), Machine(CONFIG)
    machine.load(program.to_words())
    beats = program.pack_input(random_input(rng, network, CONFIG.batch))
    wrong = np.resize(beats, (len(beats) + change, CONFIG.drain_width))
    with pytest.raises(ProgramError, match=f"Input must have {len(beats)} beats, not {len(wrong)}") as raised:
        machine.run(wrong)
    assert raised.value.code == code
    assert len(machine.run(beats))


@settings(deadline=None, max_examples=60, derandomize=True)
@given(name=st.sampled_from(sorted(CONFIGS)), seed=st.integers(0, 2 ** 32 - 1), data=st.data())
def test_round_trip_of_sections(name, seed, data):
    config, rng, sections = CONFIGS[name], np.random.default_rng(seed), []
    for memory in data.draw(st.lists(st.sampled_from(Memory), max_size=4)):
        count = data.draw(st.integers(0, 5))
        address = data.draw(st.integers(0, memory.depth(config) - count))
        bits = rng.random((count, memory.width(config))) < 0.5
        sections.append((Section.from_bits(memory, address, bits), bits))
    words = Program(config, tuple(section for section, _ in sections)).to_words()
    back = Program.from_words(words, config)
    np.testing.assert_array_equal(back.to_words(), words)
    for section, (before, bits) in zip(back.sections, sections, strict=True):
        assert (section.memory, section.address) == (before.memory, before.address)
        np.testing.assert_array_equal(section.bits(bits.shape[1]), bits)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(data=st.data())
def test_descriptor_round_trip(data):
    values = {}
    for name, (_, _, width) in Descriptor.LAYOUT.items():
        first = -(1 << width - 1) if name in SIGNED else 0
        most = 2 if name == "destination" else first + (1 << width) - 1
        values[name] = data.draw(st.integers(first, most))
    descriptor = Descriptor(**values)
    words = descriptor.to_words()
    assert all(0 <= word < 1 << 32 for word in words)
    assert Descriptor.from_words(words) == descriptor


def test_descriptor_fields_stand_where_the_specification_says():
    words = Descriptor(
        kind=Kind.CONV, plus_minus=True, input_signed=True, destination=2, param_base=0x1234, low=-1, high=2,
        pi_count=3, pj_count=4, j_count=5, i_last_cell=1, i_last_local=2, j_last_cell=3, j_last_local=4,
        out_v_step=9, out_u_first=7, out_v_first=8, out_a_first=5, out_c_first=6,
        activation_bits=16).to_words()
    assert words[0] == 0x1234_0000 | 2 << 4 | 1 << 3 | 1 << 2 | 2
    assert words[1] == 0x0002_FFFF
    assert words[3] == 0x0403_0005
    assert words[10] == 0x0403_0201
    assert words[14] == 0x0807_0009
    assert words[15] == 0x0010_0605


@pytest.mark.parametrize("field, value, message", [
    ("index_i_stride", 65536, r"index_i_stride must be within 0 \.\. 65535, its field of 16 bits, not 65536"),
    ("pi_count", 256, r"pi_count must be within 0 \.\. 255, its field of 8 bits, not 256"),
    ("activation_bits", 32, r"activation_bits must be within 0 \.\. 31, its field of 5 bits, not 32"),
    ("low", -32769, r"low must be within -32768 \.\. 32767, its field of 16 bits, not -32769"),
])
def test_descriptor_field_error(field, value, message):
    with pytest.raises(ValueError, match=message):
        Descriptor(kind=Kind.CONV, **{field: value})
