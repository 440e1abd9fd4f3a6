# amaranth: UnusedElaboratable=no
"""The AXI4-Lite slave, and the ternary engine's registers behind it."""

import random
import re

import pytest
from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.ternary.config import PRESETS, TernaryConfig
from shiftwork.hw.common.axi import AxiLite
from shiftwork.hw.common.stream import packet
from shiftwork.hw.ternary.top import TernaryTop

from .kit import StreamRuleBroken, simulate, sink, source

OKAY, SLVERR = 0, 2
CHANNELS = {"aw": ("awaddr", "awprot"), "w": ("wdata", "wstrb"), "b": ("bresp",), "ar": ("araddr", "arprot"),
            "r": ("rdata", "rresp")}


class Channel:
    """A channel of the bus that looks like a stream."""

    def __init__(self, dut, name, prefix=""):
        def member(suffix):
            return getattr(dut, prefix + suffix)
        self.payload = Cat(member(part) for part in CHANNELS[name])
        self.valid, self.ready = member(f"{name}valid"), member(f"{name}ready")


class Master:
    """Writes and reads of an AXI4-Lite bus, by separate sources and sinks of its channels."""

    def __init__(self, dut, prefix=""):
        self.channels = {name: Channel(dut, name, prefix) for name in CHANNELS}

    def writes(self, items, *, p, seed):
        """Benches for (address, data, strobe) items, and the sink of responses."""
        c = self.channels
        take = sink(c["b"], len(items), p=p[2], seed=seed + 2)
        addresses = [a | seed % 8 << len(c["aw"].payload) - 3 for a, _, _ in items]     # any awprot
        return [source(c["aw"], addresses, p=p[0], seed=seed),
                source(c["w"], [d | s << 32 for _, d, s in items], p=p[1], seed=seed + 1), take], take.items

    def reads(self, addresses, *, p, seed):
        """Benches for addresses, and the sink of (data | response << 32)."""
        c = self.channels
        take = sink(c["r"], len(addresses), p=p[1], seed=seed + 3)
        return [source(c["ar"], addresses, p=p[0], seed=seed + 4), take], take.items

    def monitors(self):
        return [rules(channel) for channel in self.channels.values()]


def rules(channel):
    signals = channel.valid, channel.ready, channel.payload

    async def bench(ctx):
        stalled = None
        async for _, _, valid, ready, payload in ctx.tick().sample(*signals):
            if stalled is not None and (not valid or payload != stalled):
                raise StreamRuleBroken("Channel must keep its offer while it is stalled")
            stalled = payload if valid and not ready else None
    return bench


class Memory(wiring.Component):
    """16 registers behind the slave; those from 12 cannot be written, those from 14 not be read."""

    def __init__(self):
        self.slave = AxiLite(8)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.slave = slave = self.slave
        registers = [Signal(32, init=n) for n in range(16)]
        m.d.comb += [slave.write_error.eq(slave.write_address >= 48), slave.read_error.eq(1)]
        for n, register in enumerate(registers):
            with m.If((slave.write_address == 4 * n) & slave.write_enable & ~slave.write_error):
                m.d.sync += register.eq(slave.write_data)
            with m.If((slave.read_address == 4 * n) & (n < 14)):
                m.d.comb += [slave.read_data.eq(register), slave.read_error.eq(0)]
        return m


@pytest.mark.parametrize("p", [(1, 1, 1), (1, 0.2, 1), (0.2, 1, 1), (1, 1, 0.2), (0.4, 0.4, 0.4)])
def test_slave(p):
    rng = random.Random(f"{p}")
    dut = Memory()
    master = Master(dut.slave)
    items = [(rng.randrange(256), rng.getrandbits(32), rng.getrandbits(4)) for _ in range(150)]
    items[::2] = [(a % 64, d, s) for a, d, s in items[::2]]
    expected, responses = list(range(14)), []
    for a, d, s in items:
        responses.append(OKAY if a < 48 else SLVERR)
        if a < 48 and s & 1:
            expected[a // 4] = d
    benches, answers = master.writes(items, p=p, seed=1)
    watch = {"background": master.monitors(), "timeout": 10000}

    # Reads go on beside the writes; what they find is known only afterwards.
    beside, found = master.reads([4 * rng.randrange(64) for _ in range(150)], p=p[:2], seed=2)
    last, values = master.reads(list(range(0, 80, 2)), p=p[1:], seed=3)

    async def after(ctx):
        while len(answers) < len(items) or len(found) < 150:
            await ctx.tick()
        await last[0](ctx)

    async def after_too(ctx):
        while len(answers) < len(items) or len(found) < 150:
            await ctx.tick()
        await last[1](ctx)

    simulate(dut, *benches, *beside, after, after_too, **watch)
    assert answers == responses
    assert values == [expected[a // 4] if a < 56 else SLVERR << 32 for a in range(0, 80, 2)]
    assert {value >> 32 for value in found} == {OKAY, SLVERR}


@pytest.mark.parametrize("first", ["aw", "w"])
def test_halves_in_any_order(first):
    """A half alone is accepted and waits; nothing is written before the other comes."""
    dut = AxiLite(8)

    async def bench(ctx):
        other = "w" if first == "aw" else "aw"
        c = Master(dut).channels
        ctx.set(dut.bready, 1)
        await source(c[first], [0x11 | 1 << 32 if first == "w" else 0x11])(ctx)
        for _ in range(20):
            await ctx.tick()
            assert not ctx.get(dut.write_enable) and not ctx.get(dut.bvalid) and not ctx.get(c[first].ready)
        await source(c[other], [0x22 | 1 << 32 if other == "w" else 0x22])(ctx)
        assert ctx.get(dut.write_enable)
        assert ctx.get(dut.write_address) == (0x10 if first == "aw" else 0x20)
        assert ctx.get(dut.write_data) == (0x11 if first == "w" else 0x22)
        await ctx.tick()
        assert not ctx.get(dut.write_enable) and ctx.get(dut.bvalid)

    simulate(dut, bench, timeout=100)


@pytest.mark.parametrize("channel", ["b", "r"])
def test_one_outstanding(channel):
    """While an answer waits, its side accepts nothing, and the other side works."""
    dut = AxiLite(8)
    master = Master(dut)

    async def stall(ctx):
        ctx.set(Cat(dut.awvalid, dut.wvalid, dut.arvalid, dut.wstrb), 0b1111)
        ctx.set(dut.rready if channel == "b" else dut.bready, 1)
        await ctx.tick().repeat(5)
        for _ in range(20):
            _, _, aw, w, ar, b, r = await ctx.tick().sample(
                dut.awready, dut.wready, dut.arready, dut.bvalid, dut.rvalid)
            if channel == "b":
                assert b and not aw and not w
            else:
                assert r and not ar
        moved = [await ctx.tick().sample(dut.arready if channel == "b" else dut.awready) for _ in range(6)]
        assert sum(ready for *_, ready in moved) == 2     # every 3 cycles

    simulate(dut, stall, background=[rules(master.channels["b"]), rules(master.channels["r"])], timeout=200)


def test_address_width():
    with pytest.raises(ValueError, match="^AXI-Lite address width must be at least 3, not 2$"):
        AxiLite(2)


class Engine(wiring.Component):
    """Stands in for the engine: triples its input, and counts `start` and `clear` in its cycle counters."""

    def __init__(self, config):
        super().__init__({
            "i_program": In(stream.Signature(packet(32))),
            "i": In(stream.Signature(packet(8 * config.drain_width))),
            "o": Out(stream.Signature(packet(16 * config.drain_width))),
            "start": In(1), "clear": In(1),
            "busy": Out(1), "loaded": Out(1), "error": Out(4), "layer": Out(8),
            "load_cycles": Out(32), "run_cycles": Out(32),
        })
        self.status = Signal(14, init=0b10100101_1001_01)
        self.starts, self.clears = Signal(8), Signal(8)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            Cat(self.busy, self.loaded, self.error, self.layer).eq(self.status),
            self.load_cycles.eq(self.starts), self.run_cycles.eq(self.clears),
            self.o.p.data.eq(self.i.p.data * 3), self.o.p.last.eq(self.i.p.last),
            self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready),
            self.i_program.ready.eq(self.i_program.p.data[0] | self.i_program.p.last),
        ]
        m.d.sync += [self.starts.eq(self.starts + self.start), self.clears.eq(self.clears + self.clear)]
        return m


def access(dut, ctx):
    """Functions that write and read a register, one at a time."""
    channels = Master(dut, "s_axil_").channels

    async def answer(name):
        take = sink(channels[name], 1)
        await take(ctx)
        return take.items.pop()

    async def write(address, value, strobe=15):
        await source(channels["aw"], [address])(ctx)
        await source(channels["w"], [value | strobe << 32])(ctx)
        return await answer("b")

    async def read(address):
        await source(channels["ar"], [address])(ctx)
        value = await answer("r")
        return value & 0xFFFFFFFF, value >> 32

    return write, read


@pytest.mark.parametrize("config", [*PRESETS.values(), TernaryConfig(
    lanes=1024, grid_rows=128, grid_columns=8, drain_width=8, scatter_width=64, row_depth=65536, acc_width=32,
    scale_width=16), TernaryConfig(arrays=3)])
def test_registers(config):
    c = config
    expected = [
        0x31545753, 1 | c.fingerprint << 8, c.lanes | c.grid_rows << 16 | c.grid_columns << 24,
        c.drain_width | c.scatter_width << 8 | c.acc_width << 16 | c.scale_width << 24,
        0, 0xA591, 0, 0, 0, c.row_depth, c.weight_depth, c.table_depth, c.vector_depth,
        c.arrays]
    dut = TernaryTop(c, engine=Engine(c))

    async def bench(ctx):
        write, read = access(dut, ctx)
        for n in range(64):
            assert await read(4 * n) == ((expected[n], OKAY) if n < len(expected) else (0, SLVERR))
        for n in range(64):
            for strobe in 15, 14:
                assert await write(4 * n, 0xFFFFFFFC, strobe) == (OKAY if n == 4 else SLVERR)
        assert (await read(0x18), await read(0x1C)) == ((0, OKAY), (0, OKAY))

    simulate(dut, bench, timeout=5000)


def test_control():
    config = PRESETS["tiny"]
    dut = TernaryTop(config, engine=Engine(config))

    async def bench(ctx):
        write, read = access(dut, ctx)
        for value, strobe, starts, clears in [
                (1, 15, 1, 0), (2, 1, 1, 1), (3, 1, 2, 2), (3, 14, 2, 2), (0, 15, 2, 2)]:
            assert await write(0x10, value, strobe) == OKAY
            assert (await read(0x18), await read(0x1C)) == ((starts, OKAY), (clears, OKAY))

    simulate(dut, bench, timeout=500)


class Bus:
    """An AXI4-Stream of the top that looks like a stream of packets."""

    def __init__(self, dut, prefix):
        self.payload = Cat(getattr(dut, prefix + "tdata"), getattr(dut, prefix + "tlast"))
        self.valid, self.ready = getattr(dut, prefix + "tvalid"), getattr(dut, prefix + "tready")


def test_streams_and_batches():
    config, rng = PRESETS["tiny"], random.Random(1)
    dut, reset = TernaryTop(config, engine=Engine(config)), Signal()
    bits = 8 * config.drain_width
    items = [rng.getrandbits(bits + 1) for _ in range(60)]
    take = sink(Bus(dut, "m_axis_output_"), len(items), p=0.5, seed=1)
    lasts = sum(item >> bits for item in items)

    async def registers(ctx):
        while len(take.items) < len(items):
            await ctx.tick()
        write, read = access(dut, ctx)
        assert await read(0x20) == (lasts, OKAY)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        assert await read(0x20) == (0, OKAY)

    async def program(ctx):
        for word in [2, 3, 0xFFFFFFFF, 1 << 32, 0xFFFFFFFE]:
            ctx.set(Cat(dut.s_axis_program_tdata, dut.s_axis_program_tlast), word)
            ctx.set(dut.s_axis_program_tvalid, 1)
            await ctx.tick()
            assert ctx.get(dut.s_axis_program_tready) == (word & 1 | word >> 32)
            assert ctx.get(dut.engine.i_program.p.data) == word & 0xFFFFFFFF
            assert ctx.get(dut.engine.i_program.valid)

    give = source(Bus(dut, "s_axis_input_"), items, p=0.5, seed=2)
    simulate(ResetInserter(reset)(dut), give, take, registers, program, timeout=2000)
    assert take.items == [(item & (1 << bits) - 1) * 3 | item >> bits << 2 * bits for item in items]


PORTS = {"clk": 1, "rst": 1}
for _name, _width in ("s_axis_program", 32), ("s_axis_input", 16), ("m_axis_output", 32):
    PORTS |= {f"{_name}_tdata": _width, f"{_name}_tvalid": 1, f"{_name}_tready": 1, f"{_name}_tlast": 1}
PORTS |= {f"s_axil_{name}": width for name, width in (
    ("awaddr", 8), ("awprot", 3), ("awvalid", 1), ("awready", 1), ("wdata", 32), ("wstrb", 4), ("wvalid", 1),
    ("wready", 1), ("bresp", 2), ("bvalid", 1), ("bready", 1), ("araddr", 8), ("arprot", 3), ("arvalid", 1),
    ("arready", 1), ("rdata", 32), ("rresp", 2), ("rvalid", 1), ("rready", 1))}


def test_verilog(monkeypatch):
    """The module's name and ports are the specification's, and the text is the same each time."""
    import sys
    import types

    from shiftwork.hw.ternary import top
    stub = types.ModuleType("engine")
    stub.TernaryEngine = Engine
    monkeypatch.setitem(sys.modules, "shiftwork.hw.ternary.engine", stub)
    text = top.emit(PRESETS["tiny"])
    assert text == top.emit(PRESETS["tiny"])
    module = text[text.index("module shiftwork_ternary("):]
    module = module[:module.index("endmodule")]
    ports = {name: int(high or 0) + 1 for high, name in re.findall(
        r"^  (?:in|out)put (?:\[(\d+):0\] )?(\w+);", module, re.MULTILINE)}
    assert ports == PORTS
