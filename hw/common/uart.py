"""An asynchronous serial port: receiver and transmitter of 8 data bits, no parity, one stop bit."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["UartReceiver", "UartTransmitter"]

MIN_DIVISOR = 8


def _check(divisor):
    if not isinstance(divisor, int) or divisor < MIN_DIVISOR:
        raise ValueError(f"UART divisor must be an integer of at least {MIN_DIVISOR} clock cycles a bit, "
                         f"not {divisor!r}")


class UartReceiver(wiring.Component):
    """Bytes from a serial line.

    Each bit is the majority of three samples, around its middle and an eighth of a bit apart. A start bit
    that is over by its middle is noise and is forgotten.

    Parameters
    ----------
    divisor : int
        Clock cycles of one bit, at least 8.

    Members
    -------
    rx : In(1)
        The line, asynchronous to the clock.
    o : Out(stream of 8 bits)
    fault : Out(1)
        For one cycle: a byte was lost, because its stop bit was missing or because the byte before it still
        stood at ``o``. After a missing stop bit the receiver waits until the line is idle.

    Timing: a byte appears about 2 cycles after the middle of its stop bit; ``o`` may stall for the 10 *
    divisor cycles until the next. Cost: about 50 lookup tables. Raises ValueError for a divisor below 8.
    """

    def __init__(self, divisor):
        _check(divisor)
        self.divisor = divisor
        super().__init__({"rx": In(1), "o": Out(stream.Signature(8)), "fault": Out(1)})

    def elaborate(self, platform):
        m = Module()
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)

        middle, apart = self.divisor // 2, max(1, self.divisor // 8)
        phase = Signal(range(self.divisor))
        m.d.sync += phase.eq(phase + 1)
        with m.If(phase == self.divisor - 1):
            m.d.sync += phase.eq(0)
        early, late = Signal(init=1), Signal(init=1)
        with m.If((phase == middle - apart) | (phase == middle)):
            m.d.sync += [early.eq(late), late.eq(line)]
        decided = phase == middle + apart
        bit = (early & late) | (early & line) | (late & line)

        # The marker set in the highest place reaches the lowest when eight bits are in.
        bits = Signal(9)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("idle"):
                # The cycle that shows the edge is the bit's first.
                m.d.sync += [phase.eq(1), bits.eq(1 << 8)]
                with m.If(~line):
                    m.next = "start"
            with m.State("start"):
                with m.If(decided):
                    m.next = "data"
                    with m.If(bit):
                        m.next = "idle"
            with m.State("data"):
                with m.If(decided):
                    m.d.sync += bits.eq(Cat(bits[1:], bit))
                    with m.If(bits[0]):
                        m.d.sync += bits.eq(bits)
                        m.next = "break"
                        m.d.comb += self.fault.eq(~bit | (self.o.valid & ~self.o.ready))
                        with m.If(bit):
                            m.next = "idle"
                        with m.If(~self.fault):
                            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(bits[1:])]
            with m.State("break"):
                with m.If(line):
                    m.next = "idle"

        return m


class UartTransmitter(wiring.Component):
    """Bytes to a serial line.

    Parameters
    ----------
    divisor : int
        Clock cycles of one bit, at least 8.

    Members
    -------
    i : In(stream of 8 bits)
    tx : Out(1)
        The line, high when idle; a register.

    Timing: one byte in 10 * divisor + 1 cycles. Cost: about 35 lookup tables.
    Raises ValueError for a divisor below 8.
    """

    def __init__(self, divisor):
        _check(divisor)
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        phase = Signal(range(self.divisor))
        # Data and stop bit still to send, above them a marker; only the marker is left when all are out.
        bits = Signal(10)
        busy = Signal()

        m.d.comb += self.i.ready.eq(~busy)
        with m.If(~busy):
            m.d.sync += phase.eq(0)
            with m.If(self.i.valid):
                m.d.sync += [busy.eq(1), self.tx.eq(0), bits.eq(Cat(self.i.payload, 1, 1))]
        with m.Elif(phase == self.divisor - 1):
            m.d.sync += [phase.eq(0), self.tx.eq(bits[0]), bits.eq(bits >> 1)]
            with m.If(bits == 1):
                m.d.sync += [busy.eq(0), self.tx.eq(1)]
        with m.Else():
            m.d.sync += phase.eq(phase + 1)

        return m
