"""Lowering to activations of any number of bits."""

import dataclasses

import numpy as np
import pytest
from shiftwork.golden.common.intervals import dot_interval, signed_width
from shiftwork.golden.ternary.compress import lower
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.golden.ternary.encode import encode
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.layers import input_range
from shiftwork.golden.ternary.model import forward

from .networks import DEPTHS
from .test_compress import images, network, one_layer

WIDE = TernaryConfig(activation_width=16, acc_width=32, scale_width=16, **DEPTHS)


def errors(net, bits, signed):
    """Greatest and mean error of the integer network, as shares of the float network's greatest output."""
    integer, x = lower(net, WIDE, bits=bits), images(0, signed)
    quantized = np.clip(np.rint(x / integer.input_scale), *integer.input_range).astype(np.int64)
    y, wanted = forward(integer, quantized) * integer.output_scale, net.forward(x)
    difference = np.abs(y - wanted) / np.abs(wanted).max()
    return difference.max(), difference.mean()


@pytest.mark.parametrize("signed", [False, True])
def test_more_bits_are_nearer_to_the_float_network(signed):
    net = network(0, signed)
    found = {bits: errors(net, bits, signed) for bits in (4, 8, 12)}
    # Four roundings; a bit more halves each of them, until clipped values are what is left.
    assert found[8][0] < 0.06 and found[8][1] < 0.015
    assert found[4][1] > 4 * found[8][1] and found[12][1] < found[8][1]


@pytest.mark.parametrize("bits, wanted", [
    (3, [(0, 7), (-4, 3), (0, 7), (0, 7)]),
    (8, [(0, 255), (-128, 127), (0, 255), (0, 255)]),
    (15, [(0, 32767), (-16384, 16383), (0, 32767), (0, 32767)]),
    (16, [(0, 32767), (-32768, 32767), (0, 32767), (0, 32767)])])
def test_ranges(bits, wanted):
    integer = lower(network(), WIDE, bits=bits)
    assert [(layer.low, layer.high) for layer in integer.layers] == [*wanted, (-32768, 32767)]
    assert integer.input_bits == bits and integer.input_range == input_range(False, bits)


@pytest.mark.parametrize("bits", [2, 5, 12, 16])
def test_engine_of_any_number_of_bits(bits):
    integer = lower(network(1, True), WIDE, bits=bits)
    for config in (WIDE, dataclasses.replace(WIDE, skip_zeros=False)):
        program, machine = encode(integer, config), Machine(config)
        x = np.random.default_rng(bits).integers(*integer.input_range, (4, 2, 5, 6), endpoint=True)
        machine.load(program.to_words())
        y = program.unpack_output(machine.run(program.pack_input(x)))
        np.testing.assert_array_equal(y, forward(integer, x))


def test_input_of_one_bit():
    layer = one_layer(np.array([[1.0, -1, 1]]), np.ones(1), np.zeros(1), relu=True, bits=1)
    assert layer.input_range == (0, 1) and (layer.layers[0].low, layer.layers[0].high) == (0, 1)


@pytest.mark.parametrize("bits", [8, 16])
def test_accumulator_of_the_interval(bits):
    """The width that lowering demands is that of the widest sum of activations of so many bits."""
    weights = np.ones((1, 200))
    width = signed_width(*dot_interval(weights.astype(int), *input_range(False, bits)))
    config = dataclasses.replace(WIDE, acc_width=width)
    one_layer(weights, np.full(1, 0.1), np.zeros(1), config=config, bits=bits)
    with pytest.raises(ValueError, match=f"accumulators must fit {width - 1} bits, not need {width}"):
        one_layer(weights, np.full(1, 0.1), np.zeros(1), bits=bits,
                  config=dataclasses.replace(config, acc_width=width - 1))


@pytest.mark.parametrize("bits, config, message", [
    (0, WIDE, "bits must be between 1 and 16, the engine's activation_width, not 0"),
    (17, WIDE, "bits must be between 1 and 16, the engine's activation_width, not 17"),
    (9, TernaryConfig(), "bits must be between 1 and 8, the engine's activation_width, not 9"),
    (1, WIDE, "activation 'n2' must have at least 2 bits, as it may be negative, not 1"),
])
def test_refuses(bits, config, message):
    with pytest.raises(ValueError, match=message):
        lower(network(), config, bits=bits)
