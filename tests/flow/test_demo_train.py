"""The demo of training in this process, the golden machine standing for the compiled hardware."""

import json
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow import datasets, demo, demo_train, plots_training, rtl_training, training
from shiftwork.flow.artifacts import MANIFEST
from shiftwork.flow.cli import main
from shiftwork.flow.errors import FlowError
from shiftwork.flow.gather import results_of
from shiftwork.flow.recipes import convolutional
from shiftwork.flow.report import render
from shiftwork.golden.training.dynasty import Precision
from shiftwork.golden.training.network import IntegerNetwork
from shiftwork.golden.training.trainer import train

from .fakes import refused
from .training_fakes import GoldenSession

PORTS = [{"name": "clk", "direction": "input", "width": 1}]


@pytest.fixture
def small(monkeypatch):
    """The middles of digits, three batches, a small network; (change) -> the hardware's answers change."""
    whole = datasets.digits()
    few = replace(whole, train_x=whole.train_x[:50, :, 2:6, 2:6], train_y=whole.train_y[:50],
                  test_x=whole.test_x[:20, :, 2:6, 2:6], test_y=whole.test_y[:20])
    monkeypatch.setattr(demo_train, "digits", lambda: few)
    monkeypatch.setattr(demo_train, "SETTINGS", replace(demo_train.SETTINGS, epochs=2, batch=16))
    monkeypatch.setattr(demo_train, "graph", lambda: convolutional((1, 4, 4), (3,), 10, {1}, 0))
    monkeypatch.setattr(training, "verilog", lambda config: f"module {training.TOP};\nendmodule\n")
    monkeypatch.setattr(training, "ports", lambda config: PORTS)

    def prepared(change=None, counts=True):
        @contextmanager
        def hardware(rtl, folder, note):
            assert rtl.read_text().startswith(f"module {training.TOP};")
            manifest = json.loads((rtl.parents[1] / MANIFEST).read_text())
            yield GoldenSession(type(training.PRESETS["tiny"])(**manifest["config"]), change, counts)

        monkeypatch.setattr(rtl_training, "hardware", hardware)
        return few
    return prepared


def test_demo(small, tmp_path, capsys, monkeypatch):
    few, output = small(), tmp_path / "demo"
    monkeypatch.setitem(demo_train.LENGTHS, "usual", demo_train.Length(epochs=1, every=2))
    assert demo.run("train", output, "training") == 0
    results = json.loads((output / demo.RESULTS).read_text())
    curves = results["training"]
    # Three steps an epoch; the hardware takes one epoch, golden two.
    assert [step for step, _ in curves["loss"]["hardware"]] == [1, 2, 3]
    assert [step for step, _ in curves["loss"]["golden"]] == [1, 2, 3, 4, 5, 6]
    assert curves["loss"]["golden"][:3] == curves["loss"]["hardware"]
    assert [step for step, _ in curves["accuracy"]["float"]] == [3, 6]
    assert curves["accuracy"]["hardware"] == [p for p in curves["accuracy"]["golden"] if p[0] == 3]
    assert dict(results["figures"])["differences found"] == "0"
    assert dict(curves["units"]) == pytest.approx(
        {"matrix": 0.6, "element": 0.1, "update": 0.05, "input": 0.05, "loss": 0.03, "controller": 0.17})
    assert curves["widths"]["steps"] == [1, 2, 3] and len(curves["widths"]["tensors"]) == 6
    assert curves["table"]["rows"][0][0] == "step 3" and curves["table"]["rows"][1][3] == ""
    # What golden has learned is what the recipe's training learns.
    net = IntegerNetwork.random(demo_train.graph(), seed=0)
    learned = train(net, few.train_x, few.train_y, demo_train.SETTINGS, Precision(net))
    accuracy = 100 * learned.accuracy(few.test_x, few.test_y)
    assert curves["accuracy"]["golden"][-1] == [6, pytest.approx(accuracy)]
    assert "differences found: 0" in capsys.readouterr().out
    page = (output / "report.html").read_text()
    for text in ("Bits of each tile", "Who works when", "Held-out accuracy, percent", "conv1 weight"):
        assert text in page, text
    assert render(results_of(output)) == page
    assert (output / "engine" / "program" / "network.npz").is_file()


def test_what_differs_is_told(small, tmp_path, capsys):
    """The third run, the dump of the first step: one weight is another one."""
    small(lambda number, words: words + np.uint32(np.arange(len(words)) == 4) if number == 2 else words)
    assert demo.run("train", tmp_path / "demo", "training", quick=True) == 1
    err = capsys.readouterr().err
    assert "difference: step 1, master of conv1.weight must be golden's, 1 of 27 differ" in err


@pytest.mark.parametrize("arguments, sentence", [
    (("train", "--engine", "ternary"), "Engine of the demo train must be one of training, not 'ternary'"),
    (("train", "--quick", "--full"), "--full must be without --quick, not with it"),
    (("digits", "--full"), "--full must be of the demo train, not of digits"),
])
def test_refusals(capsys, tmp_path, arguments, sentence):
    assert refused(capsys, "demo", *arguments, "-o", tmp_path / "o") == sentence


def test_output_must_be_a_demos(capsys, tmp_path):
    (tmp_path / "mine").write_text("")
    found = refused(capsys, "demo", "train", "-o", tmp_path)
    assert found == f"Output {tmp_path} must be a new folder or one of a demo before, not something else"


def test_command(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(demo_train, "run", lambda output, length: asked.append((output, length)) or 0)
    for option in ([], ["--quick"], ["--full"]):
        with pytest.raises(SystemExit) as ended:
            main(["demo", "train", "-o", str(tmp_path / "o"), *option])
        assert ended.value.code == 0
    lengths = [demo_train.LENGTHS[name] for name in ("usual", "quick", "full")]
    assert [length for _, length in asked] == lengths


def test_pictures_are_the_same_for_the_same():
    """.. and a tensor with many tiles is as high as one with few."""
    history = {"steps": [1, 2], "tensors": [["a", [[8, 6], [2, 4]]], ["b", [[8, 8]]]]}
    assert plots_training.widths(history) == plots_training.widths(history)
    lines = {"float": [], "golden": [[1, 0.5]], "hardware": [[1, 0.5]]}
    assert "float" not in plots_training.curves("Loss", lines, "loss", "x")


def test_errors_are_flow_errors():
    with pytest.raises(FlowError, match="^--full must be of the demo train, not of digits-rnn$"):
        demo.run("digits-rnn", "o", "circulant", full=True)
