"""Measurement of FAT's claims: additions with a carry latch, and layers whose zeros are skipped."""

from dataclasses import replace

import numpy as np
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.golden.ternary.layers import ConvLayer, TernaryNetwork

from . import ternary
from .addition_bench import addition_cycles
from .bench import at_least, exactly, reported
from .bench_tools import accuracy_rows, simulated
from .datasets import mnist10k

__all__ = ["ENTRIES", "layer"]

OURS = TernaryConfig(bit_serial=True, grid_rows=8, grid_columns=8, row_depth=1024, weight_depth=1024,
                     transposed=False)
"""64 columns, an image of 16 x 16 pixels on them, four positions a column."""

TRAINED = TernaryConfig(bit_serial=True, row_depth=2048, weight_depth=1024)
"""64 columns for four images of 28 x 28 pixels, fully connected layers too."""

SHAPE = (64, 16, 16)   #: of the layer's input
FILTERS = 64
BOUNDS = {40: 3.34, 60: 5.01, 80: 10.02}
"""By percent of zeros, FAT's speedup against ParaPIM: 2.00 for an addition, times 1 / (1 - share)."""


def addition(bench):
    """Cycles of the addition of two activations: carries in a latch, and written back to memory."""
    for width in (8, 16):
        ours = TernaryConfig(lanes=8, grid_rows=2, grid_columns=2, scatter_width=4, row_depth=32,
                             bit_serial=True, activation_width=width)
        cycles, wrong, a, b = [], 0, (1 << width) - 1, (1 << width) - 2
        for config in (replace(ours, carry_write_back=True), ours):
            found, sums = addition_cycles(config, a, b)
            cycles.append(found)
            wrong += sum(value != a + b for value in sums)
        yield at_least(f"fat/addition-{width}", "x fewer cycles", cycles[0] / cycles[1], 2.0)
        yield reported(f"fat/addition-{width}-write-back", "cycles", cycles[0])
        yield reported(f"fat/addition-{width}-latch", "cycles", cycles[1])
        yield exactly(f"fat/addition-{width}-different", "sums", wrong, 0)


def layer(percent, filters, channels, rng, kernel=3, stride=1):
    """A convolution of random weights, of which ``percent`` are 0 (rounded down) and the rest -1 or 1.

    It is padded by half its kernel.
    """
    weights = np.zeros(filters * channels * kernel**2, np.int8)
    kept = weights.size - weights.size * percent // 100
    weights[rng.permutation(weights.size)[:kept]] = rng.choice([-1, 1], kept)
    return ConvLayer(
        name="conv", weights=weights.reshape(filters, channels, kernel, kernel),
        bias=np.zeros(filters, np.int64), scale=np.full(filters, 1 << 10), shift=np.full(filters, 14), low=0,
        high=255, input_signed=False, pads=(kernel // 2,) * 4, stride=(stride, stride))


def _speedup(bench, name, config, integer, x, bound):
    """Cycles of the first batch on the baseline and on our machine, both compiled RTL equal to golden."""
    rows, different = {}, 0
    for which, made in (("baseline", replace(config, carry_write_back=True, skip_zeros=False)),
                        ("ours", config)):
        _, rows[which], wrong = simulated(bench, f"{name}, {which}", made, integer, x)
        different += wrong
    cycles = {which: int(row.run_cycles[0]) for which, row in rows.items()}
    yield at_least(name, "x fewer cycles", cycles["baseline"] / cycles["ours"], bound)
    for which, row in rows.items():
        yield reported(f"{name}-{which}", "cycles", cycles[which])
        yield reported(f"{name}-{which}-load", "cycles", int(row.load_cycles[0]))
    yield exactly(f"{name}-different", "values and cycles", different, 0)


def _layer_rows(percent, bench):
    """Cycles of a layer of ResNet-18 (3x3, 64 to 64 channels), on a map of 16 x 16 pixels."""
    rng = np.random.default_rng(percent)
    integer = TernaryNetwork(input_shape=SHAPE, input_scale=1.0, output_scale=1.0,
                             layers=(layer(percent, FILTERS, SHAPE[0], rng),))
    x = rng.integers(0, 256, (1, *SHAPE))
    yield from _speedup(bench, f"fat/layer@{percent}", OURS, integer, x, BOUNDS[percent])


def trained(bench):
    """The same of a whole network, trained and pruned to ternary by ADMM, on one batch of mnist10k.

    Cycles are those of seed 0's network, accuracies the mean of three seeds.
    """
    from .recipes import train_mnist_sparse

    data, networks = mnist10k(), []
    for seed in (0, 1, 2):
        bench.note(f"training, seed {seed}")
        networks.append(train_mnist_sparse(seed))
    x = ternary.quantize(ternary.encode(networks[0].integer, TRAINED), data.test_x)
    yield from _speedup(bench, "fat/trained", TRAINED, networks[0].integer, x[:TRAINED.batch], 9)
    yield from accuracy_rows("fat/trained", networks, x, data.test_y, 80)


def _at(percent):
    return lambda bench: _layer_rows(percent, bench)


ENTRIES = {"fat/addition": addition} | {f"fat/layer@{percent}": _at(percent) for percent in BOUNDS} | {
    "fat/trained": trained}
