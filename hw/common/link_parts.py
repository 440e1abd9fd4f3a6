"""Parts of the host link: its parameters and codes, and what stands between it and the engine's streams."""

from dataclasses import dataclass
from enum import IntEnum

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .frames import BUFFER, MAX_PAYLOAD
from .stream import packet

__all__ = ["PROTOCOL", "Request", "Reply", "Refusal", "LinkConfig", "PacketFeeder", "ResultBuffer"]

PROTOCOL = 1


class Request(IntEnum):
    """Bits 3:0 of a request's kind; bit 6 marks the first and bit 7 the last frame of a packet."""
    STATUS, PROGRAM, INPUT, START, CLEAR, READ = range(6)


class Reply(IntEnum):
    """Bits 3:0 of a reply's kind; bit 7 marks the last frame of a packet."""
    ACK, NAK, STATUS, OUTPUT = range(8, 12)


class Refusal(IntEnum):
    """Why a sound frame was refused; the lower codes are those of ``Damage``."""
    KIND = 8      #: no such request
    LENGTH = 9    #: payload not a positive multiple of the stream's bytes a word
    ORDER = 10    #: not the first frame of a packet, and none is open
    STALLED = 11  #: the engine did not take the data in time; the rest of the frame is dropped
    IDLE = 12     #: input while the engine does not run


@dataclass(frozen=True, kw_only=True)
class LinkConfig:
    """Parameters of a host link. Raises ValueError with a sentence that names the parameter."""

    width: int             #: bytes of a word of the input stream
    result_bytes: int = 0  #: bytes of a word of the output stream; 0: two for each of the input's
    timeout: int           #: cycles of silence in a frame, and of waiting for the engine
    fingerprint: int = 0   #: 24 bits that STATUS reports

    def __post_init__(self):
        if self.width not in (1, 2, 4, 8):
            raise ValueError(f"Link width must be 1, 2, 4 or 8, not {self.width!r}")
        if not self.result_bytes:
            object.__setattr__(self, "result_bytes", 2 * self.width)
        if self.result_bytes not in (2, 4, 8, 16):
            raise ValueError(f"Link result_bytes must be 2, 4, 8 or 16, not {self.result_bytes!r}")
        if not isinstance(self.timeout, int) or self.timeout < 16:
            raise ValueError(f"Link timeout must be at least 16 cycles, not {self.timeout!r}")
        if not 0 <= self.fingerprint < 1 << 24:
            raise ValueError(f"Link fingerprint must fit 24 bits, not {self.fingerprint!r}")

    @property
    def ports(self):
        """Members that face the engine: its streams, strobes and state."""
        return {
            "program": Out(stream.Signature(packet(32))),
            "input": Out(stream.Signature(packet(8 * self.width))),
            "output": In(stream.Signature(packet(8 * self.result_bytes))),
            "start": Out(1), "clear": Out(1), "busy": In(1), "loaded": In(1), "error": In(4), "layer": In(8),
            "load_cycles": In(32), "run_cycles": In(32),
        }


class PacketFeeder(wiring.Component):
    """Words of the program and input streams from bytes, least significant first.

    A word is held until it is taken, however late, so that no stream ever takes a word back.

    Members
    -------
    program, input : Out(streams of packets)
    to_input : In(1)
        Which of the two the inputs below mean.
    data : In(8), push : In(1)
        Take a byte into the word.
    offer : In(1), last : In(1)
        Offer the word that ``push`` completes, or (without ``push``) any word, to end a packet.
    spoil : In(1)
        Data was lost: the open packet cannot go on.
    pending : Out(1)
        A word waits for the engine.
    open : Out(2), whole : Out(2)
        Bit 0 program, bit 1 input: a packet was begun and its last word not offered; and nothing of it was
        lost.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "program": config.ports["program"], "input": config.ports["input"],
            "to_input": In(1), "data": In(8), "push": In(1), "offer": In(1), "last": In(1), "spoil": In(1),
            "pending": Out(1), "open": Out(2), "whole": Out(2),
        })

    def elaborate(self, platform):
        m = Module()
        width = 8 * self.config.width
        word = Signal(max(32, width))
        input_next, last = Signal(), Signal()
        m.d.comb += [
            self.program.valid.eq(self.pending & ~input_next), self.program.p.data.eq(word[-32:]),
            self.input.valid.eq(self.pending & input_next), self.input.p.data.eq(word[-width:]),
            self.program.p.last.eq(last), self.input.p.last.eq(last),
        ]
        with m.If((self.program.valid & self.program.ready) | (self.input.valid & self.input.ready)):
            m.d.sync += self.pending.eq(0)
        with m.If(self.push):
            m.d.sync += word.eq(Cat(word[8:], self.data))
        with m.If(self.offer):
            m.d.sync += [self.pending.eq(1), input_next.eq(self.to_input), last.eq(self.last)]

        chosen = Cat(~self.to_input, self.to_input)
        with m.If(self.spoil | (self.offer & self.last)):
            m.d.sync += self.whole.eq(self.whole & ~chosen)
        with m.Elif(self.push):
            m.d.sync += self.whole.eq(self.whole | chosen)
        with m.If(self.offer & self.last):
            m.d.sync += self.open.eq(self.open & ~chosen)
        with m.Elif(self.push):
            m.d.sync += self.open.eq(self.open | chosen)

        return m


class ResultBuffer(wiring.Component):
    """A frame's worth of results, kept for sending it again.

    Members
    -------
    i : In(stream of packets)
    clear : In(1), take : In(1)
        Forget what is there; take results while high.
    complete : Out(1)
        The buffer becomes full, or has the last word of a packet, with this cycle.
    end : Out(9), last : Out(1)
        Address behind the last byte; whether the packet ends there. The first byte has address 2.
    address : In(9), data : Out(8)
        The byte at ``address`` of two cycles before; a register.

    Timing: one byte a cycle. Cost: one block RAM, about 30 lookup tables at width 1.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": config.ports["output"], "clear": In(1), "take": In(1), "complete": Out(1),
            "end": Out(9, init=2), "last": Out(1), "address": In(9), "data": Out(8),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = memory.Memory(shape=8, depth=BUFFER, init=[])
        write, read = buffer.write_port(), buffer.read_port()
        bits = self.i.p.data
        place = self.end & (self.config.result_bytes - 1)
        m.d.comb += [
            read.addr.eq(self.address), write.addr.eq(self.end), write.en.eq(self.take & self.i.valid),
            # Turned by two bytes, because the first byte stands at address 2.
            write.data.eq(Cat(bits[-16:], bits[:-16]).word_select(place, 8)),
            self.i.ready.eq(self.take & (place == 1)),
            self.complete.eq(write.en & self.i.ready & (self.i.p.last | (self.end == MAX_PAYLOAD + 1))),
        ]
        m.d.sync += self.data.eq(read.data)
        with m.If(self.clear):
            m.d.sync += [self.end.eq(2), self.last.eq(0)]
        with m.Elif(write.en):
            m.d.sync += [self.end.eq(self.end + 1), self.last.eq(self.i.p.last & self.i.ready)]

        return m
