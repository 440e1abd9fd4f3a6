"""Measurements of the ternary engine: cycles and clock, resources, simulation, accuracy."""

import numpy as np
from shiftwork.golden.ternary.config import PRESETS, TernaryConfig
from shiftwork.golden.ternary.layers import ConvLayer, DenseLayer, TernaryNetwork

from . import bench_column, bench_fat, bench_fill, bench_mapping, bench_purify, ternary
from .bench import at_least, at_most, exactly, reported
from .bench_tools import accuracy_rows, simulated, synthesis, trained_digits, used
from .datasets import digits, mnist10k
from .sacu_bench import dot_cycles

__all__ = ["ENTRIES"]


def sacu(bench):
    """Cycles of dot products of 4,608 random weights, of the RTL in Amaranth's simulator."""
    config, rng = PRESETS["default"], np.random.default_rng(0)
    for percent in (0, 40, 60, 80, 95):
        bench.note(f"{percent} % zeros")
        dots = rng.random((3, 4608)) >= percent / 100
        cycles = dot_cycles(config, dots)
        bounds = [1.01 * max(dot.sum(), 4608 // config.word_width) + 4 for dot in dots]
        worst = max(range(len(dots)), key=lambda n: cycles[n] - bounds[n])
        yield at_most(f"sacu/cycles-{percent}", "cycles", int(cycles[worst]), float(bounds[worst]))


def network(bench):
    """Cycles of the demo network, of the compiled RTL."""
    config, data = PRESETS["ulx3s-85f"], digits()
    trained = trained_digits(bench)
    x = ternary.quantize(ternary.encode(trained.integer, config), data.test_x)
    program, found, different = simulated(bench, "demo network", config, trained.integer, x)
    images = program.metadata["images"]
    ratios = []
    for n, cycles in enumerate(found.run_cycles):
        rows = ternary.layer_cycles(program, x[n * images : (n + 1) * images])
        ratios.append(cycles / sum(row["bound"] for row in rows))
    yield at_most("network/cycles", "x sum of max(work, drain)", float(max(ratios)), 1.10)
    yield reported("network/run", "cycles a batch, most", int(found.run_cycles.max()))
    yield reported("network/load", "cycles a batch", int(found.load_cycles.max()))
    yield exactly("network/different", "logits and cycles", different, 0)


def lane(bench):
    """Logic of one lane: what 32 more lanes cost, divided by 32."""
    base = dict(row_depth=512, acc_width=20)
    cells = [
        used(synthesis(bench, ternary, TernaryConfig(lanes=lanes, **base), seeds=(1,)), "TRELLIS_COMB")
        for lanes in (32, 64)
    ]
    yield at_most("lane/comb", "TRELLIS_COMB", (cells[1] - cells[0]) / 32, 70)


def fmax(bench):
    """Clock of the whole engine with 64 lanes."""
    found = synthesis(bench, ternary, PRESETS["default"])
    yield at_least("engine/fmax", "MHz, ECP5 speed 6, median of seeds 1-3", found.median, 100)
    yield reported("engine/comb", "TRELLIS_COMB", used(found, "TRELLIS_COMB"))
    yield reported("engine/bram", "block RAMs", used(found, "DP16KD"))


def icebreaker(bench):
    """Clock of the bitstream for iCEBreaker."""
    from shiftwork.boards.synthesis import bitstream

    found = bitstream(PRESETS["icebreaker"], "icebreaker", bench.folder("icebreaker"))
    yield at_least("engine/fmax-icebreaker", "MHz", found.median, 24)


def rate(bench):
    """Speed of simulation, compiled and in cocotb."""
    from .cocotb_rate import cycles_per_second

    config = PRESETS["default"]
    integer = ternary.selftest(config)
    program = ternary.encode(integer, config)
    x = ternary.random_input(program, 400, np.random.default_rng(0))
    _, found, _ = simulated(bench, "rate", config, integer, x)
    bench.note("cocotb")
    slow = cycles_per_second(config, program, x[:8], bench.folder("cocotb"))
    yield reported("simulate/rate", "cycles per second, compiled", found.rate)
    yield reported("simulate/rate-cocotb", "cycles per second", slow)
    yield reported("simulate/ratio", "x cocotb", found.rate / slow)


def _random_layer(kind, name, shape, rng, high, **more):
    weights = np.zeros(int(np.prod(shape)), np.int8)
    half = len(weights) // 2
    weights[rng.permutation(len(weights))[:half]] = rng.choice([-1, 1], half)  # exactly 50 % zeros
    filters = shape[0]
    return kind(
        name=name,
        weights=weights.reshape(shape),
        bias=np.zeros(filters, np.int64),
        scale=np.full(filters, 1 << 10),
        shift=np.full(filters, 12),
        low=0,
        high=high,
        input_signed=False,
        **more,
    )


def _peer(bench, name, config, layer, shape, bounds):
    """Cycles of a layer, and cells and clock of an engine made for it; bounds: cycles, COMB, block RAMs."""
    integer = TernaryNetwork(input_shape=shape, input_scale=1.0, output_scale=1.0, layers=(layer,))
    x = np.random.default_rng(1).integers(1, 256, (5, *shape))
    images = None if len(shape) > 1 else 1
    _, found, different = simulated(bench, name, config, integer, x, images=images)
    made, (cycles, comb, bram) = synthesis(bench, ternary, config), bounds
    yield at_most(f"{name}/cycles", "cycles", int(found.run_cycles.max()), cycles)
    yield exactly(f"{name}/different", "values and cycles", different, 0)
    yield reported(f"{name}/load", "cycles", int(found.load_cycles.max()))
    yield at_most(f"{name}/comb", "TRELLIS_COMB", used(made, "TRELLIS_COMB"), comb)
    yield at_most(f"{name}/bram", "block RAMs", used(made, "DP16KD"), bram)
    yield at_least(f"{name}/fmax", "MHz, ECP5 speed 6, median of seeds 1-3", made.median, 100)


def peer_conv(bench):
    """A convolution, 8x8 pixels, 8 to 8 channels, on 64 lanes.

    NNgen: 4,649 cycles, 22,650 COMB, 181 block RAMs, 67 MHz.
    """
    layer = _random_layer(ConvLayer, "conv", (8, 8, 3, 3), np.random.default_rng(0), 255, pads=(1, 1, 1, 1))
    yield from _peer(bench, "peer/conv-8x8x8-8", PEER_CONV, layer, (8, 8, 8), (465, 7600, 25))


def peer_dense(bench):
    """Fully connected, 64 to 32, one vector, on 32 lanes.

    NNgen: 2,393 cycles, 7,404 COMB, 21 block RAMs, 65 MHz.
    """
    layer = _random_layer(DenseLayer, "dense", (32, 64), np.random.default_rng(0), 255)
    yield from _peer(bench, "peer/fc-64-32", PEER_DENSE, layer, (64,), (160, 3700, 12))


def accuracy_digits(bench):
    """Held-out accuracy on scikit-learn's digits, mean of three seeds; integers are the hardware's, bit by
    bit.
    """
    from shiftwork.golden.ternary.model import forward

    data, rows = digits(), []
    for seed in (0, 1, 2):
        trained = trained_digits(bench, seed)
        program = ternary.encode(trained.integer, PRESETS["ulx3s-85f"])
        logits = forward(trained.integer, ternary.quantize(program, data.test_x))
        rows.append((trained.accuracy, float(np.mean(logits.argmax(axis=1) == data.test_y))))
    floats, integers = 100 * np.mean(rows, axis=0)
    yield at_least("digits/accuracy-float", "percent, mean of 3 seeds", float(floats), 98)
    yield at_most("digits/accuracy-lost", "points, mean of 3 seeds", float(floats - integers), 1.5)


def accuracy_mnist(bench):
    """28x28 digits: accuracy, zeros, and 200 images through the compiled RTL."""
    from .recipes import train_mnist

    data = mnist10k()
    bench.note("training")
    trained = train_mnist(0)
    x = ternary.quantize(ternary.encode(trained.integer, MNIST_CONFIG), data.test_x)
    *_, different = simulated(bench, "mnist", MNIST_CONFIG, trained.integer, x[:200])
    yield from accuracy_rows("mnist", [trained], x, data.test_y, 70)
    yield exactly("mnist/different", "logits and cycles, of 200 images", different, 0)


PEER_CONV = TernaryConfig(
    lanes=64, grid_rows=8, grid_columns=8, drain_width=2, scatter_width=8, row_depth=128, weight_depth=32,
    table_depth=64, vector_depth=32, acc_width=16, transposed=False,
)
PEER_DENSE = TernaryConfig(
    lanes=32, drain_width=1, scatter_width=8, row_depth=32, weight_depth=64, table_depth=128, vector_depth=64,
    acc_width=16, convolution=False,
)
MNIST_CONFIG = TernaryConfig(row_depth=2048, weight_depth=1024)

ENTRIES = {
    "sacu/cycles": sacu,
    "network/cycles": network,
    "lane/comb": lane,
    "engine/fmax": fmax,
    "engine/fmax-icebreaker": icebreaker,
    "simulate/rate": rate,
    "peer/conv-8x8x8-8": peer_conv,
    "peer/fc-64-32": peer_dense,
    "digits/accuracy": accuracy_digits,
    "mnist/accuracy": accuracy_mnist,
    **bench_purify.ENTRIES,
    **bench_fat.ENTRIES,
    **bench_mapping.ENTRIES,
    **bench_column.ENTRIES,
    **bench_fill.ENTRIES,
}
