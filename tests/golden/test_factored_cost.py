"""The model of our own machine: against the engine's exact cycles, and on layers counted by hand."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from shiftwork.golden.common.shapes import Kind, LayerShape
from shiftwork.golden.common.timing import DESCRIPTOR_CYCLES
from shiftwork.golden.smartexchange.encode import EncodeError, encode
from shiftwork.golden.smartexchange.expectation import binomial, longest, longest_sum, mean, total
from shiftwork.golden.smartexchange.factored_cost import Factored
from shiftwork.golden.smartexchange.factored_lists import item_count, lists_of, signed_digits
from shiftwork.golden.smartexchange.factored_map import Engines, walked, window
from shiftwork.golden.smartexchange.interpreter import Machine
from shiftwork.golden.smartexchange.layers import SmartExchangeNetwork
from shiftwork.golden.smartexchange.lists import make_lists
from shiftwork.golden.smartexchange.rebuild import stored_weights
from shiftwork.golden.smartexchange.sparsity import Reading, Statistics, statistics
from shiftwork.golden.smartexchange.timing import COMBINE, DRAIN, DRAIN_LATENCY, GAP, START, predict

from .smartexchange_networks import CONFIGS, random_conv, random_dense, random_input
from .test_rebuild import zeros
from .test_rivals import conv, dense, depthwise

ONE = Engines(controllers=1, lanes=16, combine_width=4, drain_width=4)     # K = 4


def _ran(rng, config, kind):
    """A random layer of ``kind`` without pooling, its shape, and the Machine that has run it."""
    shape = tuple(int(v) for v in rng.integers(1, [40] if kind == "dense" else [5, 10, 10]))
    fields = dict(low=-128, high=127, input_signed=False)
    if kind == "dense":
        layer = random_dense(rng, "layer", shape, config.taps, **fields)
    else:
        layer = random_conv(rng, "layer", shape, kind, config.taps, **fields)
        layer = dataclasses.replace(layer, pool=(1, 1), pool_stride=(1, 1))
    network = SmartExchangeNetwork(input_shape=shape, input_scale=1.0, output_scale=1.0, layers=(layer,))
    program, machine = encode(network, config), Machine(config)
    machine.load(program.to_words())
    machine.run(program.pack_input(random_input(rng, network, config.batch)))
    return layer, shape, machine


def _check_columns(layer, shape, d, columns):
    """The engine walks the columns that the model counts (but where its block is wider than the map)."""
    if not layer.convolution or layer.kernel == (1, 1):
        assert columns == {1: d.j_count * layer.taps}
        return
    (rows, taps), (_, left, _, right), stride = layer.kernel, layer.pads, layer.stride[1]
    found = LayerShape(name="any", kind=Kind.CONVOLUTION, channels=1, filters=1, kernel_rows=rows,
                       kernel_columns=taps, stride=stride, rows=rows, columns=shape[2],
                       pads=(0, left, 0, right))
    if stride <= taps and d.j_count <= found.output_columns:
        assert columns == walked(found, taps, d.j_count)


@pytest.mark.parametrize("kind", ["conv", "depthwise", "point", "dense"])
@pytest.mark.parametrize("name", ["tiny", "one column", "one row"])
def test_cycles_are_those_of_the_engine(name, kind):
    """predict = 18 + START - 1 + the model's sum - what the first dot product need not wait + the pipeline.

    Of layers whose sums are so far apart that none waits for the drain.
    """
    config, ran = dataclasses.replace(CONFIGS[name], drain_width=4, scatter_width=4), 0
    engines = Engines(controllers=1, lanes=config.lanes, combine_width=config.combine_width, drain_width=4)
    for seed in range(14):
        rng = np.random.default_rng([seed, len(kind)])
        try:
            layer, shape, machine = _ran(rng, config, kind)
        except (EncodeError, ValueError):
            continue
        run = machine.layers[1]
        d, taps = run.descriptor, [len(found) for found in run.columns]
        longest_tail = COMBINE + config.taps * config.combine_cycles + DRAIN + config.drain_cycles
        if min(float(np.sum(engines.row_cycles(np.array(lengths), {min(taps): 1})))
               for lengths in run.lengths) < longest_tail:
            continue
        ran += 1
        columns = {taps: count * d.run_count for taps, count in Counter(taps).items()}
        _check_columns(layer, shape, d, columns)
        spent = d.i_count * sum(float(np.sum(engines.row_cycles(np.array(lengths), columns)))
                                for lengths in run.lengths)
        first, wait = run.lengths[0][0], max(config.combine_cycles * taps[-1], GAP)
        last = START - 1 + spent - (max(first, wait) - first)
        completing = max(n for n, one in enumerate(run.columns[-1]) if one.last)
        pipeline = COMBINE + completing * config.combine_cycles + DRAIN + config.drain_cycles - 1
        assert predict(machine).layers[1] == DESCRIPTOR_CYCLES + last + pipeline + DRAIN_LATENCY + 2 + 1
    assert ran >= 3


def test_an_engine_takes_its_filters_lists():
    """16 filters of 3 lists of 24 coefficients; a map of 4 rows and 4 columns, on 16 lanes and on 4."""
    layer = conv(8, 16, 4)
    lists = lists_of(layer, 0.0, True)
    assert [(int(np.argmax(part)), count) for part, count in lists.parts] == [(24, 3)] and lists.taps == 3
    items = float(item_count([24])[0])
    found = ONE.mapping(layer, lists)
    assert (found.maps, found.rows, found.pieces, found.width, found.depth) == (1, 1, 1, 1, 8 * 9)
    # One lane for each output: 3 columns of one tap each, three lists of 24.x items.
    assert ONE.cycles(layer, lists) == pytest.approx(16 * 3 * 3 * items)
    four = dataclasses.replace(ONE, lanes=4, combine_width=1, drain_width=1)
    found = four.mapping(layer, lists)
    assert (found.rows, found.width) == (1, 4), "columns of T serve three outputs, and padding is skipped"
    assert four.cycles(layer, lists) == pytest.approx(16 * 3 * 4 * items)
    # More engines: filters first, then lanes.
    assert dataclasses.replace(four, controllers=16).mapping(layer, lists).filters == 16


def test_combining_is_the_least():
    """2 rows: of 3 lists of 2 items each is as long as its combination, K = 4 for a tap, at least GAP = 6."""
    layer = dense(6, 1)
    lists = lists_of(layer, 0.0, True)
    assert ONE.cycles(layer, lists) == pytest.approx(3 * 3 * 6)
    wide = dataclasses.replace(ONE, lanes=64)    # K = 16
    assert wide.cycles(layer, lists) == pytest.approx(3 * 3 * 16)


def test_a_row_is_cut_where_memory_ends():
    layer = conv(8, 16, 12)
    lists = lists_of(layer, 0.0, True)
    narrow = dataclasses.replace(ONE, lanes=4, combine_width=2, drain_width=1, row_depth=8 * 3 * 6)
    found = narrow.mapping(layer, lists)
    assert (found.rows, found.pieces, found.width, found.depth) == (3, 3, 4, 8 * 3 * 6)
    assert sum(walked(layer, 3, 4).values()) == 6 and sum(walked(layer, 3, 12).values()) == 12
    assert window(layer, 3, 4) == 5 * 6


def test_dilated_layers_are_layers_of_every_other_column():
    layer = conv(8, 16, 12, dilation=2, pads=(2,) * 4)
    assert walked(layer, 3, 6) == walked(conv(8, 16, 6), 3, 6) == {2: 2, 3: 4}
    assert window(layer, 1, 6) == 3 * 8 and window(layer, 4, 6) == 8 * 8


def test_depthwise_layers_stay_as_they_are():
    """9 weights of 2.78 signed powers of two: S = 1, one column and list for each output."""
    layer = depthwise(40, 4)
    assert not stored_weights(layer, Statistics())[1]
    lists = Factored().lists(layer, Statistics())
    assert lists.count == 1 and lists.taps == 1
    assert lists.parts[0][0] @ np.arange(37) == pytest.approx(9 * mean(signed_digits()))
    assert lists.items == pytest.approx(9 * mean(signed_digits()), rel=0.03), "some exponents are missing"
    assert walked(layer, 1, 4) == {1: 4}


def test_signed_digits():
    """Of the values -128 .. 127: the least number of signed powers of two, found by trying."""
    sums, found = {0}, {0: 0}
    powers = [sign << n for n in range(8) for sign in (1, -1)]
    for least in range(1, 5):
        sums = {a + b for a in sums for b in powers if abs(a + b) < 512}
        found |= {value: least for value in sums if value not in found}
    counts = np.bincount([found[value] for value in range(-128, 128)])
    assert signed_digits() == pytest.approx(counts / 256)


def test_item_count():
    """Against the encoder's lists of random exponents."""
    rng = np.random.default_rng(0)
    for n in (1, 3, 14):
        lists = [make_lists(np.ones(n, int), rng.integers(0, 8, n), np.arange(n)) for _ in range(4000)]
        assert item_count([n])[0] == pytest.approx(np.mean([len(one.items) for one, in lists]), rel=0.02)
    assert item_count([0])[0] == len(make_lists(np.zeros(2, int), np.zeros(2, int), np.arange(2))[0].items)


def test_readings_of_zeros_are_the_same():
    for layer in (conv(64, 64, 8), dense(960, 30)):
        rows, elements = (Factored().cost(layer, zeros(0.5, reading)) for reading in Reading)
        assert rows.compute == elements.compute and rows.buffer == elements.buffer


def test_the_slowest_engine():
    """As the exact distribution of sums of binomials has it."""
    layer, engines = conv(64, 64, 8), Engines(controllers=16)
    lists = lists_of(layer, 0.5, True)
    found = engines.mapping(layer, lists)
    assert found.filters == 16
    items = total([(binomial(192, 0.5), 4 * 3)])
    ratio = engines.cycles(layer, lists) / found.cycles
    assert ratio == pytest.approx(longest([(items, 16)]) / mean(items), rel=2e-3) and ratio > 1.02


def test_longest_sum():
    assert longest_sum([(5.0, 0.0, 9), (3.0, 0.0, 1)]) == pytest.approx(5)
    assert longest_sum([(7.0, 4.0, 1)]) == pytest.approx(7)
    assert longest_sum([(0.0, 1.0, 2)]) == pytest.approx(np.pi ** -0.5, rel=1e-3)


def test_what_is_stored():
    layer, found = conv(64, 64, 8), statistics("ResNet50")
    machine = Factored()
    lists = machine.lists(layer, found)
    assert lists.bits == pytest.approx(16 * lists.items + 3 * 36)
    moved = {stored: Factored(stored=stored).cost(layer, found).dram
             for stored in ("program", "indexed", "paper")}
    rest = 8 * (layer.inputs + layer.outputs)
    assert moved == pytest.approx({"program": rest + 64 * lists.bits, "indexed": rest + 64 * (
        lists.bits - 6 * lists.items), "paper": rest + stored_weights(layer, found)[0]})
    with pytest.raises(ValueError, match="stored must be one of program, indexed, paper, not 'raw'"):
        Factored(stored="raw")


def test_traffic():
    """16 filters of 3 lists of 24.x items; 16 lanes with 3 columns of T of one tap each."""
    layer = conv(8, 16, 4)
    cost = Factored(engines=ONE).cost(layer, Statistics())
    items = float(item_count([24])[0])
    adds, terms = 16 * 3 * items * 3 * 16, 16 * 3 * 3 * 16
    bits = 16 * (16 * 3 * items + 3 * 36)
    reads = 16 * 8 * 9
    assert cost.products == terms and cost.macs == layer.macs
    assert cost.dram == pytest.approx(8 * (128 + 256) + bits)
    assert cost.buffer == pytest.approx(8 * (adds + 2 * reads + 256) + 3 * bits + 40 * terms + 84 * terms
                                        + cost.dram)
    assert cost.energy == pytest.approx(
        2.5 * 0.124 * terms + 0.019 * (adds + terms) + cost.dram / 8 * 100 + cost.buffer / 8 * 1.36
        + 56 * adds / 8 * 0.019)


def test_powers_of_two_where_kernels_are_one_wide():
    plain, single = (Factored(single=single).cost(dense(960, 300), zeros(0.5)) for single in (False, True))
    assert 2.5 < plain.compute / single.compute < 3.2
    layer = conv(64, 64, 8)
    assert Factored(single=True).cost(layer, zeros(0.5)) == Factored().cost(layer, zeros(0.5))
