"""Engines whose controller does not skip zeros, compiled: random convolutions, with and without stalls."""

import dataclasses

import numpy as np
import pytest
from shiftwork.flow import ternary
from shiftwork.golden.ternary.encode import Order, encode

from ..golden.networks import random_input, random_network

TINY = dataclasses.replace(ternary.PRESETS["tiny"], skip_zeros=False, row_depth=1024)
ENGINES = {"word-parallel": {}, "bit-serial": {"bit_serial": True},
           "write back": {"bit_serial": True, "carry_write_back": True}}


@pytest.mark.parametrize("name", ENGINES)
def test_random_convolutions(name, tmp_path):
    """Either order of the weights; the values of all batches, and the cycles of those without stalls."""
    config = dataclasses.replace(TINY, **ENGINES[name])
    rtl, layers = ternary.verilog(config), ((2, 0), (1, 1), (3, 0))
    for seed, (order, counts) in enumerate(zip((*Order, Order.PLUS_MINUS), layers, strict=True)):
        rng = np.random.default_rng(seed)
        network = random_network(rng, *counts, bits=(8, 5, 1)[seed])
        program = encode(network, config, order=order)
        x = random_input(rng, network, 3 * config.batch)
        found = ternary.verify(rtl, program, x, tmp_path, "compiled")
        assert found["batches"] == 3 and found["values"] > 0 and found["cycles"] > 1000
