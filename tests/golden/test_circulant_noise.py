"""Integers against floats: each step within its derived bound, no drift over a sequence."""

from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.circulant.cells import Gru, Lstm
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.golden.circulant.noise import StepBound, snr

from .circulant_networks import CELLS, integers

CONFIGS = {(size, bits): CirculantConfig(block=size, vector_width=bits, weight_width=bits, acc_width=44,
                                         sum_width=bits + 6, **more)
           for size in (4, 8, 16) for bits, more in ((12, {}), (16, {"factor_bits": 14, "segment_bits": 4}))}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("size, bits", [(8, 12), (4, 16)])
def test_each_step_is_within_its_bound(name, size, bits):
    found = snr(CONFIGS[size, bits], CELLS[name], steps=40, seed=2)
    assert 0.01 < found.share < 1 and found.step > found.bound


DRIFT = {
    "lstm": Lstm(inputs=32, hidden=32, projection=16, peephole=True),
    "gru, before": Gru(inputs=16, hidden=32),
    "gru, after": Gru(inputs=16, hidden=32, reset="after", update="keeps"),
}


@pytest.mark.parametrize("size, bits", [(16, 12), (8, 12), (16, 16)])
@pytest.mark.parametrize("name", DRIFT)
def test_sequences_do_not_drift(name, size, bits):
    """100 steps that floats compute alone: as near in the second half as in the first."""
    found = snr(CONFIGS[size, bits], DRIFT[name], steps=100, seed=4)
    assert found.bound > 15 and found.share < 1
    assert min(found.first, found.second) > max(found.bound, 50)
    assert abs(found.first - found.second) < 3


def test_more_bits_are_closer():
    cell = Gru(inputs=16, hidden=16)
    coarse, fine = (snr(CONFIGS[8, bits], cell, steps=30) for bits in (12, 16))
    assert fine.second > coarse.second + 8 and fine.bound > coarse.bound


def test_roundings_of_a_product_by_hand():
    """k = 4, whose transforms are exact: half a unit of each sum and of what is made of them."""
    config = CONFIGS[4, 12]
    layer = integers([Lstm(inputs=8, hidden=8, projection=4)], config, output_ranges=[1.0]).layers[0]
    gates = StepBound(layer, config).gates
    for (product, gate), unit in zip(((layer.products[0], "f"), (layer.products[1], "p")),
                                     (-12, layer.exponents["y"]), strict=True):
        assert product.sum_shift > 0 and product.pre_shift > 0
        wanted = (0.5 * (1 + 1 + 2) / 2 ** product.pre_shift + 0.5) * 2.0 ** unit
        assert np.allclose(gates[gate].rounding, wanted, rtol=1e-6)


def test_the_bound_counts_what_saturates():
    """A state beyond the 18 bits, and sums beyond the 16: errors are as great as what is cut off."""
    config = CONFIGS[8, 12]
    cell = Lstm(inputs=8, hidden=8)
    layer = integers([cell], config, 1).layers[0]
    y, bound, c, c_bound = StepBound(layer, config)(np.zeros((1, 8)), np.zeros((1, 8)), np.full((1, 8), 20.0))
    assert (c_bound >= np.abs(c) - 8).all() and np.abs(c).max() > 9
    quiet = StepBound(layer, config)(np.zeros((1, 8)), np.zeros((1, 8)), np.zeros((1, 8)))
    assert quiet[1].max() < 0.1 and quiet[3].max() < 0.1


def test_wider_engines_have_smaller_bounds():
    cell, x = Lstm(inputs=8, hidden=8, peephole=True), np.full((1, 8), 0.5)
    bounds = [StepBound(integers([cell], config, 1, scale=0.5).layers[0], config)(x, x, x)[1].max()
              for config in (CONFIGS[8, 12], replace(CONFIGS[8, 12], segment_bits=4), CONFIGS[8, 16])]
    assert bounds[0] > bounds[1] > bounds[2] > 0
