"""The host link: an engine's streams and strobes behind frames on a byte stream (docs/host-link.md)."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .frames import FrameReceiver, FrameTransmitter
from .link_parts import PROTOCOL, LinkConfig, PacketFeeder, Refusal, Reply, Request, ResultBuffer
from .uart import UartReceiver, UartTransmitter

__all__ = ["PROTOCOL", "Request", "Reply", "Refusal", "LinkConfig", "HostLink", "UartLink"]

STATUS_BYTES = 16


class HostLink(wiring.Component):
    """Requests from the host to an engine, one reply each.

    A request is acted on once: where its sequence number is that of the request before, only the reply is
    sent again. Every wait for the engine ends after ``timeout`` cycles. A frame that was dropped is counted
    and reported by a NAK.

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
            # The memories' outputs follow the place in two cycles; byte 0 must be there for the next request.
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
                        m.d.comb += feeder.to_input.eq(~feeder.open[0])
                        m.d.comb += [feeder.offer.eq(1), feeder.last.eq(1)]
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
                    self.busy, self.loaded, Const(0, 2), self.error,
                    self.layer, damages, Const(self.config.width, 8), self.load_cycles, self.run_cycles)
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
