"""Engines whose controller does not skip zeros, compiled: random convolutions, with and without stalls."""

import dataclasses

import numpy as np
import pytest
from shiftwork.flow import ternary
from shiftwork.golden.ternary.encode import Order, encode

from ..golden.networks import random_input, random_network

TINY = dataclasses.replace(ternary.PRESETS["tiny"], skip_zeros=False, row_depth=256, weight_depth=256)
ENGINES = {"word-parallel": {}, "bit-serial": {"bit_serial": True},
           "write back": {"bit_serial": True, "carry_write_back": True}}
NETWORKS = ((2, 0), 8, 1), ((1, 1), 5, 1), ((3, 0), 1, 8)
"""Convolutions and fully connected layers, bits of activations, a seed whose network fits."""


@pytest.mark.parametrize("name", ENGINES)
def test_random_convolutions(name, tmp_path):
    """Either order of the weights; the values of all batches, and the cycles of those without stalls."""
    config = dataclasses.replace(TINY, **ENGINES[name])
    rtl, orders = ternary.verilog(config), (*Order, Order.PLUS_MINUS)
    for (layers, bits, seed), order in zip(NETWORKS, orders, strict=True):
        rng = np.random.default_rng(seed)
        network = random_network(rng, *layers, bits=bits)
        program = encode(network, config, order=order)
        x = random_input(rng, network, 3 * config.batch)
        found = ternary.verify(rtl, program, x, tmp_path, "compiled")
        assert found["batches"] == 3 and found["values"] > 0 and found["cycles"] > 1000
