"""AXI4-Lite on one side, registers on the other."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Response", "AxiLite"]


class Response(enum.Enum, shape=2):
    """What a transaction came to."""

    OKAY = 0
    SLVERR = 2


class AxiLite(wiring.Component):
    """A slave of 32-bit registers on an AXI4-Lite bus.

    A write takes effect, ``write_enable`` for one cycle, when both its address and its data have come, in
    whichever order. Byte 0 of the strobe decides: where it is clear, the write is answered as any other but
    ``write_enable`` stays low; the other bytes' strobes are ignored. Addresses are those of 32-bit words:
    their two low bits are ignored and given as 0. One write and one read at a time, independent of each
    other.

    Parameters
    ----------
    address_width : int
        Bits of an address in bytes, at least 3.

    Members
    -------
    awaddr .. rready
        The bus, as plain signals.
    write_address, write_data, write_enable : Out
        A write. The address and data stand for one cycle at least before the answer is given.
    write_error : In(1)
        Whether ``write_address`` cannot be written; combinational from it, answered SLVERR.
    read_address : Out
        What is being read.
    read_data, read_error : In
        Its value, and whether there is none (answered SLVERR); combinational from ``read_address``.

    Timing: every output to the bus comes from registers alone. A read is answered 2 cycles after its address
    is accepted, a write 2 cycles after the later of its two halves; at most one of each every 3 cycles.
    Cost: about 2 * address_width + 70 flip-flops.

    Raises ValueError where ``address_width`` is below 3.
    """

    def __init__(self, address_width=8):
        if address_width < 3:
            raise ValueError(f"AXI-Lite address width must be at least 3, not {address_width!r}")
        self.address_width = address_width
        super().__init__({
            **bus_members(address_width),
            "write_address": Out(address_width),
            "write_data": Out(32),
            "write_enable": Out(1),
            "write_error": In(1),
            "read_address": Out(address_width),
            "read_data": In(32),
            "read_error": In(1),
        })

    def elaborate(self, platform):
        m = Module()

        address_held, data_held, strobe = Signal(), Signal(), Signal()
        write_word = Signal(self.address_width - 2)
        m.d.comb += [
            self.awready.eq(~address_held & ~self.bvalid),
            self.wready.eq(~data_held & ~self.bvalid),
            self.write_address.eq(Cat(Const(0, 2), write_word)),
            self.write_enable.eq(address_held & data_held & strobe),
        ]
        with m.If(self.awvalid & self.awready):
            m.d.sync += [address_held.eq(1), write_word.eq(self.awaddr[2:])]
        with m.If(self.wvalid & self.wready):
            m.d.sync += [data_held.eq(1), self.write_data.eq(self.wdata), strobe.eq(self.wstrb[0])]
        with m.If(address_held & data_held):
            m.d.sync += [address_held.eq(0), data_held.eq(0), self.bvalid.eq(1)]
            m.d.sync += self.bresp.eq(Mux(self.write_error, Response.SLVERR, Response.OKAY))
        with m.If(self.bvalid & self.bready):
            m.d.sync += self.bvalid.eq(0)

        read_held = Signal()
        read_word = Signal(self.address_width - 2)
        m.d.comb += [
            self.arready.eq(~read_held & ~self.rvalid),
            self.read_address.eq(Cat(Const(0, 2), read_word)),
        ]
        with m.If(self.arvalid & self.arready):
            m.d.sync += [read_held.eq(1), read_word.eq(self.araddr[2:])]
        with m.If(read_held):
            m.d.sync += [read_held.eq(0), self.rvalid.eq(1), self.rdata.eq(self.read_data)]
            m.d.sync += self.rresp.eq(Mux(self.read_error, Response.SLVERR, Response.OKAY))
        with m.If(self.rvalid & self.rready):
            m.d.sync += self.rvalid.eq(0)

        return m


def bus_members(address_width, prefix=""):
    """Members of an AXI4-Lite slave's bus, each name after ``prefix``."""
    members = {
        "awaddr": In(address_width), "awprot": In(3), "awvalid": In(1), "awready": Out(1),
        "wdata": In(32), "wstrb": In(4), "wvalid": In(1), "wready": Out(1),
        "bresp": Out(2), "bvalid": Out(1), "bready": In(1),
        "araddr": In(address_width), "arprot": In(3), "arvalid": In(1), "arready": Out(1),
        "rdata": Out(32), "rresp": Out(2), "rvalid": Out(1), "rready": In(1),
    }
    return {prefix + name: member for name, member in members.items()}
