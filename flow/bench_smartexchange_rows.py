"""Measurements of SmartExchange's claims: zeros cost no cycles, trained weights take few bits."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from shiftwork.golden.common.channels import count_weights, turned, weighted
from shiftwork.golden.smartexchange.config import PRESETS
from shiftwork.golden.smartexchange.layers import ConvLayer, SmartExchangeNetwork
from shiftwork.golden.smartexchange.lower import lower
from shiftwork.golden.smartexchange.model import forward

from . import recipes_smartexchange, smartexchange
from .bench import at_least, at_most, exactly, reported
from .bench_tools import simulated
from .datasets import mnist10k

__all__ = ["ENTRIES", "layer"]

OURS = replace(PRESETS["default"], grid_rows=8, grid_columns=1, row_depth=2048, item_depth=16384,
               basis_depth=2048)
"""64 lanes for eight images. A grid cell is as wide as the map: of a narrower one the neighbors' columns
would be walked, too. The layer of 95 % zeros, 2,016 coefficients a filter, needs so many rows;
1,024 do for the others."""

SHAPES = {50: (24, 16, 8), 60: (32, 8, 8), 70: (40, 8, 8), 80: (56, 8, 6), 90: (112, 8, 3), 95: (224, 8, 3)}
"""By percent of zeros, the input of a layer with at least 96 non-zero coefficients a filter."""

FILTERS = 64
LEAST = 96
SLICE = 192        #: most rows of a slice, as `decompose` cuts them
SLICED = (90, 95)  #: percents where slices leave lists shorter than combining takes

TRAINED = replace(PRESETS["default"], grid_rows=1, grid_columns=1, row_depth=4096, item_depth=32768,
                  basis_depth=1024, table_depth=1024, acc_width=24)
"""64 images, a lane for each, whose maps stand in the lane's row memory as a whole."""


def layer(percent, filters, channels, rng, height=None, levels=8):
    """A 3x3 convolution, padded by 1, of random coefficients in slices of ``height`` rows, or in one.

    Of each filter's coefficients at least ``percent`` are 0, the others plus or minus 2 ** p, p of
    ``levels`` values from 0 on. Bases are full ones, outputs have 16 bits.
    """
    rows = 3 * channels
    bounds = (*range(0, rows, height or rows), rows)
    signs = np.zeros((filters, 3 * rows), np.int8)
    for row in signs:
        kept = row.size * (100 - percent) // 100
        row[rng.permutation(row.size)[:kept]] = rng.choice([-1, 1], kept)
    return ConvLayer(
        name="conv", kernel_rows=3, pads=(1, 1, 1, 1), bounds=bounds, signs=signs.reshape(filters, rows, 3),
        exponents=rng.integers(0, levels, (filters, rows, 3)).astype(np.int8),
        basis=rng.integers(-127, 128, (filters, len(bounds) - 1, 3, 3)).astype(np.int8),
        bias=rng.integers(-1_000_000, 1_000_000, filters), scale=rng.integers(1024, 2048, filters),
        shift=np.full(filters, 21), low=-32768, high=32767, input_signed=False)


def _busy(program, found):
    """Non-zero coefficients times positions, over lanes times cycles of the first batch."""
    terms = sum(about["non_zeros"] * about["positions"] for about in program.metadata["layers"])
    return terms / (program.config.all_lanes * int(found.run_cycles[0]))


def _layer_simulated(bench, percent, height=None):
    """(utilization, differences) of a layer of random coefficients, one batch through the compiled RTL."""
    shape, rng = SHAPES[percent], np.random.default_rng(percent)
    made = layer(percent, FILTERS, shape[0], rng, height)
    fewest = np.count_nonzero(made.signs, axis=(1, 2)).min()
    if fewest < LEAST:
        raise ValueError(f"Filters must have at least {LEAST} non-zero coefficients, not {fewest}")
    integer = SmartExchangeNetwork(input_shape=shape, input_scale=1.0, output_scale=1.0, layers=(made,))
    x = rng.integers(0, 256, (OURS.batch, *shape))
    name = f"a layer of {percent} % zeros"
    program, found, different = simulated(bench, name, OURS, integer, x, smartexchange)
    return _busy(program, found), different


def utilization(bench):
    """Share of lanes and cycles that add a non-zero coefficient, of whole convolutions, the input's load
    aside; the cycles are those that the compiled RTL counts.
    """
    unit, shares, different = "of lanes and cycles", [], 0
    for percent in SHAPES:
        share, wrong = _layer_simulated(bench, percent)
        yield at_least(f"utilization@{percent}", unit, share, 0.93)
        shares, different = [*shares, share], different + wrong
    yield at_least("utilization", f"{unit}, least", min(shares), 0.93)
    for percent in SLICED:
        share, wrong = _layer_simulated(bench, percent, SLICE)
        yield reported(f"utilization@{percent}-slices", f"{unit}, {SLICE} rows a slice", share)
        different += wrong
    yield exactly("utilization/different", "values and cycles", different, 0)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a recipe's networks must reach; ``images`` of the held-out ones go through the RTL."""

    train: Callable           #: (seed, progress) -> recipes_smartexchange.Trained
    rate: float               #: of storage
    lost: float               #: points
    seeds: tuple[int, ...] = (0, 1, 2)
    images: int = 2000

    def over(self, kind):
        """What a unit says of a figure that is the ``kind`` ("mean", "least") over the seeds."""
        first, *others = self.seeds
        return f"{kind} of {len(self.seeds)} seeds" if others else f"seed {first}"


NETWORKS = {
    "cnn": Claim(train=recipes_smartexchange.train_conv, rate=40, lost=1.0, seeds=(0,), images=512),
    "mlp": Claim(train=recipes_smartexchange.train_dense, rate=40, lost=1.0),
    "wide": Claim(train=recipes_smartexchange.train_wide, rate=100, lost=1.5),
}


def _rate_of_all(trained):
    """The rate with 64 bits for each filter's scale and bias, 32 for each bias of the float network."""
    network, found = trained.network, trained.compressed
    filters = sum(network.arrays[node.inputs[1]].shape[int(turned(node))] for node in weighted(network))
    return 32 * (count_weights(network)[0] + filters) / (found.storage_bits + 64 * found.filters)


def _trained(bench, claim):
    found = []
    for seed in claim.seeds:
        def progress(stage, epoch, epochs, _, seed=seed):
            bench.note(f"training, seed {seed}: {stage}, epoch {epoch} of {epochs}")

        found.append(claim.train(seed, progress))
    return found


def _network_rows(name, claim, networks, right):
    """Storage and accuracy; ``right``: of each network's integers the share of held-out images they know."""
    floats = 100 * np.array([found.accuracy for found in networks])
    lost, (least, mean, worst) = floats - 100 * np.array(right), map(claim.over, ("least", "mean", "worst"))
    yield at_least(f"{name}/compression", f"x less storage than float32, {least}",
                   min(found.rate for found in networks), claim.rate)
    yield reported(f"{name}/compression-all", f"x less storage, scales and biases too, {least}",
                   min(map(_rate_of_all, networks)))
    yield at_most(f"{name}/lost", f"points, {mean}", float(lost.mean()), claim.lost)
    if len(networks) > 1:
        yield reported(f"{name}/lost-most", f"points, {worst}", float(lost.max()))
    yield reported(f"{name}/accuracy-float", f"percent, {mean}", float(floats.mean()))
    yield reported(f"{name}/weights", "weights", count_weights(networks[0].network)[0])


def mnist(which, bench):
    """Storage and held-out accuracy of networks trained on mnist10k, and their integers on the compiled RTL.

    Accuracies are those of the golden model of 8-bit activations. Cycles and values of the RTL are those of
    the first seed's network.
    """
    claim, data, name = NETWORKS[which], mnist10k(), f"mnist/{which}"
    networks = _trained(bench, claim)
    integers = [lower(found.compressed.network, found.compressed.factors, TRAINED) for found in networks]
    images = data.test_x.reshape(-1, *integers[0].input_shape)
    x = smartexchange.quantize(smartexchange.encode(integers[0], TRAINED), images)
    right = [np.mean(forward(integer, x).argmax(axis=1) == data.test_y) for integer in integers]
    yield from _network_rows(name, claim, networks, right)
    shown = x[:claim.images]
    program, found, different = simulated(bench, which, TRAINED, integers[0], shown, smartexchange)
    yield reported(f"{name}/utilization", "of lanes and cycles", _busy(program, found))
    yield reported(f"{name}/cycles", f"cycles a batch of {TRAINED.batch}, most", int(found.run_cycles.max()))
    yield at_least(f"{name}/images", "images through the RTL", len(shown), 200)
    yield exactly(f"{name}/different", "logits and cycles", different, 0)


ENTRIES = {"utilization": utilization} | {f"mnist/{which}": partial(mnist, which) for which in NETWORKS}
