"""The cocotb tests of an engine's Verilog, with cocotbext-axi's bus models on every port.

They run inside a simulator, on the job that `shiftwork.sim.verify` wrote; see there.
"""

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiResp
from shiftwork.golden.common.program import ErrorCode

from .bench import (
    BATCHES,
    CONTROL,
    JOB,
    LOAD_CYCLES,
    RUN_CYCLES,
    START,
    STATUS,
    TIMEOUT,
    Bench,
    malformed_programs,
)


@cocotb.test(**TIMEOUT)
async def batches_without_stalls(dut):
    """Every bit of every batch, and the cycles."""
    bench = await Bench.ready(dut)
    await bench.load()
    for number in range(len(JOB["inputs"])):
        await bench.batch(number, cycles=True)
    assert await bench.read(BATCHES) == len(JOB["inputs"]), "BATCHES must be the number of batches"
    await ClockCycles(dut.clk, 50)
    assert bench.output.empty() and not bench.output.active, "Output must end with the last batch"


@cocotb.test(**TIMEOUT)
@cocotb.parametrize(repetition=[0, 1])
async def batches_with_stalls(dut, repetition):
    """Every bit of every batch, with random pauses on every bus."""
    bench = await Bench.ready(dut)
    bench.random.seed(cocotb.RANDOM_SEED * 2 + repetition)
    bench.stall()
    await bench.load()
    for number in range(len(JOB["inputs"])):
        await bench.batch(number)


@cocotb.test(**TIMEOUT)
@cocotb.parametrize(where=["program", "input", "running", "output"])
async def reset_in_mid_packet(dut, where):
    """A reset amid anything, and everything works as after the first one."""
    bench = await Bench.ready(dut)
    input_beats = len(JOB["inputs"][-1])
    output_beats = 2 * len(JOB["expected"][-1]) // (len(bench.output.bus.tdata) // 8)
    if where == "program":
        await bench.send_program(JOB["program"])
        await bench.transfers(bench.program.bus, bench.random.randrange(1, len(JOB["program"])))
    else:
        await bench.load()
        bus, beats = {
            "input": (bench.input.bus, bench.random.randrange(1, max(input_beats, 2))),
            # Of a sequence an engine takes no more than it can hold while the output waits.
            "running": (bench.input.bus, int(JOB["step"][0]) if "step" in JOB else input_beats),
            "output": (bench.output.bus, max(output_beats // 2, 1)),
        }[where]
        bench.output.pause = where == "running"
        there = cocotb.start_soon(bench.transfers(bus, beats))
        await bench.input.send(JOB["inputs"][-1].tobytes())
        await bench.control(START)
        await there
    if where == "running":
        run = int(JOB["run_cycles"][-1]) if "run_cycles" in JOB else 50
        await ClockCycles(dut.clk, bench.random.randrange(1, max(run, 2)))
    await bench.reset()
    bench.output.pause = False
    assert await bench.status() == (False, False, 0), "STATUS must be 0 after a reset"
    assert await bench.read(BATCHES) == 0, "BATCHES must be 0 after a reset"
    await bench.load()
    await bench.batch(0, cycles=True)


@cocotb.test(**TIMEOUT)
async def malformed_programs_are_refused(dut):
    """Each error of a program is reported, and the next good program is loaded."""
    bench = await Bench.ready(dut)
    for what, code, words in malformed_programs(JOB["program"]):
        cocotb.log.info("Program with wrong %s", what)
        await bench.send_program(words)
        await bench.program.wait()
        await bench.expect_error(code, loaded=False)
        await bench.control(START)
        await bench.expect_error(ErrorCode.NO_PROGRAM, loaded=False)
        if code is not ErrorCode.MAGIC:
            await bench.load()
    await bench.batch(0, cycles=True)
    # A good program makes an error forgotten that nobody cleared.
    await bench.send_program(JOB["program"][:-1])
    while not (await bench.status())[2]:
        pass
    await bench.send_program(JOB["program"])
    while (await bench.status()) != (False, True, 0):
        pass


@cocotb.test(**TIMEOUT)
async def malformed_inputs_are_refused(dut):
    """Packets that are too short or too long are reported, and the next good one is computed."""
    bench = await Bench.ready(dut)
    await bench.load()
    if "step" in JOB:
        await _cut_sequences(bench)
        return
    good, beat = JOB["inputs"][0], JOB["inputs"][0][:1]
    for code, beats in ((ErrorCode.INPUT_SHORT, good[:-1]), (ErrorCode.INPUT_SHORT, beat),
                        (ErrorCode.INPUT_LONG, np.concatenate([good, beat])),
                        (ErrorCode.INPUT_LONG, np.concatenate([good, good, beat]))):
        if len(good) == 1 and code is ErrorCode.INPUT_SHORT:
            continue
        await bench.input.send(np.ascontiguousarray(beats).tobytes())
        await bench.control(START)
        await bench.expect_error(code, loaded=True)
        await bench.input.wait()
        await ClockCycles(dut.clk, 20)
        assert not bench.output.active, f"Output must not stop amid a packet after error {int(code)}"
        # Whether a batch with too long a packet is computed is the engine's choice; its result then is right.
        while not bench.output.empty():
            assert code is ErrorCode.INPUT_LONG, "A batch with too short a packet must not yield output"
            bench.compare(0, bench.output.recv_nowait(compact=False))
        await bench.batch(0, cycles=True)


async def _cut_sequences(bench):
    """Of a packet that ends within a step, the steps before are computed, and a beat of zeros is the last."""
    (beats, values), number = JOB["step"].tolist(), int(np.argmax([len(one) for one in JOB["inputs"]]))
    whole, expected = JOB["inputs"][number], JOB["expected"][number]
    for length in sorted({1, beats - 1, len(whole) - beats + 1, len(whole) - 1} - {0, len(whole)}):
        if not length % beats:
            continue
        await bench.input.send(np.ascontiguousarray(whole[:length]).tobytes())
        await bench.control(START)
        frame = await bench.output.recv(compact=False)
        found = np.frombuffer(bytes(frame.tdata), "<i2")
        right = np.append(expected[:length // beats * values], np.zeros(2, np.int16))
        what = f"A packet of {length} beats must yield its whole steps' output, then a beat of zeros"
        assert np.array_equal(found, right), what
        await bench.expect_error(ErrorCode.INPUT_SHORT, loaded=True)
        await bench.batch(0, cycles=True)


@cocotb.test(**TIMEOUT)
async def start_without_program(dut):
    """Refused; and a program loaded afterwards makes the error forgotten."""
    bench = await Bench.ready(dut)
    await bench.control(START)
    await bench.expect_error(ErrorCode.NO_PROGRAM, loaded=False)
    await bench.control(START)
    assert (await bench.status())[2] == ErrorCode.NO_PROGRAM
    await bench.load()
    await bench.batch(0, cycles=True)


@cocotb.test(**TIMEOUT)
async def register_map(dut):
    """Constants, SLVERR where nothing is, read-only registers, strobes."""
    bench = await Bench.ready(dut)
    constants = {int(address): int(value) for address, value in JOB["registers"].T}
    known = set(constants) | {CONTROL, STATUS, LOAD_CYCLES, RUN_CYCLES, BATCHES}
    for address in range(0, 256, 4):
        if address != CONTROL:
            answer = await bench.registers.write(address, b"\xff\xff\xff\xff")
            right = answer.resp == AxiResp.SLVERR
            assert right, f"Write to 0x{address:02x} must be answered SLVERR, not {answer.resp!r}"
        answer = await bench.registers.read(address, 4)
        right = AxiResp.OKAY if address in known else AxiResp.SLVERR
        what = f"Read of 0x{address:02x}"
        assert answer.resp == right, f"{what} must be answered {right!r}, not {answer.resp!r}"
        value, right = int.from_bytes(answer.data, "little"), constants.get(address, 0)
        assert value == right, f"Register 0x{address:02x} must be 0x{right:08x}, not 0x{value:08x}"
    answer = await bench.registers.write(CONTROL + 1, b"\x01\x01\x01")
    assert answer.resp == AxiResp.OKAY, f"Write without byte 0 must be answered OKAY, not {answer.resp!r}"
    await bench.control(0)
    assert await bench.read(STATUS) == 0, "Writes of CONTROL without bits must change nothing"
    await bench.load()
    await bench.batch(0, cycles=True)
    assert await bench.read(BATCHES) == 1 and await bench.read(CONTROL) == 0
