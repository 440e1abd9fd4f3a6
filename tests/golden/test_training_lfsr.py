import itertools

import numpy as np
import pytest
from shiftwork.golden.training.lfsr import LAGS, STATE_BITS, RandomLanes, jump, seed_state

FACTORS = (3, 5, 17, 257, 65537)


def bits_of(state, count):
    """Bit by bit, from the definition: the ``count`` bits that follow the state's 32."""
    sequence = [state >> n & 1 for n in range(STATE_BITS)]
    for n in range(STATE_BITS, STATE_BITS + count):
        sequence.append(sequence[n - 32] ^ sequence[n - 30] ^ sequence[n - 26] ^ sequence[n - 25])
    return sequence[STATE_BITS:]


def words_of(state, count):
    bits = bits_of(state, 16 * count)
    return [sum(bits[16 * t + n] << n for n in range(16)) for t in range(count)]


def test_the_polynomial_is_primitive():
    """x has the order 2 ** 32 - 1 = 3 * 5 * 17 * 257 * 65537 modulo the polynomial: the period of bits."""
    polynomial = 1 << STATE_BITS
    for lag in LAGS:
        polynomial |= 1 << STATE_BITS - lag

    def power(n):
        result, base = 1, 2
        while n:
            for _ in range(n & 1):
                result = multiply(result, base)
            base, n = multiply(base, base), n >> 1
        return result

    def multiply(a, b):
        result = 0
        while b:
            result ^= a if b & 1 else 0
            a, b = a << 1, b >> 1
            a ^= polynomial if a >> STATE_BITS else 0
        return result

    order = 2 ** 32 - 1
    assert np.prod(FACTORS, dtype=object) == order
    assert power(order) == 1 and all(power(order // factor) != 1 for factor in FACTORS)


def test_numbers_repeat_after_2_to_32_minus_1_and_not_before():
    # Numbers take 16 bits each, and 16 has no factor with the period: their period is the same.
    state = seed_state(5)
    assert jump(state, 2 ** 32 - 1) == state
    assert all(jump(state, (2 ** 32 - 1) // factor) != state for factor in FACTORS)


@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_numbers_are_those_of_the_definition_array_after_array(lanes):
    random = RandomLanes(7, lanes)
    states = random.states.tolist()
    needed = [words_of(int(state), 90) for state in states]
    assert len(set(states)) == lanes
    done = 0
    for steps in (1, 2, 31, 40):
        assert random.numbers(steps).T.tolist() == [words[done:done + steps] for words in needed]
        done += steps
    assert done <= 90


@pytest.mark.parametrize("shape", [(5, 3, 2, 1), (4, 9, 1, 1), (13, 1, 2, 3)])
def test_weights_and_biases_take_numbers_tile_by_tile(shape):
    """Step by step: which filter, channel and tap each lane's next number is for."""
    lanes, block = 2, 4
    random, steps = RandomLanes(7, lanes), RandomLanes(7, lanes)
    filters, channels, rows, columns = shape
    found, bias = random.tiles(shape, block), random.biases(filters, block)
    assert found.shape == shape and bias.shape == (filters,)
    for top, left, r, s, part, column in itertools.product(
            range(0, filters, block), range(0, channels, block), range(rows), range(columns),
            range(0, block, lanes), range(block)):
        for lane, number in enumerate(steps.numbers(1)[0]):
            f, c = top + part + lane, left + column
            assert f >= filters or c >= channels or found[f, c, r, s] == number
    for first in range(0, -(-filters // block) * block, lanes):
        for lane, number in enumerate(steps.numbers(1)[0]):
            assert first + lane >= filters or bias[first + lane] == number
    assert np.array_equal(random.states, steps.states)


@pytest.mark.parametrize("shape", [(5, 3, 2, 9), (3, 4), (8, 1, 1, 2)])
def test_errors_take_numbers_pixel_by_pixel(shape):
    lanes, block = 2, 4
    random, steps = RandomLanes(7, lanes), RandomLanes(7, lanes)
    found = random.errors(shape, block)
    assert found.shape == shape
    filters, pixels, images = shape[0], int(np.prod(shape[1:-1], dtype=int)), shape[-1]
    flat = found.reshape(filters, pixels, images)
    for top, pixel, group, part, image in itertools.product(
            range(0, filters, block), range(pixels), range(0, images, block), range(0, block, lanes),
            range(block)):
        for lane, number in enumerate(steps.numbers(1)[0]):
            f, n = top + part + lane, group + image
            assert f >= filters or n >= images or flat[f, pixel, n] == number
    assert np.array_equal(random.states, steps.states)


def test_lanes_are_equal_distances_apart():
    states = RandomLanes(3, 4).states.tolist()
    spacing = (2 ** 32 - 1) // 4
    assert states == [jump(seed_state(3), lane * spacing) for lane in range(4)]
    assert jump(states[0], 5) == sum(word << 16 * n for n, word in enumerate(words_of(states[0], 5)[3:]))


def test_numbers_look_uniform():
    # 2 ** 16 numbers; each bit's share of ones and each pair of lanes within five deviations.
    lanes = RandomLanes(0, 8).numbers(1 << 13)
    numbers = lanes.reshape(-1)
    ones = (numbers[:, None] >> np.arange(16) & 1).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 5 * 0.5 / 256
    lanes = lanes / 2 ** 16 - 0.5
    correlation = np.corrcoef(lanes.T) - np.eye(8)
    assert np.abs(correlation).max() < 5 / np.sqrt(len(lanes))
    assert np.bincount(numbers >> 12, minlength=16).min() > 4096 - 5 * 62


def test_seeds():
    assert all(seed_state(seed) for seed in range(1000))
    assert len({seed_state(seed) for seed in range(1000)}) == 1000
    for seed in (-1, 1 << 31):
        with pytest.raises(ValueError, match=f"seed must be between 0 and 2147483647, not {seed}"):
            seed_state(seed)
