"""Each command as a subprocess: what it writes, says and refuses."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from shiftwork.flow.build import VECTORS
from shiftwork.flow.recipes import convolutional
from shiftwork.golden.common.network import save
from shiftwork.sim.runner import available_simulators


def shiftwork(*arguments, **environment):
    """(exit code, standard output, standard error)."""
    done = subprocess.run(
        [sys.executable, "-m", "shiftwork.flow.cli", *map(str, arguments)],
        text=True,
        capture_output=True,
        timeout=540,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", **environment},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A network, inputs, and a build folder of it; commands add to neither."""
    root = tmp_path_factory.mktemp("cli")
    rng = np.random.default_rng(0)
    save(convolutional((1, 8, 8), (4, 6), 10, {1, 2}, 3), root / "net.npz")
    np.save(root / "x.npy", rng.random((7, 1, 8, 8)))
    code, out, err = shiftwork(
        "build",
        root / "net.npz",
        "--engine",
        "ternary",
        "--preset",
        "tiny",
        "--calibrate",
        root / "x.npy",
        "-o",
        root / "net",
    )
    assert code == 0, err
    assert "program/program.bin" in out and "Building: done" in err
    return root


def _copy(root, tmp_path):
    return shutil.copytree(root / "net", tmp_path / "net")


def test_build_is_deterministic(root, tmp_path):
    code, _, err = shiftwork(
        "build",
        root / "net.npz",
        "--preset",
        "tiny",
        "--calibrate",
        root / "x.npy",
        "-o",
        tmp_path / "net",
        PYTHONHASHSEED="77",
    )
    assert code == 0, err
    assert (tmp_path / "net/shiftwork.json").read_bytes() == (root / "net/shiftwork.json").read_bytes()


def test_generate(tmp_path):
    code, out, err = shiftwork(
        "generate", "ternary", "--preset", "tiny", "--set", "row_depth=128", "-o", tmp_path / "core"
    )
    assert code == 0, err
    assert json.loads((tmp_path / "core/shiftwork.json").read_text())["config"]["row_depth"] == 128
    assert "next: shiftwork verify" in out


def test_run_then_verify_compiled(root, tmp_path):
    folder = _copy(root, tmp_path)
    code, out, err = shiftwork("run", folder, "--input", root / "x.npy", "-o", tmp_path / "y.npy", "--check")
    assert code == 0, err
    y = np.load(tmp_path / "y.npy")
    assert y.shape == (7, 10) and y.dtype == np.int64 and "every bit and cycle" in out
    code, _, err = shiftwork(
        "run", folder, "--input", folder / VECTORS[0], "-o", tmp_path / "z.npy", "--real"
    )
    assert code == 0, err
    scale = json.loads((folder / "program/program.json").read_text())["output_scale"]
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), y * scale)
    code, out, err = shiftwork("verify", folder, "--simulator", "compiled")
    assert code == 0, err
    results = json.loads((folder / "shiftwork.json").read_text())["results"]
    assert results["verify"]["compiled"]["values"] > 0
    code, out, err = shiftwork("report", folder)
    assert code == 0, err
    assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.skipif(not available_simulators(), reason="cocotb has no simulator here")
def test_verify_cocotb(root, tmp_path):
    folder = _copy(root, tmp_path)
    code, out, err = shiftwork("verify", folder)
    assert code == 0, err
    assert (
        "tests" in out
        and json.loads((folder / "shiftwork.json").read_text())["results"]["verify"]["cocotb"]["tests"] > 0
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["generate", "binary", "-o", "{tmp}/o"],
            "Engine must be one of circulant, smartexchange, ternary, training, not 'binary'",
        ),
        (["generate", "ternary", "--preset", "huge", "-o", "{tmp}/o"], "Preset must be one of tiny, default"),
        (
            ["generate", "ternary", "--set", "lanes=48", "-o", "{tmp}/o"],
            "lanes must be a power of two, not 48",
        ),
        (["generate", "ternary", "--set", "lanse=64", "-o", "{tmp}/o"], "Key of --set must be one of lanes"),
        (["generate", "ternary"], "Missing option"),
        (["nothing"], "No such command 'nothing'"),
        (["build", "{root}/none.npz", "-o", "{tmp}/o"], "none.npz"),
        (["build", "{root}/x.npy", "-o", "{tmp}/o"], "network file"),
        (["build", "{root}/net.npz", "-o", "{tmp}/o"], "must have a range (calibrate the network), not none"),
        (
            ["build", "{root}/net.npz", "--calibrate", "{root}/bad.npy", "-o", "{tmp}/o"],
            "bad.npy must be finite, not contain NaN",
        ),
        (
            [
                "build",
                "{root}/net.npz",
                "--calibrate",
                "{root}/x.npy",
                "--preset",
                "tiny",
                "--set",
                "weight_depth=32",
                "-o",
                "{tmp}/o",
            ],
            "Weight memory must have",
        ),
        (
            ["build", "{root}/net.npz", "--calibrate", "{root}/x.npy", "--preset", "tiny", "-o", "{root}"],
            "must be a new folder or a build folder",
        ),
        (
            ["run", "{root}", "--input", "{root}/x.npy", "-o", "{tmp}/y.npy"],
            "must be a build folder with a shiftwork.json",
        ),
        (
            ["run", "{root}/net", "--input", "{root}/none.npy", "-o", "{tmp}/y.npy"],
            "must be an .npy file, not absent",
        ),
        (
            ["run", "{root}/net", "--input", "{root}/wide.npy", "-o", "{tmp}/y.npy"],
            "Input must have shape (n, 1, 8, 8)",
        ),
        (
            ["run", "{root}/net", "--input", "{root}/bad.npy", "-o", "{tmp}/y.npy"],
            "must be finite, not contain NaN",
        ),
        (
            ["verify", "{root}/net", "--simulator", "modelsim"],
            "Simulator must be one of verilator, icarus, compiled",
        ),
        (
            ["synth", "{root}/net", "--target", "virtex"],
            "Target must be one of ulx3s-85f, icebreaker, ecp5-85k, ice40-up5k",
        ),
        (["report", "{tmp}"], "must be a build folder"),
        (["bench", "binary"], "Engine must be one of ternary"),
        (["bench", "ternary", "--only", "nothing"], "--only must be part of one of sacu/cycles"),
        (["demo", "faces"], "Demo must be one of digits, digits-rnn, train, not 'faces'"),
        (
            ["demo", "digits", "--engine", "circulant", "-o", "{tmp}/o"],
            "Engine of the demo digits must be one of ternary, smartexchange, not 'circulant'",
        ),
        (
            ["demo", "digits", "--engine", "smartexchange", "-o", "{root}"],
            "must be a new folder or one of a demo before",
        ),
    ],
)
def test_refused_in_one_sentence(root, tmp_path, arguments, sentence):
    np.save(root / "wide.npy", np.zeros((2, 1, 8, 9)))
    np.save(root / "bad.npy", np.full((2, 1, 8, 8), np.nan))
    before = sorted(p.name for p in root.iterdir())
    code, out, err = shiftwork(*(a.format(root=root, tmp=tmp_path) for a in arguments))
    last = err.strip().splitlines()[-1]
    assert (code, out) == (2, "") and last.startswith("error: ") and sentence in last, err
    assert "Traceback" not in err and err.count("error: ") == 1
    assert list(tmp_path.iterdir()) == [] and sorted(p.name for p in root.iterdir()) == before


def test_altered_folder_is_refused(root, tmp_path):
    folder = _copy(root, tmp_path)
    with open(folder / "program/program.bin", "ab") as file:
        file.write(b"\0")
    for command in (
        ["verify", folder],
        ["run", folder, "--input", root / "x.npy", "-o", tmp_path / "y.npy"],
        ["synth", folder, "--target", "ecp5-85k"],
        ["report", folder],
    ):
        code, _, err = shiftwork(*command)
        assert code == 2 and "program/program.bin must be as it was written, not altered" in err, command
    assert not (tmp_path / "y.npy").exists()


def test_missing_compiler_is_told(root, tmp_path):
    code, _, err = shiftwork(
        "run",
        root / "net",
        "--input",
        root / "x.npy",
        "-o",
        tmp_path / "y.npy",
        CXX="no-such-compiler",
        SHIFTWORK_CACHE=str(tmp_path / "cache"),
    )
    assert code == 2 and "no-such-compiler" in err and "Traceback" not in err
    assert not (tmp_path / "y.npy").exists()


@pytest.mark.parametrize(
    "command", ["demo", "generate", "build", "run", "verify", "synth", "report", "explore", "bench"]
)
def test_help_has_examples(command):
    code, out, _ = shiftwork(command, "--help")
    assert code == 0 and f"shiftwork {command}" in out.split("Examples:")[1]


def test_help_of_demo_names_the_engines():
    _, out, _ = shiftwork("demo", "--help")
    assert "of digits-rnn circulant" in " ".join(out.replace("│", " ").split())
    assert "shiftwork demo digits --engine smartexchange" in out


def test_help_of_generate_lists_the_keys():
    _, out, _ = shiftwork("generate", "--help")
    for key in ("lanes", "row_depth", "transposed"):
        assert f"{key}:" in out
    assert "icebreaker" in out
