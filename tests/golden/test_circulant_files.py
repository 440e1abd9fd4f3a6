"""Files of recurrent networks: read back, as ONNX's operators, and whatever is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.circulant.cells import Gru, Lstm
from shiftwork.golden.circulant.compress import Options, compress
from shiftwork.golden.circulant.files import is_recurrent, load, save
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.network import RecurrentNetwork, Sequences
from shiftwork.golden.common.network_file import read_file

LSTM = Lstm(inputs=6, hidden=8, projection=5, peephole=True, candidate="sigmoid", forget_bias=1.0)
GRU = Gru(inputs=6, hidden=8)


def network(*layers, head="last", seed=0):
    found = RecurrentNetwork.random(layers, 3, seed, head)
    rng = np.random.default_rng(seed)
    return replace(found, arrays={name: (rng.standard_normal(array.shape) / 2).astype(np.float32)
                                  for name, array in found.arrays.items()})


SEQUENCES = Sequences(np.random.default_rng(1).standard_normal((4, 5, 6)).astype(np.float32),
                      np.array([5, 1, 3, 5]))
CELLS = [LSTM, Lstm(inputs=6, hidden=8), GRU,
         Gru(inputs=6, hidden=8, reset="after", update="keeps", candidate="sigmoid")]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("direction, merge, head", [
    ("forward", "concatenate", "last"), ("reverse", "concatenate", "mean"), ("both", "sum", "last")])
def test_what_was_saved_is_loaded(tmp_path, cell, direction, merge, head):
    first = Layer(cell=cell, direction=direction, merge=merge)
    second = Layer(cell=Gru(inputs=first.outputs, hidden=4), direction="both")
    for net in (network(first, second, head=head), compress(network(first, second, head=head), Options(
            input=4, recurrent=8, projection=None, rounding=None)).network):
        save(net, tmp_path / "a.npz")
        save(net, tmp_path / "b.npz")
        assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
        again = load(tmp_path / "a.npz")
        assert (again.layers, again.head, again.classes) == (net.layers, net.head, 3)
        assert all(np.array_equal(again.arrays[name], array) for name, array in net.arrays.items())
        assert is_recurrent(read_file(tmp_path / "a.npz"))


def by_onnx(file, x):
    """Logits of the file's graph, each node as it stands: onnxruntime's operators."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    helper, cells = onnx.helper, [node for node in file["nodes"] if node.op_type != "Gemm"]
    for node in cells:
        made = helper.make_node(node.op_type, list(node.inputs), list(node.outputs), **node.attributes)
        feeds = {node.inputs[0]: x} | {name: file["arrays"][name] for name in node.inputs[1:] if name}
        float_ = onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            [made], "cell", [helper.make_tensor_value_info(n, float_, v.shape) for n, v in feeds.items()],
            [helper.make_tensor_value_info(n, float_, None) for n in node.outputs])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
        y, last = runtime.InferenceSession(model.SerializeToString(),
                                           providers=["CPUExecutionProvider"]).run(None, feeds)
        x = y.swapaxes(1, 2).reshape(*y.shape[:1], y.shape[2], -1)      # directions side by side
    return last.swapaxes(0, 1).reshape(last.shape[1], -1) @ file["arrays"]["head.weight"].T \
        + file["arrays"]["head.bias"]


@pytest.mark.parametrize("layers", [
    (Layer(cell=Lstm(inputs=6, hidden=8, peephole=True, candidate="sigmoid"), direction="both"),
     Layer(cell=Lstm(inputs=16, hidden=4), direction="reverse")),
    (Layer(cell=Gru(inputs=6, hidden=8, update="keeps", reset="after"), direction="both"),
     Layer(cell=Gru(inputs=16, hidden=4, update="keeps"))),
])
def test_graphs_without_our_own_attributes_are_onnx_s(tmp_path, layers):
    net = network(*layers)
    save(net, tmp_path / "a.npz")
    x = np.random.default_rng(2).standard_normal((3, 7, 6)).astype(np.float32)
    found = by_onnx(read_file(tmp_path / "a.npz"), x.swapaxes(0, 1))
    # float32 sums of some 16 products on both sides, of magnitude below 8.
    np.testing.assert_allclose(found, net.forward(Sequences(x, np.full(3, 7))), atol=1e-5)


def rewritten(path, change):
    """The file with its graph and arrays changed by ``change(graph, arrays)``."""
    with np.load(path) as archive:
        arrays = dict(archive)
    graph = json.loads(str(arrays.pop("graph")))
    change(graph, arrays)
    np.savez(path, graph=json.dumps(graph), **arrays)


def test_first_rows_are_turned_round_and_biases_are_added_or_left_out(tmp_path):
    net = compress(network(Layer(cell=GRU)), Options(input=4, recurrent=2, rounding=None)).network
    save(net, tmp_path / "a.npz")

    def turn(graph, arrays):
        graph["nodes"][0]["attributes"]["first_rows"] = 1
        for name in ("layer0.W", "layer0.R"):
            arrays[name] = np.concatenate([arrays[name][..., :1], arrays[name][..., :0:-1]], axis=-1)
        first, second = np.split(arrays["layer0.B"], 2, axis=1)
        arrays["layer0.B"] = np.concatenate([first * 0.25, second + first * 0.75], axis=1)

    rewritten(tmp_path / "a.npz", turn)
    found = load(tmp_path / "a.npz")
    assert np.array_equal(found.arrays["layer0.forward.input"], net.arrays["layer0.forward.input"])
    np.testing.assert_allclose(found.forward(SEQUENCES), net.forward(SEQUENCES), atol=1e-6)

    def leave(graph, arrays):
        graph["nodes"][0]["inputs"][3] = ""
        graph["nodes"][1] |= {"inputs": ["layer0.last", "head.weight"], "attributes": {}}
        arrays["head.weight"] = arrays["head.weight"].T
        del arrays["layer0.B"], arrays["head.bias"]

    rewritten(tmp_path / "a.npz", leave)
    found = load(tmp_path / "a.npz")
    assert not found.arrays["layer0.forward.bias"].any() and not found.arrays["head.bias"].any()
    assert np.array_equal(found.arrays["head.weight"], net.arrays["head.weight"])


def attribute(**values):
    return lambda graph, arrays: graph["nodes"][0]["attributes"].update(values)


def inputs(number, value):
    return lambda graph, arrays: graph["nodes"][0]["inputs"].__setitem__(number, value)


def node(number, **values):
    return lambda graph, arrays: graph["nodes"][number].update(values)


def array(name, value):
    return lambda graph, arrays: arrays.__setitem__(name, value(arrays.get(name)))


REFUSED = [
    (attribute(clip=3.0), "LSTM 'layer0' attributes must be activations, block_sizes, direction, first_rows, "
     "forget_bias, hidden_size, input_forget, layout, merge, projection_size, not clip"),
    (attribute(layout=1), "LSTM 'layer0' attribute layout must be 0, not 1"),
    (attribute(input_forget=1), "LSTM 'layer0' attribute input_forget must be 0, not 1"),
    (attribute(hidden_size=0), "LSTM 'layer0' attribute hidden_size must be an integer of at least 1, not 0"),
    (attribute(projection_size=-1), "LSTM 'layer0' attribute projection_size must be an integer of at least "
     "0, not -1"),
    (attribute(direction="both"), "LSTM 'layer0' attribute direction must be forward or reverse or "
     "bidirectional, not 'both'"),
    (attribute(merge="mean"), "LSTM 'layer0' attribute merge must be concatenate or sum, not 'mean'"),
    (attribute(first_rows=2), "LSTM 'layer0' attribute first_rows must be 0 or 1, not 2"),
    (attribute(forget_bias="1"), "LSTM 'layer0' attribute forget_bias must be a number, not '1'"),
    (attribute(activations=["Relu"]), "LSTM 'layer0' attribute activations must be Sigmoid, Tanh, Tanh or "
     "Sigmoid, Sigmoid, Tanh, not ('Relu',)"),
    (attribute(activations=[{}]), "LSTM 'layer0' attribute activations must be Sigmoid, Tanh, Tanh or "
     "Sigmoid, Sigmoid, Tanh, not ({},)"),
    (attribute(block_sizes=[3, 0, 0]), "LSTM 'layer0' attribute block_sizes must be a number for each of W, "
     "R, projection, 0 or one of 2, 4, 8, 16, 32, 64, not (3, 0, 0)"),
    (attribute(block_sizes=[4, 4]), "LSTM 'layer0' attribute block_sizes must be a number for each of W, R, "
     "projection, 0 or one of 2, 4, 8, 16, 32, 64, not (4, 4)"),
    (attribute(block_sizes=[4, 0, 0]), "LSTM 'layer0' input W must be of shape (1, 4, 2, 2, 4), "
     "not (1, 32, 6)"),
    (attribute(hidden_size=9), "LSTM 'layer0' input W must be of shape (1, 36, 6), not (1, 32, 6)"),
    (node(0, outputs=["y"]), "LSTM 'layer0' must have 2 outputs, Y and Y_h, not 1"),
    (node(0, inputs=["x", "layer0.W"]), "LSTM 'layer0' must have 3 to 9 inputs, not 2"),
    (inputs(0, "z"), "LSTM 'layer0' input must be 'x', not 'z'"),
    (inputs(1, "w"), "LSTM 'layer0' input W must be an array of the file, not the missing 'w'"),
    (inputs(2, ""), "LSTM 'layer0' input R must be an array, not left out"),
    (inputs(4, "layer0.W"), "LSTM 'layer0' must be without sequence_lens, not have 'layer0.W' there"),
    (inputs(8, ""), "LSTM 'layer0' input projection must be an array, not left out"),
    (attribute(projection_size=0), "LSTM 'layer0' input projection must be left out, "
     "not 'layer0.projection'"),
    (array("layer0.P", lambda p: p[:, 1:]), "LSTM 'layer0' input P must be of shape (1, 24), not (1, 23)"),
    (array("layer0.R", lambda r: r.astype(int)), "LSTM 'layer0' input R must be of finite floats, not int64"),
    (array("layer0.B", lambda b: b * np.nan), "LSTM 'layer0' input B must be of finite floats, not with NaN "
     "or infinity"),
    (array("more", lambda _: np.zeros(3)), "arrays must be those that nodes read, not also more"),
    (node(0, op_type="RNN"), "nodes must begin with an LSTM or a GRU, not RNN"),
    (lambda graph, _: graph.update(nodes=[]), "nodes must begin with an LSTM or a GRU, not end there"),
    (lambda graph, _: graph["input"].update(shape=[5, 6]), "input shape must be steps and a number of at "
     "least 1, not (5, 6)"),
    (lambda graph, _: graph.update(output="y"), "output must be that of the Gemm, 'logits', not 'y'"),
    (node(1, inputs=["layer1"]), "GRU 'layer1' input must be 'layer0', not 'layer1'"),
    (lambda graph, _: graph["nodes"].pop(), "nodes behind the layers must be a Gemm, with or without a "
     "ReduceMean before it, not missing"),
    (node(2, op_type="Relu"), "nodes behind the layers must be a Gemm, with or without a ReduceMean before "
     "it, not Relu"),
    (node(2, inputs=["layer1", "head.weight"]), "Gemm 'logits' input must be 'layer1.last', not 'layer1'"),
    (node(2, inputs=["layer1.last"]), "Gemm 'logits' must have 2 or 3 inputs, not 1"),
    (node(2, inputs=["layer1.last", "w"]), "Gemm 'logits' inputs must be arrays of the file, not the missing "
     "'w'"),
    (node(2, attributes={"alpha": 2.0}), "Gemm 'logits' attributes must be transB, 0 or 1, not "
     "{'alpha': 2.0}"),
    (node(2, attributes={}), "Gemm 'logits' weight must be of shape (classes, 4), not (4, 3)"),
    (array("head.bias", lambda b: b[:2]), "Gemm 'logits' bias must be of shape (3,), not (2,)"),
    (array("head.weight", lambda w: w > 0), "Gemm 'logits' weight must be of finite floats, not bool"),
    (array("head.bias", lambda b: b + np.inf), "Gemm 'logits' bias must be of finite floats, not with NaN or "
     "infinity"),
    (lambda graph, _: graph.update(version=2), "graph of {path} must be shiftwork-network version 1, "
     "not shiftwork-network version 2"),
]


@pytest.mark.parametrize("change, message", REFUSED, ids=[m[:60] for _, m in REFUSED])
def test_refuses(tmp_path, change, message):
    path = tmp_path / "a.npz"
    save(network(Layer(cell=LSTM), Layer(cell=Gru(inputs=5, hidden=4))), path)
    rewritten(path, change)
    with pytest.raises(ValueError) as raised:
        load(path)
    assert str(raised.value) == message.replace("{path}", str(path))


GRU_REFUSED = [
    (attribute(linear_before_reset=2), "GRU 'layer0' attribute linear_before_reset must be 0 or 1, not 2"),
    (attribute(update="resets"), "GRU 'layer0' attribute update must be keeps or updates, not 'resets'"),
    (attribute(forget_bias=1.0), "GRU 'layer0' attributes must be activations, block_sizes, direction, "
     "first_rows, hidden_size, layout, linear_before_reset, merge, update, not forget_bias"),
    (node(1, attributes={"axes": [1]}), "ReduceMean 'mean' must have axes (0,), keepdims 0 and one output, "
     "not {'axes': (1,)} and 1"),
    (node(1, inputs=["layer0.last"]), "ReduceMean 'mean' input must be 'layer0', not 'layer0.last'"),
    (node(2, inputs=["layer0.last", "head.weight"]), "Gemm 'logits' input must be 'mean', "
     "not 'layer0.last'"),
]


@pytest.mark.parametrize("change, message", GRU_REFUSED, ids=[m[:60] for _, m in GRU_REFUSED])
def test_refuses_of_a_gru_and_a_mean(tmp_path, change, message):
    save(network(Layer(cell=GRU), head="mean"), tmp_path / "a.npz")
    rewritten(tmp_path / "a.npz", change)
    with pytest.raises(ValueError) as raised:
        load(tmp_path / "a.npz")
    assert str(raised.value) == message


def test_directions_of_two_block_sizes_have_no_file(tmp_path):
    net = network(Layer(cell=GRU, direction="both"))
    one = compress(net, Options.of(4)).network.arrays["layer0.reverse.input"]
    with pytest.raises(ValueError, match="^both directions of layer 0 must have one block size of input, "):
        save(replace(net, arrays={**net.arrays, "layer0.reverse.input": one}), tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())
