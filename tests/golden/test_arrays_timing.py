"""Cycles of engines of several column arrays, by the formulas of docs/engines/ternary-arrays.md."""

import numpy as np
import pytest
from shiftwork.golden.ternary.descriptor import Destination, Kind
from shiftwork.golden.ternary.timing import predict

from .networks import CONFIGS, conv_layer, random_input, random_network
from .test_arrays import ARRAYS, ONE, dense, network, ran, several

N, P = ONE.drain_cycles, ONE.lanes


def layers_of(some, config, x, images=None):
    return predict(ran(some, config, x, images=images)[1])


@pytest.mark.parametrize("name", ["tiny", "default", "grid8x8"])
@pytest.mark.parametrize("arrays", ARRAYS)
def test_convolutions_take_the_cycles_of_one_array(arrays, name):
    seen = set()
    for seed in range(5):
        rng = np.random.default_rng([seed, arrays])
        some, config = random_network(rng, 2, 1), several(arrays, CONFIGS[name])
        x = random_input(rng, some, config.batch)
        _, machine, _ = ran(some, config, x)
        many, one = predict(machine), layers_of(some, CONFIGS[name], x[:config.array_batch])
        for run, *cycles in zip(machine.layers, many.layers, one.layers, strict=True):
            if run.descriptor.kind is Kind.CONV:
                assert cycles[0] == cycles[1]
                seen.add(run.descriptor.destination)
    assert seen == {Destination.ROWS, Destination.VECTOR}


@pytest.mark.parametrize("arrays", ARRAYS)
def test_fully_connected_takes_the_cycles_of_the_union(arrays):
    rng = np.random.default_rng(arrays)
    some = network(dense(rng.integers(-1, 2, (20, 50)), "a", 0, 255), dense(np.ones((1, 20)), "b"),
                   shape=(50,))
    x = rng.integers(1, 9, (2 * arrays, 50)) * (rng.random((2 * arrays, 50)) < 0.2)
    union = x.reshape(arrays, 2, 50).any(axis=0).astype(int)
    many, one, first = (layers_of(some, config, given).layers[1] for config, given in (
        (several(arrays), x), (ONE, union), (ONE, x[:2])))
    assert many == one > first


def test_input_of_rows():
    """A*N cycles a row, or the 8 operations of one and the cycle that loads it, whatever is longer."""
    some = network(conv_layer(np.ones((1, 3, 3, 3)), pads=(1, 1, 1, 1)), shape=(3, 4, 4))
    taken = {}
    for arrays in (1, 2, 3, 5):
        config = several(arrays)
        taken[arrays] = layers_of(some, config, np.zeros((config.batch, 3, 4, 4), int)).load_cycles
    # 12 rows; the first one begins in cycle 1, arrives from 2 on and is complete A*N cycles later.
    assert taken[1] == 18 + 2 + N + 12 * 9
    assert taken[2] == 18 + 2 + 2 * N + 12 * 9
    assert taken[3] == 18 + 2 + 12 * 3 * N + 8 + 1
    assert taken[5] == 18 + 2 + 12 * 5 * N + 8 + 1


@pytest.mark.parametrize("arrays", [1, *ARRAYS])
def test_input_of_vectors(arrays):
    config = several(arrays)
    some = network(dense(np.ones((1, 20))), shape=(20,))
    # 2 images of 20 values each array: 5 rows.
    assert layers_of(some, config, np.ones((config.batch, 20), int)).load_cycles == 18 + 1 + 5 * arrays * N


@pytest.mark.parametrize("arrays", ARRAYS)
def test_output_of_one_row(arrays):
    """N vectors arrive, a cycle each; beats follow without a gap 4 cycles after the first arrival."""
    one, many = (layers_of(network(conv_layer(np.ones((1, 1, 1, 1))), shape=(1, 2, 2)), config,
                           np.ones((config.batch, 1, 2, 2), int)).layers[1]
                 for config in (ONE, several(arrays)))
    assert many - one == (4 + arrays * N) - (2 + N)


@pytest.mark.parametrize("arrays", ARRAYS)
def test_output_of_a_fully_connected_layer(arrays):
    """The 4 vectors of 8 values arrive in every second cycle; one takes at least as long to leave."""
    some = network(dense(np.ones((P, 20))), shape=(20,))
    one, many = (layers_of(some, config, np.ones((config.arrays, 20), int), images=config.arrays).layers[1]
                 for config in (ONE, several(arrays)))
    # From the first value's arrival: its vector is complete 1 later; one array's last value arrives in P - 1,
    # its beat leaves 2 later, and the layer is done the cycle after.
    assert many - one == (1 + 4 + 4 * arrays) - (P - 1 + 2 + 1)


def test_sparse_vectors_leave_when_they_arrive():
    """D = 8: a vector takes 8 cycles to arrive and 2 to leave, so only the last one counts."""
    base = CONFIGS["grid8x8"]
    some = network(dense(np.ones((64, 20))), shape=(20,))
    one, many = (layers_of(some, config, np.ones((config.arrays, 20), int), images=config.arrays).layers[1]
                 for config in (base, several(2, base)))
    assert many - one == 4 + 2 - 1 - 2


@pytest.mark.parametrize("arrays", [2, 3, 5, 8])
def test_output_makes_dot_products_wait(arrays):
    """A row is let go when the one two before it has left; 5 + 1 + 12 + 4 cycles later is its first beat.

    So two rows take 22 + A*N cycles, or 2*A*N where that is more.
    """
    config, taken = several(arrays), []
    for count in (10, 20):
        some = network(conv_layer(np.ones((count, 1, 1, 1))), shape=(1, 2, 2))
        taken.append(layers_of(some, config, np.ones((config.batch, 1, 2, 2), int)).layers[1])
    assert taken[1] - taken[0] == 5 * max(22 + arrays * N, 2 * arrays * N)
