from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from shiftwork.golden.common.admm import AdmmSettings, Schedule
from shiftwork.golden.common.network import Network, Node, calibrate
from shiftwork.golden.common.trainer import Settings
from shiftwork.golden.ternary.compress import TernaryRule, lower, ternarize, ternarize_in_steps, zero_shares
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.golden.ternary.layers import MAX_SHIFT, MIN_SHIFT, ConvLayer, DenseLayer


def test_rule_is_twn_s():
    weights = np.array([[4.0, -1, 2, 1], [0, 0, 0, 0]])
    signs, alpha = TernaryRule().parts(weights)           # Delta = 0.7 * 2 = 1.4
    assert signs.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]] and alpha.tolist() == [3, 0]
    assert TernaryRule().project(weights).tolist() == [[3, 0, 3, 0], [0, 0, 0, 0]]
    signs, _ = TernaryRule(factor=0.5).parts(weights)     # Delta = 1: strict, so 1 and -1 are zeroed
    assert signs[0].tolist() == [1, 0, 1, 0]
    signs, alpha = TernaryRule(per_filter=False).parts(np.array([[4.0, -4], [1.0, -1]]))   # Delta = 1.75
    assert signs.tolist() == [[1, -1], [0, 0]] and alpha.tolist() == [4, 4]


@pytest.mark.parametrize("share", [0.0, 0.25, 0.55, 0.7, 0.9])
def test_rule_reaches_the_share_of_zeros_with_the_nearest_array(share):
    weights = np.random.default_rng(0).standard_normal((3, 20))
    signs, alpha = TernaryRule(zero_share=share).parts(weights)
    zeros = round(share * 20)
    assert np.all(np.sum(signs == 0, axis=1) == zeros) and signs.dtype == np.int8
    for row, t, a in zip(weights, signs, alpha, strict=True):
        # Of all arrays with as many zeros, a * t of the best kept set and a is the nearest.
        kept = np.sort(np.abs(row))[zeros:]
        assert np.sum((row - a * t) ** 2) == pytest.approx(np.sum(row ** 2) - kept.sum() ** 2 / len(kept))


def test_rule_zeroes_ties():
    assert np.all(TernaryRule(zero_share=0.5).parts(np.ones((1, 4)))[0] == 0)


@pytest.mark.parametrize("settings, message", [
    (dict(factor=-1), "factor must be at least 0, not -1"),
    (dict(zero_share=1.0), "zero_share must be at least 0 and less than 1, not 1.0")])
def test_rule_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        TernaryRule(**settings)


def node(op_type, name, source, *arrays, **attributes):
    return Node(op_type=op_type, name=name, inputs=(source, *arrays), outputs=(name,), attributes=attributes)


def norm(name, source):
    return node("BatchNormalization", name, source, *(f"{name}.{p}" for p in "gbmv"), epsilon=1e-3)


def network(seed=0, signed=False, transposed=0):
    """Every shape of block: bias, normalization, pool before Relu, strides, no Relu, dense twice."""
    rng = np.random.default_rng(seed)
    arrays = {"w1": rng.standard_normal((6, 2, 3, 2)), "c1": rng.standard_normal(6),
              "w2": rng.standard_normal((5, 6, 2, 2)), "w3": rng.standard_normal((4, 5, 1, 1)),
              "w4": rng.standard_normal((36, 7)), "c4": rng.standard_normal(7),
              "w5": rng.standard_normal((7, 3))}
    for name, size in (("n1", 6), ("n2", 5), ("n4", 7)):
        # Scales of both signs: lowering turns filters whose scale is negative.
        arrays |= {f"{name}.g": rng.uniform(0.5, 2, size) * rng.choice([-1, 1], size),
                   f"{name}.b": rng.standard_normal(size), f"{name}.m": rng.standard_normal(size),
                   f"{name}.v": rng.uniform(0.5, 4, size)}
    for n in range(1, 6):
        weights = arrays[f"w{n}"]
        filters = weights if n < 4 else weights.T
        filters = TernaryRule(zero_share=0.4).project(filters)
        arrays[f"w{n}"] = filters if n < 4 or transposed else filters.T
    nodes = (node("Conv", "conv1", "x", "w1", "c1", pads=(1, 0, 2, 1)), norm("n1", "conv1"),
             node("MaxPool", "p1", "n1", kernel_shape=(2, 2), strides=(1, 2)), node("Relu", "r1", "p1"),
             node("Conv", "conv2", "r1", "w2", strides=(2, 1), pads=(0, 1, 1, 0)), norm("n2", "conv2"),
             node("Conv", "conv3", "n2", "w3"), node("Relu", "r3", "conv3"), node("Flatten", "flat", "r3"),
             node("Gemm", "dense4", "flat", "w4", "c4", transB=transposed), norm("n4", "dense4"),
             node("Relu", "r4", "n4"), node("Gemm", "y", "r4", "w5", transB=transposed))
    net = Network(nodes=nodes, arrays=arrays, input_shape=(2, 5, 6), output_name="y")
    return calibrate(net, images(seed, signed))


def images(seed, signed):
    x = np.random.default_rng(seed + 9).random((40, 2, 5, 6))
    return x * 4 - 2 if signed else x


def integers(net, x):
    """The formulas of layers.py, one pixel after the other, in Python integers."""
    first = net.layers[0].input_signed
    values = [[int(v) for v in image.reshape(-1)] for image in
              np.clip(np.rint(x / net.input_scale), -128 if first else 0, 127 if first else 255)]
    shape, out = net.input_shape, []
    for image in values:
        size, data = shape, image
        for layer in net.layers:
            def scaled(m, acc, layer=layer):
                value = (acc + int(layer.bias[m])) * int(layer.scale[m]) + 2 ** (int(layer.shift[m]) - 1)
                return min(max(value >> int(layer.shift[m]), layer.low), layer.high)
            if isinstance(layer, DenseLayer):
                data = [scaled(m, sum(int(w) * v for w, v in zip(row, data, strict=True)))
                        for m, row in enumerate(layer.weights)]
                continue
            (_, height, width), (filters, channels, kr, ks) = size, layer.weights.shape
            top, left, bottom, right = layer.pads
            rows = (height + top + bottom - kr) // layer.stride[0] + 1
            cols = (width + left + right - ks) // layer.stride[1] + 1

            def pixel(c, y, x, data=data, height=height, width=width):
                return data[(c * height + y) * width + x] if 0 <= y < height and 0 <= x < width else 0

            y = [[[scaled(m, sum(int(layer.weights[m, c, r, s]) * pixel(
                       c, i * layer.stride[0] + r - top, j * layer.stride[1] + s - left)
                       for c in range(channels) for r in range(kr) for s in range(ks)))
                   for j in range(cols)] for i in range(rows)] for m in range(filters)]
            (pr, pc), (tr, tc) = layer.pool, layer.pool_stride
            rows, cols = (rows - pr) // tr + 1, (cols - pc) // tc + 1
            data = [max(y[m][i * tr + a][j * tc + b] for a in range(pr) for b in range(pc))
                    for m in range(filters) for i in range(rows) for j in range(cols)]
            size = (filters, rows, cols)
        out.append(data)
    return np.array(out)


@pytest.mark.parametrize("seed, signed, transposed", [(0, False, 0), (1, True, 1), (2, False, 1)])
def test_lowered_network_computes_the_float_network(seed, signed, transposed):
    net = network(seed, signed, transposed)
    integer = lower(net)
    x = images(seed, signed)[:12]
    y, wanted = integers(integer, x) * integer.output_scale, net.forward(x)
    # Four roundings to 8 bits of step 1/255 (1/127 where signed) of the range: a few percent at the output.
    assert np.abs(y - wanted).max() < 0.06 * np.abs(wanted).max()
    assert np.abs(y - wanted).mean() < 0.015 * np.abs(wanted).max()
    assert [layer.input_signed for layer in integer.layers] == [signed, False, True, False, False]
    assert [(layer.low, layer.high) for layer in integer.layers] == [
        (0, 255), (-128, 127), (0, 255), (0, 255), (-32768, 32767)]
    for layer in integer.layers:
        assert layer.weights.dtype == np.int8 and layer.bias.dtype == np.int64
        assert np.all((layer.scale >= 2048) | (layer.shift == MAX_SHIFT)) and np.all(layer.scale < 4096)
        assert np.all((layer.shift >= MIN_SHIFT) & (layer.shift <= MAX_SHIFT))
    assert isinstance(integer.layers[0], ConvLayer) and integer.layers[0].pool == (2, 2)
    assert integer.layers[0].pool_stride == (1, 2) and integer.layers[1].stride == (2, 1)


def one_layer(weights, gamma, beta, ranges=None, relu=False, config=None, second=True, bits=8):
    """Gemm, normalization, perhaps Relu, perhaps an identity behind it (or the layer itself is the last)."""
    size = len(weights)
    arrays = {"w": weights, "n.g": gamma, "n.b": beta, "n.m": np.zeros(size), "n.v": np.full(size, 1 - 1e-3),
              "e": np.eye(size)}
    nodes = [node("Gemm", "d", "x", "w", transB=1), norm("n", "d")]
    nodes += [node("Relu", "r", "n")] if relu else []
    nodes += [node("Gemm", "y", nodes[-1].name, "e")] if second else []
    net = Network(nodes=tuple(nodes), arrays=arrays, input_shape=weights.shape[1:],
                  output_name=nodes[-1].name,
                  ranges={"x": (0, 1), nodes[-1].inputs[0]: (0, 4) if relu else (-4, 4), **(ranges or {})})
    return lower(net, config, bits)


@pytest.mark.parametrize("relu", [False, True])
def test_each_result_is_within_the_derived_bound(relu):
    rng = np.random.default_rng(5)
    weights = TernaryRule(zero_share=0.5).project(rng.standard_normal((40, 30)))
    gamma = rng.choice([-1, 1], 40) * 2.0 ** rng.uniform(-7, 1, 40)
    beta = rng.uniform(-5, 5, 40)
    layer = one_layer(weights, gamma, beta, relu=relu).layers[0]
    x = rng.integers(0, 256, (200, 30))
    step = 4 / 255 if relu else 4 / 127
    wanted = ((x / 255) @ weights.T * gamma + beta) / step
    acc = x @ layer.weights.T.astype(np.int64)
    got = np.clip(((acc + layer.bias) * layer.scale + (1 << layer.shift - 1)) >> layer.shift, layer.low,
                  layer.high)
    f = layer.scale / 2.0 ** layer.shift
    bound = 0.5 + f / 2 + np.abs(acc) * 2.0 ** -(layer.shift + 1)
    assert np.all(np.abs(got - np.clip(wanted, layer.low, layer.high)) <= bound + 1e-6)
    assert np.all(layer.weights[gamma < 0] == -np.sign(weights[gamma < 0]))


def test_constant_filters_become_biases():
    weights = np.array([[1.0, -1], [0, 0], [1, 1], [1, 1]])
    integer = one_layer(weights, np.array([0, 1, 1e-9, 1e-4]), np.array([1.0, -2, 3.5, -3.9]))
    layer = integer.layers[0]
    assert np.all(layer.weights[:3] == 0)
    got = np.array([integers(replace(integer, layers=(layer,)), x[None])[0] for x in np.eye(2)])
    assert got[0].tolist() == got[1].tolist() == [32, -63, 111,
                                                  -124]    # round(beta / (4 / 127)), -63.5 upward


@pytest.mark.parametrize("scale_width", [8, 12])
def test_filters_that_only_saturate_become_constants(scale_width):
    config = TernaryConfig(scale_width=scale_width)
    integer = one_layer(np.ones((2, 2)), np.full(2, 1e-2), np.array([5e3, -5e3]), config=config)
    layer = integer.layers[0]
    assert np.all(layer.weights == 0) and np.all(layer.scale < 2 ** scale_width)
    assert integers(replace(integer, layers=(layer,)), np.ones((1, 2))).tolist() == [[127, -128]]


@pytest.mark.parametrize("scale_width", [8, 12, 16])
def test_last_layer_never_saturates(scale_width):
    rng = np.random.default_rng(1)
    weights = TernaryRule().project(rng.standard_normal((6, 30)))
    for gamma in (1e-3, 1, 1e4):
        config = TernaryConfig(scale_width=scale_width, acc_width=24)
        integer = one_layer(weights, rng.uniform(-gamma, gamma, 6), rng.uniform(-9, 9, 6), config=config,
                            second=False)
        layer = integer.layers[0]
        t = layer.weights.astype(np.int64)
        for acc in (255 * (t > 0).sum(axis=1), -255 * (t < 0).sum(axis=1)):
            y = ((acc + layer.bias) * layer.scale + (1 << layer.shift - 1)) >> layer.shift
            assert np.all(np.abs(y) < 32767)
        assert np.all(layer.scale < 2 ** scale_width)


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="Gemm 'd' accumulators must fit 16 bits, not need 18"):
        one_layer(np.ones((1, 400)), np.ones(1), np.ones(1),
                  config=TernaryConfig(acc_width=16, scale_width=12))
    with pytest.raises(ValueError, match="Gemm 'd' filter 0 scale must be between 0 and 15.9961, not 124"):
        one_layer(np.ones((1, 4)), np.full(1, 1e3), np.ones(1))
    with pytest.raises(ValueError, match="Gemm 'd' filter 0 bias must fit 16 bits, not be 51003"):
        one_layer(np.ones((1, 64)), np.full(1, 1e-2), np.full(1, 2.0), config=TernaryConfig(acc_width=16))
    with pytest.raises(ValueError,
                       match=r"activation 'r' must have a range that reaches above 0, not \(-1, 0\)"):
        one_layer(np.ones((1, 4)), np.ones(1), np.ones(1), relu=True, ranges={"r": (-1, 0)})
    net = network()
    with pytest.raises(ValueError,
                       match=r"activation 'x' must have a range \(calibrate the network\), not none"):
        lower(replace(net, ranges={}))
    with pytest.raises(ValueError, match=r"Conv 'conv1' filter 0 must be ternary .*, not of 12 magnitudes"):
        lower(replace(net,
                      arrays={**net.arrays, "w1": np.random.default_rng(0).standard_normal((6, 2, 3, 2))}))


CONV, POOL = node("Conv", "a", "x", "w"), dict(kernel_shape=(1, 1))


@pytest.mark.parametrize("nodes, message", [
    ((node("Relu", "a", "x"),), "Relu 'a' must stand behind a Conv or Gemm, not first"),
    ((node("Flatten", "a", "x"),), "network must have a Conv or a Gemm, not 1 other nodes"),
    ((CONV, node("Relu", "b", "a"), norm("n", "b")),
     "'n' must stand right behind a Conv or Gemm, not behind Relu 'b'"),
    ((CONV, node("MaxPool", "b", "a", **POOL), node("MaxPool", "c", "b", **POOL)),
     "MaxPool 'c' must be the only MaxPool behind Conv 'a', not a second one"),
    ((CONV, node("Flatten", "b", "a"), node("Relu", "c", "b")),
     "Relu 'c' must stand before Flatten, not behind it"),
    ((CONV, node("Relu", "b", "a"), node("Relu", "c", "a")),
     r"Relu 'c' must read 'b', the output before it .*'a'"),
    ((CONV, node("Relu", "b", "a"), node("Add", "c", "b", "a")),
     r"Add 'c' must read 'b', the output before it and nothing else \(the ternary engine runs chains\), "
     "not 'b' and 'a'"),
    ((node("Add", "c", "x", "x"), replace(CONV, inputs=("c", "w"))), "Add 'c' must read 'x', .*'x' and 'x'"),
])
def test_refuses_graphs(nodes, message):
    arrays = {"w": np.ones((2, 2, 1, 1)), **{f"n.{p}": np.ones(2) for p in "gbmv"}}
    net = Network(nodes=nodes, arrays=arrays, input_shape=(2, 1, 1), output_name=nodes[-1].name)
    with pytest.raises(ValueError, match=message):
        lower(net)


def test_refuses_an_output_in_the_middle():
    arrays = {"w": np.ones((2, 2, 1, 1))}
    net = Network(nodes=(CONV, node("Relu", "b", "a")), arrays=arrays, input_shape=(2, 1, 1), output_name="a")
    with pytest.raises(ValueError, match="output must be the last node's, not 'a'"):
        lower(net)


def blobs():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, 300)
    x = rng.random((300, 1, 4, 4)) * 0.3
    x[np.arange(300), 0, labels, labels] += 0.7
    return x.astype(np.float32), labels


def blob_network(turned):
    rng = np.random.default_rng(6)
    arrays = {"w": rng.standard_normal((4, 1, 3, 3)) * 0.3, "d": rng.standard_normal((3, 64)) * 0.1,
              **{f"n.{p}": np.full(4, v) for p, v in zip("gbmv", (1.0, 0.0, 0.0, 1.0), strict=True)}}
    arrays["d"] = arrays["d"].T if turned else arrays["d"]
    nodes = (node("Conv", "c", "x", "w", pads=(1, 1, 1, 1)), norm("n", "c"), node("Relu", "r", "n"),
             node("Flatten", "f", "r"), node("Gemm", "y", "f", "d", transB=0 if turned else 1))
    return Network(nodes=nodes, arrays=arrays, input_shape=(1, 4, 4), output_name="y")


@pytest.mark.parametrize("method, quantize, turned", [
    ("straight-through", False, False), ("straight-through", True, True), ("admm", False, True)])
def test_ternarize_reaches_its_zeros_and_keeps_the_accuracy(method, quantize, turned):
    x, labels = blobs()
    settings = AdmmSettings(updates=2, train=Settings(epochs=2, rate=5e-3))
    net = ternarize(blob_network(turned), x, labels, Settings(epochs=6, rate=1e-2), method=method,
                    quantize=quantize,
                    rule=TernaryRule(zero_share=0.5), rules={"y": TernaryRule(zero_share=0.75)},
                    admm_settings=settings)
    assert zero_shares(net)["c"] == pytest.approx(5 / 9) and zero_shares(net)["y"] == 0.75
    assert net.accuracy(x, labels) > 0.95
    integer = lower(net)
    assert np.mean(integers(integer, x[:60]).argmax(axis=1) == net.forward(x[:60]).argmax(axis=1)) > 0.95
    assert integer.layers[1].weights.shape == (3, 64)


def test_ternarize_refuses():
    x, labels = blobs()
    with pytest.raises(ValueError, match="method must be 'straight-through' or 'admm', not 'magic'"):
        ternarize(blob_network(False), x, labels, Settings(epochs=1), method="magic")
    with pytest.raises(ValueError, match="rules must name Conv and Gemm nodes of the network, not 'z'"):
        ternarize(blob_network(False), x, labels, Settings(epochs=1), rules={"z": TernaryRule()})


def test_projection_is_the_nearest_ternary_array_of_as_many_zeros():
    rng = np.random.default_rng(7)
    for _ in range(5):
        w = rng.standard_normal((1, 6))
        nearest = min(float(np.sum((w - max(float(t @ w[0]) / (t @ t), 0) * t) ** 2))
                      for t in map(np.array, product((-1, 0, 1), repeat=6)) if np.count_nonzero(t) == 2)
        found = TernaryRule(zero_share=2 / 3).project(w)
        assert np.count_nonzero(found) == 2
        assert float(np.sum((w - found) ** 2)) == pytest.approx(nearest)


@pytest.mark.parametrize("turned", [False, True])
def test_steps_reach_their_zeros_which_stay_and_keep_the_accuracy(turned):
    x, labels = blobs()
    schedule = Schedule(shares=(0.4, 0.6, 0.75), retrain=Settings(epochs=1, rate=5e-3),
                        settings=AdmmSettings(updates=2, train=Settings(epochs=1, rate=5e-3)))
    arguments = dict(schedule=schedule, rules={"c": TernaryRule(zero_share=0.5)})
    net = ternarize_in_steps(blob_network(turned), x, labels, Settings(epochs=8, rate=1e-2), **arguments)
    # At least: ties at Delta become zero, and weights of a dead input tie.
    assert zero_shares(net)["c"] == pytest.approx(5 / 9) and 0.75 <= zero_shares(net)["y"] < 0.8
    assert net.accuracy(x, labels) > 0.9
    again = ternarize_in_steps(blob_network(turned), x, labels, Settings(epochs=8, rate=1e-2), **arguments)
    assert all(np.array_equal(net.arrays[name], again.arrays[name]) for name in net.arrays)
    lower(net)
    with pytest.raises(ValueError, match="rules must name Conv and Gemm nodes of the network, not 'z'"):
        ternarize_in_steps(net, x, labels, Settings(epochs=1), rules={"z": TernaryRule()})


def test_zeros_may_move_behind_the_steps_and_are_as_many():
    x, labels = blobs()
    schedule = Schedule(shares=(0.5, 0.75), rhos=(0.01, 0.1), retrain=Settings(epochs=1, rate=5e-3),
                        settings=AdmmSettings(updates=1, train=Settings(epochs=1, rate=5e-3)))
    rules = {"c": TernaryRule(zero_share=0.5)}

    def zeros(moving):
        net = ternarize_in_steps(blob_network(True), x, labels, Settings(epochs=1, rate=1e-6),
                                 schedule=schedule, rules=rules, moving=moving)
        lower(net)
        return net.arrays["d"] == 0

    stayed, moved = zeros(None), zeros(Settings(epochs=6, rate=2e-2))
    assert 0.75 <= moved.mean() < 0.8 and np.any(stayed & ~moved) and np.any(moved & ~stayed)
