"""Frames of the host link in Python: encoding, and a decoder that survives any bytes (docs/host-link.md)."""

import zlib
from dataclasses import dataclass

from ..hw.common.frames import ESCAPE, FLAG, FLIP, MAX_PAYLOAD, Damage

__all__ = ["Frame", "Decoder", "FIRST", "LAST", "MAX_PAYLOAD"]

FIRST = 0x40
LAST = 0x80
OVERHEAD = 6


@dataclass(frozen=True)
class Frame:
    """One frame: ``kind`` holds the flags FIRST and LAST above its four bits.

    Raises ValueError for a field out of range.
    """

    sequence: int
    kind: int
    payload: bytes = b""

    def __post_init__(self):
        if not 0 <= self.sequence < 256:
            raise ValueError(f"Frame sequence number must fit 8 bits, not {self.sequence!r}")
        if not 0 <= self.kind < 256:
            raise ValueError(f"Frame kind must fit 8 bits, not {self.kind!r}")
        if len(self.payload) > MAX_PAYLOAD:
            raise ValueError(f"Frame payload must have at most {MAX_PAYLOAD} bytes, not {len(self.payload)}")

    def encode(self):
        """The frame as bytes on the line, flags included."""
        body = bytes([self.sequence, self.kind]) + self.payload
        body += zlib.crc32(body).to_bytes(4, "little")
        escaped = bytearray([FLAG])
        for byte in body:
            escaped += bytes([ESCAPE, byte ^ FLIP]) if byte in (FLAG, ESCAPE) else bytes([byte])
        return bytes(escaped) + bytes([FLAG])


class Decoder:
    """Bytes to frames, one byte at a time and without waiting."""

    def __init__(self):
        self._body = bytearray()
        self._escaped = False
        self._overlong = False

    @property
    def started(self):
        """Whether bytes of an unfinished frame are there."""
        return bool(self._body) or self._escaped

    def take(self, byte):
        """The next byte of the line: a Frame or a Damage where this byte ends one, else None."""
        if byte == FLAG:
            return self._finish() if self.started else None
        if byte == ESCAPE and not self._escaped:
            self._escaped = True
        else:
            self._overlong |= len(self._body) == MAX_PAYLOAD + OVERHEAD
            if not self._overlong:
                self._body.append(byte ^ (FLIP if self._escaped else 0))
            self._escaped = False
        return None

    def cut(self):
        """The line fell silent: a Damage where that cuts a frame off, else None."""
        if not self.started:
            return None
        damage = Damage.OVERLONG if self._overlong else Damage.TRUNCATED
        self.__init__()
        return damage

    def _finish(self):
        body, escaped, overlong = bytes(self._body), self._escaped, self._overlong
        self.__init__()
        if overlong:
            return Damage.OVERLONG
        if escaped or len(body) < OVERHEAD or zlib.crc32(body[:-4]).to_bytes(4, "little") != body[-4:]:
            return Damage.CHECKSUM
        return Frame(body[0], body[1], body[2:-4])
