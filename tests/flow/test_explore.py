"""`shiftwork explore`: tables, files, refusals, and where the work is done."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import pytest
from shiftwork.flow import explore, recipes_circulant
from shiftwork.flow.cli import main
from shiftwork.flow.setting import configure
from shiftwork.golden.circulant.cells import Gru
from shiftwork.golden.circulant.config import PRESETS
from shiftwork.golden.circulant.explore import NETWORKS, fitted
from shiftwork.golden.circulant.files import save
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.network import RecurrentNetwork


@contextmanager
def threads(cluster):
    """An executor that takes no process to begin."""
    assert cluster is None
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def here(monkeypatch, tmp_path):
    """A folder with a network and losses; the work is done in this process."""
    monkeypatch.setattr(explore, "executor", threads)
    save(RecurrentNetwork.random([Layer(cell=Gru(inputs=8, hidden=32))], 10), tmp_path / "net.npz")
    (tmp_path / "losses.json").write_text(json.dumps(
        {"gru": {"8": 0.5, "16": 3}, "lstm": {"8": 0.4}, "bits": {"12": 0, "9": 0.75}}))
    return tmp_path


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["explore", "circulant", *map(str, arguments)])
    return ended.value.code


def test_a_network_is_explored(here, capsys):
    out = here / "out"
    assert run("--target", "ulx3s-85f", "--network", here / "net.npz", "--losses", here / "losses.json",
               "--max-loss", "1", "--block", 8, "--block", 16, "-o", out) == 0
    said = capsys.readouterr().out
    found = json.loads((out / "explore.json").read_text())
    assert [(row["cell"], row["block"]) for row in found["phase1"] if row["fits"] and row["accurate"]] == [
        ("gru", 8), ("lstm", 8)]
    tried = {(row["choice"]["cell"], row["config"]["block"], row["config"]["weight_width"])
             for row in found["phase2"]}
    # 0.5 + 0.75 is more than 1.
    assert tried == {("gru", 8, 12), ("lstm", 8, 12)}
    chosen, = (row for row in found["phase2"] if row["chosen"])
    assert chosen["pareto"] and chosen["cycles"] == min(row["cycles"] for row in found["phase2"]
                                                       if row["fits"])
    assert f"{chosen['cycles']:,}" in said and "beaten by no other" in said and "<-" in said
    ElementTree.fromstring((out / "pareto.svg").read_text())
    assert run("--target", "ulx3s-85f", "--network", here / "net.npz", "--block", 8, "--block", 16,
               "--memory", 5, "-o", out) == 0
    found = json.loads((out / "explore.json").read_text())
    assert [row["block"] for row in found["phase1"]] == [8, 16]
    assert {row["config"]["block"] for row in found["phase2"]} == {16}


def test_what_it_says_makes_the_engine_that_it_tried(here, capsys):
    run("--target", "ulx3s-85f", "--network", here / "net.npz", "--block", 8, "-o", here / "out")
    line, = (line for line in capsys.readouterr().out.splitlines() if line.startswith("fastest: "))
    words = line.split()
    config = configure(PRESETS, "default", [words[n + 1] for n, word in enumerate(words) if word == "--set"])
    chosen, = (row for row in json.loads((here / "out" / "explore.json").read_text())["phase2"]
               if row["chosen"])
    assert config == type(config)(**chosen["config"])


def test_losses_of_a_recipe(here, monkeypatch):
    """The recipe is trained once, for all block sizes at once."""
    def train(seed, progress, *, sizes):
        progress("float", 1, 2, 0.5)
        return SimpleNamespace(accuracy=0.75, accuracies={size: 0.75 - size / 1000 for size in sizes})

    monkeypatch.setattr(recipes_circulant, "train_rows", train)
    assert run("--target", "ulx3s-85f", "--network", here / "net.npz", "--losses", "rows", "--max-loss", "1",
               "-o", here / "out") == 0
    rows = json.loads((here / "out" / "explore.json").read_text())["phase1"]
    assert {row["block"]: row["loss"] for row in rows} == {4: None, 8: 0.8, 16: 1.6, 32: 3.2, 64: None}


REFUSED = [
    (("--target", "ulx3s", "--network", "google-gru"), "Target must be one of ulx3s-85f, icebreaker, "
     "not 'ulx3s'"),
    (("--network", "google"), "Network must be one of google-lstm, google-gru, or a file, not 'google'"),
    (("--losses", "absent.json"), "Losses absent.json must be a JSON file or one of rows, spoken, "
     "not absent"),
    (("--losses", "{here}/net.npz"), "Losses {here}/net.npz must be a JSON file, not something else"),
    (("--max-loss", "1"), "--max-loss must come with --losses, not without it"),
    (("--losses", "{here}/losses.json", "--max-loss", "0"), "Cell and block size must fit 3,744 kibibits of "
     "weights and lose at most 0 points, and none does"),
    (("--memory", "1"), "Cell and block size must fit 1 kibibits of weights, and none does"),
    (("--block", "7"), "Block size must be one of 4, 8, 16, 32, 64, not 7"),
    (("--target", "icebreaker", "--block", "4"), "Engine must fit icebreaker, and none of 1 does"),
    (("--activation-error", "0"), "error of activations must be at least 0.00061, not 0"),
    (("-o", "{here}"), "Output {here} must be a new folder or one of an exploration before, "
     "not something else"),
]


@pytest.mark.parametrize("arguments, message", REFUSED, ids=[m[:50] for _, m in REFUSED])
def test_refuses(here, capsys, arguments, message):
    before = sorted(here.iterdir())
    usual = {"--target": "ulx3s-85f", "--network": here / "net.npz", "-o": here / "out"}
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    given = usual | {name: value.replace("{here}", str(here)) for name, value in given.items()}
    assert run(*(part for pair in given.items() for part in pair)) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == "error: " + message.replace("{here}", str(here)) and sorted(here.iterdir()) == before


def test_only_the_circulant_engine_is_explored(capsys):
    with pytest.raises(SystemExit):
        main(["explore", "ternary", "--target", "ulx3s-85f", "--network", "google-gru"])
    assert "error: Engine to explore must be one of circulant, not 'ternary'" in capsys.readouterr().err


def test_a_process_and_a_cluster_do_the_same(monkeypatch):
    layers, config = (Layer(cell=Gru(inputs=8, hidden=32)),), PRESETS["tiny"]
    with explore.executor(None) as pool:
        assert pool.submit(fitted, layers, config).result() == fitted(layers, config)

    class Client:
        """Dask's, on threads."""

        def __init__(self, address, timeout):
            if address != "tcp://there:8786":
                raise OSError("nobody there")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.pool.shutdown()

        def get_executor(self):
            self.pool = ThreadPoolExecutor(1)
            return self.pool

    module = ModuleType("distributed")
    module.Client = Client
    monkeypatch.setitem(sys.modules, "distributed", module)
    with explore.executor("tcp://there:8786") as pool:
        assert pool.submit(fitted, layers, config).result() == fitted(layers, config)
    with pytest.raises(explore.FlowError) as raised, explore.executor("tcp://nowhere:1"):
        pass
    assert str(raised.value) == ("--cluster must be the address of a Dask scheduler that answers, "
                                 "not 'tcp://nowhere:1' (nobody there)")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(explore.FlowError) as raised, explore.executor("tcp://there:8786"):
        pass
    assert str(raised.value) == ("--cluster must have Dask installed (pip install 'shiftwork[dask]'), "
                                 "and it is missing")


def test_networks_of_the_papers_can_be_encoded():
    for layers in NETWORKS.values():
        config, cycles = fitted(layers, replace(PRESETS["default"], block=64, rows=64))
        assert cycles > 0 and config.state_depth == 1024 // 2
