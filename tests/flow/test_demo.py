"""The demo in this process, on small networks and engines, without a worker process and a compiler."""

import dataclasses
import json
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow import circulant, datasets, demo
from shiftwork.flow.engines import ENGINES, engine
from shiftwork.flow.errors import FlowError
from shiftwork.flow.recipes import convolutional
from shiftwork.flow.synthesis import BOARDS
from shiftwork.golden.circulant.cells import Gru
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.network import RecurrentNetwork

PAIRS = [(task, name) for task, about in demo.DEMOS.items() if isinstance(about, demo.Task)
         for name in about.engines]
SMALL = {
    "circulant": dict(output_depth=64),
    "ternary": dict(row_depth=512, weight_depth=512),
    "smartexchange": dict(row_depth=512, item_depth=4096, basis_depth=256),
}


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network that nobody trained."""

    integer: object
    accuracy: float = 0.75
    compressed_accuracy: float = 0.5
    rate: float = 12.25


class Inline:
    """Workers whose work is done when it is submitted."""

    def __init__(self, stages, count):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, stage, function, *arguments):
        future = Future()
        future.set_result(function(lambda call, *values: getattr(stage, call)(*values), *arguments))
        return future


@pytest.fixture
def small(monkeypatch):
    """(name) -> the engine's module, its presets of boards small, its RTL the golden model."""
    whole = datasets.digits()
    few = replace(whole, test_x=whole.test_x[:9], test_y=whole.test_y[:9])
    monkeypatch.setattr(datasets, "digits", lambda: few)
    monkeypatch.setattr(demo, "Workers", Inline)

    def prepared(name):
        module = engine(name)
        config = replace(module.PRESETS["tiny"], **SMALL[name])
        boards = [board for board in BOARDS if board in module.PRESETS]
        monkeypatch.setattr(module, "PRESETS", dict.fromkeys(boards, config))

        def train(seed, progress):
            progress("float", 1, 1, 0.5)
            if module is circulant:
                network = RecurrentNetwork.random([Layer(cell=Gru(inputs=8, hidden=8))], 10, seed)
                return Trained(module.compress(network, few.train_x[:50, 0]))
            network = convolutional((1, 8, 8), (3, 4), 10, {1, 2}, seed)
            return Trained(module.compress(network, few.train_x[:50]))

        def simulate(program, x, rtl, folder, progress, note):
            found = module.golden(program, x, progress)
            return replace(found, load_cycles=np.zeros_like(found.run_cycles)) \
                if found.load_cycles is None else found

        monkeypatch.setattr(module, "train_digits", train)
        monkeypatch.setattr(module, "simulate", simulate)
        monkeypatch.setattr(module, "verilog", lambda config: f"module {module.TOP};\nendmodule\n")
        return module
    return prepared


@pytest.mark.parametrize("task, name", PAIRS)
def test_quick_demo_of_each_engine(small, tmp_path, capsys, task, name):
    module, output = small(name), tmp_path / "demo"
    assert demo.run(task, output, name, quick=True) == 0
    results = json.loads((output / demo.RESULTS).read_text())
    assert [one["name"] for one in results["engines"]] == [BOARDS[board] for board in module.PRESETS]
    assert results["title"] == f"{demo.DEMOS[task].title} on a {module.WORDS.name} engine"
    assert results["accuracy"]["compressed"] == [0.5] and dict(results["figures"])["differences found"] == "0"
    for board in module.PRESETS:
        assert json.loads((output / board / "shiftwork.json").read_text())["engine"] == name
    out = capsys.readouterr().out
    assert f"{module.WORDS.name} 50.00 %, hardware" in out and "report.html" in out


@pytest.mark.parametrize("task, name", PAIRS)
def test_what_differs_is_told(small, tmp_path, capsys, monkeypatch, task, name):
    module = small(name)
    right = module.simulate

    def wrong(*arguments):
        found = right(*arguments)
        return replace(found, values=found.values + (np.arange(found.values.size) == 3).reshape(
            found.values.shape))

    monkeypatch.setattr(module, "simulate", wrong)
    assert demo.run(task, tmp_path / "demo", name, quick=True) == 1
    # 9 images of 10 logits, or of 8 steps of 8 outputs.
    assert f"difference: ULX3S 85F, seed 0: values must be the golden model's, but 1 of " \
        f"{576 if name == 'circulant' else 90}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ENGINES)
def test_each_engine_has_a_preset_of_a_board(name):
    assert "ulx3s-85f" in engine(name).PRESETS


def test_a_demo_is_of_its_engines(tmp_path):
    message = "^Engine of the demo digits-rnn must be one of circulant, not 'ternary'$"
    with pytest.raises(FlowError, match=message):
        demo.run("digits-rnn", tmp_path / "demo", "ternary")


def test_pictures_of_rows_are_those_of_the_images():
    """Sequences are -1 .. 1, rows from the top."""
    rows, images = demo.DEMOS["digits-rnn"], demo.DEMOS["digits"]
    a, b = rows.data(), images.data()
    np.testing.assert_allclose(rows.pixels(a.test_x[3]), images.pixels(b.test_x[3]), atol=1e-6)
    assert a.test_x.shape == (500, 8, 8) and a.test_x.min() == -1
