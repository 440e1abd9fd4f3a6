"""Frames on a byte stream: flags around them, escapes inside, a CRC-32 at their end (docs/host-link.md)."""

from enum import IntEnum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .stream import packet

__all__ = ["FLAG", "ESCAPE", "FLIP", "MAX_PAYLOAD", "BUFFER", "Damage", "SerialCrc32", "FrameReceiver",
           "FrameTransmitter"]

FLAG = 0x7E
ESCAPE = 0x7D
FLIP = 0x20
MAX_PAYLOAD = 256
OVERHEAD = 6  # sequence number, kind, four bytes of CRC
BUFFER = 512


class Damage(IntEnum):
    """Why a frame was dropped."""
    CHECKSUM = 1   #: CRC-32 differs, or the frame is too short to have one
    TRUNCATED = 2  #: the line fell silent before the closing flag
    OVERLONG = 3   #: more payload than a frame may have
    OVERRUN = 4    #: it arrived while the frame before it was still in work
    LINE = 5       #: a byte was lost on the line


class SerialCrc32(wiring.Component):
    """CRC-32 as zlib's, one bit a cycle: crc' = (crc >> 1) ^ (0xEDB88320 where crc[0] ^ bit).

    Members
    -------
    clear : In(1)
        Back to the start value.
    step : In(1)
        Take ``bit``.
    bit : In(1)
    drain : In(1)
        Shift without feedback instead, to send the CRC.
    crc : Out(32)
        The register; its complement is the CRC. After a frame with its CRC it is 0xDEBB20E3.
    """

    residue = 0xDEBB20E3

    clear: In(1)
    step: In(1)
    bit: In(1)
    drain: In(1)
    crc: Out(32, init=0xFFFFFFFF)

    def elaborate(self, platform):
        m = Module()
        feedback = (self.crc[0] ^ self.bit) & ~self.drain
        with m.If(self.clear):
            m.d.sync += self.crc.eq(0xFFFFFFFF)
        with m.Elif(self.step):
            m.d.sync += self.crc.eq((self.crc >> 1) ^ Mux(feedback, 0xEDB88320, 0))
        return m


class FrameReceiver(wiring.Component):
    """Frames from bytes: each frame is held in a memory, and offered only if its CRC is right.

    Any flag ends what came before it, so a damaged frame never takes the next one along. Bytes after which no
    flag comes are dropped ``timeout`` cycles after the last of them.

    Parameters
    ----------
    timeout : int
        Cycles of silence in an unfinished frame.

    Members
    -------
    i : In(stream of 8 bits)
    fault : In(1)
        A byte was lost here.
    valid : Out(1)
        A frame is there; it stays until ``done``. Bytes that arrive until then are lost, and reported.
    done : In(1)
    end : Out(9)
        Address behind the last payload byte; the frame is sequence number, kind, payload from address 0 on.
    address : In(9)
    data : Out(8)
        The byte at ``address`` of two cycles before; a register, because a memory's own output is late.
    damaged : Out(1), damage : Out(4)
        A frame was dropped, for one cycle, and why: a value of ``Damage``.

    Timing: 1 cycle for a flag or escape, 8 for another byte. Cost: one block RAM, about 130 lookup tables.
    """

    def __init__(self, timeout):
        self.timeout = timeout
        super().__init__({
            "i": In(stream.Signature(8)), "fault": In(1),
            "valid": Out(1), "done": In(1), "end": Out(9), "address": In(9), "data": Out(8),
            "damaged": Out(1), "damage": Out(4),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = memory.Memory(shape=8, depth=BUFFER, init=[])
        m.submodules.crc = crc = SerialCrc32()
        write, read = buffer.write_port(), buffer.read_port()
        count = Signal(9)
        step = Signal(3)
        escaped = Signal()
        spoiled = Signal(4)
        byte = self.i.payload ^ Mux(escaped, FLIP, 0)
        m.d.comb += [
            read.addr.eq(self.address), self.end.eq(count - 4),
            write.addr.eq(count), write.data.eq(byte), crc.bit.eq(byte.bit_select(step, 1)),
        ]

        m.d.sync += self.data.eq(read.data)

        started = spoiled.any() | escaped | (~self.valid & count.any())
        silence = Signal(range(self.timeout + 1))
        m.d.sync += silence.eq(silence + 1)
        with m.If(self.i.valid | self.fault | ~started):
            m.d.sync += silence.eq(0)

        restart = Signal()

        def drop(reason):
            m.d.comb += [restart.eq(1), self.damaged.eq(1)]
            m.d.comb += self.damage.eq(Mux(spoiled.any(), spoiled, reason.value))

        with m.If(self.i.valid & (self.i.payload == FLAG)):
            m.d.comb += self.i.ready.eq(1)
            with m.If(started):
                right = (crc.crc == SerialCrc32.residue) & (count >= OVERHEAD)
                with m.If(right & ~escaped & ~spoiled.any() & ~self.valid):
                    m.d.sync += self.valid.eq(1)
                with m.Else():
                    drop(Damage.CHECKSUM)
        with m.Elif(self.i.valid & (spoiled.any() | self.valid)):
            m.d.comb += self.i.ready.eq(1)
            m.d.sync += step.eq(0)
            with m.If(~spoiled.any()):
                m.d.sync += spoiled.eq(Damage.OVERRUN.value)
        with m.Elif(self.i.valid & (self.i.payload == ESCAPE) & ~escaped):
            m.d.comb += self.i.ready.eq(1)
            m.d.sync += escaped.eq(1)
        with m.Elif(self.i.valid):
            m.d.comb += crc.step.eq(1)
            m.d.sync += step.eq(step + 1)
            with m.If(step == 7):
                m.d.comb += [self.i.ready.eq(1), write.en.eq(1)]
                m.d.sync += [count.eq(count + 1), escaped.eq(0)]
                with m.If(count == MAX_PAYLOAD + OVERHEAD):
                    m.d.sync += spoiled.eq(Damage.OVERLONG.value)
        with m.Elif(silence == self.timeout):
            drop(Damage.TRUNCATED)

        # What is dropped behind a frame that is still held leaves that frame alone.
        with m.If(restart):
            m.d.sync += [spoiled.eq(0), escaped.eq(0)]
        with m.If(self.fault & (restart | ~spoiled.any())):
            m.d.sync += spoiled.eq(Damage.LINE.value)
        with m.If(self.done | (restart & ~self.valid)):
            m.d.comb += crc.clear.eq(1)
            m.d.sync += count.eq(0)
        with m.If(self.done):
            m.d.sync += self.valid.eq(0)

        return m


class FrameTransmitter(wiring.Component):
    """Bytes of a packet to a frame: flag, escaped bytes, escaped CRC-32, flag.

    Members
    -------
    i : In(stream of packet(8))
        Sequence number, kind, payload.
    o : Out(stream of 8 bits)

    Timing: 9 cycles a byte, 10 where it is escaped, and 50 cycles for flags and CRC. Cost: about 100 lookup
    tables.
    """

    i: In(stream.Signature(packet(8)))
    o: Out(stream.Signature(8))

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = SerialCrc32()
        step = Signal(3)
        tail = Signal(range(5))  # bytes of the CRC still to send, 0 in the body
        escaped = Signal()

        byte = Signal(8)
        m.d.comb += byte.eq(Mux(tail.any(), ~crc.crc[:8], self.i.p.data))
        m.d.comb += [crc.bit.eq(byte.bit_select(step, 1)), crc.drain.eq(tail.any())]

        with m.FSM():
            with m.State("open"):
                m.d.comb += [self.o.payload.eq(FLAG), self.o.valid.eq(self.i.valid), crc.clear.eq(1)]
                with m.If(self.o.valid & self.o.ready):
                    m.next = "send"
            with m.State("send"):
                special = ((byte == FLAG) | (byte == ESCAPE)) & ~escaped
                m.d.comb += self.o.valid.eq(tail.any() | self.i.valid)
                m.d.comb += self.o.payload.eq(Mux(special, ESCAPE, byte ^ Mux(escaped, FLIP, 0)))
                with m.If(self.o.valid & self.o.ready):
                    m.d.sync += escaped.eq(special)
                    with m.If(~special):
                        m.next = "sum"
            with m.State("sum"):
                m.d.comb += crc.step.eq(1)
                m.d.sync += step.eq(step + 1)
                with m.If(step == 7):
                    m.next = "send"
                    with m.If(tail.any()):
                        m.d.sync += tail.eq(tail - 1)
                        with m.If(tail == 1):
                            m.next = "close"
                    with m.Else():
                        m.d.comb += self.i.ready.eq(1)
                        with m.If(self.i.p.last):
                            m.d.sync += tail.eq(4)
            with m.State("close"):
                m.d.comb += [self.o.payload.eq(FLAG), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    m.next = "open"

        return m
