"""A small stand-in for the ternary engine with the same ports: it gives back its input, plus a constant.

Its program is one table section of two words: the beats of a batch, and the constant. It serves to test the
benches, also that they find what is wrong: each `Fault` is a mistake that an engine could have.
"""

import enum
import zlib

import numpy as np
from amaranth.back import verilog
from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.crc import catalog
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from shiftwork.golden.ternary.config import PRESETS
from shiftwork.golden.ternary.program import MAGIC, VERSION
from shiftwork.hw.common.axi import AxiLite, bus_members

CONFIG = PRESETS["tiny"]


class Fault(enum.Enum):
    NONE = 0
    VALUE = 1       # one bit of the last value is wrong
    LATE_LAST = 2   # `last` one beat too late
    HANG = 3        # never a last value
    STALL = 4       # a value changes while it waits
    CYCLES = 5      # counts one cycle too many
    IDENTITY = 6    # another ID


class StubLoader(wiring.Component):
    """Checks a program as the specification says, and keeps the first two words of the table."""

    def __init__(self, config):
        self.config = config
        super().__init__({
            "valid": In(1), "data": In(32), "last": In(1), "beats": Out(16), "constant": Out(16),
            "loaded": Out(1), "error": Out(4), "failed": Out(1), "done": Out(1), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, word, end = self.config, self.data, self.valid & self.last
        m.submodules.crc = crc = ResetInserter(end)(catalog.CRC32_ISO_HDLC(32).create())
        remaining, memory, address, left = Signal(32), Signal(8), Signal(24), Signal(32)
        chunks = Mux(memory == 1, -(-config.table_width // 32), -(-2 * config.lanes // 32))
        depth = Mux(memory == 1, config.table_depth, config.weight_depth)
        m.d.comb += [crc.data.eq(word), crc.valid.eq(self.valid), self.failed.eq(self.error != 0)]

        def fail(code):
            m.d.comb += self.error.eq(code)
            m.next = "SWALLOW"
            with m.If(self.last):
                m.next = "MAGIC"

        with m.If(self.valid):
            m.d.sync += [self.busy.eq(~self.last), self.loaded.eq(0)]
            with m.FSM():
                for state, bad, code, then in (("MAGIC", word != MAGIC, 1, "VERSION"),
                                               ("VERSION", word[:8] != VERSION, 2, "LENGTH")):
                    with m.State(state):
                        m.next = then
                        with m.If(bad):
                            fail(code)
                        with m.Elif((word[8:] != config.fingerprint) & (state == "VERSION")):
                            fail(3)
                        with m.Elif(self.last):
                            fail(6)
                with m.State("LENGTH"):
                    m.d.sync += remaining.eq(word)
                    m.next = "SECTION"
                    with m.If(self.last):
                        fail(6)
                with m.State("SECTION"):
                    m.d.sync += [remaining.eq(remaining - 1), memory.eq(word), address.eq(word[8:])]
                    m.next = "COUNT"
                    with m.If(remaining == 0):
                        m.next = "SWALLOW"
                        with m.If(word != crc.crc):
                            fail(5)
                        with m.Elif(self.last):
                            m.d.comb += self.done.eq(1)
                            m.d.sync += self.loaded.eq(1)
                            m.next = "MAGIC"
                        with m.Else():
                            fail(7)
                    with m.Elif(self.last | (remaining == 1)):
                        fail(6)
                with m.State("COUNT"):
                    m.d.sync += [remaining.eq(remaining - 1), left.eq(word * chunks)]
                    m.next = "CHUNK"
                    with m.If((memory == 0) | (memory > 2) | (address + word > depth)):
                        fail(4)
                    with m.Elif(self.last | (remaining - 1 < word * chunks)):
                        fail(6)
                with m.State("CHUNK"):
                    m.d.sync += [remaining.eq(remaining - 1), left.eq(left - 1)]
                    with m.If((memory == 1) & (left == 4)):
                        m.d.sync += self.beats.eq(word)
                    with m.If((memory == 1) & (left == 2)):
                        m.d.sync += self.constant.eq(word)
                    with m.If(left == 1):
                        m.next = "SECTION"
                    with m.If(self.last):
                        fail(6)
                with m.State("SWALLOW"):
                    with m.If(self.last):
                        m.next = "MAGIC"
        return m


class StubTop(wiring.Component):
    def __init__(self, config=CONFIG, fault=Fault.NONE):
        self.config, self.fault = config, fault
        d = config.drain_width
        super().__init__({
            **_stream("s_axis_program", 32, In), **_stream("s_axis_input", 8 * d, In),
            **_stream("m_axis_output", 16 * d, Out), **bus_members(8, "s_axil_"),
        })

    def elaborate(self, platform):
        m = Module()
        config, d = self.config, self.config.drain_width
        m.submodules.axil = axil = AxiLite(8)
        for name in bus_members(8):
            here, there = getattr(self, f"s_axil_{name}"), getattr(axil, name)
            m.d.comb += there.eq(here) if name in bus_inputs() else here.eq(there)
        m.submodules.loader = loader = StubLoader(config)
        m.d.comb += [
            loader.valid.eq(self.s_axis_program_tvalid & self.s_axis_program_tready),
            loader.data.eq(self.s_axis_program_tdata), loader.last.eq(self.s_axis_program_tlast),
        ]
        beats, constant, count = loader.beats, loader.constant, Signal(16)
        error, swallow = Signal(4), Signal()
        batches, load_cycles, run_cycles = Signal(32), Signal(32), Signal(32)
        busy, start, clear = Signal(), Signal(), Signal()
        m.d.comb += [
            start.eq(axil.write_enable & (axil.write_address == 0x10) & axil.write_data[0]),
            clear.eq(axil.write_enable & (axil.write_address == 0x10) & axil.write_data[1]),
        ]
        with m.If(clear | loader.done):
            m.d.sync += error.eq(0)
        with m.If(loader.failed):
            m.d.sync += error.eq(loader.error)

        m.submodules.memory = memory = Memory(shape=8 * d, depth=256, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        taken = self.s_axis_input_tvalid & self.s_axis_input_tready
        m.d.comb += [write.addr.eq(count), write.data.eq(self.s_axis_input_tdata), read.addr.eq(count)]
        with m.FSM() as fsm:
            m.d.comb += busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"):
                m.d.comb += self.s_axis_program_tready.eq(1)
                m.d.comb += self.s_axis_input_tready.eq(swallow)
                with m.If(taken & self.s_axis_input_tlast):
                    m.d.sync += swallow.eq(0)
                with m.If(start & ~loader.loaded):
                    m.d.sync += error.eq(10)
                with m.Elif(start & ~loader.busy):
                    m.d.sync += [count.eq(0), load_cycles.eq(0), run_cycles.eq(0)]
                    m.next = "INPUT"
            with m.State("INPUT"):
                m.d.sync += load_cycles.eq(load_cycles + 1)
                m.d.comb += [self.s_axis_input_tready.eq(~swallow), write.en.eq(taken)]
                with m.If(taken):
                    m.d.sync += count.eq(count + 1)
                    with m.If(count == beats - 1):
                        m.d.sync += count.eq(0)
                        m.next = "OUTPUT"
                        with m.If(~self.s_axis_input_tlast):
                            m.d.sync += [error.eq(9), swallow.eq(1)]
                            m.next = "IDLE"
                    with m.Elif(self.s_axis_input_tlast):
                        m.d.sync += error.eq(8)
                        m.next = "IDLE"
            with m.State("OUTPUT"):
                self.output(m, read.data, count, beats, constant)
                m.d.sync += run_cycles.eq(run_cycles + 1)
                with m.If(self.m_axis_output_tvalid & self.m_axis_output_tready):
                    m.d.sync += count.eq(count + 1)
                    with m.If(self.m_axis_output_tlast):
                        m.d.sync += batches.eq(batches + 1)
                        m.next = "IDLE"

        fingerprint = config.fingerprint
        extra = int(self.fault is Fault.CYCLES)
        registers = {
            0x00: MAGIC ^ int(self.fault is Fault.IDENTITY), 0x04: VERSION | fingerprint << 8,
            0x08: config.lanes | config.grid_rows << 16 | config.grid_columns << 24,
            0x0C: d | config.scatter_width << 8 | config.acc_width << 16 | config.scale_width << 24,
            0x10: 0, 0x14: Cat(busy, loader.loaded, Signal(2), error), 0x18: load_cycles,
            0x1C: run_cycles + extra, 0x20: batches, 0x24: config.row_depth, 0x28: config.weight_depth,
            0x2C: config.table_depth, 0x30: config.vector_depth,
            0x34: config.arrays,
        }
        m.d.comb += [axil.read_error.eq(1), axil.write_error.eq(axil.write_address != 0x10)]
        with m.Switch(axil.read_address):
            for address, value in registers.items():
                with m.Case(address):
                    m.d.comb += [axil.read_data.eq(value), axil.read_error.eq(0)]
        return m

    def output(self, m, word, count, beats, constant):
        d, fault = self.config.drain_width, self.fault
        late = int(fault is Fault.LATE_LAST)
        last = (count == beats - 1 + late) & (fault is not Fault.HANG)
        waited = Signal(4)
        m.d.sync += waited.eq(Mux(self.m_axis_output_tready, 0, waited + 1))
        wrong = last & (fault is Fault.VALUE) | (waited == 3) & (fault is Fault.STALL)
        m.d.comb += [self.m_axis_output_tvalid.eq(1), self.m_axis_output_tlast.eq(last)]
        for n in range(d):
            value = word.word_select(n, 8) + constant
            m.d.comb += self.m_axis_output_tdata.word_select(n, 16).eq(value ^ Mux(wrong, 1 << 15, 0))


def bus_inputs():
    return [name for name, member in bus_members(8).items() if member.flow is In]


def _stream(name, width, flow):
    back = Out if flow is In else In
    return {f"{name}_tdata": flow(width), f"{name}_tvalid": flow(1), f"{name}_tlast": flow(1),
            f"{name}_tready": back(1)}


def stub_verilog(fault=Fault.NONE, config=CONFIG):
    return verilog.convert(StubTop(config, fault), name="shiftwork_ternary", emit_src=False,
                           strip_internal_attrs=True)


def stub_program(beats, constant, config=CONFIG):
    chunks = -(-config.table_width // 32)
    table = np.zeros((2, chunks), np.uint32)
    table[:, 0] = beats, constant
    head = [MAGIC, VERSION | config.fingerprint << 8, 2 + table.size, 1, 2]
    words = np.array([*head, *table.reshape(-1)], np.uint32)
    return np.append(words, np.uint32(zlib.crc32(words.astype("<u4").tobytes())))


def stub_job(batches=3, beats=12, seed=1, config=CONFIG):
    """Program, input beats, and the values and cycles that the stub should yield."""
    rng = np.random.default_rng(seed)
    constant = int(rng.integers(1, 1 << 16))
    inputs = rng.integers(0, 256, (batches, beats, config.drain_width)).astype(np.uint8)
    values = (inputs.reshape(batches, -1).astype(np.int64) + constant).astype(np.uint16).view(np.int16)
    return stub_program(beats, constant, config), inputs, values
