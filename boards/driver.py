"""The host's side of the link: programs to a board, inputs there, outputs back."""

import time
from dataclasses import dataclass

from ..hw.common.frames import Damage
from ..hw.common.link import PROTOCOL, Refusal, Reply, Request
from .frames import FIRST, LAST, MAX_PAYLOAD, Decoder, Frame

__all__ = ["Board", "Status", "LinkError", "Refused", "serial_transport", "BAUD"]

BAUD = 1_000_000

ENGINE_ERRORS = {
    1: "the program does not begin with the magic word", 2: "the program is of another version",
    3: "the program is for another geometry", 4: "the program loads an address that does not exist",
    5: "the program's checksum is wrong", 6: "the program ends too early",
    7: "the program goes on after its end", 8: "the input ended before the batch was complete",
    9: "the input went on after the batch was complete", 10: "no program is loaded",
    11: "the input begins with a command that the program does not know",
}


class LinkError(RuntimeError):
    """The board does not answer, or answers what it must not; the message says which."""


class Refused(LinkError):
    """The board refused a request; ``reason`` is the Refusal."""

    def __init__(self, message, reason):
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Status:
    """State of a board, as the engine's ports of these names."""

    fingerprint: int
    width: int        #: values a word of the input and output streams
    busy: bool
    loaded: bool
    error: int
    layer: int
    damaged: int      #: frames that the board dropped since reset, modulo 256
    load_cycles: int
    run_cycles: int

    @classmethod
    def decode(cls, payload):
        """From the payload of a STATUS reply. Raises LinkError for another protocol."""
        if len(payload) != 16 or payload[0] != PROTOCOL:
            raise LinkError(f"Board must speak version {PROTOCOL} of the host link, "
                            f"not {bytes(payload[:1]).hex()}")
        word = [int.from_bytes(payload[n:n + 4], "little") for n in range(0, 16, 4)]
        state = payload[4]
        return cls(fingerprint=word[0] >> 8, width=payload[7], busy=bool(state & 1), loaded=bool(state & 2),
                   error=state >> 4, layer=payload[5], damaged=payload[6], load_cycles=word[2],
                   run_cycles=word[3])


def serial_transport(port, baud=BAUD):
    """A serial port as transport; ``port`` is a device name such as /dev/ttyUSB0.

    Raises LinkError where it cannot be opened.
    """
    import serial
    try:
        line = serial.Serial(port, baud, timeout=0.01)
    except (serial.SerialException, ValueError) as error:
        raise LinkError(f"Serial port {port} must be one that can be opened at {baud} baud: "
                        f"{error}") from error
    line.reset_input_buffer()
    return line


class Board:
    """A board behind a host link.

    Parameters
    ----------
    port
        Name of a serial port, or a transport: an object with ``write(bytes)``, ``read(n)`` (up to n bytes,
        after a short wait perhaps none) and ``close()``.
    baud : int
        Bits a second of a serial port.
    attempts : int
        How often a request is sent before the board counts as silent.
    patience : float
        Seconds without a byte after which a request is sent again; longer than the board's own timeout.

    Raises LinkError where the board does not answer.
    """

    def __init__(self, port, baud=BAUD, *, attempts=5, patience=0.5, clock=time.monotonic):
        self._line = serial_transport(port, baud) if isinstance(port, str) else port
        self._attempts = attempts
        self._patience = patience
        self._clock = clock
        self._decoder = Decoder()
        self._sequence = 0
        self.retries = 0  #: requests that had to be sent again
        self.width = self.status().width

    def close(self):
        """Closes the transport."""
        self._line.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def status(self):
        """State of the board now."""
        return Status.decode(self._request(Request.STATUS).payload)

    def load(self, words):
        """Loads a program, an iterable of 32-bit words.

        Raises LinkError with the engine's reason where it does not accept the program.
        """
        program = b"".join(int(word).to_bytes(4, "little") for word in words)
        self._send(Request.PROGRAM, program)
        state = self.status()
        if state.error or not state.loaded:
            raise LinkError(f"Engine did not load the program: {_reason(state)}")

    def run(self, batch):
        """Runs one batch: bytes of the input stream to those of the output stream (16 bits, little endian).

        Raises LinkError with the engine's reason where the engine stops with an error.
        """
        if not batch or len(batch) % self.width:
            raise ValueError(f"Input must be a positive multiple of {self.width} bytes, not {len(batch)}")
        self._request(Request.START)
        try:
            self._send(Request.INPUT, batch)
        except Refused as refused:
            state = self.status()
            raise LinkError(f"Engine did not take the input: {_reason(state)}") from refused
        output = bytearray()
        while True:
            frame = self._request(Request.READ)
            output += frame.payload
            if frame.kind & LAST:
                return bytes(output)
            state = None if frame.payload else self.status()
            if state and (state.error or not state.busy):
                raise LinkError(f"Engine stopped before the output was complete: {_reason(state)}")

    def clear(self):
        """Brings the engine back to rest: ends open packets, discards outputs, forgets the error."""
        try:
            self._request(Request.CLEAR)
        except Refused as refused:
            if refused.reason != Refusal.STALLED:
                raise
            # A word waits for an engine that is at rest: only a start makes it take the word.
            self._request(Request.START)
            self._request(Request.CLEAR)
        quiet = 0
        while self._drain() or self.status().busy:
            quiet += 1
            if quiet == self._attempts:
                # It waits for input; a packet of one word ends the batch.
                self._request(Request.INPUT | FIRST | LAST, bytes(self.width))
            elif quiet > 2 * self._attempts:
                raise LinkError("Engine must come to rest after a clear, but it stays busy")
        self._request(Request.CLEAR)

    def _drain(self):
        """Discards outputs that are there; whether there were any."""
        found = False
        while self._request(Request.READ).payload:
            found = True
        return found

    def _send(self, kind, data):
        starts = range(0, len(data), MAX_PAYLOAD)
        for n in starts:
            flags = FIRST * (n == 0) | LAST * (n == starts[-1])
            self._request(kind | flags, data[n:n + MAX_PAYLOAD])

    def _request(self, kind, payload=b""):
        self._sequence = (self._sequence + 1) % 256
        frame = Frame(self._sequence, kind, bytes(payload))
        seen = "no answer"
        for attempt in range(self._attempts):
            self.retries += attempt > 0
            self._line.write(frame.encode())
            reply, seen = self._reply(seen)
            if reply is None:
                continue
            if reply.kind == Reply.NAK:
                reason = Refusal(reply.payload[0])
                raise Refused(f"Board refused {Request(kind & 15).name}: {reason.name.lower()}", reason)
            return reply
        raise LinkError(f"Board must answer {Request(kind & 15).name}, but after {self._attempts} attempts "
                        f"there was {seen}")

    def _reply(self, seen):
        """The reply to the current request, or None where it must be sent again; and what was seen last."""
        heard = self._clock()
        while self._clock() - heard < self._patience:
            for byte in self._line.read(MAX_PAYLOAD):
                heard = self._clock()
                item = self._decoder.take(byte)
                if isinstance(item, Damage):
                    seen = "a damaged reply"
                elif item and item.kind == Reply.NAK and item.payload[0] in list(Damage):
                    seen = f"a damaged request ({Damage(item.payload[0]).name.lower()})"
                    # An overrun means that the copy before is in work: its reply comes.
                    if item.payload[0] != Damage.OVERRUN:
                        return None, seen
                elif item and item.sequence == self._sequence:
                    return item, seen
        return None, seen


def _reason(state):
    if not state.error:
        return "it stopped without an error"
    return ENGINE_ERRORS.get(state.error, f"error {state.error}")
