# amaranth: UnusedElaboratable=no
"""Frames in Python: round trips, and what damage does to them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shiftwork.boards.frames import MAX_PAYLOAD, Decoder, Frame
from shiftwork.hw.common.frames import Damage
from shiftwork.hw.common.link import LinkConfig
from shiftwork.hw.common.uart import UartReceiver, UartTransmitter

specials = st.sampled_from([0x7E, 0x7D, 0x5E, 0x5D, 0])
payloads = st.lists(specials | st.integers(0, 255), max_size=MAX_PAYLOAD).map(bytes)
frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), payloads)


def decode(data):
    decoder = Decoder()
    items = [decoder.take(byte) for byte in data] + [decoder.cut()]
    return [item for item in items if item is not None]


def test_known_bytes():
    assert Frame(1, 3).encode().hex() == "7e0103" "0472cbc1" "7e"
    assert Frame(0x7E, 3, b"\x7d").encode().hex() == "7e7d5e037d5d" "0ac2b7a4" "7e"


@given(st.lists(frames, max_size=5))
@settings(deadline=None, max_examples=60)
def test_round_trip(sent):
    assert decode(b"".join(frame.encode() for frame in sent)) == sent


@given(frames, st.data())
@settings(deadline=None, max_examples=100)
def test_damage_is_seen_and_next_frame_arrives(frame, data):
    good, line = Frame(7, 0, b"next"), bytearray(frame.encode())
    at = data.draw(st.integers(0, len(line) - 1))
    line[at] ^= data.draw(st.integers(1, 255))
    items = decode(bytes(line) + good.encode())
    assert items[-1] == good
    # A damaged opening flag only puts a byte before the frame; a damaged closing flag only one behind.
    assert items[:-1] and all(isinstance(item, Damage) for item in items[:-1])


@given(frames, st.data())
@settings(deadline=None, max_examples=60)
def test_cut_frames(frame, data):
    line = frame.encode()
    cut = line[:data.draw(st.integers(2, len(line) - 1))]
    assert decode(cut) == [Damage.TRUNCATED]
    assert decode(cut + frame.encode())[-1] == frame


def test_overlong():
    assert decode(b"\x7e" + bytes(263) + b"\x7e") == [Damage.OVERLONG]
    assert decode(b"\x7e" + bytes(300)) == [Damage.OVERLONG]


@pytest.mark.parametrize("make, message", [
    (lambda: Frame(256, 0), "Frame sequence number must fit 8 bits, not 256"),
    (lambda: Frame(0, -1), "Frame kind must fit 8 bits, not -1"),
    (lambda: Frame(0, 0, bytes(257)), "Frame payload must have at most 256 bytes, not 257"),
    (lambda: LinkConfig(width=3, timeout=100), "Link width must be 1, 2, 4 or 8, not 3"),
    (lambda: LinkConfig(width=1, timeout=100, result_bytes=3), "Link result_bytes must be 2, 4, 8 or 16, "
     "not 3"),
    (lambda: LinkConfig(width=1, timeout=15), "Link timeout must be at least 16 cycles, not 15"),
    (lambda: LinkConfig(width=1, timeout=100, fingerprint=1 << 24),
     "Link fingerprint must fit 24 bits, not 16777216"),
    (lambda: UartReceiver(7), "UART divisor must be an integer of at least 8 clock cycles a bit, not 7"),
    (lambda: UartTransmitter(9.5),
     r"UART divisor must be an integer of at least 8 clock cycles a bit, not 9\.5"),
])
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
