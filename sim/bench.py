"""What the cocotb tests of an engine share: the job, bus models on its ports, malformed programs."""

import logging
import os
import random
import warnings
import zlib

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp, AxiStreamBus, AxiStreamSink, AxiStreamSource
from shiftwork.golden.common.program import ErrorCode

from .verify import JOB_VARIABLE, read_job

__all__ = ["JOB", "TIMEOUT", "Bench", "malformed_programs"]

warnings.filterwarnings("error", module=r"shiftwork\.")
# cocotbext-axi 0.1.28 still calls what cocotb 2 deprecates.
warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"cocotbext\.")

CONTROL, STATUS, LOAD_CYCLES, RUN_CYCLES, BATCHES = 0x10, 0x14, 0x18, 0x1C, 0x20
START, CLEAR = 1, 2
PERIOD = 10


def _cycles_at_most(job):
    """A generous limit of a test: cycles of every packet and batch, ten times, stalls included."""
    batches = len(job["inputs"])
    run = int(job["run_cycles"].sum()) if "run_cycles" in job else 100_000 * batches
    traffic = len(job["program"]) + sum(map(len, job["inputs"])) + sum(map(len, job["expected"]))
    return 10 * (run + 4 * traffic) + 20 * (run // batches + 4 * len(job["program"])) + 20_000


JOB = read_job(os.environ[JOB_VARIABLE]) if JOB_VARIABLE in os.environ else None
TIMEOUT = {"timeout_time": PERIOD * (_cycles_at_most(JOB) if JOB else 1), "timeout_unit": "ns"}


class Bench:
    """The engine with a bus model on each port and a guard of the stream rules on each of its outputs."""

    def __init__(self, dut):
        self.dut, self.job = dut, JOB
        self.random = random.Random(cocotb.RANDOM_SEED)
        # The bus models tell of every frame; that is a third of the time of a simulation.
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)
        dut.rst.value = 0
        Clock(dut.clk, PERIOD, unit="ns").start()
        self.program = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_program"), dut.clk, dut.rst)
        self.input = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_input"), dut.clk, dut.rst)
        self.output = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_output"), dut.clk, dut.rst)
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        for prefix, valid, ready, payload in (("m_axis_output", "tvalid", "tready", ("tdata", "tlast")),
                                              ("s_axil", "bvalid", "bready", ("bresp",)),
                                              ("s_axil", "rvalid", "rready", ("rdata", "rresp"))):
            names = (valid, ready, *payload)
            ports = (getattr(dut, f"{prefix}_{name}") for name in names)
            cocotb.start_soon(self._guard(f"{prefix}_{valid}", *ports))

    async def _guard(self, name, valid, ready, *payload):
        """What is offered stays, the same, until it is taken."""
        held = None
        while True:
            await RisingEdge(self.dut.clk)
            if self.dut.rst.value == 1:
                held = None
                continue
            offered = tuple(str(p.value) for p in payload) if valid.value == 1 else None
            assert held is None or offered == held, f"{name}: {held} must be kept until taken, not {offered}"
            held = offered if ready.value == 0 else None

    def stall(self):
        """Random pauses on every bus: for some cycles never, then now and then, then almost always."""
        write, read = self.registers.write_if, self.registers.read_if
        for model in (self.program, self.input, self.output, write.aw_channel, write.w_channel,
                      write.b_channel, read.ar_channel, read.r_channel):
            model.set_pause_generator(self._pauses(random.Random(self.random.random())))

    @staticmethod
    def _pauses(rng):
        while True:
            share = rng.choice((0, 0.3, 0.7, 0.95))
            for _ in range(rng.randrange(1, 60)):
                yield rng.random() < share

    async def reset(self):
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 3)
        for model in (self.program, self.input, self.output):
            model.clear()
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 2)

    async def read(self, address):
        answer = await self.registers.read(address, 4)
        right = answer.resp == AxiResp.OKAY
        assert right, f"Read of 0x{address:02x} must be answered OKAY, not {answer.resp!r}"
        return int.from_bytes(answer.data, "little")

    async def control(self, bits):
        answer = await self.registers.write(CONTROL, bits.to_bytes(4, "little"))
        assert answer.resp == AxiResp.OKAY, f"Write of CONTROL must be answered OKAY, not {answer.resp!r}"

    async def status(self):
        """Whether busy, whether loaded, error."""
        status = await self.read(STATUS)
        return bool(status & 1), bool(status & 2), status >> 4 & 0xF

    async def expect_error(self, code, loaded):
        """Waits for an error, checks it, and clears it."""
        busy, error = True, 0
        while busy or not error:
            busy, there, error = await self.status()
        assert error == code, f"Error must be {int(code)}, {code.name}, not {error}"
        assert there == loaded, f"STATUS.loaded must be {loaded} after error {int(code)}, not {there}"
        await self.control(CLEAR)
        assert (await self.status()) == (False, loaded, 0), "Error must be 0 after it was cleared"

    async def send_program(self, words):
        await self.program.send(np.asarray(words, "<u4").tobytes())

    async def load(self):
        """Loads the job's program, which must be found good."""
        await self.send_program(self.job["program"])
        loaded, error = False, 0
        await self.program.wait()
        # What became of it follows a few cycles later; until then an error of before may be seen.
        await ClockCycles(self.dut.clk, 4)
        while not loaded and not error:
            _, loaded, error = await self.status()
        assert (loaded, error) == (True, 0), f"Program must be loaded without error, not with error {error}"

    async def batch(self, number, cycles=False):
        """Runs a batch of the job and compares its output and, if asked for, its cycles."""
        await self.input.send(self.job["inputs"][number].tobytes())
        # The input waits at the port before the start, so that LOAD_CYCLES is the engine's own.
        await ClockCycles(self.dut.clk, 3)
        await self.control(START)
        self.compare(number, await self.output.recv(compact=False))
        while (await self.status())[0]:
            pass
        assert (await self.status())[2] == 0, f"Batch {number} must end without error"
        for name, address in (("load_cycles", LOAD_CYCLES), ("run_cycles", RUN_CYCLES)):
            if cycles and name in self.job:
                found, right = await self.read(address), int(self.job[name][number])
                assert found == right, f"{name.upper()} of batch {number} must be {right}, not {found}"

    def compare(self, number, frame):
        values, right = np.frombuffer(bytes(frame.tdata), "<i2"), self.job["expected"][number]
        assert len(values) == len(right), f"Batch {number} must yield {len(right)} values, not {len(values)}"
        checked = len(right) - int(self.job["unchecked"][number])
        wrong = np.flatnonzero(values[:checked] != right[:checked])
        assert not len(wrong), (
            f"{len(wrong)} of {len(right)} values of batch {number} differ; the first, value {wrong[0]}, "
            f"must be {right[wrong[0]]}, not {values[wrong[0]]}")

    async def transfers(self, bus, count):
        """Waits for ``count`` beats."""
        while count:
            await RisingEdge(self.dut.clk)
            count -= bus.tvalid.value == 1 and bus.tready.value == 1

    @classmethod
    async def ready(cls, dut):
        """A bench whose engine is out of reset."""
        bench = cls(dut)
        await bench.reset()
        return bench


def _checked(words):
    """The words with their checksum."""
    words = np.asarray(words, np.uint32)
    return np.append(words, np.uint32(zlib.crc32(words.astype("<u4").tobytes())))


def _changed(words, position, value, mask=0xFFFFFFFF):
    """The program with the bits of ``mask`` of one word replaced, and the checksum made right."""
    words = words[:-1].copy()
    words[position] = (int(words[position]) & ~mask | value & mask) & 0xFFFFFFFF
    return _checked(words)


def malformed_programs(good):
    """(what, error, words) for everything that can be wrong with a program."""
    flipped = good.copy()
    flipped[5] ^= np.uint32(1 << 7)
    broken = good.copy()
    broken[-1] ^= np.uint32(1 << 31)
    return [
        ("magic", ErrorCode.MAGIC, _changed(good, 0, int(good[0]) ^ 3 << 24)),
        ("magic, one word", ErrorCode.MAGIC, np.zeros(1, np.uint32)),
        ("version", ErrorCode.VERSION, _changed(good, 1, 2, 0xFF)),
        ("fingerprint", ErrorCode.GEOMETRY, _changed(good, 1, int(good[1]) ^ 1 << 31)),
        ("unknown memory", ErrorCode.ADDRESS, _changed(good, 3, 9, 0xFF)),
        ("memory zero", ErrorCode.ADDRESS, _changed(good, 3, 0, 0xFF)),
        ("first address", ErrorCode.ADDRESS, _changed(good, 3, 0xFFFFFF << 8, 0xFFFFFF00)),
        ("number of words", ErrorCode.ADDRESS, _changed(good, 4, 0xFFFFFFFF)),
        ("a bit of the checksum", ErrorCode.CHECKSUM, broken),
        ("a bit of a word", ErrorCode.CHECKSUM, flipped),
        ("one word only", ErrorCode.TRUNCATED, good[:1]),
        ("two words only", ErrorCode.TRUNCATED, good[:2]),
        ("three words only", ErrorCode.TRUNCATED, good[:3]),
        ("ends in a section's head", ErrorCode.TRUNCATED, good[:4]),
        ("ends in a section", ErrorCode.TRUNCATED, good[:-2]),
        ("no checksum", ErrorCode.TRUNCATED, good[:-1]),
        ("length ends in a section", ErrorCode.TRUNCATED,
         _checked(np.concatenate([good[:2], good[2:3] - np.uint32(1), good[3:-2]]))),
        ("one word more", ErrorCode.OVERLONG, np.append(good, np.uint32(0))),
        ("twice", ErrorCode.OVERLONG, np.concatenate([good, good])),
    ]
