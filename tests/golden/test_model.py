"""The layer model against brute force in Python's integers."""

import itertools

import numpy as np
import pytest
from shiftwork.golden.ternary.layers import DenseLayer, TernaryNetwork
from shiftwork.golden.ternary.model import forward, forward_layer

from .networks import conv_layer, random_conv, scales


def scaled(layer, m, acc):
    bias, scale, shift = int(layer.bias[m]), int(layer.scale[m]), int(layer.shift[m])
    return min(max(((acc + bias) * scale + 2 ** (shift - 1)) >> shift, layer.low), layer.high)


def brute_conv(layer, image):
    """One image as nested lists, by the formulas of ConvLayer and Python's integers."""
    (filters, channels, rows, columns), (top, left, bottom, right) = layer.weights.shape, layer.pads
    height, width = len(image[0]), len(image[0][0])

    def pixel(c, y, x):
        return image[c][y][x] if 0 <= y < height and 0 <= x < width else 0

    def conv(m, y, x):
        acc = 0
        for c, r, s in itertools.product(range(channels), range(rows), range(columns)):
            value = pixel(c, y * layer.stride[0] + r - top, x * layer.stride[1] + s - left)
            if layer.weights[m, c, r, s] > 0:
                acc += value
            elif layer.weights[m, c, r, s] < 0:
                acc -= value
        return scaled(layer, m, acc)

    n_y = (height + top + bottom - rows) // layer.stride[0] + 1
    n_x = (width + left + right - columns) // layer.stride[1] + 1
    maps = [[[conv(m, y, x) for x in range(n_x)] for y in range(n_y)] for m in range(filters)]
    (pr, pc), (tr, tc) = layer.pool, layer.pool_stride
    return [[[max(plane[y * tr + i][x * tc + j] for i in range(pr) for j in range(pc))
              for x in range((n_x - pc) // tc + 1)] for y in range((n_y - pr) // tr + 1)] for plane in maps]


@pytest.mark.parametrize("seed", range(40))
def test_convolution_is_brute_force(seed):
    rng = np.random.default_rng(seed)
    signed = bool(seed % 2)
    shape = tuple(int(v) for v in rng.integers(1, [4, 8, 8]))
    layer, out, _ = random_conv(rng, "conv", shape, signed, True)
    low, high = (-128, 127) if signed else (0, 255)
    x = rng.choice([low, high, 0, 1, int(rng.integers(low, high))], (2, *shape))
    expected = [brute_conv(layer, image.tolist()) for image in x]
    assert forward_layer(layer, x).shape == (2, *out)
    np.testing.assert_array_equal(forward_layer(layer, x), expected)


@pytest.mark.parametrize("pool, pool_stride", [((3, 3), (2, 2)), ((2, 3), (1, 2)), ((2, 2), (3, 3))])
def test_overlapping_pool_is_brute_force(pool, pool_stride):
    rng = np.random.default_rng(3)
    weights = rng.integers(-1, 2, (3, 2, 3, 3))
    layer = conv_layer(weights, pads=(1, 0, 1, 2), pool=pool, pool_stride=pool_stride)
    x = rng.integers(0, 256, (2, 2, 9, 7))
    expected = [brute_conv(layer, image.tolist()) for image in x]
    np.testing.assert_array_equal(forward_layer(layer, x), expected)


@pytest.mark.parametrize("weight, signed, value, expected", [
    (0, False, 255, 0), (-1, False, 255, -9 * 255), (1, False, 255, 9 * 255), (1, True, -128, -9 * 128),
    (-1, True, -128, 9 * 128)])
def test_uniform_filters(weight, signed, value, expected):
    layer = conv_layer(np.full((2, 1, 3, 3), weight), input_signed=signed)
    assert (forward_layer(layer, np.full((1, 1, 3, 3), value)) == expected).all()


@pytest.mark.parametrize("seed", range(10))
def test_dense_is_brute_force(seed):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-1, 2, (int(rng.integers(1, 9)), int(rng.integers(1, 30)))).astype(np.int8)
    layer = DenseLayer(name="dense", weights=weights, low=-100, high=1000, input_signed=True,
                       **scales(rng, len(weights), weights.shape[1]))
    x = rng.integers(-128, 128, (3, weights.shape[1]))
    expected = [[scaled(layer, m, sum(int(w) * int(v) for w, v in zip(weights[m], image, strict=True)))
                 for m in range(len(weights))] for image in x]
    np.testing.assert_array_equal(forward_layer(layer, x), expected)


def test_dense_reads_maps_channel_first():
    conv = conv_layer(np.ones((1, 1, 1, 1)), low=0, high=255)
    dense = DenseLayer(
        name="dense", weights=np.eye(6, dtype=np.int8), bias=np.zeros(6, int), scale=np.full(6, 256),
        shift=np.full(6, 8), low=0, high=255, input_signed=False)
    network = TernaryNetwork(input_shape=(1, 2, 3), input_scale=1.0, output_scale=1.0, layers=(conv, dense))
    assert forward(network, np.arange(6).reshape(1, 1, 2, 3)).tolist() == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize("x, message", [
    (np.zeros((1, 2, 2), int), r"Input must have shape \(n, 1, 2, 2\), not \(1, 2, 2\)"),
    (np.zeros((1, 1, 2, 2)), "Input must be of integers, not float64"),
    (np.full((1, 1, 2, 2), -1), r"Input must be within 0 \.\. 255, not -1 \.\. -1"),
])
def test_forward_refuses(x, message):
    """Inputs of another shape, kind, or range."""
    network = TernaryNetwork(input_shape=(1, 2, 2), input_scale=1.0, output_scale=1.0,
                             layers=(conv_layer(np.ones((1, 1, 1, 1))),))
    with pytest.raises(ValueError, match=message):
        forward(network, x)


@pytest.mark.parametrize("bits, signed, low, high", [
    (1, False, 0, 1), (4, True, -8, 7), (8, True, -128, 127), (16, False, 0, 65535),
    (16, True, -32768, 32767)])
def test_forward_takes_inputs_of_the_networks_bits(bits, signed, low, high):
    layer = conv_layer(np.ones((1, 1, 1, 1)), input_signed=signed, low=-32768, high=32767)
    network = TernaryNetwork(input_shape=(1, 1, 2), input_scale=1.0, output_scale=1.0, layers=(layer,),
                             input_bits=bits)
    assert forward(network, np.array([[[[low, high]]]])).tolist() == [[[[low, min(high, 32767)]]]]
    for x in (low - 1, high + 1):
        with pytest.raises(ValueError, match=rf"Input must be within {low} \.\. {high}, not "):
            forward(network, np.full((1, 1, 1, 2), x))
