"""The host link: an engine's streams and strobes behind frames on a byte stream (docs/host-link.md)."""

from dataclasses import dataclass
from enum import IntEnum

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .frames import BUFFER, MAX_PAYLOAD, FrameReceiver, FrameTransmitter
from .stream import packet
from .uart import UartReceiver, UartTransmitter

__all__ = ["PROTOCOL", "Request", "Reply", "Refusal", "LinkConfig", "HostLink", "UartLink"]

PROTOCOL = 1
STATUS_BYTES = 16


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

    width: int            #: values a word of the input and output streams, D: 8*D and 16*D bits
    timeout: int          #: cycles of silence in a frame, and of waiting for the engine
    fingerprint: int = 0  #: 24 bits that STATUS reports

    def __post_init__(self):
        if self.width not in (1, 2, 4, 8):
            raise ValueError(f"Link width must be 1, 2, 4 or 8, not {self.width!r}")
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
            "output": In(stream.Signature(packet(16 * self.width))),
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
        Bit 0 program, bit 1 input: a packet was begun and its last word not offered; and nothing of it was lost.
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
        place = self.end & (2 * self.config.width - 1)
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


class HostLink(wiring.Component):
    """Requests from the host to an engine, one reply each.

    A request is acted on once: where its sequence number is that of the request before, only the reply is sent again.
    Every wait for the engine ends after ``timeout`` cycles. A frame that was dropped is counted and reported by a NAK.

    Parameters
    ----------
    config : LinkConfig

    Members
    -------
    i : In(stream of 8 bits), o : Out(stream of 8 bits)
        To and from the host.
    fault : In(1)
        A byte was lost before ``i``.
    program, input, output, start, clear, busy, loaded, error, layer, load_cycles, run_cycles
        As the engine's ports of these names; ``start`` and ``clear`` are high for one cycle.

    Timing: 3 cycles for each byte of payload to the engine, 1 from it, 13 for each byte of a reply.
    Cost: two block RAMs of 512 bytes.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(8)), "o": Out(stream.Signature(8)), "fault": In(1), **config.ports})

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = FrameReceiver(self.config.timeout)
        m.submodules.transmitter = transmitter = FrameTransmitter()
        m.submodules.feeder = feeder = PacketFeeder(self.config)
        m.submodules.results = results = ResultBuffer(self.config)
        for outer, inner in [(self.i, receiver.i), (self.o, transmitter.o), (self.program, feeder.program),
                             (self.input, feeder.input), (self.output, results.i)]:
            wiring.connect(m, wiring.flipped(outer), inner)

        at = Signal(9)  # place in the request, then in the reply
        waited = Signal(range(self.config.timeout + 1))
        waiting = Signal()
        m.d.sync += waited.eq(Mux(waiting, waited + 1, 0))
        m.d.comb += [
            receiver.fault.eq(self.fault), receiver.address.eq(at), results.address.eq(at),
            feeder.data.eq(receiver.data),
        ]

        damages, damage, reported = Signal(8), Signal(4), Signal(init=1)
        sequence, outcome, code, reporting = Signal(8), Signal(4), Signal(4), Signal()
        with m.FSM():
            with m.State("idle"):
                m.d.sync += [at.eq(receiver.valid & reported), reporting.eq(~reported)]
                with m.If(~reported):
                    m.d.sync += reported.eq(1)
                    m.next = "fetch"
                with m.Elif(receiver.valid):
                    m.next = "sequence"
            self._execute(m, receiver, feeder, results, at, sequence, outcome, code, waiting,
                          waited == self.config.timeout)
            with m.State("fetch"):
                m.next = "memory"
            with m.State("memory"):
                m.next = "latch"
            with m.State("latch"):
                m.next = "reply"
            with m.State("reply"):
                m.d.comb += transmitter.i.valid.eq(1)
                with m.If(transmitter.i.ready):
                    m.d.sync += at.eq(at + 1)
                    m.next = "fetch"
                    with m.If(transmitter.i.p.last):
                        m.d.comb += receiver.done.eq(~reporting)
                        m.d.sync += at.eq(0)
                        m.next = "rest"
            # The memories' outputs follow the place in two cycles: byte 0 must be there when a request is begun.
            with m.State("rest"):
                m.next = "idle"

        kind, end, byte = Signal(4), Signal(9), Signal(8)
        m.d.comb += [kind.eq(Mux(reporting, Reply.NAK, outcome)), end.eq(2), byte.eq(results.data)]
        with m.Switch(kind):
            with m.Case(Reply.NAK):
                m.d.comb += [end.eq(3), byte.eq(Mux(reporting, damage, code))]
            with m.Case(Reply.STATUS):
                m.d.comb += [end.eq(2 + STATUS_BYTES), byte.eq(self._status(damages, at))]
            with m.Case(Reply.OUTPUT):
                m.d.comb += end.eq(results.end)
        with m.If(at == 0):
            m.d.comb += byte.eq(sequence)
        with m.If(at == 1):
            m.d.comb += byte.eq(Cat(kind, Const(0, 3), (kind == Reply.OUTPUT) & results.last))
        with m.If(~transmitter.i.valid):
            m.d.sync += [transmitter.i.p.data.eq(byte), transmitter.i.p.last.eq(at + 1 == end)]

        with m.If(receiver.damaged):
            m.d.sync += [damages.eq(damages + 1), damage.eq(receiver.damage), reported.eq(0)]

        return m

    def _execute(self, m, receiver, feeder, results, at, sequence, outcome, code, waiting, expired):
        """The states from the first byte of a request until its outcome is known."""
        known, same = Signal(), Signal()
        kind, first, last = Signal(4), Signal(), Signal()
        is_input = kind == Request.INPUT
        mask = Mux(is_input, self.config.width - 1, 3)
        ends = at + 1 == receiver.end
        m.d.comb += [feeder.to_input.eq(is_input), feeder.last.eq(last & ends)]

        def answer(reply, refusal=0):
            m.d.sync += [outcome.eq(reply), code.eq(refusal), at.eq(0)]
            m.next = "fetch"

        def stall():
            m.d.comb += waiting.eq(1)
            with m.If(expired):
                m.d.comb += feeder.spoil.eq(1)
                answer(Reply.NAK, Refusal.STALLED)

        with m.State("sequence"):
            m.d.sync += [at.eq(2), sequence.eq(receiver.data), known.eq(1)]
            m.d.sync += same.eq(known & (sequence == receiver.data))
            m.next = "address"
        with m.State("address"):
            m.next = "kind"
        with m.State("kind"):
            m.d.sync += Cat(kind, first, last).eq(Cat(receiver.data[:4], receiver.data[6:]))
            m.next = "repeated"
        with m.State("repeated"):
            m.next = "decide"
            # STATUS is always carried out, so that a host that knows no sequence number can begin with it.
            with m.If(same & (kind != Request.STATUS)):
                m.d.sync += at.eq(0)
                m.next = "fetch"
        with m.State("decide"):
            with m.Switch(kind):
                with m.Case(Request.STATUS):
                    answer(Reply.STATUS)
                with m.Case(Request.START):
                    m.d.comb += self.start.eq(1)
                    answer(Reply.ACK)
                with m.Case(Request.READ):
                    m.d.comb += results.clear.eq(1)
                    m.next = "collect"
                with m.Case(Request.CLEAR):
                    with m.If(feeder.pending):
                        stall()
                    with m.Elif(feeder.open.any()):
                        m.d.comb += [feeder.to_input.eq(~feeder.open[0]), feeder.offer.eq(1), feeder.last.eq(1)]
                    with m.Else():
                        m.d.comb += self.clear.eq(1)
                        answer(Reply.ACK)
                with m.Case(Request.PROGRAM, Request.INPUT):
                    with m.If(feeder.pending):
                        stall()
                    with m.Elif((receiver.end == 2) | ((receiver.end & mask) != (2 & mask))):
                        answer(Reply.NAK, Refusal.LENGTH)
                    with m.Elif(is_input & ~self.busy):
                        answer(Reply.NAK, Refusal.IDLE)
                    with m.Elif(first & feeder.open.bit_select(is_input, 1)):
                        m.d.comb += [feeder.offer.eq(1), feeder.last.eq(1)]
                    with m.Elif(~first & ~feeder.whole.bit_select(is_input, 1)):
                        answer(Reply.NAK, Refusal.ORDER)
                    with m.Else():
                        m.next = "feed"
                with m.Default():
                    answer(Reply.NAK, Refusal.KIND)
        with m.State("feed"):
            m.d.comb += [feeder.push.eq(1), feeder.offer.eq((at & mask) == (1 & mask))]
            m.d.sync += at.eq(at + 1)
            m.next = "advance"
        with m.State("advance"):
            m.next = "settle"
        with m.State("settle"):
            with m.If(feeder.pending):
                stall()
            with m.Elif(at == receiver.end):
                answer(Reply.ACK)
            with m.Else():
                m.next = "feed"
        with m.State("collect"):
            m.d.comb += [results.take.eq(1), waiting.eq(~self.output.valid)]
            with m.If(results.complete | expired):
                answer(Reply.OUTPUT)

    def _status(self, damages, at):
        """Byte ``at - 2`` of the state."""
        state = Cat(Const(PROTOCOL, 8), Const(self.config.fingerprint, 24),
                    self.busy, self.loaded, Const(0, 2), self.error, self.layer, damages, Const(self.config.width, 8),
                    self.load_cycles, self.run_cycles)
        assert len(state) == 8 * STATUS_BYTES
        return Cat(state[-16:], state[:-16]).word_select(at[:4], 8)


class UartLink(wiring.Component):
    """A host link on a serial line: ``rx``, ``tx`` and the engine's side of ``HostLink``.

    Parameters
    ----------
    config : LinkConfig
    divisor : int
        Clock cycles of one bit of the line, at least 8.
    """

    def __init__(self, config, divisor):
        self.config = config
        self.divisor = divisor
        super().__init__({"rx": In(1), "tx": Out(1), **config.ports})

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self.divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(self.divisor)
        m.submodules.link = link = HostLink(self.config)
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx), link.fault.eq(receiver.fault)]
        wiring.connect(m, receiver.o, link.i)
        wiring.connect(m, link.o, transmitter.i)
        for name in self.config.ports:
            port, inner = getattr(self, name), getattr(link, name)
            if name in ("program", "input", "output"):
                wiring.connect(m, wiring.flipped(port), inner)
            elif name in ("start", "clear"):
                m.d.comb += port.eq(inner)
            else:
                m.d.comb += inner.eq(port)

        return m
