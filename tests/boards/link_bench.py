"""cocotb bench of the host link: a third party's UART, damaged lines, the driver, all against the model."""

import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles, Timer
from cocotb.utils import get_sim_time
from cocotbext.uart import UartSink, UartSource
from shiftwork.boards.driver import Board, LinkError, Refused
from shiftwork.boards.frames import FIRST, LAST, Decoder, Frame
from shiftwork.hw.common.frames import Damage
from shiftwork.hw.common.link import Refusal, Reply, Request

from .link_model import EchoModel, LinkModel

WIDTH = int(os.environ.get("LINK_WIDTH", "2"))
DIVISOR = int(os.environ.get("LINK_DIVISOR", "8"))
TIMEOUT = int(os.environ.get("LINK_TIMEOUT", "2000"))  # cycles
PERIOD = 10  # ns


class Line:
    """The board's serial line: writes bytes, reads frames; a transport for the driver as well."""

    def __init__(self, dut):
        self.dut = dut
        baud = 1_000_000_000 // (PERIOD * DIVISOR)
        self.source, self.sink = UartSource(dut.rx, baud=baud), UartSink(dut.tx, baud=baud)
        self.source.log.setLevel("WARNING")
        self.sink.log.setLevel("WARNING")
        self.decoder = Decoder()
        self.flip = None  # for the driver: damages a byte on its way

    async def reset(self):
        Clock(self.dut.clk, PERIOD, unit="ns").start()
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 4)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 4)

    async def exchange(self, data, silence=3 * TIMEOUT):
        """Writes bytes; returns the frames that arrive until the line has been silent."""
        self.source.write_nowait(data)
        await self.source.wait()
        return await self.listen(silence)

    async def listen(self, silence=3 * TIMEOUT):
        frames, quiet = [], 0
        while quiet < silence:
            await ClockCycles(self.dut.clk, 10 * DIVISOR)
            quiet += 10 * DIVISOR
            if not self.sink.empty():
                quiet = 0
                items = [self.decoder.take(byte) for byte in self.sink.read_nowait()]
                frames += [item for item in items if item is not None]
        return frames

    @resume
    async def write(self, data):
        self.source.write_nowait(self.flip(data) if self.flip else data)
        await self.source.wait()

    @resume
    async def read(self, count):
        await ClockCycles(self.dut.clk, 10 * DIVISOR)
        return bytes(self.sink.read_nowait(min(count, self.sink.count())))

    def close(self):
        pass


def cut(data, rng):
    return data[:rng.randrange(1, len(data) - 1)]


def spoil(data, rng):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]


def noise(rng):
    return bytes(rng.choice([0x7E, 0x7D, rng.randrange(256)]) for _ in range(rng.randrange(1, 12)))


def dropped(frame):
    """Whether it is the NAK of a frame that was dropped."""
    return frame.kind == Reply.NAK and frame.payload[0] in list(Damage)


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def damage_never_acts(dut):
    """Good, corrupted, cut and repeated frames with noise between: replies and state equal the model's."""
    line, rng = Line(dut), random.Random(cocotb.RANDOM_SEED)
    await line.reset()
    model = LinkModel(EchoModel(WIDTH))
    sequence = 0
    kinds = [Request.STATUS, Request.PROGRAM | FIRST | LAST, Request.PROGRAM | FIRST, Request.PROGRAM | LAST,
             Request.PROGRAM, Request.START, Request.START, Request.INPUT | FIRST,
             Request.INPUT | FIRST | LAST, Request.INPUT, Request.INPUT | LAST,
             Request.READ, Request.READ, Request.CLEAR, 9]
    seen = set()
    for _ in range(120):
        kind = rng.choice(kinds)
        if rng.random() < 0.85:
            sequence = (sequence + 1) % 256
        size = {Request.PROGRAM: 4, Request.INPUT: WIDTH}.get(kind & 15, 0)
        values = [0x7E, 0x7D, 0, 0x55, rng.randrange(256)]
        payload = bytearray(rng.choices(values, k=size * rng.randrange(1, 5)))
        if size == 4 and rng.random() < 0.9:
            payload[3::4] = bytes(b & 0x7F for b in payload[3::4])  # not deaf
        if rng.random() < 0.05:
            payload = payload[1:]
        data = Frame(sequence, kind, bytes(payload)).encode()
        data = rng.choice([lambda d: d] * 4 + [lambda d: spoil(d, rng), lambda d: cut(d, rng),
                                               lambda d: noise(rng) + d])(data)
        expected = [frame for byte in data for frame in model.take(byte)]
        got = await line.exchange(data)
        expected += model.silence()
        assert [f for f in got if not dropped(f)] == [f for f in expected if not dropped(f)], data.hex()
        # Damages in quick succession may share a NAK; each is counted, and STATUS compares the count.
        assert {f for f in got if dropped(f)} <= {f for f in expected if dropped(f)}, data.hex()
        assert any(map(dropped, got)) == any(map(dropped, expected)), data.hex()
        seen |= {(f.kind, f.payload[0]) if f.kind == Reply.NAK else f.kind & 15 for f in got}
    frames = await line.exchange(Frame((sequence + 1) % 256, Request.STATUS).encode())
    assert frames[-1].payload[6] == model.damaged
    assert {Reply.ACK, Reply.STATUS, Reply.OUTPUT} <= seen
    assert {(Reply.NAK, n) for n in (1, 2, Refusal.KIND, Refusal.ORDER, Refusal.IDLE)} <= seen, seen


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def next_frame_works_at_once(dut):
    """A good frame right behind any damage is acted on, though the NAK is still on the line."""
    line, rng = Line(dut), random.Random(cocotb.RANDOM_SEED + 1)
    await line.reset()
    for n in range(1, 20):
        good = Frame(n, Request.STATUS).encode()
        bad = rng.choice([spoil, cut])(Frame(200, Request.START).encode(), rng)
        frames = await line.exchange(bad + good, silence=TIMEOUT // 2)
        assert frames[-1].sequence == n and frames[-1].kind == Reply.STATUS, (bad.hex(), frames)
        assert all(frame.kind == Reply.NAK for frame in frames[:-1])
        assert frames[-1].payload[4] >> 4 == 0, "a damaged START was acted on"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def overlong_and_overrun(dut):
    """Too long a frame, a frame during another's reply and a broken stop bit are reported; nothing sticks."""
    line = Line(dut)
    await line.reset()
    assert [f.payload for f in await line.exchange(b"\x7e" + bytes(300) + b"\x7e")] == [b"\x03"]
    first, second = Frame(1, Request.READ).encode(), Frame(2, Request.START).encode()
    frames = await line.exchange(first + second)
    assert frames == [Frame(1, Reply.OUTPUT), Frame(1, Reply.NAK, b"\x04")]
    dut.rx.value = 0
    await ClockCycles(dut.clk, 30 * DIVISOR)
    dut.rx.value = 1
    frames = await line.listen()
    assert [f.payload for f in frames] == [b"\x05"]
    frames = await line.exchange(Frame(3, Request.STATUS).encode())
    assert frames[0].payload[4] >> 4 == 0 and frames[0].payload[6] == 3


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def driver_on_damaged_line(dut):
    """The driver loads and runs over a line that damages frames."""
    line, rng = Line(dut), random.Random(cocotb.RANDOM_SEED + 2)
    await line.reset()
    line.flip = lambda data: rng.choice([lambda d: d] * 3 + [lambda d: spoil(d, rng), lambda d: cut(d, rng),
                                                             lambda d: noise(rng) + d])(data)
    seconds = lambda: get_sim_time("ns") * 1e-9  # noqa: E731

    @bridge
    def session():
        board = Board(line, attempts=30, patience=4 * TIMEOUT * PERIOD * 1e-9, clock=seconds)
        words = [rng.getrandbits(32) & 0x7FFFFFFF for _ in range(150)]
        board.load(words)
        checksum = 0
        for word in words:
            checksum ^= word
        assert board.status().load_cycles == checksum
        for size in (WIDTH, 130 * WIDTH, 300 * WIDTH):
            batch = rng.randbytes(size)
            assert board.run(batch) == b"".join((3 * v).to_bytes(2, "little") for v in batch)
            assert board.status().run_cycles == size // WIDTH
        assert board.retries > 3
        line.flip = None
        board.load([0x80000000])
        try:
            board.run(bytes(WIDTH))
        except LinkError as error:
            assert isinstance(error.__cause__, Refused) and error.__cause__.reason == Refusal.STALLED
        else:
            raise AssertionError("a deaf engine took input")

    await session()
    await Timer(1, "us")
