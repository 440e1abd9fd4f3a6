"""The training engine in the flow: programs, inputs, figures, and every refusal of its commands."""

import json
from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow import build, training
from shiftwork.flow.cli import main
from shiftwork.flow.errors import FlowError
from shiftwork.flow.gather import results_of
from shiftwork.flow.recipes import convolutional
from shiftwork.flow.report import render
from shiftwork.flow.steps import differences
from shiftwork.flow.training_figures import fitted, full_maps, layer_cycles, memory_use, needs
from shiftwork.flow.training_program import COUNTED, beats, step_output, words
from shiftwork.golden.common.network import save
from shiftwork.golden.common.program import ProgramError
from shiftwork.golden.training.machine import Machine
from shiftwork.golden.training.registers import Matrix, Unit
from shiftwork.sim import compiled

from .fakes import refused
from .training_fakes import GoldenSimulator

TINY = training.PRESETS["tiny"]
X = np.random.default_rng(0).random((6, 1, 4, 4))
PORTS = [{"name": "clk", "direction": "input", "width": 1}]


def network(scale=0.5, **trained):
    """Conv 3, pool, Gemm 3, weights within -1 .. 1; ``trained``: arrays of its own."""
    found = convolutional((1, 4, 4), (3,), 3, {1}, 2)
    small = {name: array * scale if name.endswith("weight") else array
             for name, array in found.arrays.items()}
    return replace(found, arrays=small | trained)


@pytest.fixture(scope="module")
def program():
    return training.encode(training.compress(network(), None), TINY)


@pytest.fixture
def made(monkeypatch):
    """Without Verilog, the golden machine for it; (config) -> that engine."""
    monkeypatch.setattr(training, "verilog", lambda config: f"module {training.TOP};\nendmodule\n")
    monkeypatch.setattr(training, "ports", lambda config: PORTS)
    monkeypatch.setattr(GoldenSimulator, "config", TINY)
    monkeypatch.setattr(compiled, "CompiledSimulator", GoldenSimulator)


@pytest.fixture
def root(made, tmp_path):
    """A network file, images, and a build folder."""
    save(network(), tmp_path / "net.npz")
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(SystemExit) as ended:
        main(["build", str(tmp_path / "net.npz"), "--engine", "training", "--preset", "tiny", "--calibrate",
              str(tmp_path / "x.npy"), "--batch", "8", "--mode", "fixed", "-o", str(tmp_path / "net")])
    assert ended.value.code == 0
    return tmp_path


def test_a_program_begins_with_the_file_s_parameters(program):
    """Inference is nearly the float network's, which no activation of clips."""
    net, x = program.net, training.inputs(program, X)
    assert np.abs(net.floats()["conv1.weight"] - network().arrays["conv1.weight"]).max() <= 1 / 256
    assert not net.running and program.metadata["mode"] == "dynamic" and program.metadata["batch"] == 4
    values = training.golden(program, x).values
    assert np.array_equal(values, net.logits(X)) and values.shape == (6, 3)
    trained = {"norm1.mean": np.float32([0.3, -0.2, 0.1]), "norm1.variance": np.float32([0.5, 0.25, 2])}
    graph = network(**trained)
    other = training.encode(training.compress(graph, None), TINY)
    found = training.golden(other, x).values * other.metadata["output_scale"]
    # Weights, activations and y have 7 bits behind the point; 12 inputs of each output.
    assert np.abs(found - graph.forward(X.astype(np.float32))).max() < 0.1


def test_random_parameters_and_batches(program):
    prepared = training.compress(network(), None, batch=12, mode="wide", seed=3)
    found = training.encode(prepared, TINY)
    assert (found.metadata["batch"], found.metadata["mode"], found.metadata["images"]) == (12, "wide", 12)
    again = training.encode(training.compress(network(2), None, batch=12, mode="wide", seed=3), TINY)
    assert np.array_equal(found.to_words(), again.to_words())


@pytest.mark.parametrize("preset", training.PRESETS)
def test_every_preset_has_a_network_for_its_bench(preset):
    config = training.PRESETS[preset]
    found = training.encode(training.selftest(config), config)
    again = training.load(training.save(found), config)
    assert np.array_equal(again.to_words(), found.to_words())
    assert again.metadata == json.loads(json.dumps(found.metadata))
    x = training.random_input(found, 2, np.random.default_rng(0))
    assert x.shape == (2, 1, 4, 4) and x.max() > 200
    packets = zip(training.session_packets(again, x), training.session_packets(found, x), strict=True)
    assert all(np.array_equal(a, b) for a, b in packets)
    assert [row[1] for row in training.REGISTERS][:4] == ["ID", "VERSION", "LANES", "WIDTHS"]


def test_selftest_of_small_memories():
    assert training.selftest(replace(TINY, right_slots=32)).network.input_shape == (1, 2, 2)
    with pytest.raises(FlowError, match=r"^Memories must be large enough for one small network, not smaller "
                                        r"\(data_depth must be at least \d+, .* not 16\)$"):
        training.selftest(replace(TINY, data_depth=16))


@pytest.mark.parametrize("mode", ["fixed", "dynamic"])
def test_cycles_of_layers_are_the_machine_s(mode):
    graph = convolutional((1, 6, 6), (3, 5), 3, {1}, 1)
    prepared = training.compress(graph, None, batch=8, mode=mode, seed=1)
    found = training.encode(prepared, fitted(prepared, side=2))
    machine = Machine(found.config)
    machine.load(found.to_words())
    step = training.session_packets(found, np.zeros((2, 1, 6, 6)))[1]
    machine.run(step)
    rows = training.layer_cycles(found, None)
    assert [row["name"] for row in rows] == ["conv1", "conv2", "logits"]
    assert sum(row["cycles"] for row in rows) == sum(machine.cycles[Unit.MATRIX].values())
    faster = {"fixed": 1, "dynamic": 4}[mode]       # Dynamic precision begins with 4 bits.
    assert all(faster * row["cycles"] == row["dense"] >= row["ideal"] > 0 for row in rows)
    assert {row["zero_share"] for row in rows} == {1 - 1 / faster}
    assert Matrix.INPUT in machine.cycles[Unit.MATRIX]
    maps = full_maps(found.packets.plan)
    maps["conv2"]["weight"][:] = 4
    fewer = layer_cycles(found, maps)[1]
    # Forward and input's gradient take half, the weight's gradient as long as before.
    assert fewer["cycles"] == fewer["dense"] * 2 // 3 and fewer["zero_share"] == pytest.approx(1 / 3)


def test_an_engine_that_just_suffices():
    prepared = training.compress(convolutional((1, 6, 6), (3, 5), 3, {1, 2}, 1), None, batch=8, seed=1)
    config = fitted(prepared, side=2)
    found = prepared.program(config)
    for name, count in needs(found.packets.plan).items():
        assert count <= getattr(config, name) < max(2 * count, 17), name
        if count > 16:
            message = f"^{name} must be at least {count} for this network and batch, not {count - 1}$"
            with pytest.raises(ValueError, match=message):
                prepared.program(replace(config, **{name: count - 1}))
    assert all(0 < row["used"] <= row["bits"] for row in memory_use(found))


def test_steps_say_what_they_count(program):
    packets = program.packets
    found = step_output(packets, np.array([1 << 15, 2, 60, 10, 5, 5, 3, 100], np.uint32))
    assert found.checked == (1 << 15, 2)
    assert list(found.cycles) == list(COUNTED) and found.cycles["all"] == 100
    with pytest.raises(ValueError, match="^output must have 8 words, not 3$"):
        step_output(packets, np.zeros(3, np.uint32))


def test_words_are_beats():
    packet = np.array([0x04030201, 0xFFFE8000], np.uint32)
    assert beats(packet).tolist() == [[1, 2, 3, 4], [0, 128, 254, 255]]
    assert np.array_equal(words(beats(packet).view("<i2").reshape(-1)), packet)


def test_a_build_folder(root, capsys):
    folder, module, found = build.loaded(root / "net")
    assert module is training and folder.manifest["cycles"] == {} and found.metadata["mode"] == "fixed"
    x, expected = (np.load(folder.file(name)) for name in build.VECTORS)
    assert np.array_equal(x, training.quantize(found, X))
    assert np.array_equal(module.golden(found, x).values, expected)
    page = render(results_of(root / "net"))
    for text in ("Cycles of products saved", "cycles a step", "conv1",
                 "multiplications of 8 by 8 bits a cycle"):
        assert text in page, text
    with pytest.raises(SystemExit) as ended:
        main(["run", str(root / "net"), "--input", str(root / "x.npy"), "-o", str(root / "y.npy"), "--check"])
    assert ended.value.code == 0 and np.array_equal(np.load(root / "y.npy"), expected)
    assert "1 batches of 8" in capsys.readouterr().out


def test_generate(made, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["generate", "training", "--preset", "tiny", "-o", str(tmp_path / "core")])
    assert ended.value.code == 0 and "predicted cycles of a batch: none" in capsys.readouterr().out
    assert build.loaded(tmp_path / "core")[2].metadata["mode"] == "dynamic"


def test_golden_does_not_predict_cycles(program):
    a = training.golden(program, training.inputs(program, X))
    assert (a.load_cycles, a.run_cycles) == (None, None)
    assert differences(replace(a, run_cycles=np.ones(2), load_cycles=np.ones(2)), a) == []


@pytest.mark.parametrize("mode", ["fixed", "dynamic"])
def test_verify_trains(monkeypatch, tmp_path, mode):
    from shiftwork.sim import verify as bench

    asked = {}
    monkeypatch.setattr(bench, "verify", lambda *arguments, **more: asked.update(
        more, packets=arguments[3], expected=arguments[4]))
    found = training.encode(training.compress(network(), None, mode=mode), TINY)
    training.verify("", found, training.inputs(found, X)[:3], tmp_path)
    assert len(asked["packets"]) == 8 and asked["packets"][0].shape[1] == 2
    first, *_, later, maps, dump = asked["expected"]
    assert first.shape == later.shape == (2 * 4 * 3,) and not np.array_equal(first, later)
    assert len(dump) > len(maps) and set(asked["unchecked"]) <= {0, 2 * len(COUNTED)}
    assert all(np.array_equal(asked["packets"][0], asked["packets"][n]) for n in (0, 5))


BUILD = [
    ("net", ("--mode", "narrow"), "Mode must be one of wide, fixed, dynamic, not 'narrow'"),
    ("net", ("--batch", "6"), "batch must be a multiple of 4, twice the engine's side, not 6"),
    ("net", ("--set", "weight_depth=16"), "weight_depth must be at least "),
    ("great", (), "Array conv1.weight must be within -1 .. 1 for the training engine, not -"),
    ("deep", (), "node 'relu1' must be the BatchNormalization of 'conv1', not Relu"),
    ("absent", (), "network file {root}/absent.npz must exist, not be absent"),
]


@pytest.mark.parametrize("name, more, sentence", BUILD)
def test_build_refuses(capsys, tmp_path, name, more, sentence):
    save(network(), tmp_path / "net.npz")
    save(network(scale=4), tmp_path / "great.npz")
    graph = network()
    nodes = tuple(replace(node, inputs=("conv1",)) if node.name == "relu1" else node for node in graph.nodes
                  if node.op_type != "BatchNormalization")
    kept = {name: array for name, array in graph.arrays.items() if not name.startswith("norm1")}
    save(replace(graph, nodes=nodes, arrays=kept), tmp_path / "deep.npz")
    found = refused(capsys, "build", tmp_path / f"{name}.npz", "--engine", "training", "--preset", "tiny",
                    *more, "-o", tmp_path / "o")
    assert found.startswith(sentence.replace("{root}", str(tmp_path))) and not (tmp_path / "o").exists()


@pytest.mark.parametrize("option", ["batch", "seed", "mode"])
def test_options_are_of_an_engine_that_trains(capsys, tmp_path, option):
    save(network(), tmp_path / "net.npz")
    found = refused(capsys, "build", tmp_path / "net.npz", f"--{option}", 8, "-o", tmp_path / "o")
    assert found == f"--{option} must be for an engine that trains (--engine training), not ternary"


@pytest.mark.parametrize("x, sentence", [
    (np.zeros((2, 5, 4)), "Input must have shape (n, 1, 4, 4) or (n, 4, 4) with n >= 1, not (2, 5, 4)"),
    (np.full((2, 4, 4), 1.5), "Input of floats must be within 0 .. 1, not 1.5 .. 1.5"),
    (np.full((2, 4, 4), -3), "Input of integers must be within 0 .. 255, not -3 .. -3"),
])
def test_run_refuses(capsys, root, x, sentence):
    np.save(root / "bad.npy", x)
    arguments = "run", root / "net", "--input", root / "bad.npy", "-o", root / "y.npy"
    capsys.readouterr()
    assert refused(capsys, *arguments) == sentence and not (root / "y.npy").exists()


def test_programs_of_others_are_refused(program):
    files = training.save(program)
    message = "^program.json must be a program's metadata, not without batch, mode,"
    with pytest.raises(FlowError, match=message):
        training.load({**files, "program.json": b"{}"}, TINY)
    with pytest.raises(FlowError, match="^network.npz must be the network that the program is of, not "):
        training.load({**files, "network.npz": b"none"}, TINY)
    with pytest.raises(ProgramError, match="^Fingerprint must be the engine's 0x"):
        training.load(files, replace(TINY, maps=256))
