"""The interpreter of binary programs against the layer model, and against loops for any descriptor."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shiftwork.golden.common.program import ErrorCode, ProgramError
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.golden.smartexchange.descriptor import Descriptor, Destination, Kind
from shiftwork.golden.smartexchange.encode import EncodeError, encode
from shiftwork.golden.smartexchange.interpreter import Machine
from shiftwork.golden.smartexchange.layers import SmartExchangeNetwork
from shiftwork.golden.smartexchange.model import forward
from shiftwork.golden.smartexchange.program import Program
from shiftwork.golden.smartexchange.runs import contributions

from .smartexchange_networks import (
    CONFIGS,
    conv_layer,
    dense_layer,
    factors,
    numbers,
    point_layer,
    random_input,
    random_network,
)


def run(network, config, x, rng=None):
    """The network through its binary program, in memories full of whatever was there before."""
    program, machine = encode(network, config), Machine(config)
    if rng is not None:
        for array in machine.arrays:
            array.rows[:] = rng.integers(0, 1 << config.activation_width, array.rows.shape)
        machine.items[:] = rng.integers(0, 1 << 16, machine.items.shape)
    machine.load(program.to_words())
    return program, machine, program.unpack_output(machine.run(program.pack_input(x)))


KINDS = [("conv",), ("point",), ("depthwise",), ("dense",), ("conv", "conv"), ("conv", "point", "point"),
         ("depthwise", "point", "conv"), ("dense", "dense"), ("conv", "dense"),
         ("conv", "depthwise", "dense", "dense")]


def agrees(network, config, rng):
    """Asserts that the machine and the integer model agree on a batch; False if no engine can run it."""
    x = random_input(rng, network, config.batch)
    try:
        _, machine, y = run(network, config, x, rng)
    except EncodeError as error:
        assert any(text in str(error) for text in (
            "memory must have", "must stay within", "must have a window as wide", "must include 0")), error
        return None
    np.testing.assert_array_equal(y, forward(network, x))
    return machine


@pytest.mark.parametrize("kinds", KINDS, ids="-".join)
@pytest.mark.parametrize("name", CONFIGS)
def test_machine_is_forward(name, kinds):
    config, ran = CONFIGS[name], 0
    for seed in range(6):
        rng = np.random.default_rng([seed, len(kinds)])
        ran += agrees(random_network(rng, kinds, config.taps), config, rng) is not None
    assert ran >= 4


@settings(deadline=None, max_examples=60, derandomize=True)
@given(seed=st.integers(0, 2 ** 32 - 1), name=st.sampled_from(sorted(CONFIGS)), kinds=st.sampled_from(KINDS),
       bits=st.sampled_from([1, 5, 8, 13, 16]))
def test_encoder_and_machine(seed, name, kinds, bits):
    config = dataclasses.replace(CONFIGS[name], activation_width=8 if bits <= 8 else 16)
    rng = np.random.default_rng(seed)
    agrees(random_network(rng, kinds, config.taps, bits), config, rng)


def test_random_networks_meet_every_case():
    """Padding skipped on either side and walked, two sums complete at once, runs, pooling, slices, gaps."""
    seen = set()
    for name in ("one column", "tiny", "four taps"):
        for seed in range(25):
            rng = np.random.default_rng([seed, 99])
            network = random_network(rng, ("conv",), CONFIGS[name].taps)
            machine = agrees(network, CONFIGS[name], rng)
            if machine is None:
                continue
            (layer,), d = network.layers, machine.layers[1].descriptor
            last = machine.layers[1].columns[-1]
            seen |= {("skip", d.skip > 0), ("walked", d.skip == 0 and layer.pads[1] > 0),
                     ("runs", d.run_count > 1), ("hop", d.hop), ("two", sum(one.last for one in last) == 2),
                     ("right", layer.pads[3] > 0 and last[0].tap < d.tap_count - 1),
                     ("pool", d.pi_count, d.pj_count), ("slices", len(layer.bounds) > 2),
                     ("signed", d.input_signed), ("taps", d.tap_count)}
    wanted = {(name, True) for name in ("skip", "walked", "runs", "two", "right", "slices", "signed")}
    wanted |= {("hop", 2), ("pool", 2, 2), ("pool", 3, 3), ("pool", 1, 2), ("taps", 1), ("taps", 4)}
    assert wanted - seen == set()


def one_layer(layer, shape):
    return SmartExchangeNetwork(input_shape=shape, input_scale=1.0, output_scale=1.0, layers=(layer,))


def machine_of(layer, shape, config, seed=0):
    rng = np.random.default_rng(seed)
    machine = agrees(one_layer(layer, shape), config, rng)
    assert machine is not None
    return machine.layers[1].descriptor


@pytest.mark.parametrize("pads, skip, columns", [
    ((0, 0, 0, 0), 0, 9), ((1, 1, 1, 1), 1, 8), ((0, 2, 0, 0), 2, 8), ((0, 0, 0, 2), 0, 9),
    ((0, 3, 0, 0), 2, 9), ((2, 2, 2, 2), 2, 9), ((0, 4, 0, 4), 2, 13)])
def test_which_padding_is_skipped(pads, skip, columns):
    """Of 8 columns of pixels; one on the right, as two sums may be complete at once.

    A block is at least as wide as the 8 columns of the input, so without padding there are outputs beyond.
    """
    layer = conv_layer(2, 2, pads=pads, **factors(np.random.default_rng(0), 2, 6, 3))
    d = machine_of(layer, (2, 4, 8), CONFIGS["one column"])
    assert (d.skip, d.column_count, d.run_count, d.hop) == (skip, columns, 1, 1)
    assert d.run_outputs == d.j_count == max(8, 6 + pads[1] + pads[3])
    walked = machine_of(layer, (2, 4, 8), CONFIGS["one row"])
    assert walked.skip == 0 and walked.column_count == walked.run_outputs + 2


def test_map_of_one_cell_skips_on_a_grid_of_several():
    layer = conv_layer(1, 1, pads=(1, 1, 1, 1), pool=(1, 2), pool_stride=(1, 2))
    d = machine_of(layer, (1, 4, 2), CONFIGS["tiny"])
    assert (d.skip, d.column_count, d.run_outputs, d.j_count) == (1, 2, 2, 1)


@pytest.mark.parametrize("layer, shape, runs", [
    # Runs, columns, outputs, hop. Blocks are the smallest that cover the input, too.
    (dict(pool=(2, 2), pool_stride=(2, 2)), (1, 10, 10), (1, 11, 10, 1)),
    (dict(pool=(3, 3), pool_stride=(2, 2)), (1, 9, 9), (5, 5, 3, 1)),
    (dict(pool=(1, 1), pool_stride=(2, 2)), (1, 8, 8), (4, 3, 1, 1)),
    (dict(stride=(2, 2)), (1, 9, 9), (1, 9, 5, 2)),
    (dict(stride=(4, 4)), (1, 11, 11), (3, 3, 1, 1)),
    (dict(pads=(0, 1, 0, 1)), (1, 3, 32), (1, 32, 32, 1)),
    (dict(pads=(0, 1, 0, 1)), (1, 3, 33), (33, 3, 1, 1)),
    (dict(pads=(0, 1, 0, 1), pool=(1, 7), pool_stride=(1, 7)), (1, 3, 28), (1, 28, 28, 1)),
    (dict(pads=(0, 1, 0, 1), pool=(1, 7), pool_stride=(1, 7)), (1, 3, 35), (5, 9, 7, 1)),
])
def test_runs(layer, shape, runs):
    d = machine_of(conv_layer(1, 1, **layer), shape, CONFIGS["one column"])
    assert (d.run_count, d.column_count, d.run_outputs, d.hop) == runs


@pytest.mark.parametrize("fields, runs", [
    (dict(), (4, 0)), (dict(stride=(1, 2)), (2, 12)), (dict(pool=(1, 2), pool_stride=(1, 2)), (4, 6)),
    (dict(pool=(1, 1), pool_stride=(1, 3)), (2, 18))])
def test_runs_of_one_by_one(fields, runs):
    layer = point_layer(2, 4, **fields, **factors(np.random.default_rng(0), 2, 2, 3))
    d = machine_of(layer, (4, 4, 4), CONFIGS["one column"])
    assert (d.column_count, d.index_column_stride, d.run_outputs, d.tap_count) == (3, 1, 1, 3)
    assert d.run_count == runs[0] and d.index_run_stride == (runs[1] or 6)


def test_layers_before_have_filters_of_zeros():
    """4 pixels of 2 channels, rows of 3 columns: a third filter that yields zeros, though low is below."""
    rng = np.random.default_rng(5)
    first = conv_layer(2, 1, low=-128, high=127, **(numbers(rng, 2, 3) | factors(rng, 2, 3, 3)))
    second = dense_layer(3, 12, input_signed=True, low=-128, high=127, **factors(rng, 3, 4, 3))
    third = dense_layer(2, 3, name="c", input_signed=True, **factors(rng, 2, 1, 3))
    network = SmartExchangeNetwork(input_shape=(1, 4, 4), input_scale=1.0, output_scale=1.0,
                                   layers=(first, second, third))
    machine = agrees(network, CONFIGS["tiny"], rng)
    counts = [layer.descriptor.m_count for layer in machine.layers]
    assert counts == [1, 3, 3, 2]
    assert machine.layers[1].lengths[2] == (2, 2, 2)
    blocks = [(layer.descriptor.i_count, layer.descriptor.j_count) for layer in machine.layers]
    assert blocks == [(2, 2), (2, 2), (1, 1), (1, 1)]


# A descriptor of any kind, run by loops that are those of the specification.

def loops(machine, d):
    """Results (m, i, j, lanes) of a CONV descriptor, a lane after the other."""
    config, rows = machine.config, machine.arrays[0].rows.astype(int)
    if d.input_signed:
        rows = (rows ^ 128) - 128
    table, found = machine.table, {}
    item = d.item_base
    for m in range(d.m_count):
        starts = []
        for number in range(d.lists):
            word = machine.basis[d.basis_base + m * d.lists + number]
            starts.append((item, word))
            item += word & 511
        for i, pi in np.ndindex(d.i_count, d.pi_count):
            q = 0
            for r in range(d.run_count):
                sums, left = {}, {}
                for column in range(d.column_count):
                    for s in range(d.tap_count):
                        if (d.skip + column - s) % d.hop == 0:
                            f = (d.skip + column - s) // d.hop
                            if 0 <= f < d.run_outputs:
                                left[f] = left.get(f, 0) + d.lists
                for column in range(d.column_count):
                    at = d.index_base + m * d.index_m_stride + i * d.index_i_stride + pi * d.index_pi_stride \
                        + r * d.index_run_stride + column * d.index_column_stride
                    for first, word in starts:
                        total = np.zeros(config.lanes, int)
                        for bits in machine.items[first:first + (word & 511)].tolist():
                            x = rows[(at + (bits & 0x3FFF)) % config.row_depth]
                            total = (total << (bits >> 15)) + (-x if bits >> 14 & 1 else x)
                            total = (total + (1 << 19)) % (1 << 20) - (1 << 19)
                        for s in range(d.tap_count - 1, -1, -1):
                            f, rest = divmod(d.skip + column - s, d.hop)
                            if rest or not 0 <= f < d.run_outputs:
                                continue
                            b = word >> 12 + 8 * s & 255
                            b -= (b & 128) * 2
                            sums[f] = sums.get(f, 0) + b * 2 ** (word >> 9 & 7) * total
                            sums[f] = (sums[f] + 2 ** 31) % 2 ** 32 - 2 ** 31
                            left[f] -= 1
                            if not left[f]:
                                j = q // d.pj_count
                                y = requantized(table[d.param_base + m], sums[f], d, config)
                                before = found.get((m, i, j))
                                found[m, i, j] = y if before is None else np.maximum(y, before)
                                q += 1
    result = np.zeros((d.m_count, d.i_count, d.j_count, config.lanes), int)
    for (m, i, j), y in found.items():
        for lane in range(config.lanes):
            row, column = divmod(lane % config.image_lanes, config.grid_columns)
            if (row, i) <= (d.i_last_cell, d.i_last_local) and (column, j) <= (d.j_last_cell, d.j_last_local):
                result[m, i, j, lane] = y[lane]
    return result


def requantized(word, acc, d, config):
    bias = word & 2 ** 32 - 1
    bias -= (bias >> 31) * 2 ** 32
    scale, shift = word >> 32 & 2 ** config.scale_width - 1, (word >> 32 + config.scale_width) + 15
    return np.minimum(np.maximum(((acc + bias) * scale + 2 ** (shift - 1)) >> shift, d.low), d.high)


def random_descriptor(rng):
    """A CONV descriptor to the stream that has a meaning; the memories' contents do not matter."""
    while True:
        pool, outputs, runs = int(rng.integers(1, 4)), int(rng.integers(1, 7)), int(rng.integers(1, 4))
        if runs * outputs % pool:
            continue
        strides = {f"index_{name}_stride": int(rng.integers(0, 300)) for name in
                   ("m", "i", "pi", "run", "column")}
        d = Descriptor(
            kind=Kind.CONV, destination=Destination.STREAM, input_signed=bool(rng.integers(2)), low=-32768,
            high=32767, m_count=int(rng.integers(1, 4)), i_count=int(rng.integers(1, 3)),
            j_count=runs * outputs // pool, pi_count=int(rng.integers(1, 3)), pj_count=pool,
            lists=int(rng.integers(1, 4)), run_count=runs, column_count=int(rng.integers(1, 10)),
            tap_count=int(rng.integers(1, 4)), hop=int(rng.integers(1, 4)), skip=int(rng.integers(0, 4)),
            run_outputs=outputs, param_base=40, item_base=int(rng.integers(0, 5)),
            basis_base=int(rng.integers(0, 20)), index_base=int(rng.integers(0, 256)),
            i_last_cell=int(rng.integers(2)), i_last_local=int(rng.integers(2)),
            j_last_cell=int(rng.integers(2)), j_last_local=int(rng.integers(3)), **strides)
        try:
            contributions(d)
        except ValueError:
            continue
        return d


@pytest.mark.parametrize("seed", range(25))
def test_any_descriptor_and_any_memories(seed):
    rng = np.random.default_rng(seed)
    config = SmartExchangeConfig(lanes=8, grid_rows=2, grid_columns=2, drain_width=2, scatter_width=4,
                                 combine_width=4, row_depth=256, item_depth=1024, table_depth=128)
    machine, d = Machine(config), random_descriptor(rng)
    machine.arrays[0].rows[:] = rng.integers(0, 256, machine.arrays[0].rows.shape)
    machine.items[:] = rng.integers(0, 1 << 16, config.item_depth)
    length = rng.integers(1, 40, config.basis_depth)
    rest = rng.integers(0, 1 << 27, config.basis_depth)
    machine.basis[:] = [int(n) | int(r) << 9 for n, r in zip(length, rest, strict=True)]
    machine.table[:] = [int(v) for v in rng.integers(0, 1 << 48, config.table_depth)]
    # A bias that the sum keeps in range, as an encoder would prove.
    machine.table[:] = [v >> 32 << 32 | v & 0xFFFF for v in machine.table]
    empty = Descriptor(kind=Kind.END).to_words()
    input_ = Descriptor(kind=Kind.INPUT, out_u_count=0, out_v_count=0).to_words()
    machine.table[:48] = [*input_, *d.to_words(), *empty]
    entries = [int(v) & 0xFFFF | int(s) << 32 for v, s in zip(rng.integers(0, 1 << 16, 3),
                                                              rng.integers(0, 1 << 16, 3), strict=True)]
    d = dataclasses.replace(d, param_base=48)
    machine.table[16:32] = d.to_words()
    machine.table[48:51] = entries
    machine.loaded = True
    found = machine.run(np.zeros((0, 2)))
    np.testing.assert_array_equal(found.reshape(-1), loops(machine, d).reshape(-1))


@pytest.mark.parametrize("fields, message", [
    (dict(column_count=5), "Column 3 of a run must contribute to an output, not to none"),
    (dict(run_outputs=2), "Output 1 of a run must have a contribution, not none"),
    (dict(column_count=1, run_outputs=3, skip=2), "Outputs complete with column 0 must be at most 2, not 3"),
    (dict(j_count=3), r"Outputs of all runs must be j_count \* pj_count 3, not 1"),
])
def test_descriptors_without_meaning(fields, message):
    defaults = dict(kind=Kind.CONV, destination=Destination.STREAM, m_count=1, i_count=1, j_count=1,
                    pi_count=1, pj_count=1, lists=1, run_count=1, column_count=3, tap_count=3, hop=1)
    if fields.get("run_outputs") == 2:
        defaults |= dict(hop=7, column_count=3)
    machine = Machine(CONFIGS["tiny"])
    words = Descriptor(**defaults | fields).to_words()
    machine.table[:32] = [*words, *Descriptor(kind=Kind.END).to_words()]
    machine.loaded = True
    with pytest.raises(ValueError, match=message):
        machine.run(np.zeros((0, 2)))


def test_streams_of_another_length_and_no_program():
    machine = Machine(CONFIGS["tiny"])
    with pytest.raises(ProgramError, match="Program must be loaded before a start"):
        machine.run(np.zeros((0, 2)))
    machine.load(encode(one_layer(conv_layer(1, 1), (1, 4, 4)), CONFIGS["tiny"]).to_words())
    beats = 2 * 2 * 8 // 2
    for change, code in ((-1, ErrorCode.INPUT_SHORT), (1, ErrorCode.INPUT_LONG)):
        with pytest.raises(ProgramError, match=f"Input must have {beats} beats") as raised:
            machine.run(np.zeros((beats + change, 2)))
        assert raised.value.code is code


def test_arrays_are_machines_of_one_array():
    config, rng = CONFIGS["arrays"], np.random.default_rng(7)
    alone = dataclasses.replace(config, arrays=1)
    network = random_network(rng, ("conv", "dense"))
    x = random_input(rng, network, config.batch)
    program, machine, y = run(network, config, x, rng)
    parts = [run(network, alone, x[n:n + alone.batch], rng)[2] for n in range(0, config.batch, alone.batch)]
    np.testing.assert_array_equal(y, np.concatenate(parts))
    with pytest.raises(ProgramError, match="Fingerprint must be"):
        Program.from_words(program.to_words(), alone)
    assert len(machine.arrays) == 3


def test_statistics():
    layer = conv_layer(2, 1, pads=(1, 1, 1, 1))
    program, machine, _ = run(one_layer(layer, (1, 4, 4)), CONFIGS["one column"], np.zeros((2, 1, 4, 4), int))
    (about,) = machine.statistics(program)
    # A row of the block, 4 columns walked, 2 filters, 3 lists of 3 items; 2 + 3 + 3 + 2 contributions.
    assert (about.items, about.dot_products) == (18, 4 * 2 * 3)
    assert (about.adds, about.combines) == (18 * 4, 10 * 2 * 3 * 2)
