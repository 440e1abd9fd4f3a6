"""The model of integer layers against loops that are written from the specification's formula."""

import dataclasses

import numpy as np
import pytest
from shiftwork.golden.common.fixed import requantize
from shiftwork.golden.smartexchange.channels import padded_channels, pixel_order
from shiftwork.golden.smartexchange.layers import SmartExchangeNetwork
from shiftwork.golden.smartexchange.model import accumulate, forward, forward_layer

from .smartexchange_networks import conv_layer, dense_layer, factors, point_layer, random_conv


def bases(layer):
    """Of each row of coefficients its basis, (M, rows, S, S)."""
    return np.repeat(layer.basis, np.diff(layer.bounds), axis=1).astype(int)


def sums_first(layer, x, y, column):
    """acc[m] of one output: T of each row and column of coefficients first, then the basis."""
    top, left, bottom, right = layer.pads
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right))).astype(int)
    rows, taps = layer.kernel
    window = padded[:, y * layer.stride[0]:, column * layer.stride[1]:][:, :rows, :taps]
    ce, acc = layer.coefficients, []
    for m in range(layer.filters):
        read = (window[[m]] if layer.depthwise else window).reshape(-1, taps)
        acc.append(sum(bases(layer)[m, i, j, s] * ce[m, i, j] * read[i, s] for i in range(layer.rows)
                       for j in range(taps) for s in range(taps)))
    return acc


@pytest.mark.parametrize("kind", ["conv", "depthwise"])
@pytest.mark.parametrize("seed", range(4))
def test_convolution_is_the_combination_of_sums(kind, seed):
    rng = np.random.default_rng(seed)
    layer = random_conv(rng, "c", (3, 6, 5), kind, 4, low=-128, high=127, input_signed=False)
    x = rng.integers(0, 256, (3, 6, 5))
    acc = accumulate(layer, x[None])[0]
    for y, column in np.ndindex(acc.shape[1:]):
        assert acc[:, y, column].tolist() == sums_first(layer, x, y, column)
    pooled = forward_layer(layer, x[None])[0]
    for m, y, column in np.ndindex(pooled.shape):
        (tr, tc), (pr, pc) = layer.pool_stride, layer.pool
        window = acc[m, y * tr:y * tr + pr, column * tc:column * tc + pc]
        assert pooled[m, y, column] == requantize(window, layer.bias[m], layer.scale[m], layer.shift[m],
                                                  layer.low, layer.high).max()


def test_weights_of_a_convolution():
    signs = np.zeros((1, 6, 3), np.int8)
    signs[0, 4, 1], exponents = -1, np.full((1, 6, 3), 3, np.int8)
    basis = np.arange(18).reshape(1, 2, 3, 3).astype(np.int8)
    layer = conv_layer(1, 2, signs=signs, exponents=exponents, basis=basis, bounds=(0, 4, 6))
    weights = layer.integer_weights()
    assert weights.shape == (1, 2, 3, 3) and np.count_nonzero(weights) == 3
    # Row 4 is channel 1, kernel row 1; it is of the second slice, whose basis row 1 is 12, 13, 14.
    assert weights[0, 1, 1].tolist() == [-8 * 12, -8 * 13, -8 * 14]
    assert (layer.channels, layer.kernel, layer.taps) == (2, (3, 3), 3)


def test_one_by_one_reads_channels_of_zeros():
    rng = np.random.default_rng(1)
    layer = point_layer(2, 4, **factors(rng, 2, 2, 3), stride=(2, 1))
    x = rng.integers(0, 256, (2, 4, 5, 5))
    weights = layer.matrices().reshape(2, 6)[:, :4]
    wanted = np.einsum("nchw,mc->nmhw", x[:, :, ::2], weights)
    assert layer.channels == 6
    np.testing.assert_array_equal(accumulate(layer, x), wanted)


def test_fully_connected_reads_channels_innermost():
    rng = np.random.default_rng(2)
    layer = dense_layer(2, 12, **factors(rng, 2, 4, 3))
    x = rng.integers(0, 256, (3, 2, 2, 2))
    # 4 pixels of 2 channels are 8 values: with a third channel of zeros they are 12.
    read = np.concatenate([x.transpose(0, 2, 3, 1), np.zeros((3, 2, 2, 1), int)], axis=3).reshape(3, 12)
    np.testing.assert_array_equal(accumulate(layer, x), read @ layer.integer_weights().T)
    assert layer.inputs == 12


@pytest.mark.parametrize("channels, pixels, taps, wanted", [
    (4, 1, 3, 6), (6, 1, 3, 6), (2, 4, 3, 3), (32, 16, 3, 33), (7, 9, 3, 7), (5, 2, 4, 6), (5, 4, 4, 5),
    (10, 1, 1, 10)])
def test_padded_channels(channels, pixels, taps, wanted):
    assert padded_channels(channels, pixels, taps) == wanted


def test_pixel_order():
    assert pixel_order((2, 1, 3), 4).tolist() == [0, 3, -1, -1, 1, 4, -1, -1, 2, 5, -1, -1]
    assert pixel_order((2, 2, 2), 4).tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    assert pixel_order((4,), 3).tolist() == [0, 1, 2, 3, -1, -1]


def test_network():
    layers = (conv_layer(3, 1, low=0, high=255, scale=np.full(3, 1000)), dense_layer(2, 12))
    network = SmartExchangeNetwork(input_shape=(1, 4, 4), input_scale=1.0, output_scale=1.0, layers=layers)
    x = np.random.default_rng(3).integers(0, 256, (2, 1, 4, 4))
    inner = forward_layer(layers[0], x)
    assert 0 < inner.min() < inner.max() < 255
    np.testing.assert_array_equal(forward(network, x), forward_layer(layers[1], inner))
    assert dataclasses.replace(network, input_bits=4).input_range == (0, 15)
