"""The circulant engine in the flow: programs, inputs, figures, and every refusal of its commands."""

import json
from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow import build, circulant
from shiftwork.flow.cli import main
from shiftwork.flow.errors import FlowError
from shiftwork.flow.gather import results_of
from shiftwork.flow.recipes import convolutional
from shiftwork.flow.report import render
from shiftwork.flow.steps import differences
from shiftwork.golden.circulant.cells import Gru, Lstm
from shiftwork.golden.circulant.compress import Options, compress
from shiftwork.golden.circulant.files import save
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.network import RecurrentNetwork, Sequences
from shiftwork.golden.circulant.timing import predict
from shiftwork.golden.common.network import save as save_images
from shiftwork.golden.common.program import ProgramError

from .fakes import refused

TINY = circulant.PRESETS["tiny"]
CELLS = Lstm(inputs=6, hidden=8, projection=4, peephole=True), Gru(inputs=4, hidden=8)
RNG = np.random.default_rng(0)
X = RNG.uniform(-2, 2, (9, 7, 6))


def network(*cells, head="last"):
    found = RecurrentNetwork.random([Layer(cell=cell) for cell in cells or CELLS], 3, 1, head)
    return replace(found, arrays={name: array if array.any() else RNG.uniform(-0.5, 0.5, array.shape)
                                  for name, array in found.arrays.items()})


@pytest.fixture(scope="module")
def prepared():
    return circulant.compress(network(), X)


@pytest.fixture(scope="module")
def program(prepared):
    return circulant.encode(prepared, TINY)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Networks, sequences, and a build folder."""
    root = tmp_path_factory.mktemp("circulant")
    save(network(), root / "net.npz")
    save(network(Gru(inputs=6, hidden=6)), root / "six.npz")
    save(compress(network(Gru(inputs=6, hidden=8)), Options.of(8)).network, root / "eight.npz")
    np.save(root / "x.npy", X)
    np.save(root / "short.npy", X[0, 0])
    np.save(root / "wide.npy", np.zeros((2, 3, 7)))
    np.save(root / "great.npy", np.full((2, 3, 6), 2048))
    with pytest.raises(SystemExit) as ended:
        main(["build", str(root / "net.npz"), "--engine", "circulant", "--preset", "tiny", "--calibrate",
              str(root / "x.npy"), "-o", str(root / "net")])
    assert ended.value.code == 0
    return root


def test_outputs_are_nearly_those_of_the_projected_network(prepared, program):
    found = circulant.golden(program, circulant.inputs(program, X))
    assert found.values.shape == (9, 7, 8) and found.load_cycles is None
    assert found.run_cycles.tolist() == [7 * predict(program).step_cycles] * 9
    nearest = compress(prepared.network, Options.of(TINY.block, rounding=None)).network
    sequences = Sequences(X.astype(np.float32), np.full(9, 7))
    wanted = nearest.outputs(sequences)
    # 12 bits of vectors and weights, activations within 0.001, over 7 steps of two layers.
    assert np.abs(found.values * program.metadata["output_scale"] - wanted).max() < 0.02
    assert circulant.logits(program, found.values, prepared.network).dtype == np.int64
    classes = circulant.classes(program, found.values, prepared)
    assert np.mean(classes == nearest.forward(sequences).argmax(axis=1)) >= 8 / 9


@pytest.mark.parametrize("head", ["last", "mean"])
def test_the_host_s_head_is_the_network_s(program, head):
    """On the very outputs that the hardware has: but for 12 bits of its weights."""
    net = network(head=head)
    values = np.random.default_rng(2).integers(-2048, 2048, (5, 7, 8))
    found = circulant.logits(program, values, net)
    y = values * program.metadata["output_scale"]
    seen = y[:, -1] if head == "last" else y.mean(axis=1)
    wanted = seen @ net.arrays["head.weight"].T + net.arrays["head.bias"]
    unit = np.abs(wanted).max() / np.abs(found).max()
    np.testing.assert_allclose(found * unit, wanted, atol=0.02 * np.abs(wanted).max())


def test_sequences_side_by_side_are_filled_up(prepared, monkeypatch):
    alone = circulant.encode(prepared, TINY)
    encode = circulant.encoder.encode
    monkeypatch.setattr(circulant.encoder, "encode", lambda network, config: encode(network, config, 2))
    two = circulant.encode(prepared, TINY)
    x = circulant.inputs(alone, X)
    assert two.metadata["images"] == 2
    found = circulant.golden(two, x)
    assert np.array_equal(found.values, circulant.golden(alone, x).values) and len(found.run_cycles) == 5
    rows = circulant.layer_cycles(two, x[:2])
    assert sum(row["cycles"] for row in rows) == predict(two).step_cycles
    for one, other in zip(rows, circulant.layer_cycles(alone, x[:1]), strict=True):
        assert one["ideal"] == 2 * other["ideal"] and one["zero_share"] == other["zero_share"]


def test_figures(program):
    rows = circulant.layer_cycles(program, None)
    assert [row["name"] for row in rows] == ["layer0 i f g o", "layer0 p", "layer1 r z", "layer1 n"]
    assert [row["weights"] for row in rows] == [4 * 8 * (6 + 4), 4 * 8, 2 * 8 * (4 + 8), 8 * (4 + 8)]
    # x has 6 entries, 2 of 8 columns are padding: 3 blocks of 4 numbers for 4 * 10 weights.
    assert [row["zero_share"] for row in rows] == [1 - 12 / 40, 0.75, 0.75, 0.75]
    assert sum(row["cycles"] for row in rows) == predict(program).step_cycles
    assert all(0 < row["ideal"] <= row["cycles"] for row in rows)
    for row in circulant.memory_use(program):
        assert 0 < row["used"] <= row["bits"], row
    about = circulant.describe(None, program)
    assert [layer["stored"] for layer in about["layers"]] == [4 * 8 * 3 + 8, 3 * 8 * 3]
    assert about["input_shape"] == ["steps", 6] and about["output_shape"] == ["steps", 8]


@pytest.mark.parametrize("preset", circulant.PRESETS)
def test_every_preset_has_a_network_for_its_bench(preset):
    config = circulant.PRESETS[preset]
    program = circulant.encode(circulant.selftest(config), config)
    x = circulant.random_input(program, 2, np.random.default_rng(0))
    assert x.shape[1] > 1 and x.max() > 1800 and circulant.golden(program, x).values.any()
    again = circulant.load(circulant.save(program), config)
    assert np.array_equal(again.to_words(), program.to_words()) and again.metadata == json.loads(
        json.dumps(program.metadata))
    assert [row[1] for row in circulant.REGISTERS] == [
        "ID", "VERSION", "LANES", "WIDTHS", "CONTROL", "STATUS", "LOAD_CYCLES", "RUN_CYCLES", "BATCHES",
        "DEPTH_ROWS", "DEPTH_WEIGHTS", "DEPTH_TABLE", "DEPTH_VECTOR", "ARRAYS"]


def test_an_engine_without_an_lstm_s_parts_gets_a_gru():
    config = replace(TINY, cell_tanh=False, peepholes=False)
    assert [layer.cell for layer in circulant.selftest(config).network.layers] == [
        Gru(inputs=5, hidden=8, reset="after", update="keeps")]
    small = replace(TINY, weight_depth=20)
    assert [layer.cell for layer in circulant.selftest(small).network.layers] == [Gru(inputs=4, hidden=4)]
    with pytest.raises(FlowError, match=r"^Memories must be large enough for one small network, not smaller "
                                        r"\(row_depth must be at least \d+, not 4\)$"):
        circulant.selftest(replace(TINY, row_depth=4))


def test_a_build_folder(root):
    folder, module, program = build.loaded(root / "net")
    assert module is circulant and folder.manifest["cycles"] == {
        "run": [7 * predict(program).step_cycles] * 8}
    x, expected = (np.load(folder.file(name)) for name in build.VECTORS)
    assert np.array_equal(x, circulant.quantize(program, X[:8]))
    assert np.array_equal(module.golden(program, x).values, expected)
    page = render(results_of(root / "net"))
    for text in ("Not stored", "cycles a step", "layer0 i f g o", "not stored, %", "sequences side by side"):
        assert text in page, text


def test_golden_and_hardware_may_differ_in_cycles_of_input_alone(program):
    a = circulant.golden(program, circulant.inputs(program, X))
    assert differences(replace(a, load_cycles=a.run_cycles), a) == []
    assert differences(replace(a, run_cycles=a.run_cycles + 1), a) == [
        f"run_cycles must be the golden model's, but 9 of 9 differ, first at (0,): {a.run_cycles[0] + 1}, "
        f"not {a.run_cycles[0]}"]


def test_verify_has_sequences_of_several_lengths(program, monkeypatch, tmp_path):
    from shiftwork.sim import verify as bench

    asked = {}
    monkeypatch.setattr(bench, "verify", lambda *arguments, **more: asked.update(
        more, packets=arguments[3], expected=arguments[4]))
    circulant.verify("", program, circulant.inputs(program, X)[:, :5], tmp_path)
    steps = [5, 4, 3, 2, 1, 5, 4, 3, 2]
    assert asked["step"] == (4, 8)      # 2 blocks of 2 beats, 8 outputs
    assert [len(one) for one in asked["packets"]] == [4 * n for n in steps]
    assert [len(one) for one in asked["expected"]] == [8 * n for n in steps]
    assert asked["run_cycles"].tolist() == [n * predict(program).step_cycles for n in steps]


GENERATE = [
    ("block=12", "block must be 4, 8, 16, 32 or 64, not 12"),
    ("rows=0", "rows must be between 1 and 64, not 0"),
    ("vector_width=17", "vector_width must be between 8 and 16, not 17"),
    ("spectrum_depth=100", "spectrum_depth must be a power of two, not 100"),
    ("row_depth=4", "Memories must be large enough for one small network, not smaller (row_depth must be at "
     "least "),
    ("forward_shifts=1", "forward_shifts must be 2 numbers, each 0 or 1, not (1,)"),
    ("lanes=8", "Key of --set must be one of block, rows, "),
]


@pytest.mark.parametrize("setting, sentence", GENERATE)
def test_generate_refuses(capsys, tmp_path, setting, sentence):
    found = refused(capsys, "generate", "circulant", "--preset", "tiny", "--set", setting, "-o",
                    tmp_path / "o")
    assert found.startswith(sentence) and not list(tmp_path.iterdir())


BUILD = [
    ("net", "x", ("weight_depth=16",), "weight_depth must be at least "),
    ("net", "x", ("peepholes=false",), "peepholes must be True for layer0, not False"),
    ("six", "x", (), "hidden of layer0 must be a multiple of the block size 4, not 6"),
    ("eight", "x", (), "array input of layer0 must be first columns of blocks of 4, not of shape "
     "(3, 1, 1, 8)"),
    ("net", None, (), "Range of the input must be measured (--calibrate X.npy, typical sequences), "
     "not left open"),
    ("net", "wide", (), "Input must have shape (n, steps, 6) with n and steps >= 1, not (2, 3, 7)"),
    ("net", "short", (), "Input must have shape (n, steps, 6) with n and steps >= 1, not (6,)"),
    ("absent", "x", (), "network file {root}/absent.npz must exist, not be absent"),
]


@pytest.mark.parametrize("name, x, settings, sentence", BUILD)
def test_build_refuses(capsys, tmp_path, root, name, x, settings, sentence):
    settings = [part for setting in settings for part in ("--set", setting)]
    calibrate = ["--calibrate", root / f"{x}.npy"] if x else []
    found = refused(capsys, "build", root / f"{name}.npz", "--engine", "circulant", "--preset", "tiny",
                    *settings, *calibrate, "-o", tmp_path / "o")
    assert found.startswith(sentence.replace("{root}", str(root))) and not list(tmp_path.iterdir())


def test_a_recurrent_network_is_none_of_the_other_engines(capsys, tmp_path, root):
    """.. and the reverse."""
    found = refused(capsys, "build", root / "net.npz", "--engine", "ternary", "-o", tmp_path / "o")
    assert found == (f"Network {root}/net.npz must be without LSTM and GRU, which --engine circulant runs, "
                     "not with")
    save_images(convolutional((1, 8, 8), (4,), 10, {1}, 3), tmp_path / "images.npz")
    found = refused(capsys, "build", tmp_path / "images.npz", "--engine", "circulant", "-o", tmp_path / "o")
    assert found == (f"Network {tmp_path}/images.npz must have an LSTM or a GRU, not only "
                     "BatchNormalization, Conv, Flatten, Gemm, MaxPool, Relu")


@pytest.mark.parametrize("x, sentence", [
    ("wide", "Input must have shape (n, steps, 6) with n and steps >= 1, not (2, 3, 7)"),
    ("great", "Input of integers must be within -2048 .. 2047, not 2048 .. 2048"),
])
def test_run_refuses(capsys, tmp_path, root, x, sentence):
    arguments = "run", root / "net", "--input", root / f"{x}.npy", "-o", tmp_path / "y.npy"
    assert refused(capsys, *arguments) == sentence and not list(tmp_path.iterdir())


def test_programs_of_others_are_refused(program):
    files = circulant.save(program)
    message = "^program.json must be a program's metadata, not without sequences, inputs, "
    with pytest.raises(FlowError, match=message):
        circulant.load({**files, "program.json": b"{}"}, TINY)
    with pytest.raises(ProgramError, match="^Fingerprint must be the engine's 0x"):
        circulant.load(files, replace(TINY, acc_width=35))


def test_floats_are_rounded_half_to_even_and_limited(program):
    scale = program.metadata["input_scale"]
    x = np.zeros((1, 1, 6)) + np.array([0.5, 1.5, -2.5, 1e9, -1e9, 3]) * scale
    assert circulant.inputs(program, x)[0, 0].tolist() == [0, 2, -2, 2047, -2048, 3]
    assert np.array_equal(circulant.inputs(program, x[0]), circulant.inputs(program, x))


def test_a_trained_network_is_in_blocks_of_the_board(monkeypatch):
    from shiftwork.flow import recipes_circulant

    asked = {}

    def train(seed, progress, *, data, sizes):
        asked.update(seed=seed, sizes=sizes)
        size, = sizes
        net = RecurrentNetwork.random([Layer(cell=Gru(inputs=8, hidden=32))], 10)
        return recipes_circulant.Trained(network=net, accuracy=0.75, accuracies={size: 0.5},
                                         compressed={size: compress(net, Options.of(size))})

    monkeypatch.setattr(recipes_circulant, "train_rows", train)
    found, config = circulant.train_digits(3), circulant.PRESETS["ulx3s-85f"]
    assert asked == {"seed": 3, "sizes": (config.block,)}
    assert (found.accuracy, found.compressed_accuracy) == (0.75, 0.5)
    assert found.rate == 32 / 12 * 8
    assert circulant.encode(found.integer, config).metadata["inputs"] == 8


