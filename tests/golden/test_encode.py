"""The encoder: everything it refuses, where it places things, and the order of input and output values."""

import dataclasses
import json

import numpy as np
import pytest
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.golden.ternary.descriptor import Descriptor
from shiftwork.golden.ternary.encode import EncodeError, Order, encode
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.layers import ConvLayer, DenseLayer, TernaryNetwork
from shiftwork.golden.ternary.program import Program

from .networks import CONFIGS, CONV_ONLY, random_input, random_network

CONFIG = CONFIGS["tiny"]


def conv(name="c", shape=(2, 1, 3, 3), weights=None, **fields):
    weights = np.ones(shape, np.int8) if weights is None else weights
    count = len(weights)
    defaults = dict(bias=np.zeros(count, np.int64), scale=np.full(count, 255), shift=np.full(count, 8),
                    low=0, high=255, input_signed=False)
    return ConvLayer(name=name, weights=weights, **(defaults | fields))


def dense(name="d", shape=(2, 4), **fields):
    defaults = dict(bias=np.zeros(shape[0], np.int64), scale=np.full(shape[0], 255),
                    shift=np.full(shape[0], 8), low=0, high=255, input_signed=False)
    return DenseLayer(name=name, weights=np.ones(shape, np.int8), **(defaults | fields))


def network(*layers, shape=(1, 4, 4)):
    return TernaryNetwork(input_shape=shape, input_scale=0.5, output_scale=2.0, layers=layers)


DENSE_ONLY = TernaryConfig(lanes=8, grid_rows=2, grid_columns=2, drain_width=2, scatter_width=4,
                           convolution=False)
WIDE = dataclasses.replace(CONFIG, activation_width=16)
SMALL = dataclasses.replace(CONFIG, row_depth=32, weight_depth=32, table_depth=64, vector_depth=32)

REFUSED = {
    "no layer": (network(), CONFIG, "Network must have at least one layer, not 0"),
    "input shape": (network(conv(), shape=(9,)), CONFIG,
                    r"Input shape of the network must be \(C, H, W\), not \(9,\)"),
    "flat input": (network(dense(), shape=(1, 2, 2)), CONFIG,
                   r"Input shape of the network must be \(K,\), not \(1, 2, 2\)"),
    "dimensions": (network(conv(weights=np.ones((2, 3), np.int8))), CONFIG,
                   r"Weights of layer 'c' must have 4 dimensions, none of them 0, not shape \(2, 3\)"),
    "not ternary": (network(conv(weights=np.full((1, 1, 2, 2), 2))), CONFIG,
                    r"Weights of layer 'c' must be -1, 0 or 1, not \[2\]"),
    "fraction": (network(conv(weights=np.full((1, 1, 2, 2), 0.5))), CONFIG,
                 r"Weights of layer 'c' must be -1, 0 or 1, not \[0.5\]"),
    "bias count": (network(conv(bias=np.zeros(3, int))), CONFIG,
                   r"Bias of layer 'c' must be 2 integers, not int64 of shape \(3,\)"),
    "bias type": (network(conv(bias=np.zeros(2))), CONFIG,
                  r"Bias of layer 'c' must be 2 integers, not float64 of shape \(2,\)"),
    "bias": (network(conv(bias=np.array([0, 1 << 19]))), CONFIG,
             r"Bias of layer 'c' must be within -524288 \.\. 524287, not \[524288\]"),
    "scale": (network(conv(scale=np.array([4096, 1]))), CONFIG,
              r"Scale of layer 'c' must be within 0 \.\. 4095, not \[4096\]"),
    "shift": (network(conv(shift=np.array([8, 7]))), CONFIG,
              r"Shift of layer 'c' must be within 8 \.\. 23, not \[7\]"),
    "range": (network(conv(low=5, high=4)), CONFIG,
              r"Outputs of layer 'c' must be within -32768 \.\. 32767, low at most high, not 5 \.\. 4"),
    "wide range": (network(conv(high=32768)), CONFIG, r"low at most high, not 0 \.\. 32768"),
    "stride": (network(conv(stride=(0, 1))), CONFIG,
               r"Stride of layer 'c' must be 2 numbers of at least 1, not \(0, 1\)"),
    "pads": (network(conv(pads=(0, -1, 0, 0))), CONFIG,
             r"Pads of layer 'c' must be 4 numbers of at least 0, not \(0, -1, 0, 0\)"),
    "pool size": (network(conv(pool=(2,))), CONFIG,
                  r"Pool of layer 'c' must be 2 numbers of at least 1, not \(2,\)"),
    "pool stride": (network(conv(pool_stride=(1, 0))), CONFIG, r"Pool_stride of layer 'c' must be 2 numbers"),
    "channels": (network(conv(), conv("e")), CONFIG, "Input channels of layer 'e' must be 2, not 1"),
    "kernel": (network(conv(shape=(1, 1, 6, 3), pads=(1, 0, 0, 0))), CONFIG,
               "Kernel of layer 'c' must fit into its padded map of 5 x 4, not be 6 x 3"),
    "pool": (network(conv(pool=(3, 3))), CONFIG,
             "Pool window of layer 'c' must fit into its map of 2 x 2, not be 3 x 3"),
    "inputs": (network(conv(), dense()), CONFIG, "Inputs of layer 'd' must be 8, not 4"),
    "order": (network(conv(), dense(shape=(2, 8)), conv("e")), CONFIG,
              "Convolution 'e' must stand before the fully connected layers, not after 'd'"),
    "signedness": (network(conv(low=-128, high=127), dense(shape=(2, 8))), CONFIG,
                   r"Outputs of layer 'c' must be within 0 .. 255, as layer 'd' reads them, not -128 .. 127"),
    "signed reader": (network(conv(), dense(shape=(2, 8), input_signed=True)), CONFIG,
                      "must be within -128 .. 127, as layer 'd' reads them, not 0 .. 255"),
    "accumulator": (network(dense(shape=(1, 200)), shape=(200,)), dataclasses.replace(CONFIG, acc_width=16),
                    "Accumulator of layer 'd' must stay within -32768 .. 32767, 16 bits, not 0 .. 51000"),
    "no convolution": (network(conv()), DENSE_ONLY,
                       "Engine must have the convolution mode for layer 'c', not only the other"),
    "no transposed": (network(dense(), shape=(4,)), CONV_ONLY,
                      "Engine must have the transposed mode for layer 'd', not only the other"),
    "rows": (network(conv(), conv("e", (1, 2, 1, 1)), shape=(1, 8, 8)), SMALL,
             r"Row memory must have 68 rows \(windows of layers 'c' 36 and 'e' 32\), not 32"),
    "one window": (network(conv(), shape=(1, 12, 12)), SMALL,
                   r"Row memory must have 64 rows \(windows of layers 'c' 64\), not 32"),
    "weights": (network(dense(shape=(9, 20)), shape=(20,)), SMALL,
                "Weight memory must have 40 words, not 32"),
    "table": (network(dense(shape=(17, 4)), shape=(4,)), SMALL, "Table must have 65 words, not 64"),
    "vector": (network(dense(shape=(2, 20)), dense("e", (1, 2)), shape=(20,)),
               dataclasses.replace(SMALL, lanes=16, grid_rows=1, grid_columns=4),
               r"Vector memory must have 48 words \(input and output of layer 'd'\), not 32"),
    "input bits": (dataclasses.replace(network(conv()), input_bits=9), CONFIG,
                   r"Input of the network must have 1 \.\. 8 bits, as the engine's activation_width says, "
                   r"not 9"),
    "no input bits": (dataclasses.replace(network(conv()), input_bits=0), CONFIG, r"1 \.\. 8 bits, .* not 0"),
    "wide outputs": (network(conv(high=256), dense(shape=(2, 8))), CONFIG,
                     r"must be within 0 \.\. 255, as layer 'd' reads them, not 0 \.\. 256"),
    "signed for 16 bits": (network(conv(low=-1, high=300), dense(shape=(2, 8))), WIDE,
                           r"must be within 0 \.\. 32767, as layer 'd' reads them, not -1 \.\. 300"),
    "wide accumulator": (dataclasses.replace(network(dense(shape=(1, 9)), shape=(9,)), input_bits=16), WIDE,
                         r"Accumulator of layer 'd' must stay within .* 20 bits, not 0 \.\. 589815"),
    "block": (network(conv(shape=(1, 1, 1, 1)), shape=(1, 514, 1)), CONFIG,
              "Output of layer 'c' must have at most 256 rows a grid cell, not 257"),
    "field": (network(conv(shape=(1, 1, 1, 1), pool=(300, 1)), shape=(1, 300, 1)), CONFIG,
              r"Descriptor of the input: i_count must be below 128, what its counter of 7 bits holds, "
              r"not 150"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    refused, config, message = REFUSED[name]
    with pytest.raises(EncodeError, match=message):
        encode(refused, config)


@pytest.mark.parametrize("images, layers, shape, message", [
    (0, [dense()], (4,), "Images must be at least 1, not 0"),
    (3, [conv()], (1, 4, 4), "Images must be 2, the batch, for a network with convolutions, not 3"),
])
def test_images(images, layers, shape, message):
    with pytest.raises(EncodeError, match=message):
        encode(network(*layers, shape=shape), CONFIG, images=images)


def test_accumulator_bound_is_exact():
    config = dataclasses.replace(CONFIG, acc_width=16)
    layer = dense(shape=(1, 256), input_signed=True)
    encode(network(layer, shape=(256,)), config)    # -32768 .. 32512
    with pytest.raises(EncodeError, match="not -32512 .. 32768"):
        encode(network(dataclasses.replace(layer, weights=-layer.weights), shape=(256,)), config)


def test_order_error():
    message = "Order must be one of Order.ASCENDING, Order.PLUS_MINUS, not 'minus'"
    with pytest.raises(EncodeError, match=message):
        encode(network(conv()), CONFIG, order="minus")


@pytest.mark.parametrize("shape, kernel, words", [
    ((2, 8, 8), (3, 3), 3),    # V = 6 at 8 lanes: a kernel row is one word; all 30 places would be 4
    ((1, 4, 4), (3, 3), 2),    # V = 4: all 11 places in 2 words, fewer than 3 rows of one word
    ((2, 4, 4), (1, 1), 1),
    ((8, 4, 4), (2, 2), 4),
])
def test_fewest_words(shape, kernel, words):
    """Words of a filter: one segment a kernel row, or fewer that span the gaps."""
    program = encode(network(conv(shape=(1, shape[0], *kernel)), shape=shape), CONFIG)
    assert program.metadata["layers"][0]["weight_words"] == words


def test_blocks_are_the_smallest_that_cover_every_map():
    # Maps of 9, 9 and 5 rows on 2 cells, strides 1 and 2: 3 rows of the last map are 6 of the others.
    first = conv("a", (2, 1, 3, 3), pads=(1, 1, 1, 1))
    second = conv("b", (1, 2, 3, 3), pads=(1, 1, 1, 1), stride=(2, 2))
    program = encode(network(first, second, shape=(1, 9, 9)), CONFIG)
    assert program.metadata["output_block"] == [3, 3] and program.metadata["input_block"] == [6, 6]


def descriptors(program, count):
    machine = Machine(program.config)
    machine.load(program.to_words())
    return [Descriptor.from_words(machine.table[16 * n:16 * n + 16]) for n in range(count)]


@pytest.mark.parametrize("bits, signed, low, high, wanted", [
    (8, False, 0, 255, (8, 8)), (8, True, 0, 128, (8, 8)), (8, False, 0, 127, (8, 7)),
    (3, False, 0, 0, (3, 1)), (1, True, 0, 1, (1, 1)), (16, False, 0, 32767, (16, 15)),
    (12, True, 0, 4095, (12, 12)), (8, False, -128, 127, (8, 8)), (8, False, -1, 0, (8, 1)),
    (8, False, -1, 1, (8, 2)), (8, True, -5, 4, (8, 4)), (16, True, -32768, 0, (16, 16)),
    (8, False, 3, 100, (8, 7))])
def test_activation_bits(bits, signed, low, high, wanted):
    """0 for INPUT; of the network's input; the fewest that hold the range of the layer before; 0 for END."""
    source = network(conv(input_signed=signed, low=low, high=high),
                     dense(shape=(2, 8), input_signed=low < 0))
    program = encode(dataclasses.replace(source, input_bits=bits), dataclasses.replace(WIDE, acc_width=24))
    found = [d.activation_bits for d in descriptors(program, 4)]
    assert found == [0, *wanted, 0]


def test_places_without_a_weight_are_marked():
    """Of an engine that does not skip zeros only: of the words, weights and their order are the same."""
    weights = np.array([[[[1, 0, -1], [0, -1, 0], [1, 1, 0]]], [[[0, 0, 0], [0, 0, 0], [0, 0, 1]]]], np.int8)
    source = network(conv(weights=weights), shape=(1, 6, 6))
    machines = []
    for skip_zeros in (True, False):
        config = dataclasses.replace(CONFIG, skip_zeros=skip_zeros)
        program, machine = encode(source, config), Machine(config)
        machine.load(program.to_words())
        machines.append(machine)
    skips, visits = machines
    np.testing.assert_array_equal(skips.nonzero, visits.nonzero)
    np.testing.assert_array_equal(skips.negative, visits.negative & visits.nonzero)
    # Windows of 5 columns: kernel rows at places 0, 5 and 10 of two words.
    stands = [1, 1, 1, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 0, 0, 0]
    marks = visits.negative & ~visits.nonzero
    assert (~marks[:4]).astype(int).tolist() == [*stands, *stands]
    assert not marks[4:].any() and not (skips.negative & ~skips.nonzero).any()


@pytest.mark.parametrize("signed", [False, True])
def test_pack_input_of_16_bits(signed):
    layer = conv(shape=(1, 1, 1, 1), input_signed=signed)
    program = encode(dataclasses.replace(network(layer, shape=(1, 2, 2)), input_bits=16), WIDE)
    low, high = (-32768, 32767) if signed else (0, 65535)
    beats = program.pack_input(np.array([[[[low, high], [1, 300]]]]))
    assert beats.dtype == np.uint16
    assert beats.reshape(-1).tolist() == [low % 65536, high, 1, 300, 0, 0, 0, 0]
    with pytest.raises(ValueError, match=rf"Input must be within {low} \.\. {high}, not "):
        program.pack_input(np.full((1, 1, 2, 2), high + 1))


def test_pack_input_order():
    program = encode(network(conv(shape=(1, 1, 1, 1)), shape=(1, 3, 3)), CONFIG)
    x = np.arange(1, 10).reshape(1, 1, 3, 3)
    # Blocks of 2 x 2 on 2 x 2 cells; rows (i, j) of 8 lanes, the second image missing, 0 beyond the map.
    rows = [[1, 3, 7, 9], [2, 0, 8, 0], [4, 6, 0, 0], [5, 0, 0, 0]]
    assert program.pack_input(x).reshape(4, 8).tolist() == [row + [0] * 4 for row in rows]
    assert program.pack_input(x).shape == (16, 2)


def test_pack_vectors_fills_groups_and_rows():
    program = encode(network(dense(shape=(1, 5)), shape=(5,)), CONFIG, images=3)
    x = np.arange(1, 11).reshape(2, 5)
    wanted = [1, 2, 3, 4, 5, 0, 0, 0, 6, 7, 8, 9, 10, 0, 0, 0] + [0] * 8
    assert program.pack_input(x).reshape(-1).tolist() == wanted


@pytest.mark.parametrize("x, message", [
    (np.zeros((1, 4, 4), int), r"Input must have shape \(1 \.\. 2, 1, 4, 4\), not \(1, 4, 4\)"),
    (np.zeros((3, 1, 4, 4), int), r"Input must have shape .*, not \(3, 1, 4, 4\)"),
    (np.zeros((1, 1, 4, 4)), "Input must be of integers, not float64"),
    (np.full((1, 1, 4, 4), 256), r"Input must be within 0 \.\. 255, not 256 \.\. 256"),
])
def test_pack_input_refuses(x, message):
    with pytest.raises(ValueError, match=message):
        encode(network(conv()), CONFIG).pack_input(x)


def test_unpack_output():
    program = encode(network(conv(shape=(1, 1, 1, 1)), shape=(1, 3, 3)), CONFIG)
    values = np.concatenate([program.pack_input(np.arange(1, 10).reshape(1, 1, 3, 3)).reshape(-1)])
    assert program.unpack_output(values)[0].tolist() == [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]
    assert program.unpack_output(np.full(32, 0xFFFF, np.uint16)).max() == -1
    with pytest.raises(ValueError, match="Output must have 32 values, not 31"):
        program.unpack_output(np.zeros(31))


@pytest.mark.parametrize("layers", [(2, 0), (1, 2), (0, 2)])
def test_saved_program_needs_no_network(tmp_path, layers):
    rng = np.random.default_rng(4)
    source = random_network(rng, *layers)
    program = encode(source, CONFIG, order=Order.PLUS_MINUS)
    for name in ("a.npz", "b.npz"):
        program.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = Program.load(tmp_path / "a.npz")
    assert loaded.config == CONFIG and loaded.metadata == program.metadata
    assert json.loads(json.dumps(program.metadata)) == program.metadata
    np.testing.assert_array_equal(loaded.to_words(), program.to_words())
    x = random_input(rng, source, CONFIG.batch)
    machine = Machine(loaded.config)
    machine.load(loaded.to_words())
    beats = machine.run(loaded.pack_input(x))
    np.testing.assert_array_equal(loaded.unpack_output(beats), program.unpack_output(beats))
