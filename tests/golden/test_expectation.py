"""Expected values against enumeration of every case."""

from itertools import product

import numpy as np
import pytest
from shiftwork.golden.smartexchange.expectation import (
    binomial,
    groups_of,
    longest,
    mean,
    non_zero_parts,
    pieces,
    spread,
    total,
)

COIN = np.array([0.3, 0.7])
DICE = np.array([0.2, 0.0, 0.5, 0.3])


def _enumerated(function, *distributions):
    """E[function(values)] over all values of independent distributions."""
    return sum(np.prod([d[v] for d, v in zip(distributions, values, strict=True)]) * function(values)
               for values in product(*(range(len(d)) for d in distributions)))


@pytest.mark.parametrize("count, probability", [(0, 0.5), (5, 0.0), (5, 1.0), (7, 0.3)])
def test_binomial(count, probability):
    bits = [np.array([1 - probability, probability])] * count
    for k in range(count + 1):
        assert binomial(count, probability)[k] == pytest.approx(
            _enumerated(lambda values, k=k: sum(values) == k, *bits))


def test_binomial_of_many():
    """Thousands do not overflow: mean n p, variance n p (1 - p)."""
    found, k = binomial(9216, 0.14), np.arange(9217)
    assert mean(found) == pytest.approx(9216 * 0.14)
    assert found @ (k - mean(found)) ** 2 == pytest.approx(9216 * 0.14 * 0.86)


@pytest.mark.parametrize("least", [0, 1])
def test_groups(least):
    distribution = binomial(9, 0.4)
    expected = _enumerated(lambda v: max(least, -(-v[0] // 4)), distribution)
    assert mean(groups_of(4, distribution, least)) == pytest.approx(expected)
    assert groups_of(4, distribution).tolist() == pytest.approx(
        [distribution[0], distribution[1:5].sum(), distribution[5:9].sum(), distribution[9]])


def test_sum_of_independent_values():
    found = total([(COIN, 2), (DICE, 1)])
    assert len(found) == 6
    for k in range(6):
        assert found[k] == pytest.approx(_enumerated(lambda v, k=k: sum(v) == k, COIN, COIN, DICE), abs=1e-12)


@pytest.mark.parametrize("least", [0, 1, 2, 5])
def test_longest(least):
    expected = _enumerated(lambda v: max(least, *v), COIN, COIN, DICE)
    assert longest([(COIN, 2), (DICE, 1)], least) == pytest.approx(expected)


def test_longest_of_certain_values():
    assert longest([(binomial(6, 1.0), 64), (binomial(2, 1.0), 8)]) == 6


@pytest.mark.parametrize("whole, size, cut, dealt", [
    (10, 4, [(4, 2), (2, 1)], [(3, 2), (2, 2)]),
    (8, 4, [(4, 2)], [(2, 4)]),
    (3, 4, [(3, 1)], [(1, 3)]),
])
def test_pieces_and_shares(whole, size, cut, dealt):
    assert pieces(whole, size) == cut and spread(whole, size) == dealt


@pytest.mark.parametrize("parts, average, zeros", [
    (4, 1.36, 0.45), (8, 1.616, 0.45), (4, 4.0, 0.0), (4, 0.0, 1.0), (4, 0.5, 0.5), (4, 2.0, 0.0)])
def test_non_zero_digits_have_their_average_and_zeros(parts, average, zeros):
    found = non_zero_parts(parts, average, zeros)
    assert found.sum() == pytest.approx(1) and found[0] == zeros and len(found) == parts + 1
    assert mean(found) == pytest.approx(average)


def test_digits_of_a_value_are_independent():
    """But for the value 0: odds of k and k + 1 digits are those of one binomial distribution."""
    found = non_zero_parts(4, 1.36, 0.45)[1:]
    odds = [found[k + 1] / found[k] / ratio for k, ratio in enumerate((6 / 4, 4 / 6, 1 / 4))]
    assert odds == pytest.approx([odds[0]] * 3)


@pytest.mark.parametrize("average, zeros", [(0.5, 0.4), (2.5, 0.4), (1.0, -0.1)])
def test_averages_that_cannot_be(average, zeros):
    message = f"average of 4 digits must be between .* where {zeros:g} of the values are 0, not {average:g}"
    with pytest.raises(ValueError, match=message):
        non_zero_parts(4, average, zeros)
