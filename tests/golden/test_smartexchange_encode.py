"""The encoder: everything it refuses, where it places things, and the order of input and output values."""

import dataclasses
import json

import numpy as np
import pytest
from shiftwork.golden.common.program import ErrorCode, ProgramError
from shiftwork.golden.smartexchange.descriptor import Descriptor, Destination, Kind
from shiftwork.golden.smartexchange.encode import EncodeError, encode
from shiftwork.golden.smartexchange.interpreter import Machine
from shiftwork.golden.smartexchange.layers import SmartExchangeNetwork
from shiftwork.golden.smartexchange.program import MAGIC, Memory, Program
from shiftwork.golden.ternary import program as ternary
from shiftwork.golden.ternary.config import TernaryConfig

from .networks import random_network as random_ternary
from .smartexchange_networks import (
    CONFIGS,
    conv_layer,
    dense_layer,
    factors,
    point_layer,
    random_input,
    random_network,
)

CONFIG = CONFIGS["tiny"]
CELL = CONFIGS["one cell"]
SMALL = dataclasses.replace(CONFIG, row_depth=32, item_depth=32, table_depth=64, basis_depth=32)


def conv(name="c", filters=2, channels=1, kernel=(3, 3), **fields):
    return conv_layer(filters, channels, kernel, **(dict(name=name, low=0, high=255) | fields))


def point(name="p", filters=2, channels=2, taps=3, **fields):
    return point_layer(filters, channels, taps, **(dict(name=name, low=0, high=255) | fields))


def dense(name="d", outputs=2, inputs=12, taps=3, **fields):
    return dense_layer(outputs, inputs, taps, **(dict(name=name, low=0, high=255) | fields))


def network(*layers, shape=(1, 4, 4)):
    return SmartExchangeNetwork(input_shape=shape, input_scale=0.5, output_scale=2.0, layers=layers)


ONES = np.ones((2, 3, 3), np.int8)
REFUSED = {
    "no layer": (network(), CONFIG, "Network must have at least one layer, not 0"),
    "input shape": (network(conv(), shape=(9,)), CONFIG,
                    r"Input shape of the network must be \(C, H, W\), not \(9,\)"),
    "flat input": (network(dense(), shape=(1, 2, 2)), CONFIG,
                   r"Input shape of the network must be \(K,\), not \(1, 2, 2\)"),
    "input bits": (dataclasses.replace(network(conv()), input_bits=9), CONFIG,
                   r"Input of the network must have 1 \.\. 8 bits, .*, not 9"),
    "dimensions": (network(conv(signs=np.ones((2, 3), np.int8))), CONFIG,
                   r"Signs of layer 'c' must have 3 dimensions, none of them 0, not shape \(2, 3\)"),
    "taps": (network(conv(kernel=(3, 4))), CONFIG,
             "Columns of a row of layer 'c' must be at most 3, the engine's taps, not 4"),
    "signs": (network(conv(signs=2 * ONES)), CONFIG,
              r"Signs of layer 'c' must be within -1 \.\. 1, not \[2\]"),
    "fractions": (network(conv(signs=0.5 * ONES)), CONFIG,
                  r"Signs of layer 'c' must be integers of shape \(2, 3, 3\), not float64 of shape"),
    "exponents": (network(conv(exponents=8 * ONES)), CONFIG,
                  r"Exponents of layer 'c' must be within 0 \.\. 7, not \[8\]"),
    "exponents' shape": (network(conv(exponents=ONES[:1])), CONFIG,
                         r"Exponents of layer 'c' must be integers of shape \(2, 3, 3\), not int8 of shape"),
    "basis": (network(conv(basis=np.full((2, 1, 3, 3), 128))), CONFIG,
              r"Basis of layer 'c' must be within -128 \.\. 127, not \[128\]"),
    "basis' shape": (network(conv(bounds=(0, 1, 3), basis=np.ones((2, 1, 3, 3), np.int8))), CONFIG,
                     r"Basis of layer 'c' must be integers of shape \(2, 2, 3, 3\), not int8"),
    "bounds": (network(conv(bounds=(0, 2, 2, 3))), CONFIG,
               r"Bounds of slices of layer 'c' must grow from 0 to its 3 rows, not be \(0, 2, 2, 3\)"),
    "bounds' end": (network(conv(bounds=(0, 2))), CONFIG, r"its 3 rows, not be \(0, 2\)"),
    "kernel rows": (network(dataclasses.replace(conv(), kernel_rows=2)),
                    CONFIG, "Rows of a filter of layer 'c' must be a multiple of its 2 kernel rows, not 3"),
    "depthwise": (network(dataclasses.replace(conv(), depthwise=True, kernel_rows=1), shape=(2, 4, 4)),
                  CONFIG, "Rows of a filter of layer 'c' must be its 1 kernel rows, .* depthwise, not 3"),
    "depthwise channels": (network(conv(depthwise=True)), CONFIG,
                           "Input channels of layer 'c' must be 1, not 2"),
    "bias count": (network(conv(bias=np.zeros(3, int))), CONFIG,
                   r"Bias of layer 'c' must be 2 integers, not int64 of shape \(3,\)"),
    "bias": (network(conv(bias=np.array([0, 1 << 31]))), CONFIG,
             r"Bias of layer 'c' must be within -2147483648 \.\. 2147483647, not \[2147483648\]"),
    "scale": (network(conv(scale=np.array([4096, 1]))), CONFIG,
              r"Scale of layer 'c' must be within 0 \.\. 4095, not \[4096\]"),
    "shift": (network(conv(shift=np.array([15, 14]))), CONFIG,
              r"Shift of layer 'c' must be within 15 \.\. 30, not \[14\]"),
    "padded channels": (network(conv(filters=4), point(channels=3), shape=(1, 4, 4)), CONFIG,
                        "Input channels of layer 'p' must be 6, not 3"),
    "inputs": (network(conv(), dense(inputs=9)), CONFIG, "Inputs of layer 'd' must be 12, not 9"),
    "order": (network(conv(), dense(), conv("e")), CONFIG,
              "Convolution 'e' must stand before the fully connected layers, not after 'd'"),
    "signedness": (network(conv(low=-128, high=127), dense()), CONFIG,
                   r"Outputs of layer 'c' must be within 0 \.\. 255, as layer 'd' reads them, not -128"),
    "zeros": (network(conv(low=1), dense()), CONFIG,
              r"Outputs of layer 'c' must include 0, as layer 'd' reads 1 channels of zeros besides, "
              r"not 1 \.\. 255"),
    "accumulator": (network(conv(kernel=(2, 3), exponents=np.array([[[7], [0]]] * 2) * ONES[:, :2])),
                         dataclasses.replace(CONFIG, acc_width=16),
                         r"Accumulator of layer 'c' must stay within -32768 \.\. 32767, 16 bits, "
                         r"not 0 \.\. 32895"),
    "sum": (network(conv(exponents=7 * ONES, basis=np.full((2, 1, 3, 3), 127))),
            dataclasses.replace(CONFIG, acc_width=20, sum_width=26),
            r"Sum of layer 'c' must stay within -33554432 \.\. 33554431, 26 bits, not 0 \.\. 111922560"),
    "bias of the sum": (network(conv(bias=np.array([0, (1 << 19) - 2294]))),
                        dataclasses.replace(CONFIG, acc_width=20, sum_width=20),
                        r"Sum and bias of layer 'c' must stay within -524288 \.\. 524287, 20 bits, "
                        r"not 0 \.\. 524289"),
    "long stride": (network(conv(kernel=(1, 2), stride=(1, 3), pool=(1, 2)), shape=(1, 4, 14)), CONFIG,
                    "Pooling of layer 'c' must have a window as wide as its stride, or one column a grid "
                    "cell, for its stride of 3 columns, more than its kernel, not a window of 2 columns and "
                    "a stride of 1"),
    "one by one": (network(point(channels=1, pool=(3, 3), pool_stride=(2, 2)), shape=(1, 9, 9)), CONFIG,
                   "for its kernel of one pixel, not a window of 3 columns and a stride of 2"),
    "pool columns": (network(conv(pool=(2, 1), pool_stride=(2, 1)), shape=(1, 6, 17)), CELL,
                     "Output of layer 'c', pooled over several rows, must have at most 16 columns a grid "
                     "cell, as pool_columns says, not 17"),
    "rows": (network(conv(), conv("e", channels=2, kernel=(1, 1)), shape=(1, 8, 8)), SMALL,
             r"Row memory must have 68 rows \(windows of layers 'c' 36 and 'e' 32\), not 32"),
    "items": (network(conv(filters=4)), dataclasses.replace(CONFIG, item_depth=32),
                   "Item memory must have 36 items, not 32"),
    "basis words": (network(conv(filters=11)), dataclasses.replace(CONFIG, basis_depth=32),
                    "Basis memory must have 33 words, not 32"),
    "table": (network(conv(filters=17)), dataclasses.replace(CONFIG, table_depth=64),
              "Table must have 65 words, not 64"),
    "block": (network(conv(kernel=(1, 1)), shape=(1, 514, 1)), CONFIG,
              "Output of layer 'c' must have at most 256 rows a grid cell, not 257"),
    "field": (network(conv(kernel=(1, 1), pool=(8, 1)), shape=(1, 8, 1)), CONFIG,
              "Descriptor of layer 'c': pi_count must be below 8, what its counter of 3 bits holds, not 8"),
    "vector": (network(dense(outputs=1, inputs=1026), shape=(1024,)), CONFIG,
               "Descriptor of the input: m_count must be below 1024, what its counter of 10 bits holds"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    refused, config, message = REFUSED[name]
    with pytest.raises(EncodeError, match=message):
        encode(refused, config)


@pytest.mark.parametrize("width, signed, sign", [(16, False, 1), (16, False, -1), (16, True, 1)])
def test_accumulator_bound_is_exact(width, signed, sign):
    """A list of one exponent counts as if it were 0: its lift comes after the accumulator."""
    config = dataclasses.replace(CELL, acc_width=width, row_depth=16384)
    low, high = (-128, 127) if signed else (0, 255)
    rows = (32767 + (sign < 0)) // high if not signed else 256
    for count, fits in ((rows, True), (rows + 1, False)):
        signs, shape = np.full((1, count, 1), sign, np.int8), (count, 1, 1)
        layer = conv_layer(1, count, (1, 1), signs=signs, exponents=np.full(signs.shape, 5),
                           input_signed=signed)
        if fits:
            encode(network(layer, shape=shape), config)
        else:
            ends = sorted((0, sign * high * count)) if not signed else (-128 * count, 127 * count)
            with pytest.raises(EncodeError, match=f"not {ends[0]} .. {ends[1]}"):
                encode(network(layer, shape=shape), config)


def test_channels_of_zeros_do_not_count():
    layer = point_layer(1, 1, basis=np.full((1, 1, 3, 3), 127, np.int8), exponents=np.full((1, 1, 3), 7))
    config = dataclasses.replace(CONFIG, acc_width=20, sum_width=25)
    encode(network(layer), config)
    with pytest.raises(EncodeError, match=r"Sum of layer 'layer' must stay within .*, not 0 \.\. 24871680"):
        encode(network(dataclasses.replace(layer), shape=(2, 4, 4)), config)


def descriptors(program, count):
    machine = Machine(program.config)
    machine.load(program.to_words())
    return [Descriptor.from_words(machine.table[16 * n:16 * n + 16]) for n in range(count)]


def test_descriptor_of_a_convolution():
    """Blocks of 4 x 8 and 2 x 4 pixels of one column of cells: 2 rows and 1 column of padding are walked."""
    first = conv(filters=2, channels=3, pads=(1, 1, 1, 1), pool=(2, 2), pool_stride=(2, 2))
    second = conv("e", filters=1, channels=2, kernel=(3, 2), pads=(1, 0, 1, 1))
    config = dataclasses.replace(CONFIGS["one column"], row_depth=1024)
    program = encode(network(first, second, shape=(3, 16, 8)), config)
    input_, one, two, end = descriptors(program, 4)
    assert (input_.kind, input_.m_count, input_.i_count, input_.j_count) == (Kind.INPUT, 3, 4, 8)
    # 8 columns walked, 1 skipped on either side; rows of 8 * 3, a window of 6.
    assert (input_.out_u_count, input_.out_v_count, input_.out_u_first, input_.out_v_first) == (6, 8, 1, 0)
    assert (input_.out_u_row, input_.out_v_row, input_.out_base) == (24, 3, 0)
    assert (one.skip, one.hop, one.tap_count, one.column_count, one.run_outputs) == (1, 1, 3, 8, 8)
    assert (one.index_i_stride, one.index_pi_stride, one.index_column_stride, one.index_m_stride) \
        == (48, 24, 3, 0)
    assert (one.i_count, one.j_count, one.pi_count, one.pj_count, one.run_count) == (2, 4, 2, 2, 1)
    assert (one.lists, one.item_base, one.basis_base, one.param_base) == (3, 0, 0, 64)
    assert (one.i_last_cell, one.i_last_local, one.j_last_cell, one.j_last_local) == (3, 1, 0, 3)
    assert (one.out_u_count, one.out_v_count, one.out_base) == (4, 4, 1024 - 4 * 4 * 2)
    assert (two.item_base, two.basis_base, two.param_base, two.index_base) == (54, 6, 66, 992)
    assert (two.skip, two.column_count, two.run_outputs, two.tap_count) == (0, 4, 4, 2)
    assert two.destination is Destination.STREAM and end.kind is Kind.END


def test_items_and_basis_of_a_layer():
    """Channels 0 and 1 of 2 x 2 kernels, windows of 4 columns: rows 0, 8 and 1, 9 away."""
    signs, exponents = np.zeros((2, 4, 2), np.int8), np.zeros((2, 4, 2), np.int8)
    signs[0, :, 0], exponents[0, :, 0] = [1, -1, 0, 1], [1, 1, 0, 2]
    signs[1, 3, 1], exponents[1, 3, 1] = -1, 6
    basis = np.array([[[[1, -2], [3, 4]]], [[[5, 6], [7, -8]]]], np.int8)
    layer = conv(filters=2, channels=2, kernel=(2, 2), signs=signs, exponents=exponents, basis=basis,
                 bounds=(0, 4))
    program = encode(network(layer, shape=(2, 4, 6)), CONFIG)
    table, items, basis = program.sections
    assert (table.memory, items.memory, basis.memory) == tuple(Memory) == (1, 2, 3)
    minus, shift, row = 1 << 14, 1 << 15, 4 * 2
    first, second = [1 + row, 0 | shift, 0 + row | minus], [1 + row | minus]
    wanted = [*first, 0, minus, 0, minus, *second]
    assert items.words.reshape(-1).tolist() == [a | b << 16 for a, b in zip(wanted[::2], wanted[1::2],
                                                                            strict=True)]
    words = basis.bits(CONFIG.basis_width) @ (1 << np.arange(CONFIG.basis_width))
    assert words.tolist() == [3 | 1 << 9 | 1 << 12 | 254 << 20, 2, 2, 1 | 6 << 9 | 7 << 12 | 248 << 20]
    (about,) = program.metadata["layers"]
    assert about == {"name": "c", "kind": "conv", "outputs": 2, "positions": 2 * 15, "weights": 16,
                     "coefficients": 16, "non_zeros": 4, "items": 8, "lists": 2}


def test_slices_have_lists_of_their_own():
    rng = np.random.default_rng(1)
    layer = conv(filters=3, channels=4, bounds=(0, 5, 12), **{
        name: value for name, value in factors(rng, 3, 12, 3, 2).items() if name != "bounds"})
    program = encode(network(layer, shape=(4, 5, 5)), CONFIG)
    assert program.metadata["layers"][0]["lists"] == 6


def test_long_lists_are_cut_for_all_filters():
    signs = np.ones((2, 600, 1), np.int8)
    signs[1, 3:] = 0
    layer = dense_layer(2, 600, 1, signs=signs)
    config = dataclasses.replace(CONFIG, acc_width=20)
    program = encode(network(layer, shape=(600,)), config)
    machine = Machine(config)
    machine.load(program.to_words())
    assert [word & 511 for word in machine.basis[:4]] == [511, 89, 3, 2]
    x = np.random.default_rng(2).integers(0, 40, (2, 600))
    y = program.unpack_output(machine.run(program.pack_input(x)))
    # Scales of 2048 / 2 ** 15.
    assert y.tolist() == [[(int(v) + 8) // 16 for v in (row.sum(), row[:3].sum())] for row in x]


def test_pack_and_unpack_order():
    program = encode(network(conv(filters=1, kernel=(1, 1)), shape=(1, 3, 3)), CONFIG)
    x = np.arange(1, 10).reshape(1, 1, 3, 3)
    rows = [[1, 3, 7, 9], [2, 0, 8, 0], [4, 6, 0, 0], [5, 0, 0, 0]]
    assert program.pack_input(x).reshape(4, 8).tolist() == [row + [0] * 4 for row in rows]
    assert program.unpack_output(program.pack_input(x))[0].tolist() == x[0].tolist()
    # A vector: a row a value, an image in the first of its lanes; a channel of zeros makes 4 of them 6.
    program = encode(network(dense_layer(2, 6), shape=(4,)), CONFIG)
    beats = program.pack_input(np.array([[1, 2, 3, 4], [5, 6, 7, 8]]))
    assert beats.reshape(6, 8).tolist() == [[n, 0, 0, 0, n + 4, 0, 0, 0] for n in range(1, 5)] + [[0] * 8] * 2
    assert program.unpack_output(beats[:8]).tolist() == [[1, 2], [5, 6]]
    with pytest.raises(ValueError, match="Output must have 16 values, not 48"):
        program.unpack_output(beats)
    with pytest.raises(ValueError, match=r"Input must have shape \(1 .. 2, 4\), not \(2, 6\)"):
        program.pack_input(np.zeros((2, 6), int))


@pytest.mark.parametrize("kinds", [("conv", "conv"), ("conv", "dense"), ("dense", "dense")])
def test_saved_program_needs_no_network(tmp_path, kinds):
    rng = np.random.default_rng(4)
    source = random_network(rng, kinds)
    program = encode(source, CONFIG)
    program.save(tmp_path / "a.npz")
    loaded = Program.load(tmp_path / "a.npz")
    assert loaded.config == CONFIG and loaded.metadata == program.metadata
    assert json.loads(json.dumps(program.metadata)) == program.metadata
    np.testing.assert_array_equal(loaded.to_words(), program.to_words())
    x, machine = random_input(rng, source, CONFIG.batch), Machine(loaded.config)
    machine.load(loaded.to_words())
    beats = machine.run(loaded.pack_input(x))
    np.testing.assert_array_equal(loaded.unpack_output(beats), program.unpack_output(beats))


def test_files_that_are_no_program(tmp_path):
    """Another engine's, a damaged one, an array, another archive; one that is not there is an OSError."""
    program, path = encode(network(conv()), CONFIG), tmp_path / "program.npz"
    program.save(path)
    whole = path.read_bytes()
    ternary.Program(TernaryConfig(), ()).save(tmp_path / "ternary.npz")
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "archive.npz", words=np.zeros(3, np.uint32))
    (tmp_path / "short.npz").write_bytes(whole[:-40])
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("ternary.npz", "array.npy", "archive.npz", "short.npz", "empty.npz"):
        message = f"^Program file .*{name} must be a whole one of an engine with a SmartExchangeConfig, not "
        with pytest.raises(ValueError, match=message):
            Program.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Program.load(tmp_path / "none.npz")


def test_other_engines_layers_and_configurations_are_refused():
    other = random_ternary(np.random.default_rng(0), 1, 0)
    with pytest.raises(EncodeError, match="^Layer '.*' must be one of the SmartExchange engine, ConvLayer, "
                                          "PointLayer or DenseLayer, not a ConvLayer of ternary$"):
        encode(other, CONFIG)
    with pytest.raises(EncodeError, match="^Configuration must be a SmartExchangeConfig, not a TernaryConf"):
        encode(network(conv()), TernaryConfig())


def test_words_of_a_program():
    words = encode(network(conv()), CONFIG).to_words()
    assert words[:2].tolist() == [MAGIC, 1 | CONFIG.fingerprint << 8] and MAGIC == 0x31585753
    # 66 words of 48 bits, 9 of 32 and 6 of 36.
    assert words[2] == len(words) - 4 == 3 * 2 + 50 * 2 + 9 + 6 * 2
    for at, value, code, message in (
            (0, 0x31545753, ErrorCode.MAGIC, "First word must be 0x31585753, not 0x31545753"),
            (3, 4, ErrorCode.ADDRESS, r"Memory must be 1 \(table\), 2 \(items\) or 3 \(basis\), not 4"),
            (3, 2 | 8192 << 8, ErrorCode.ADDRESS, "within the 8192 words of memory 2, not at 8242")):
        wrong = words.copy()
        wrong[at] = value
        with pytest.raises(ProgramError, match=message) as raised:
            Program.from_words(wrong, CONFIG)
        assert raised.value.code is code


@pytest.mark.parametrize("field, value, message", [
    ("run_outputs", 33, r"run_outputs must be within 1 \.\. 32, its field of 5 bits, not 33"),
    ("run_outputs", 0, r"run_outputs must be within 1 \.\. 32, its field of 5 bits, not 0"),
    ("skip", 8, r"skip must be within 0 \.\. 7, its field of 3 bits, not 8"),
    ("item_base", 65536, r"item_base must be within 0 \.\. 65535, its field of 16 bits, not 65536"),
])
def test_descriptor_field_error(field, value, message):
    with pytest.raises(ValueError, match=message):
        Descriptor(kind=Kind.CONV, **{field: value})


def test_descriptor_fields_stand_where_the_specification_says():
    d = Descriptor(kind=Kind.CONV, lists=1, item_base=2, basis_base=3, run_count=4, column_count=5,
                   index_base=6, index_m_stride=7, index_i_stride=8, index_pi_stride=9, index_run_stride=10,
                   index_column_stride=11, tap_count=4, hop=3, skip=2, run_outputs=32)
    words = d.to_words()
    assert words[0] == 2
    assert words[4:10] == [2 << 16 | 1, 4 << 16 | 3, 6 << 16 | 5, 8 << 16 | 7, 10 << 16 | 9,
                           (4 | 3 << 4 | 2 << 8 | 31 << 11) << 16 | 11]
    assert Descriptor.from_words(words) == d
