"""What the host link and the echo engine do, in Python, byte by byte."""

from shiftwork.boards.echo import GAIN
from shiftwork.boards.frames import FIRST, LAST, MAX_PAYLOAD, Decoder, Frame
from shiftwork.hw.common.frames import Damage
from shiftwork.hw.common.link import PROTOCOL, Refusal, Reply, Request

__all__ = ["EchoModel", "LinkModel"]


class EchoModel:
    """As boards.echo.EchoEngine; streams are lists of words."""

    def __init__(self, width):
        self.width = width
        self.busy = self.loaded = self.wanted = self._within = False
        self.error = self.load_cycles = self.run_cycles = 0
        self.output = []  # (bytes, last)

    def program(self, word, last):
        self.load_cycles = word ^ (self.load_cycles if self._within else 0)
        self._within, self.loaded = not last, last

    def input(self, word, last):
        """Whether the word was taken."""
        if not self.wanted or self.load_cycles >> 31:
            return False
        self.output.append((b"".join((GAIN * v).to_bytes(2, "little") for v in word), last))
        self.run_cycles += 1
        self.wanted = not last
        return True

    def start(self):
        if not self.busy:
            if self.loaded:
                self.busy = self.wanted = True
                self.run_cycles = 0
            else:
                self.error = 10


class LinkModel:
    """As HostLink in front of an echo engine; ``take`` and ``silence`` return the frames that it sends."""

    def __init__(self, engine):
        self.engine = engine
        self.decoder = Decoder()
        self.damaged = 0
        self.sequence = None
        self.outcome = None
        self.pending = None
        self.tail = bytes(8)  # an ended packet's last word holds what the link happens to hold
        self.open = {Request.PROGRAM: False, Request.INPUT: False}
        self.whole = dict(self.open)

    def take(self, byte):
        """One byte of the line."""
        return self._answer(self.decoder.take(byte))

    def silence(self):
        """The line is silent for longer than the timeout."""
        return self._answer(self.decoder.cut())

    def _answer(self, item):
        if item is None:
            return []
        if isinstance(item, Damage):
            self.damaged = (self.damaged + 1) % 256
            return [Frame(self.sequence or 0, Reply.NAK, bytes([item]))]
        kind = item.kind & 15
        if item.sequence != self.sequence or kind == Request.STATUS:
            self.sequence = item.sequence
            self.outcome = self._execute(kind, item.kind, item.payload)
        return [Frame(self.sequence, *self.outcome)]

    def _execute(self, kind, flags, payload):
        engine = self.engine
        if kind == Request.STATUS:
            bits = engine.busy | engine.loaded << 1 | engine.error << 4
            state = [PROTOCOL, 0, 0, 0, bits, engine.run_cycles & 255, self.damaged, engine.width]
            cycles = engine.load_cycles.to_bytes(4, "little") + engine.run_cycles.to_bytes(4, "little")
            return Reply.STATUS, bytes(state) + cycles
        if kind == Request.START:
            engine.start()
            self._retry()
            return Reply.ACK, b""
        if kind == Request.READ:
            return self._read()
        if kind == Request.CLEAR:
            for stream in self.open:
                if not self._close(stream):
                    return self._refuse(Refusal.STALLED)
            if self.pending and not self._retry():
                return self._refuse(Refusal.STALLED)
            engine.error = 0
            return Reply.ACK, b""
        if kind in (Request.PROGRAM, Request.INPUT):
            return self._feed(kind, flags, payload)
        return self._refuse(Refusal.KIND)

    def _feed(self, kind, flags, payload):
        size = 4 if kind == Request.PROGRAM else self.engine.width
        if not self._retry():
            return self._refuse(Refusal.STALLED, kind)
        if not payload or len(payload) % size:
            return self._refuse(Refusal.LENGTH)
        if kind == Request.INPUT and not self.engine.busy:
            return self._refuse(Refusal.IDLE)
        if flags & FIRST and not self._close(kind):
            return self._refuse(Refusal.STALLED, kind)
        if kind == Request.INPUT and not self.engine.busy:
            return self._refuse(Refusal.IDLE)
        if not flags & FIRST and not self.whole[kind]:
            return self._refuse(Refusal.ORDER)
        for n in range(0, len(payload), size):
            last = bool(flags & LAST) and n + size == len(payload)
            self.open[kind] = self.whole[kind] = not last
            self.tail = (self.tail + payload[n:n + size])[-8:]
            if not self._offer(kind, payload[n:n + size], last):
                return self._refuse(Refusal.STALLED, kind)
        return Reply.ACK, b""

    def _close(self, kind):
        if not self._retry():
            return False
        if not self.open[kind]:
            return True
        self.open[kind] = self.whole[kind] = False
        size = 4 if kind == Request.PROGRAM else self.engine.width
        return self._offer(kind, self.tail[-size:], True)

    def _offer(self, kind, word, last):
        self.pending = kind, word, last
        return self._retry()

    def _retry(self):
        """Offers the word that waits; whether none waits any more."""
        if self.pending:
            kind, word, last = self.pending
            if kind == Request.PROGRAM:
                self.engine.program(int.from_bytes(word, "little"), last)
            elif not self.engine.input(word, last):
                return False
            self.pending = None
        return True

    def _read(self):
        data, last = b"", False
        while self.engine.output and len(data) < MAX_PAYLOAD and not last:
            word, last = self.engine.output.pop(0)
            data += word
        if last:
            self.engine.busy = False
        return Reply.OUTPUT | LAST * last, data

    def _refuse(self, reason, spoil=None):
        if spoil is not None:
            self.whole[spoil] = False
        return Reply.NAK, bytes([reason])
