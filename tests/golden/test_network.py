import json
import zipfile

import numpy as np
import pytest
from shiftwork.golden.common.network import Network, Node, calibrate, load, save

RNG = np.random.default_rng(0)
ARRAYS = {
    "w1": RNG.standard_normal((4, 2, 3,
                               2)).astype(np.float32), "b1": RNG.standard_normal(4).astype(np.float32),
    "gamma": RNG.uniform(0.5, 2, 4).astype(np.float32), "beta": RNG.standard_normal(4).astype(np.float32),
    "mean": RNG.standard_normal(4).astype(np.float32), "var": RNG.uniform(0.5, 2, 4).astype(np.float32),
    "w2": RNG.standard_normal((24, 3)).astype(np.float32), "b2": RNG.standard_normal(3).astype(np.float32),
}
CONV = {"kernel_shape": [3, 2], "strides": [1, 2], "pads": [1, 0, 2, 1], "group": 1, "dilations": [1, 1]}


def nodes(conv=None, pool=None, gemm=None, conv_inputs=("x", "w1", "b1"), norm="BatchNormalization"):
    return [
        dict(op_type="Conv", name="c", inputs=list(conv_inputs), outputs=["c"],
             attributes={**CONV, **(conv or {})}),
        dict(op_type=norm, name="n", inputs=["c", "gamma", "beta", "mean", "var"], outputs=["n"],
             attributes={"epsilon": 1e-3}),
        dict(op_type="Relu", name="r", inputs=["n"], outputs=["r"], attributes={}),
        dict(op_type="MaxPool", name="p", inputs=["r"], outputs=["p"],
             attributes={"kernel_shape": [2, 2], "strides": [2, 1], **(pool or {})}),
        dict(op_type="Flatten", name="f", inputs=["p"], outputs=["f"], attributes={"axis": 1}),
        dict(op_type="Gemm", name="g", inputs=["f", "w2", "b2"], outputs=["y"], attributes=gemm or {}),
    ]


def network(arrays=None, node_list=None, **settings):
    settings = {"input_shape": (2, 4, 6), "output_name": "y", **settings}
    return Network(nodes=tuple(Node(**n) for n in node_list or nodes()), arrays=arrays or ARRAYS, **settings)


def brute_force(x):
    """The same network, pixel by pixel."""
    a = {k: v.astype(np.float64) for k, v in ARRAYS.items()}
    out = []
    for image in x.astype(np.float64):
        padded = np.zeros((2, 7, 7))
        padded[:, 1:5, 0:6] = image
        y = np.array([[[np.sum(a["w1"][m] * padded[:, i:i + 3,
                                                   2 * j:2 * j + 2]) + a["b1"][m] for j in range(3)]
                       for i in range(5)] for m in range(4)])
        y = np.array([(y[m] - a["mean"][m]) / np.sqrt(a["var"][m] + 1e-3) * a["gamma"][m] + a["beta"][m]
                      for m in range(4)])
        y = np.maximum(y, 0)
        y = np.array([[[y[m, 2 * i:2 * i + 2, j:j + 2].max() for j in range(2)] for i in range(2)]
                      for m in range(4)])
        out.append(y.reshape(-1) @ a["w2"][:16] + a["b2"])
    return np.array(out)


SMALL = {**ARRAYS, "w2": ARRAYS["w2"][:16]}


def test_forward_is_the_pixel_by_pixel_computation():
    x = np.random.default_rng(1).standard_normal((7, 2, 4, 6)).astype(np.float32)
    net = network(SMALL)
    assert net.shapes == {"x": (2, 4, 6), "c": (4, 5, 3), "n": (4, 5, 3), "r": (4, 5, 3), "p": (4, 2, 2),
                          "f": (16,), "y": (3,)}
    # Sums of 12 and 16 float32 products of magnitude below 100: a relative 2e-6 each.
    np.testing.assert_allclose(net.forward(x), brute_force(x), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(net.forward(x, batch=2).shape, (7, 3))


def test_transposed_gemm_is_the_same():
    x = np.random.default_rng(1).standard_normal((3, 2, 4, 6)).astype(np.float32)
    turned = network({**SMALL, "w2": SMALL["w2"].T.copy()}, nodes(gemm={"transB": 1}))
    np.testing.assert_array_equal(turned.forward(x), network(SMALL).forward(x))


def residual(arrays=None, add=("g", "x")):
    """Two Gemms, the first within a residual, whose sum is added to itself."""
    node_list = (Node(op_type="Gemm", name="g", inputs=["x", "w"], outputs=["g"]),
                 Node(op_type="Add", name="a", inputs=add, outputs=["a"]),
                 Node(op_type="Add", name="b", inputs=["a", "a"], outputs=["b"]),
                 Node(op_type="Gemm", name="y", inputs=["b", "v"], outputs=["y"]))
    arrays = arrays or {"w": np.array([[0, 1], [0, 2.0]]), "v": np.array([[3.0], [5]])}
    return Network(nodes=node_list, arrays=arrays, input_shape=(2,), output_name="y")


def test_add_sums_two_activations(tmp_path):
    net = residual()
    x = np.array([[1, 10], [-1, 4]], np.float32)
    assert net.activations(x)["a"].T.tolist() == [[1, 31], [-1, 11]]
    assert net.forward(x).tolist() == [[2 * (3 + 5 * 31)], [2 * (-3 + 5 * 11)]]
    assert [node.sources for node in net.nodes] == [("x",), ("g", "x"), ("a", "a"), ("b",)]
    save(net, tmp_path / "a.npz")
    again = load(tmp_path / "a.npz")
    assert again.nodes == net.nodes and np.array_equal(again.forward(x), net.forward(x))


@pytest.mark.parametrize("arrays, add, message", [
    (None, ("g", "z"), "Add 'a' input must be the output of an earlier node, not 'z'"),
    (None, ("w", "g"), "Add 'a' input must be the output of an earlier node, not 'w'"),
    (None, ("g",), "Add 'a' must have 2 to 2 inputs, not 1"),
    ({"w": np.ones((2, 3))}, ("g", "x"), r"Add 'a' inputs must have equal shapes, not \(3,\) and \(2,\)"),
])
def test_refuses_sums(arrays, add, message):
    with pytest.raises(ValueError, match=message):
        residual(arrays, add)


def test_saves_the_same_bytes_and_loads_the_same_network(tmp_path):
    net = calibrate(network(SMALL), np.random.default_rng(2).standard_normal((20, 2, 4, 6)))
    save(net, tmp_path / "a.npz")
    save(network(dict(reversed(SMALL.items())), ranges=dict(reversed(net.ranges.items()))),
         tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    again = load(tmp_path / "a.npz")
    assert (again.nodes, again.ranges, again.shapes) == (net.nodes, net.ranges, net.shapes)
    assert all(np.array_equal(again.arrays[k], v) for k,
               v in SMALL.items()) and again.arrays.keys() == SMALL.keys()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_calibrate_clips_for_least_error_and_keeps_a_given_input_range():
    x = np.random.default_rng(3).standard_normal((50, 2, 4, 6))
    net = calibrate(network(SMALL), x)
    values = net.activations(x)
    assert net.ranges["x"] == (values["x"].min(), values["x"].max())
    assert net.ranges["r"][0] == 0 and 0 < net.ranges["r"][1] <= values["r"].max()
    assert net.ranges["c"][0] == -net.ranges["c"][1]

    def error(clip):
        return np.mean((np.clip(np.round(values["r"] / clip * 255), 0, 255) * clip / 255 - values["r"]) ** 2)

    assert error(net.ranges["r"][1]) <= min(error(values["r"].max() * f) for f in (1, 0.9, 0.7, 0.5))
    assert calibrate(network(SMALL, ranges={"x": (-9.0, 9.0)}), x).ranges["x"] == (-9, 9)


def test_calibrate_clips_an_outlier():
    relu = Node(op_type="Relu", name="r", inputs=["x"], outputs=["y"])
    x = np.random.default_rng(0).random((2000, 1))
    x[7] = 2
    # Mean error of 15 levels up to 2: (2 / 15) ** 2 / 12 = 0.0015; up to 1: a quarter of it, and 1 / 2000.
    net = calibrate(Network(nodes=(relu,), arrays={}, input_shape=(1,), output_name="y"), x, bits=4)
    assert 0.9 < net.ranges["y"][1] < 1.4 and net.ranges["x"] == (0, 2)


@pytest.mark.parametrize("node_list, message", [
    (nodes(norm="Softmax"), "Softmax 'n' must be one of Conv, Gemm, .*, not Softmax"),
    (nodes(conv={"group": 3}), "Conv 'c' attribute group must be 1, or 2, the channels .*, not 3"),
    (nodes(conv={"dilations": [2, 1]}), r"Conv 'c' attribute dilations must be \(1, 1\), not \(2, 1\)"),
    (nodes(conv={"auto_pad": "SAME_UPPER"}), "Conv 'c' attribute auto_pad must be NOTSET, not SAME_UPPER"),
    (nodes(pool={"ceil_mode": 1}), "MaxPool 'p' attribute ceil_mode must be 0, not 1"),
    (nodes(pool={"pads": [1, 1, 1, 1]}), "MaxPool 'p' attribute pads must be .*, not"),
    (nodes(gemm={"alpha": 0.5}), "Gemm 'g' attribute alpha must be 1.0, not 0.5"),
    (nodes(gemm={"transB": 2}), "Gemm 'g' attribute transB must be 0 or 1, not 2"),
    (nodes(gemm={"color": 2}), "Gemm 'g' attributes must be alpha, .*, not color"),
    (nodes(conv={"strides": [0, 1]}), "Conv 'c' attribute strides must be 2 integers of at least 1, not"),
    (nodes(conv={"pads": [1, 1]}), "Conv 'c' attribute pads must be 4 integers of at least 0, not"),
    (nodes(conv={"kernel_shape": [3, 3]}), "Conv 'c' weight 'w1' must have shape .x2x3x3, not 4x2x3x2"),
    (nodes(pool={"kernel_shape": [9, 9]}),
     "MaxPool 'p' kernel must fit into the padded map of 5x3, not be 9x9"),
    (nodes(conv_inputs=("x", "w9")),
     "Conv 'c' weight must be an array of the file, not the missing tensor 'w9'"),
    (nodes(conv_inputs=("z", "w1")), "Conv 'c' input must be the output of an earlier node, not 'z'"),
    (nodes(conv_inputs=("x",)), "Conv 'c' must have 2 to 3 inputs, not 1"),
    (nodes(conv_inputs=("x", "b1")), "Conv 'c' weight 'b1' must have 4 dimensions, not 1"),
    (nodes()[:4] + nodes()[5:], "Gemm 'g' input must be|output of an earlier node"),
    (nodes() + nodes()[-1:], "Gemm 'g' must have a name of its own"),
    ([{**nodes()[0], "outputs": ["c", "d"]}], "Conv 'c' must have one output, not 2"),
    ([{**nodes()[0], "outputs": ["x"]}], "Conv 'c' output must be a new tensor, not 'x' again"),
    (nodes()[:2] + [dict(op_type="MaxPool", name="p", inputs=["n"], outputs=["y"], attributes={})],
     "MaxPool 'p' must have the attribute kernel_shape"),
    ([dict(op_type="Gemm", name="g", inputs=["x", "w2"], outputs=["y"])],
     r"Gemm 'g' input must be a vector \(flatten it first\), not of shape \(2, 4, 6\)"),
])
def test_refuses_graphs(node_list, message):
    with pytest.raises(ValueError, match=message):
        network(SMALL, node_list)


@pytest.mark.parametrize("arrays, settings, message", [
    ({"w1": np.full((4, 2, 3, 2), np.nan)}, {}, "array 'w1' must be finite, not contain NaN or infinity"),
    ({"b2": np.full(3, np.inf)}, {}, "array 'b2' must be finite"),
    ({"b2": np.array(["a", "b", "c"])}, {}, "array 'b2' must be of numbers, not <U1"),
    ({"var": -np.ones(4)}, {}, "BatchNormalization 'n' variance must not be negative, not -1"),
    ({"gamma": np.ones(5)}, {}, "BatchNormalization 'n' scale 'gamma' must have shape 4, not 5"),
    ({"w2": np.ones((24, 3))}, {}, "Gemm 'g' weight 'w2' must have shape 16x., not 24x3"),
    ({}, {"input_shape": (4, 6)}, r"input shape must be \(K,\) or \(channels, rows, columns\), not \(4, 6\)"),
    ({}, {"input_shape": (3, 4, 6)}, "Conv 'c' weight 'w1' must have shape .x3x3x2, not 4x2x3x2"),
    ({}, {"output_name": "z"}, "output must be a tensor of the graph, not 'z'"),
    ({}, {"ranges": {"q": (0, 1)}}, "range must be of an activation of the graph, not of 'q'"),
    ({}, {"ranges": {"x": (1, 2)}}, r"range of 'x' must be \(low <= 0, high >= 0\), not \(1, 2\)"),
    ({}, {"ranges": {"x": (0, float("nan"))}}, "range of 'x' must be"),
])
def test_refuses_arrays_and_settings(arrays, settings, message):
    with pytest.raises(ValueError, match=message):
        network({**SMALL, **arrays}, **settings)


def test_refuses_inputs_of_another_shape():
    with pytest.raises(ValueError, match=r"input must be of shape \(N, 2, 4, 6\), not \(1, 2, 4, 5\)"):
        network(SMALL).forward(np.zeros((1, 2, 4, 5)))


def test_refuses_node_names_that_are_not_strings():
    with pytest.raises(ValueError, match="op_type, name, inputs and outputs must be strings, not 3"):
        Node(op_type="Relu", name="r", inputs=["x", 3], outputs=["y"])


def test_refuses_to_save_an_array_named_graph(tmp_path):
    with pytest.raises(ValueError, match="array name must not be 'graph'"):
        save(network({**SMALL, "graph": np.ones(1)}), tmp_path / "a.npz")


def write(path, **entries):
    np.savez(path, **entries)


HEAD = {"format": "shiftwork-network", "version": 1}


@pytest.mark.parametrize("make, message", [
    (lambda p: p.write_text("hello"), "must be an npz archive, not another kind of file"),
    (lambda p: p.write_bytes(b"\x93NUMPY" + bytes(99)), "must be an npz archive, not another kind of file"),
    (lambda p: write(p, w=np.ones(3)), r"must have the entry 'graph', not only \['w'\]"),
    (lambda p: write(p, graph=np.array("{")), "must be a JSON object, not something else"),
    (lambda p: write(p, graph=np.array("[1]")), "must be a JSON object, not something else"),
    (lambda p: write(p, graph=np.array(json.dumps({**HEAD, "version": 2}))),
     "must be shiftwork-network version 1, not shiftwork-network version 2"),
    (lambda p: write(p, graph=np.array(json.dumps(HEAD))),
     "must have input, output and nodes as documented, not"),
    (lambda p: write(p, graph=np.array("{}"), w=np.array([{}], object)),
     "must hold plain arrays, not others"),
])
def test_refuses_files(tmp_path, make, message):
    path = tmp_path / "net.npz"
    make(path)
    with pytest.raises(ValueError, match=message):
        load(path)


def test_refuses_damaged_and_absent_files(tmp_path):
    path = tmp_path / "net.npz"
    save(network(SMALL), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(ValueError, match="must hold plain arrays, not others"):
        load(path)
    path.write_bytes(data[:len(data) // 2])
    with pytest.raises(ValueError, match="must be an npz archive"):
        load(path)
    with pytest.raises(FileNotFoundError, match="network file .* must exist, not be absent"):
        load(tmp_path / "none.npz")
