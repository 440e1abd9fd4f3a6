"""From lists back to coefficients, and who gets which rows."""

import dataclasses

import numpy as np
import pytest
from shiftwork.golden.smartexchange.check import check_network
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.golden.smartexchange.encode import EncodeError, encode
from shiftwork.golden.smartexchange.interpreter import Machine
from shiftwork.golden.smartexchange.layers import SmartExchangeNetwork
from shiftwork.golden.smartexchange.lists import EMPTY, ItemList, make_lists
from shiftwork.golden.smartexchange.plan import plan_layers
from shiftwork.golden.smartexchange.rebuild_store import read_group, read_list

from .smartexchange_networks import CONFIGS, dense_layer, factors, random_input, random_network

CONFIG = dataclasses.replace(CONFIGS["one column"], rebuild=True, slices=2, lines=2)
NEGATIVE, SHIFT = 1 << 14, 1 << 15


def ran(network, config, rng):
    program, machine = encode(network, config), Machine(config)
    machine.load(program.to_words())
    machine.run(program.pack_input(random_input(rng, network, config.batch)))
    return machine


def check_store(run, layer, offsets, config):
    """Asserts that the groups of ``run`` have the codes of ``layer``, and each line its rows."""
    weights = layer.matrices()
    for group in run.groups:
        met = [set() for _ in range(config.lines)]
        for a in range(group.filters):
            m, found = group.first + a, np.zeros((config.row_depth, layer.taps), np.int64)
            rebuilt = found.copy()
            if m < layer.filters:
                found[offsets], rebuilt[offsets] = layer.coefficients[m], weights[m]
            codes = group.signs[a].astype(int) << group.exponents[a]
            np.testing.assert_array_equal(codes, found)
            np.testing.assert_array_equal(group.weights()[a], rebuilt)
            for o in np.flatnonzero(found.any(axis=1)).tolist():
                met[a if run.diagonal else o % config.lines].add(o)
        assert [set(line) for line in group.candidates] == met
        assert [len(line) for line in group.candidates] == list(map(len, met))


@pytest.mark.parametrize("slices, lines", [(1, 1), (2, 4), (4, 2)])
@pytest.mark.parametrize("kinds", [("conv", "point"), ("depthwise", "dense")], ids="-".join)
def test_codes_of_random_layers(kinds, slices, lines):
    config = dataclasses.replace(CONFIG, slices=slices, lines=lines)
    for seed in range(3):
        rng = np.random.default_rng([seed, slices])
        network = random_network(rng, kinds, config.taps)
        machine = ran(network, config, rng)
        plans = plan_layers(network.layers, network.input_shape, check_network(network, config), config)
        for run, layer, plan in zip(machine.layers[1:], network.layers, plans, strict=True):
            check_store(run, layer, plan.offsets(layer), config)
            assert run.diagonal == getattr(layer, "depthwise", False)


def test_long_columns_are_halved():
    """Of 1,300 rows in slices of 100 and 1,200: the first one, and quarters or halves of the second."""
    rng = np.random.default_rng(0)
    shape = dict(filters=2, rows=1300, taps=3)
    parts = factors(rng, **shape) | dict(bounds=(0, 100, 1300))
    parts["basis"] = rng.integers(1, 40, (2, 2, 3, 3)).astype(np.int8)
    parts["signs"] = rng.choice([-1, 1], (2, 1300, 3)).astype(np.int8)
    parts["signs"][0, 100:, 1] = 0      # an empty column beside full ones
    parts["exponents"][1] = rng.choice([0, 7], (1300, 3))   # gaps of up to 7 levels
    layer = dense_layer(2, 3900, **parts)
    network = SmartExchangeNetwork(input_shape=(3900,), input_scale=1.0, output_scale=1.0, layers=(layer,))
    config = dataclasses.replace(CONFIG, table_depth=8192)
    run = ran(network, config, rng).layers[1]
    assert run.descriptor.lists % 3 == 0 and 4 * 3 <= run.descriptor.lists <= 5 * 3
    check_store(run, layer, 3 * np.arange(1300), config)
    # `factored` cuts lists instead
    factored = encode(network, dataclasses.replace(config, rebuild=False, slices=1, lines=1))
    assert factored.metadata["layers"][0]["lists"] == 3 + 3 * 3


def test_a_list_is_read_backwards():
    """+x0 * 8 - x1 * 1: items of the gap are 8 = 2 * 4, then -x1 * 4 + x1 * 2 + x1; lift 2."""
    one, = make_lists(np.array([1, -1]), np.array([5, 2]), np.array([7, 9]))
    assert one == ItemList((7, 9 | NEGATIVE | SHIFT, 9 | SHIFT, 9 | SHIFT), 2)
    assert list(read_list(one)) == [(9, False, 2), (9, False, 2), (9, True, 2), (7, False, 5)]


def test_exponents_wrap():
    """No encoder makes such a list: nine levels from 5 on."""
    items = ItemList(tuple(n | SHIFT for n in range(9)), 5)
    assert [exponent for _, _, exponent in read_list(items)] == [5, 6, 7, 0, 1, 2, 3, 4, 5]


def test_candidates_in_the_order_of_their_first_item():
    """Filter by filter, list by list, backwards; empty lists are left out."""
    config = dataclasses.replace(CONFIG, row_depth=256)
    first = [(ItemList((4, 3, 6), 0), [1, 0, 0]), (EMPTY, [0, 0, 0]), (ItemList((1, 4), 0), [0, 0, 5])]
    second = [(ItemList((3, 8), 0), [2, 0, 0]), (EMPTY, [0, 0, 0]), (ItemList((256 + 2,), 0), [0, 1, 0])]
    group = read_group([first, second], 4, 3, config)
    assert group.candidates == ((6, 4, 8, 2), (3, 1))     # 256 + 2 wraps
    assert (group.lists, group.items, group.filters, group.first) == (6, 8, 2, 4)
    assert group.weights()[0, 4].tolist() == [1, 0, 5] and group.weights()[1, 2].tolist() == [0, 1, 0]
    diagonal = read_group([first, second], 4, 3, config, diagonal=True)
    assert diagonal.candidates == ((6, 3, 4, 1), (8, 3, 2))


@pytest.mark.parametrize("lists", [4, 6 * 16 + 3])
def test_lists_that_no_engine_has_to_understand(lists):
    message = f"Lists of a filter must be a multiple of the 3 taps and at most 48, not {lists}"
    with pytest.raises(ValueError, match=f"^{message}$"):
        read_group([[(EMPTY, [0, 0, 0])] * lists], 0, 3, CONFIG)


def test_too_many_bases():
    layer = dense_layer(1, 15, bounds=(0, 1, 2, 3, 5))
    network = SmartExchangeNetwork(input_shape=(15,), input_scale=1.0, output_scale=1.0, layers=(layer,))
    config = SmartExchangeConfig(rebuild=True, filter_bases=2)
    with pytest.raises(EncodeError, match="^Slices of rows of layer 'layer', none with a column of more than "
                                          "511 items, must be at most 2, the engine's filter_bases, not 4$"):
        encode(network, config)
    assert encode(network, dataclasses.replace(config, filter_bases=4))
