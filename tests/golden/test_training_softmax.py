import numpy as np
import pytest
from shiftwork.golden.training.quantize import Scaled
from shiftwork.golden.training.softmax import LOG2_E, error_bound, power_table, softmax_error

from . import wageubn


def test_constants():
    assert LOG2_E == round(np.log2(np.e) * 2 ** 16)
    table = power_table()
    assert len(table) == 256 and table.min() == 32812 and table.max() == 65447
    assert (np.diff(table) < 0).all()


def probabilities(logits, labels):
    found = softmax_error(Scaled(logits, -14), labels)
    q = found.error.integers.copy()
    q[labels, np.arange(len(labels))] += 1 << 15
    return found, q / 2 ** 15


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("spread", [0.01, 1, 4, 30, 400])
def test_probabilities_are_within_the_bound(classes, spread):
    rng = np.random.default_rng(classes)
    logits = np.rint(np.clip(rng.standard_normal((classes, 3000)) * spread, -511, 511) * 2 ** 14).astype(int)
    _, q = probabilities(logits, rng.integers(0, classes, 3000))
    exact = wageubn.softmax(logits / 2 ** 14)
    assert np.abs(q - exact).max() <= error_bound(classes)
    assert q.min() >= 0


def test_the_bound_is_small():
    assert error_bound(10) < 0.0009


def test_two_classes_for_every_difference():
    # z = (0, -t): the sigmoid, at steps of 2 ** -10, and every step of the last bit near 0.
    t = np.concatenate([np.arange(0, 1 << 18, 16), np.arange(4096)])
    _, q = probabilities(np.stack([np.zeros_like(t), -t]), np.zeros(len(t), np.int64))
    assert np.abs(q[0] - 1 / (1 + np.exp(-t / 2 ** 14))).max() <= error_bound(2)


def test_error_and_miss_of_known_logits():
    logits = np.zeros((4, 3), np.int64)
    logits[2, 1] = 40 << 14
    found, q = probabilities(logits, np.array([0, 2, 1]))
    assert found.error.exponent == -15 - 2      # a batch of 3 is divided by 4
    assert found.error.integers[:, 0].tolist() == [-24576, 8192, 8192, 8192]
    assert found.error.integers[:, 1].tolist() == [0, 0, 0, 0]
    assert found.error.integers[:, 2].tolist() == [8192, -24576, 8192, 8192]
    assert found.miss == 2 * 24576
    assert q[:, 1].tolist() == [0, 0, 1, 0]
