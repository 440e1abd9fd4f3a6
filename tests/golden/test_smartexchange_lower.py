"""Lowering of a float network and the factors of its weights."""

import dataclasses
from math import prod

import numpy as np
import pytest
from shiftwork.golden.common.network import Network, Node, calibrate
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.golden.smartexchange.encode import encode
from shiftwork.golden.smartexchange.interpreter import Machine
from shiftwork.golden.smartexchange.layers import ConvLayer, DenseLayer, PointLayer
from shiftwork.golden.smartexchange.lower import in_order, input_order, lower
from shiftwork.golden.smartexchange.model import forward

CONFIG = SmartExchangeConfig(lanes=8, grid_rows=2, grid_columns=1, drain_width=2, scatter_width=4,
                             combine_width=4, row_depth=4096, table_depth=1024, basis_depth=1024,
                             acc_width=24, taps=4)
WIDE = dataclasses.replace(CONFIG, activation_width=16, acc_width=32, scale_width=16)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What lowering looks at of the layout of factors."""

    shape: tuple
    size: int
    bounds: tuple
    groups: int = 1


@dataclasses.dataclass(frozen=True)
class Parts:
    """What lowering looks at of factors."""

    layout: Layout
    signs: np.ndarray
    exponents: np.ndarray
    basis: np.ndarray
    scale: np.ndarray

    def integer_weights(self):
        values = self.signs.astype(np.int64) << self.exponents
        bases = np.repeat(self.basis.astype(np.int64), np.diff(self.layout.bounds), axis=1)
        flat = np.einsum("mij,mijs->mis", values, bases).reshape(len(values), -1)
        return flat[:, :prod(self.layout.shape[1:])].reshape(self.layout.shape)


def parts(rng, shape, size=3, slices=2):
    """Random factors of weights of ``shape``; the scales have so few bits that float32 holds the weights."""
    rows = -(-prod(shape[1:]) // size)
    signs = rng.integers(-1, 2, (shape[0], rows, size)).astype(np.int8)
    slices = min(slices, rows)
    bounds = tuple(rows * k // slices for k in range(slices + 1))
    basis = rng.integers(-127, 128, (shape[0], slices, size, size)).astype(np.int8)
    exponents = rng.integers(0, 7, signs.shape).astype(np.int8) * (signs != 0)
    scale = rng.integers(128, 256, shape[0]) * 2.0 ** -(22 + rows.bit_length() // 2)
    return Parts(Layout(shape, size, bounds), signs, exponents, basis, scale)


def node(op_type, name, source, *arrays, **attributes):
    return Node(op_type=op_type, name=name, inputs=(source, *arrays), outputs=(name,), attributes=attributes)


def norm(name, source):
    return node("BatchNormalization", name, source, *(f"{name}.{p}" for p in "gbmv"), epsilon=1e-3)


def images(seed, signed, count=200):
    low = -1 if signed else 0
    return np.random.default_rng([seed, 7]).uniform(low, 1, (count, 2, 6, 5)).astype(np.float32)


def network(seed=0, signed=False, transposed=0):
    """A convolution, a 1x1, and fully connected layers behind a map of 3 channels and behind a vector."""
    rng = np.random.default_rng(seed)
    factors = {"conv": parts(rng, (5, 2, 3, 3)), "point": parts(rng, (3, 5, 1, 1)),
               "dense": parts(rng, (7, 3 * 2 * 2), 4), "y": parts(rng, (3, 7), 2)}
    arrays = {"c": rng.standard_normal(5), "d": rng.standard_normal(7)}
    for name, size in (("n", 5), ("m", 7)):
        arrays |= {f"{name}.g": rng.uniform(0.5, 2, size) * rng.choice([-1, 1], size),
                   f"{name}.b": rng.standard_normal(size), f"{name}.m": rng.standard_normal(size),
                   f"{name}.v": rng.uniform(0.5, 4, size)}
    order = np.arange(12).reshape(3, 4).T.reshape(-1)    # channels innermost; 12 are a multiple of 4
    for name, one in factors.items():
        weights = one.integer_weights() * one.scale.reshape((-1,) + (1,) * (len(one.layout.shape) - 1))
        if name == "dense":
            stored = np.empty_like(weights)
            stored[:, order] = weights
            weights = stored
        arrays[f"{name}.w"] = weights.T if weights.ndim == 2 and not transposed else weights
    nodes = (node("Conv", "conv", "x", "conv.w", "c", pads=(1, 1, 1, 1)), norm("n", "conv"),
             node("MaxPool", "p", "n", kernel_shape=(2, 2), strides=(2, 2)), node("Relu", "r", "p"),
             node("Conv", "point", "r", "point.w"),
             node("MaxPool", "q", "point", kernel_shape=(2, 1), strides=(1, 1)),
             node("Flatten", "f", "q"), node("Gemm", "dense", "f", "dense.w", "d", transB=transposed),
             norm("m", "dense"), node("Relu", "s", "m"), node("Gemm", "y", "s", "y.w", transB=transposed))
    net = Network(nodes=nodes, arrays={name: np.asarray(array, np.float32) for name, array in arrays.items()},
                  input_shape=(2, 6, 5), output_name="y")
    return calibrate(net, images(seed, signed)), factors


def errors(net, factors, bits, signed):
    """Greatest and mean error of the integer network, as shares of the float network's greatest output."""
    integer, x = lower(net, factors, WIDE, bits=bits), images(0, signed)
    quantized = np.clip(np.rint(x / integer.input_scale), *integer.input_range).astype(np.int64)
    y, wanted = forward(integer, quantized) * integer.output_scale, net.forward(x)
    difference = np.abs(y - wanted) / np.abs(wanted).max()
    return difference.max(), difference.mean()


@pytest.mark.parametrize("signed, transposed", [(False, 0), (True, 1)])
def test_more_bits_are_nearer_to_the_float_network(signed, transposed):
    net, factors = network(0, signed, transposed)
    found = {bits: errors(net, factors, bits, signed) for bits in (4, 8, 12)}
    assert found[8][0] < 0.08 and found[8][1] < 0.02
    assert found[4][1] > 4 * found[8][1] and found[12][1] < found[8][1]


def test_layers():
    net, factors = network()
    integer = lower(net, factors, CONFIG)
    assert [type(layer) for layer in integer.layers] == [ConvLayer, PointLayer, DenseLayer, DenseLayer]
    conv, point, dense, last = integer.layers
    assert (conv.kernel, conv.pads, conv.pool, conv.pool_stride) == ((3, 3), (1, 1, 1, 1), (2, 2), (2, 2))
    assert [(layer.low, layer.high) for layer in integer.layers] \
        == [(0, 255), (-128, 127), (0, 255), (-32768, 32767)]
    assert (point.channels, dense.inputs, last.inputs) == (6, 12, 8)
    assert all((15 <= layer.shift).all() and (layer.shift <= 30).all() for layer in integer.layers)
    # Filters whose normalization has a negative gain are turned.
    turned = net.arrays["n.g"] < 0
    assert turned.any() and not turned.all()
    np.testing.assert_array_equal(conv.signs, np.where(turned[:, None, None], -1, 1)
                                  * factors["conv"].signs)
    assert integer.input_shape == (2, 6, 5) and integer.input_scale == pytest.approx(net.ranges["x"][1] / 255)


@pytest.mark.parametrize("seed", range(3))
def test_engine_of_a_lowered_network(seed):
    net, factors = network(seed, signed=seed == 1)
    integer = lower(net, factors, CONFIG)
    program, machine = encode(integer, CONFIG), Machine(CONFIG)
    x = np.random.default_rng(seed).integers(*integer.input_range, (CONFIG.batch, 2, 6, 5), endpoint=True)
    machine.load(program.to_words())
    y = program.unpack_output(machine.run(program.pack_input(x)))
    np.testing.assert_array_equal(y, forward(integer, x))


def test_each_result_is_within_the_derived_bound():
    net, factors = network()
    layer = lower(net, factors, CONFIG).layers[0]
    x = np.random.default_rng(3).integers(0, 256, (50, 2, 6, 5))
    real = net.activations(x * (net.ranges["x"][1] / 255))["p"].transpose(3, 0, 1, 2)
    one = dataclasses.replace(lower(net, factors, CONFIG), layers=(layer,))
    step = net.ranges["r"][1] / 255
    # 1/2, the bias, and 2 ** -12 of a sum that reaches some hundred steps, seldom more.
    assert np.abs(forward(one, x) - np.clip(real / step, 0, 255)).max() < 1


def test_order_of_inputs():
    net, _ = network()
    nodes = {one.name: one for one in net.nodes}
    assert input_order(net, nodes["dense"], 4).tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    assert input_order(net, nodes["dense"], 3).size == 12 and input_order(net, nodes["dense"], 5).size == 20
    assert input_order(net, nodes["y"], 2) is None and input_order(net, nodes["conv"], 3) is None
    weights = np.arange(1, 7).reshape(1, 6)
    assert in_order(weights, np.array([0, 3, -1, 5])).tolist() == [[1, 4, 0, 6]]
    assert in_order(weights, None) is weights


def test_what_factors_have_for_columns_of_zeros_does_not_count():
    """4 pixels of 3 channels in rows of 3 are 12; of 5 columns they are 20, 8 of them of zeros."""
    rng = np.random.default_rng(0)
    net, factors = network()
    wide = parts(rng, (7, 20), 5)
    order = input_order(net, next(one for one in net.nodes if one.name == "dense"), 5)
    weights = wide.integer_weights() * wide.scale[:, None]
    stored = np.zeros((7, 12))
    stored[:, order[order >= 0]] = weights[:, order >= 0]
    net = dataclasses.replace(net, arrays=net.arrays | {"dense.w": stored.T.astype(np.float32)})
    layer = lower(net, factors | {"dense": wide}, CONFIG).layers[2]
    assert layer.inputs == 20
    np.testing.assert_array_equal(np.abs(layer.integer_weights()), np.abs(wide.integer_weights()))


def vector_network(weights, ranges=(0, 4), shape=None, **fields):
    """A Gemm, its factors of one slice and of size 1, and a second one that reads it."""
    size = len(weights)
    factors = {}
    for name, exponents in (("d", weights), ("y", np.eye(size))):
        signs = np.sign(exponents).astype(np.int8)[..., None]
        levels = np.log2(np.maximum(np.abs(exponents), 1)).astype(np.int8)[..., None]
        factors[name] = Parts(Layout(exponents.shape, 1, (0, exponents.shape[1])), signs, levels,
                              np.ones((size, 1, 1, 1), np.int8), np.full(size, 2.0 ** -10))
    arrays = {f"{name}.w": one.integer_weights() * 2.0 ** -10 for name, one in factors.items()}
    arrays |= {"b": np.zeros(size)} | fields
    nodes = [node("Gemm", "d", "x", "d.w", "b", transB=1), node("Relu", "r", "d"),
             node("Gemm", "y", "r", "y.w", transB=1)]
    if shape:
        nodes[:1] = [node("Flatten", "f", "x"), node("Gemm", "d", "f", "d.w", "b", transB=1)]
    net = Network(nodes=tuple(nodes), arrays=arrays, input_shape=shape or weights.shape[1:], output_name="y",
                  ranges={"x": (0, 1), "r": ranges})
    return net, factors


def test_flattened_input_is_a_vector():
    net, factors = vector_network(np.full((2, 12), 64.0), shape=(3, 2, 2))
    integer = lower(net, factors, CONFIG)
    assert integer.input_shape == (12,)
    assert input_order(net, net.nodes[1], 3) is None


def test_faint_filters_become_constants():
    """A bias beyond 31 bits, or that leaves no room for the sums, and results within a step of each other."""
    weights = np.full((3, 4), 1.0)
    net, factors = vector_network(weights, b=np.array([1.0, 2.0, 2.0]))
    faint = dataclasses.replace(factors["d"], scale=np.array([2.0 ** -10, 2.0 ** -40, 2.0 ** -28]))
    arrays = net.arrays | {"d.w": weights * faint.scale[:, None]}
    layer = lower(dataclasses.replace(net, arrays=arrays), factors | {"d": faint}, CONFIG).layers[0]
    assert layer.signs[0].all() and not layer.signs[1:].any()
    assert layer.shift[1:].tolist() == [15, 15] and layer.bias[1] * layer.scale[1] / 2 ** 15 == 128


@pytest.mark.parametrize("change, message", [
    (lambda net, factors: (net, {"y": factors["y"]}), "Conv 'conv' must have factors, not none"),
    (lambda net, factors: (net, factors | {"conv": factors["point"]}),
     r"Factors of Conv 'conv' must be of weights of shape \(5, 2, 3, 3\), inputs in the engine's order, "
     r"not \(3, 5, 1, 1\)"),
    (lambda net, factors: (net, factors | {"dense": parts(np.random.default_rng(0), (7, 12), 5)}),
     r"Factors of Gemm 'dense' must be of weights of shape \(7, 20\), .*, not \(7, 12\)"),
    (lambda net, factors: (net, factors | {"y": parts(np.random.default_rng(9), (3, 7), 2)}),
     "Weights of Gemm 'y' must be those of its factors, not others"),
])
def test_factors_refused(change, message):
    net, factors = change(*network())
    with pytest.raises(ValueError, match=message):
        lower(net, factors, CONFIG)


def test_kernel_of_one_column():
    """Factors of size 1 are rows of the kernel; wider ones would be pieces of columns."""
    rng = np.random.default_rng(1)
    for size in (1, 3):
        one = parts(rng, (2, 1, 3, 1), size)
        weights = one.integer_weights() * one.scale[:, None, None, None]
        net = Network(nodes=(node("Conv", "c", "x", "w"),), arrays={"w": weights}, input_shape=(1, 4, 4),
                      output_name="c", ranges={"x": (0, 1)})
        if size == 1:
            (layer,) = lower(net, {"c": one}, CONFIG).layers
            assert layer.kernel == (3, 1)
            continue
        message = "must have a kernel of several columns, .*, not a kernel of 3 x 1 and size 3"
        with pytest.raises(ValueError, match=f"Conv 'c' {message}"):
            lower(net, {"c": one}, CONFIG)


def test_sums_must_fit():
    net, factors = vector_network(np.full((1, 40), 64.0))
    with pytest.raises(ValueError, match="Gemm 'd' accumulators must fit 20 bits, not need 21"):
        lower(net, factors, dataclasses.replace(CONFIG, acc_width=20, sum_width=20))
    lower(net, factors, dataclasses.replace(CONFIG, acc_width=20, sum_width=21))
    net, factors = vector_network(np.full((1, 40), 64.0), (0, 40), b=np.array([30.0]))
    # The sums reach 652,800; the bias, 30 in units of 2 ** -10 / 255, is 7,833,600.
    message = r"bias and its sums must fit 23 bits, not be 78\d+ \(a greater sum_width would hold it\)"
    with pytest.raises(ValueError, match=f"Gemm 'd' filter 0 {message}"):
        lower(net, factors, dataclasses.replace(CONFIG, acc_width=20, sum_width=23))
    lower(net, factors, dataclasses.replace(CONFIG, acc_width=20, sum_width=25))


def test_chains_only():
    nodes = (node("Gemm", "y", "x", "w", transB=1), Node(op_type="Add", name="z", inputs=("y", "x"),
                                                        outputs=("z",)))
    net = Network(nodes=nodes, arrays={"w": np.eye(3)}, input_shape=(3,), output_name="z")
    with pytest.raises(ValueError, match=r"\(the SmartExchange engine runs chains\)"):
        lower(net, {}, CONFIG)
