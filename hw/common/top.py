"""An engine with buses: AXI4-Stream for data, AXI4-Lite for control."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .axi import AxiLite, bus_members
from .loader import VERSION

__all__ = ["ArrayTop", "EngineTop"]

CONTROL = 0x10
"""Address of the one register that is written."""


class EngineTop(wiring.Component):
    """An engine behind the ports and registers of docs/engines/ternary-machine.md, "Ports".

    Parameters
    ----------
    config
        Of the engine, with a ``fingerprint``.
    engine : component
        What stands behind the buses, of `ArrayEngine`'s interface.
    magic : int
        Register ID.
    streams : (int, int)
        Bits of a beat of the input and of the output.
    registers : tuple of int
        LANES, WIDTHS, DEPTH_ROWS, DEPTH_WEIGHTS, DEPTH_TABLE, DEPTH_VECTOR and ARRAYS.

    Members
    -------
    s_axis_program_*, s_axis_input_*, m_axis_output_*, s_axil_*
        The buses, signal by signal.

    Timing: streams pass through unchanged, in the same cycle. Registers take the cycles of `AxiLite`; a start
    or a clear reaches the engine one cycle before the write is answered.
    """

    def __init__(self, config, engine, magic, *, streams, registers):
        self._magic, self._constants = magic, registers
        self.config = config
        self.engine = engine
        super().__init__({
            **_stream_members("s_axis_program_", 32, In),
            **_stream_members("s_axis_input_", streams[0], In),
            **_stream_members("m_axis_output_", streams[1], Out),
            **bus_members(8, prefix="s_axil_"),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.engine = engine = self.engine
        m.submodules.registers = registers = AxiLite(8)

        for prefix, port in ("s_axis_program_", engine.i_program), ("s_axis_input_", engine.i):
            m.d.comb += [
                port.p.data.eq(getattr(self, f"{prefix}tdata")),
                port.p.last.eq(getattr(self, f"{prefix}tlast")),
                port.valid.eq(getattr(self, f"{prefix}tvalid")),
                getattr(self, f"{prefix}tready").eq(port.ready),
            ]
        m.d.comb += [
            self.m_axis_output_tdata.eq(engine.o.p.data),
            self.m_axis_output_tlast.eq(engine.o.p.last),
            self.m_axis_output_tvalid.eq(engine.o.valid),
            engine.o.ready.eq(self.m_axis_output_tready),
        ]
        for name, member in bus_members(8).items():
            outer, inner = getattr(self, f"s_axil_{name}"), getattr(registers, name)
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)

        batches = Signal(32)
        with m.If(engine.o.valid & engine.o.ready & engine.o.p.last):
            m.d.sync += batches.eq(batches + 1)

        m.d.comb += registers.read_error.eq(1)
        with m.Switch(registers.read_address):
            for address, value in self._registers(batches):
                with m.Case(address):
                    m.d.comb += [registers.read_data.eq(value), registers.read_error.eq(0)]

        control = registers.write_address == CONTROL
        m.d.comb += [
            registers.write_error.eq(~control),
            engine.start.eq(control & registers.write_enable & registers.write_data[0]),
            engine.clear.eq(control & registers.write_enable & registers.write_data[1]),
        ]

        return m

    def _registers(self, batches):
        """(address, what is read there) of each register."""
        engine, (lanes, widths, *depths) = self.engine, self._constants
        return [
            (0x00, self._magic),
            (0x04, VERSION | self.config.fingerprint << 8),
            (0x08, lanes),
            (0x0C, widths),
            (CONTROL, 0),
            (0x14, Cat(engine.busy, engine.loaded, Const(0, 2), engine.error, engine.layer)),
            (0x18, engine.load_cycles),
            (0x1C, engine.run_cycles),
            (0x20, batches),
            *((0x24 + 4 * n, depth) for n, depth in enumerate(depths)),
        ]


class ArrayTop(EngineTop):
    """`EngineTop` of an engine of column arrays.

    ``config``: ArrayConfig; ``depths``: registers DEPTH_WEIGHTS and DEPTH_VECTOR; the others of `EngineTop`.
    """

    def __init__(self, config, engine, magic, depths):
        c, (weights, vector) = config, depths
        super().__init__(
            config, engine, magic, streams=(c.activation_width * c.drain_width, 16 * c.drain_width),
            registers=(
                c.lanes | c.grid_rows << 16 | c.grid_columns << 24,
                c.drain_width | c.scatter_width << 8 | c.acc_width << 16 | c.scale_width << 24,
                c.row_depth, weights, c.table_depth, vector, c.arrays))


def _stream_members(prefix, width, flow):
    back = Out if flow == In else In
    return {f"{prefix}tdata": flow(width), f"{prefix}tvalid": flow(1), f"{prefix}tready": back(1),
            f"{prefix}tlast": flow(1)}
