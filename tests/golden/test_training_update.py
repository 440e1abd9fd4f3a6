from fractions import Fraction

import numpy as np
import pytest
from shiftwork.golden.training.quantize import Scaled
from shiftwork.golden.training.update import Parameter, plain_gradient

from . import wageubn


@pytest.mark.parametrize("momentum", [0, 1, 3])
def test_updates_are_exact_on_their_grids(momentum):
    """Many steps in fractions: nothing is rounded but the stored accumulator."""
    rng = np.random.default_rng(0)
    parameter = Parameter.of(rng.uniform(-0.9, 0.9, 40))
    master = [Fraction(int(v), 1 << 23) for v in parameter.master]
    acc = [Fraction(0)] * 40
    for _ in range(60):
        gradient = rng.integers(-127, 128, 40)
        rate = int(rng.integers(0, 512))
        parameter.step(Scaled(gradient, -14), rate, momentum)
        fresh = [Fraction(momentum, 4) * a + Fraction(int(g), 1 << 14)
                 for a, g in zip(acc, gradient, strict=True)]
        acc = [Fraction(round(f * 2 ** 12), 2 ** 12) for f in fresh]
        most = 1 - Fraction(1, 1 << 23)
        master = [min(max(w - Fraction(rate, 512) * f, -most), most)
                  for w, f in zip(master, fresh, strict=True)]
        assert [Fraction(int(v), 1 << 23) for v in parameter.master] == master
        assert [Fraction(int(v), 1 << 12) for v in parameter.accumulator] == acc


def test_the_update_takes_the_accumulator_before_it_is_rounded():
    parameter = Parameter.of(np.zeros(1))
    parameter.step(Scaled(np.array([1]), -14), 1, 1)
    assert (parameter.master.tolist(), parameter.accumulator.tolist()) == ([-1], [0])
    parameter.step(Scaled(np.array([6]), -14), 1, 1)
    assert (parameter.master.tolist(), parameter.accumulator.tolist()) == ([-7], [2])     # 3/2 goes to 2


def test_the_accumulator_keeps_its_width():
    parameter = Parameter.of(np.zeros(2))
    gradient = Scaled(np.array([32767, -32767]), -14)
    for _ in range(60):
        parameter.step(gradient, 0, 3)
    assert np.abs(parameter.accumulator).max() <= 1 << 15
    assert np.abs(3 * parameter.accumulator + gradient.integers).max() <= (1 << 17) + 2


def test_rounded_weights_are_the_papers():
    masters = np.concatenate([np.arange(-(1 << 23) + 1, 1 << 23, 997), [(1 << 23) - 1, 3 << 15, 1 << 15]])
    parameter = Parameter(masters, np.zeros_like(masters))
    assert np.array_equal(parameter.rounded / 128, wageubn.weight(masters / 2.0 ** 23))


def test_parameters_start_on_the_grid_of_16_bits():
    values = np.array([0.5, -0.123456, 3.0, -3.0])
    most = 1 - 2.0 ** -23
    assert (Parameter.of(values).master / 2.0 ** 23).tolist() == [0.5, wageubn.q(values[1], 16), most, -most]


def test_plain_gradients_are_q_and_saturate():
    total = Scaled(np.array([5, -7, 3 << 20, -(1 << 35), 6]), -16)
    assert plain_gradient(total).integers.tolist() == [1, -2, 32767, -32767, 2]
    assert plain_gradient(total).exponent == -14
