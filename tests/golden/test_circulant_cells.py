"""Cells over sequences against ONNX's LSTM and GRU operators, as onnxruntime computes them."""

from itertools import product

import numpy as np
import pytest
from shiftwork.golden.circulant.cells import Gru, Lstm, dense_matrices, initial, sigmoid
from shiftwork.golden.circulant.layers import Layer, layer_forward
from shiftwork.golden.circulant.matrix import BlockCirculant, project

STEPS, BATCH, INPUTS, HIDDEN = 7, 5, 6, 8
LENGTHS = np.array([7, 1, 4, 7, 5])
ORDERS = {Lstm: [0, 3, 1, 2], Gru: [0, 1, 2]}      # ONNX's gates i, o, f, c and z, r, h


def operator(layer, arrays, x, lengths, states):
    """Y (T, ways, N, hidden) and the last states (ways, N, hidden) of the ONNX operator."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    cell, helper = layer.cell, onnx.helper
    kind, order, gates = ("LSTM" if isinstance(cell, Lstm) else "GRU"), ORDERS[type(cell)], cell.gates

    def stacked(part):
        return np.stack([arrays[way][part].reshape(gates, cell.hidden, -1)[order].reshape(
            gates * cell.hidden, -1) for way in layer.ways])

    bias, second = stacked("bias")[..., 0], np.zeros((len(layer.ways), gates, cell.hidden))
    if kind == "LSTM":
        second[:, 2] = cell.forget_bias
    elif cell.reset == "after":
        second[:, 2] = [arrays[way]["recurrent_bias"] for way in layer.ways]
    feeds = {"X": x, "W": stacked("input"), "R": stacked("recurrent"),
             "B": np.concatenate([bias, second.reshape(len(bias), -1)], axis=1),
             "lengths": lengths.astype(np.int32)}
    feeds |= {name: np.stack([states[way][n] for way in layer.ways])
              for n, name in enumerate(("h0", "c0")[:len(cell.states)])}
    squash = {"tanh": "Tanh", "sigmoid": "Sigmoid"}[cell.candidate]
    attributes = {"hidden_size": cell.hidden, "direction": {"both": "bidirectional"}.get(
        layer.direction, layer.direction)}
    if kind == "LSTM":
        attributes |= {"activations": ["Sigmoid", squash, "Tanh"] * len(layer.ways), "input_forget": 0}
        if cell.peephole:       # i, f, o here; ONNX has i, o, f
            feeds["P"] = np.stack([arrays[way]["peephole"].reshape(3, -1)[[0, 2, 1]].ravel()
                                   for way in layer.ways])
    else:
        attributes |= {"activations": ["Sigmoid", squash] * len(layer.ways),
                       "linear_before_reset": int(cell.reset == "after")}
    feeds = {name: value if name == "lengths" else value.astype(np.float32) for name, value in feeds.items()}
    types = {name: onnx.TensorProto.INT32 if name == "lengths" else onnx.TensorProto.FLOAT for name in feeds}
    slots = ["X", "W", "R", "B", "lengths", "h0", "c0", "P"]
    results = ["Y", "Y_h", "Y_c"][:1 + len(cell.states)]
    node = helper.make_node(kind, [name if name in feeds else "" for name in slots[:8 if "P" in feeds else 7]]
                            if kind == "LSTM" else slots[:6], results, **attributes)
    state = len(layer.ways), x.shape[1], cell.hidden
    graph = helper.make_graph(
        [node], "cell", [helper.make_tensor_value_info(n, types[n], v.shape) for n, v in feeds.items()],
        [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, shape)
         for n, shape in zip(results, [(len(x), *state), state, state], strict=False)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(results, feeds)


def check(cell, direction):
    layer, rng = Layer(cell=cell, direction=direction), np.random.default_rng(0)
    # Weights of deviation 0.5 drive all gates out of their linear range.
    arrays = {way: {part: 0.5 * rng.standard_normal(shape) for part, shape in cell.shapes.items()}
              for way in layer.ways}
    states = {way: tuple(rng.uniform(-1, 1, (BATCH, width)) for width in cell.states) for way in layer.ways}
    x = rng.standard_normal((STEPS, BATCH, INPUTS))
    y, last, _ = layer_forward(layer, arrays, x, LENGTHS, states)
    turned = {**arrays}
    if isinstance(cell, Gru) and cell.update == "updates":
        # sig(-a) = 1 - sig(a): negated weights of z make ONNX's z what ours is.
        sign = np.array([-1, 1, 1]).reshape(3, 1, 1)
        turned = {way: {part: (array.reshape(3, cell.hidden, -1) * sign).reshape(array.shape)
                        if part != "recurrent_bias" else array for part, array in parts.items()}
                  for way, parts in arrays.items()}
    wanted = operator(layer, turned, x, LENGTHS, states)
    # float32 sums of some 15 products on their side.
    np.testing.assert_allclose(y, np.concatenate(wanted[0].swapaxes(0, 1), axis=-1), atol=3e-6)
    for n, found in enumerate(wanted[1:]):
        np.testing.assert_allclose(np.stack([last[way][n] for way in layer.ways]), found, atol=3e-6)


@pytest.mark.parametrize("direction", ["forward", "reverse", "both"])
@pytest.mark.parametrize("peephole, candidate, forget_bias", [
    *product((False, True), ("tanh", "sigmoid"), (0, 1))])
def test_lstm_is_onnx_s(peephole, candidate, forget_bias, direction):
    check(Lstm(inputs=INPUTS, hidden=HIDDEN, peephole=peephole, candidate=candidate,
               forget_bias=float(forget_bias)), direction)


@pytest.mark.parametrize("direction", ["forward", "reverse", "both"])
@pytest.mark.parametrize("reset, update, candidate", [
    *product(("before", "after"), ("updates", "keeps"), ("tanh", "sigmoid"))])
def test_gru_is_onnx_s(reset, update, candidate, direction):
    check(Gru(inputs=INPUTS, hidden=HIDDEN, reset=reset, update=update, candidate=candidate), direction)


def by_the_equations(cell, w, x):
    """y of the LSTM of the papers with projection, entry by entry in plain loops of one sequence."""
    y, c, out = np.zeros(cell.outputs), np.zeros(cell.hidden), []
    bias, (p_i, p_f, p_o) = w["bias"].reshape(4, -1), w["peephole"].reshape(3, -1)
    for frame in x:
        a = [w["input"][k] @ frame + w["recurrent"][k] @ y + bias[k] for k in range(4)]
        i, f = 1 / (1 + np.exp(-a[0] - p_i * c)), 1 / (1 + np.exp(-a[1] - p_f * c - cell.forget_bias))
        c = f * c + i / (1 + np.exp(-a[2]))
        y = w["projection"][0] @ (np.tanh(c) / (1 + np.exp(-a[3] - p_o * c)))
        out.append(y)
    return np.array(out)


def test_projection_is_the_equations_and_circulant_arrays_are_matrices():
    cell = Lstm(inputs=6, hidden=9, projection=5, peephole=True, candidate="sigmoid", forget_bias=1.0)
    rng = np.random.default_rng(1)
    arrays = {part: rng.standard_normal(shape) for part, shape in cell.shapes.items()}
    tied = {part: project(array, 4) if array.ndim == 3 else array for part, array in arrays.items()}
    dense = dense_matrices(cell, tied)
    for gate in range(4):
        block = BlockCirculant(shape=(9, 5), columns=tied["recurrent"][gate])
        assert np.array_equal(dense["recurrent"][gate], block.dense())
    x = rng.standard_normal((6, 2, 6))
    y, last, _ = layer_forward(Layer(cell=cell), {"forward": tied}, x, np.array([6, 4]))
    np.testing.assert_allclose(y[:, 0], by_the_equations(cell, dense, x[:, 0]), atol=1e-12)
    np.testing.assert_allclose(y[:4, 1], by_the_equations(cell, dense, x[:4, 1]), atol=1e-12)
    assert np.all(y[4:, 1] == 0) and np.array_equal(last["forward"][0][1], y[3, 1])


def test_directions_are_the_forward_one_on_turned_sequences_and_are_merged():
    cell, rng = Gru(inputs=3, hidden=4), np.random.default_rng(2)
    arrays = {way: initial(cell, rng) for way in ("forward", "reverse")}
    x, lengths = rng.standard_normal((5, 2, 3)).astype(np.float32), np.array([5, 3])
    ahead = layer_forward(Layer(cell=cell), arrays, x, lengths)[0]
    back = np.zeros_like(ahead)
    for n, length in enumerate(lengths):
        one = layer_forward(Layer(cell=cell), {"forward": arrays["reverse"]}, x[:length][::-1][:, [n]],
                            np.array([length]))[0]
        back[:length, n] = one[::-1, 0]
    both = layer_forward(Layer(cell=cell, direction="both"), arrays, x, lengths)[0]
    np.testing.assert_allclose(both, np.concatenate([ahead, back], axis=2), atol=1e-6)
    summed = Layer(cell=cell, direction="both", merge="sum")
    np.testing.assert_allclose(layer_forward(summed, arrays, x, lengths)[0], ahead + back, atol=1e-6)
    assert (summed.outputs, Layer(cell=cell, direction="both").outputs) == (4, 8)


def test_states_carry_over():
    cell, rng = Lstm(inputs=3, hidden=4, peephole=True), np.random.default_rng(3)
    arrays, x = {"forward": initial(cell, rng)}, rng.standard_normal((6, 2, 3))
    whole = layer_forward(Layer(cell=cell), arrays, x, np.array([6, 6]))[0]
    first, states, _ = layer_forward(Layer(cell=cell), arrays, x[:4], np.array([4, 4]))
    second, _, _ = layer_forward(Layer(cell=cell), arrays, x[4:], np.array([2, 2]), states)
    assert np.array_equal(whole, np.concatenate([first, second]))


def test_sigmoid_keeps_its_type_and_does_not_overflow():
    a = np.array([-1e4, -3, 0, 2, 1e4], np.float32)
    assert sigmoid(a).dtype == np.float32
    np.testing.assert_allclose(sigmoid(a), [0, 1 / (1 + np.exp(3)), 0.5, 1 / (1 + np.exp(-2)), 1], atol=1e-7)


@pytest.mark.parametrize("call, message", [
    (lambda: Lstm(inputs=0, hidden=4), "inputs must be an integer of at least 1, not 0"),
    (lambda: Gru(inputs=4, hidden=4.0), "hidden must be an integer of at least 1, not 4.0"),
    (lambda: Lstm(inputs=4, hidden=4, projection=0), "projection must be an integer of at least 1, not 0"),
    (lambda: Lstm(inputs=4, hidden=4, candidate="relu"), "candidate must be tanh or sigmoid, not 'relu'"),
    (lambda: Gru(inputs=4, hidden=4, reset="never"), "reset must be before or after, not 'never'"),
    (lambda: Gru(inputs=4, hidden=4, update="z"), "update must be updates or keeps, not 'z'"),
    (lambda: Layer(cell=Gru(inputs=4, hidden=4), direction="up"),
     "direction must be forward, reverse or both, not 'up'"),
    (lambda: Layer(cell=Gru(inputs=4, hidden=4), merge="mean"),
     "merge must be concatenate or sum, not 'mean'"),
    (lambda: dense_matrices(Gru(inputs=4, hidden=4), {}),
     r"cell must have the arrays \['bias', 'input', 'recurrent'\], not \[\]"),
    (lambda: dense_matrices(Gru(inputs=4, hidden=4), {
        "bias": np.zeros(9), "input": np.zeros((3, 4, 4)), "recurrent": np.zeros((3, 4, 4))}),
     r"array bias must be of shape \(12,\), not \(9,\)")])
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
