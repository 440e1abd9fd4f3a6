"""Comparison of machines on published networks, by their cost models: nothing is simulated."""

from functools import partial

import numpy as np
from shiftwork.golden.common.network import calibrate
from shiftwork.golden.common.shapes_networks import NETWORKS
from shiftwork.golden.smartexchange.comparison import (
    Part,
    compare,
    geometric_mean,
    mean_ratios,
    ratios,
    stored_megabytes,
)
from shiftwork.golden.smartexchange.factored_cost import Factored
from shiftwork.golden.smartexchange.sparsity import DIGITS, PUBLISHED, statistics

from .bench import at_least, reported
from .bench_tools import trained_digits
from .datasets import digits
from .layer_logic import logic, worth

__all__ = ["ENTRIES", "activation_rows"]

QUANTITIES = {"cycles": "fewer cycles", "compute": "fewer cycles, DRAM for nothing", "energy": "less energy"}
OWN = ("rebuild", "factored")
SPARSE = 0.40   #: share of zeros from which on `factored` must be worth its logic


def _costs(bench, name, part):
    return bench.once(("layers", name, part), lambda: compare(name, part=part))


def _worth(bench, name):
    return worth(_costs(bench, name, Part.ALL), bench.once("logic", logic))


def network_rows(name, bench):
    """Cycles, DRAM traffic and energy of each machine, all layers, and the ratios to the paper's and ours."""
    costs = _costs(bench, name, Part.ALL)
    for machine, cost in costs.items():
        yield reported(f"layers/{name}/{machine}-cycles", "cycles", round(cost.cycles))
        yield reported(f"layers/{name}/{machine}-compute", "cycles, DRAM for nothing", round(cost.compute))
        yield reported(f"layers/{name}/{machine}-dram", "MB", cost.dram / 8e6)
        yield reported(f"layers/{name}/{machine}-energy", "uJ", cost.energy / 1e6)
    for quantity, unit in QUANTITIES.items():
        for own in OWN:
            for other, ratio in ratios(costs, quantity, own).items():
                yield reported(f"layers/{name}/{own}-{quantity}-over-{other}", f"x {unit}", ratio)
    value, row = _worth(bench, name), (f"layers/{name}/cycles-lut", "x fewer cycles * LUT than rebuild")
    yield at_least(*row, value, 1) if PUBLISHED[name].zeros >= SPARSE else reported(*row, value)
    machine, found = Factored(), statistics(name)
    depth = max(machine.mapping(layer, found).depth for layer in NETWORKS[name]())
    yield reported(f"layers/{name}/factored-depth", "activations of a lane, most", depth)
    yield reported(f"layers/{name}/stored", "MB of weights", stored_megabytes(name))


def mean_rows(bench):
    """Geometric means of the ratios over the networks, of all layers and of convolutions alone."""
    for part in Part:
        for quantity, unit in QUANTITIES.items():
            every = [_costs(bench, name, part) for name in NETWORKS]
            for own in OWN:
                for other, mean in mean_ratios(every, quantity, own).items():
                    yield reported(f"layers/mean/{part}/{own}-{quantity}-over-{other}", f"x {unit}", mean)
    mean = geometric_mean(_worth(bench, name) for name in NETWORKS)
    yield reported("layers/mean/all/cycles-lut", "x fewer cycles * LUT than rebuild", mean)
    for machine, luts in vars(bench.once("logic", logic)).items():
        yield reported(f"layers/luts/{machine}", "TRELLIS_COMB of an adder, measured or estimated", luts)


def activation_rows(network, images, sample):
    """Shares of zeros among the inputs of a network's layers (but its first), as positive 8-bit numbers.

    Ranges, up to 127, are calibrated on ``sample``. Rows for each layer: zero values, zero bits of 8, zero
    radix-4 Booth digits of 4. Digit i of v is not 0 if bits 2i+1, 2i and 2i-1 of v (bit -1 is 0) differ.
    """
    network = calibrate(network, sample)
    activations = network.activations(images)
    for node in network.nodes:
        if node.op_type not in ("Conv", "Gemm") or node.sources[0] == network.input_name:
            continue
        source = node.sources[0]
        values = np.clip(np.round(activations[source] / network.ranges[source][1] * 127), 0, 127).astype(int)
        bits = np.mean([values >> n & 1 for n in range(8)])
        triples = [values << 1 >> 2 * n & 7 for n in range(DIGITS)]
        found = np.mean([(triple != 0) & (triple != 7) for triple in triples])
        yield reported(f"layers/activations/{node.name}-zero", "percent", 100 * float(np.mean(values == 0)))
        yield reported(f"layers/activations/{node.name}-zero-bits", "percent", 100 * float(1 - bits))
        yield reported(f"layers/activations/{node.name}-zero-digits", "percent", 100 * float(1 - found))


def trained_activations(bench):
    """Zeros among the activations of the digits network, beside those that the models assume."""
    data = digits()
    yield from activation_rows(trained_digits(bench).network, data.test_x, data.train_x[:500])


ENTRIES = {f"layers/{name}": partial(network_rows, name) for name in NETWORKS} | {
    "layers/mean": mean_rows, "layers/activations": trained_activations}
