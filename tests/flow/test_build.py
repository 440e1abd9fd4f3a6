"""Steps that make build folders, in this process, with the real engine at its smallest."""

import hashlib
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from shiftwork.flow import build, steps, ternary
from shiftwork.flow.engines import engine
from shiftwork.flow.errors import FlowError
from shiftwork.flow.gather import results_of
from shiftwork.flow.handout import instantiation
from shiftwork.flow.report import render
from shiftwork.golden.ternary.config import PRESETS, TernaryConfig
from shiftwork.golden.ternary.model import forward

TINY = PRESETS["tiny"]


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    path = tmp_path_factory.mktemp("core") / "core"
    build.generate("ternary", TINY, path)
    return path


def _bytes(path):
    return {
        p.relative_to(path).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in path.rglob("*")
        if p.is_file()
    }


def test_same_command_same_bytes(core, tmp_path):
    build.generate("ternary", TINY, tmp_path / "again")
    assert _bytes(core) == _bytes(tmp_path / "again")


def test_manifest_says_what_is_there(core):
    manifest = json.loads((core / "shiftwork.json").read_text())
    ports = {port["name"]: port for port in manifest["ports"]}
    assert ports["s_axis_input_tdata"] == {"name": "s_axis_input_tdata", "direction": "input", "width": 16}
    assert ports["m_axis_output_tvalid"]["direction"] == "output" and list(ports)[:2] == ["clk", "rst"]
    assert TernaryConfig(**manifest["config"]) == TINY
    assert manifest["registers"][0] == {"address": 0, "name": "ID", "access": "read", "meaning": "0x31545753"}
    assert manifest["versions"].keys() >= {"python", "shiftwork", "numpy", "amaranth"}
    assert manifest["files"].keys() == {
        "README.md",
        "program/program.bin",
        "program/program.json",
        "rtl/shiftwork_ternary.v",
        "vectors/expected.npy",
        "vectors/input.npy",
    }


def test_ports_of_the_manifest_are_those_of_the_verilog(core):
    verilog = (core / "rtl/shiftwork_ternary.v").read_text()
    module = verilog[verilog.rindex("module shiftwork_ternary(") :]
    found = {
        (d, name, int(high or 0) + 1)
        for d, high, name in re.findall(
            r"^  (input|output) (?:\[(\d+):0\] )?(\w+);$", module[: module.index("endmodule")], re.MULTILINE
        )
    }
    ports = json.loads((core / "shiftwork.json").read_text())["ports"]
    assert found == {(p["direction"], p["name"], p["width"]) for p in ports}


def test_vectors_are_the_golden_models(core):
    _, module, program = build.loaded(core)
    x, expected = (np.load(core / name) for name in build.VECTORS)
    np.testing.assert_array_equal(forward(ternary.selftest(TINY), x), expected)
    np.testing.assert_array_equal(module.golden(program, x).values, expected)
    assert expected.std() > 0


def test_every_preset_has_a_selftest():
    for config in [*PRESETS.values(), TernaryConfig(convolution=False), TernaryConfig(transposed=False)]:
        program = ternary.encode(ternary.selftest(config), config)
        assert ternary.load(ternary.save(program), config).metadata == program.metadata


def test_memories_too_small_for_any_network_are_told():
    with pytest.raises(
        FlowError, match=r"^Memories must be large enough for one small network, not smaller \(Table must"
    ):
        ternary.selftest(TernaryConfig(table_depth=32))


def test_memory_use_is_within_the_memories():
    for config in PRESETS.values():
        rows = {
            row["name"]: row for row in ternary.memory_use(ternary.encode(ternary.selftest(config), config))
        }
        assert all(0 < row["used"] <= row["bits"] for row in rows.values())
        assert rows["weight memory"]["bits"] == 2 * config.lanes * config.weight_depth


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not there")
def test_instantiation_compiles(core, tmp_path):
    text = re.search(r"```verilog\n(.*?)```", (core / "README.md").read_text(), re.DOTALL)[1]
    (tmp_path / "t.v").write_text(f"module t;\n{text}endmodule\n")
    done = subprocess.run(
        [
            "iverilog",
            "-g2005",
            "-Wall",
            "-Wno-timescale",
            "-s",
            "t",
            "-o",
            str(tmp_path / "t"),
            str(tmp_path / "t.v"),
            str(core / "rtl/shiftwork_ternary.v"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "t.v" not in done.stderr, done.stderr


def test_instantiation_names_every_port():
    text = instantiation(
        "core",
        [
            {"name": "clk", "direction": "input", "width": 1},
            {"name": "tdata", "direction": "output", "width": 16},
        ],
        [(0x10, "CONTROL", "write", "go")],
    )
    assert (
        "wire [15:0]  tdata;" in text
        and ".tdata (tdata)" in text
        and "| 0x10 | CONTROL | write | go |" in text
    )


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 2, 4, 5)), r"^Input must have shape \(n, 2, 4, 4\) with n >= 1, not \(2, 2, 4, 5\)$"),
        (np.full((1, 2, 4, 4), 256), r"^Input of integers must be within 0 \.\. 255, not 256 \.\. 256$"),
        (np.full((1, 2, 4, 4), -1), r"^Input of integers must be within 0 \.\. 255, not -1 \.\. -1$"),
    ],
)
def test_inputs_are_checked(core, x, message):
    _, module, program = build.loaded(core)
    with pytest.raises(FlowError, match=message):
        module.inputs(program, x)


def test_floats_are_rounded_half_to_even_and_clipped(core):
    _, module, program = build.loaded(core)
    x = np.full((1, 2, 4, 4), 2.5) + np.array([0, 1, 1000, -9]).reshape(1, 1, 4, 1)
    assert module.inputs(program, x)[0, 0, :, 0].tolist() == [2, 4, 255, 0]


def test_differences_are_told():
    _, module, program = ternary, ternary, ternary.encode(ternary.selftest(TINY), TINY)
    a = module.golden(program, module.random_input(program, 3, np.random.default_rng(0)))
    b = module.golden(program, module.random_input(program, 3, np.random.default_rng(1)))
    assert steps.differences(a, a) == []
    assert "values must be the golden model's, but" in steps.differences(b, a)[0]


def test_report_of_a_build_folder(core):
    page = render(results_of(core))
    assert "<h3>Cycles of each layer</h3>" in page and "weight_depth" in page


def test_unknown_engine():
    message = r"^Engine must be one of circulant, smartexchange, ternary, training, not 'binary'$"
    with pytest.raises(FlowError, match=message):
        engine("binary")
