"""Measurement of mappings: what ResNet-18's convolutions cost where weights, inputs, both or neither stay."""

from dataclasses import replace

import numpy as np
from shiftwork.golden.ternary.config import PRESETS, TernaryConfig
from shiftwork.golden.ternary.mapping import Mapping, schedules
from shiftwork.golden.ternary.model import forward_layer
from shiftwork.golden.ternary.tiles import Convolution

from . import build as folders
from . import ternary
from .bench import at_least, exactly, reported
from .bench_fat import layer

__all__ = ["ENTRIES", "LAYERS"]

LAYERS = (
    (1, 3, 64, 7, 2, 224),
    (4, 64, 64, 3, 1, 56),
    (1, 64, 128, 3, 2, 56), (3, 128, 128, 3, 1, 28), (1, 64, 128, 1, 2, 56),
    (1, 128, 256, 3, 2, 28), (3, 256, 256, 3, 1, 14), (1, 128, 256, 1, 2, 28),
    (1, 256, 512, 3, 2, 14), (3, 512, 512, 3, 1, 7), (1, 256, 512, 1, 2, 14),
)
"""ResNet-18's convolutions: how many alike, channels, filters, kernel, stride, size of the input's map."""

PERCENT = 80    #: of the weights are 0
IMAGES = 16     #: computed together

OURS = replace(PRESETS["ulx3s-85f"], lanes=32, row_depth=8192, weight_depth=4096)
"""Half the lanes of ulx3s-85f, and as many rows as 512 channels of 3x3 pixels need."""

CHECKED = TernaryConfig(lanes=8, grid_rows=2, grid_columns=2, drain_width=2, scatter_width=4, row_depth=256,
                        weight_depth=128, table_depth=64, transposed=False, arrays=2)
"""An engine for which a small layer is large."""


MEMORIES = ("output", "table_written", "table_read", "weights_written", "weights_read", "rows_written",
            "rows_read", "accumulators_written", "accumulators_read", "snapshots_written", "snapshots_read")
"""What of `Traffic` the first entry tells of the mapping where all stays."""


def _total(bench, arrays):
    """Costs of each mapping's schedules of all layers: {Mapping: [(how many alike, Cost)]}."""
    config, found = replace(OURS, arrays=arrays), {mapping: [] for mapping in Mapping}
    rng = np.random.default_rng(PERCENT)
    for count, channels, filters, kernel, stride, size in LAYERS:
        bench.note(f"{filters} filters of {channels} x {kernel} x {kernel} on {size} x {size} pixels")
        one = layer(PERCENT, filters, channels, rng, kernel, stride)
        work = Convolution(one, (channels, size, size), IMAGES, config)
        for mapping, chosen in schedules(work).items():
            found[mapping].append((count, chosen.cost))
    return found


def _sums(costs, what):
    return {mapping: int(sum(count * what(cost) for count, cost in some)) for mapping, some in costs.items()}


def _beside(name, unit, sums, tail=""):
    """A row of each mapping; none may be below that where all stays."""
    least = sums[Mapping.COMBINED]
    for mapping, value in sums.items():
        row = f"{name}-{mapping.short}{tail}"
        if mapping is Mapping.COMBINED:
            yield reported(row, unit, value)
        else:
            yield at_least(row, unit, value, least)


def _all(name, sums):
    """A row of each mapping."""
    for mapping, value in sums.items():
        yield reported(f"{name}-{mapping.short}", "bits", value)


def network(bench):
    """All layers on one array: cycles, bits at the ports, and what the memories move."""
    costs = _total(bench, 1)
    yield from _beside("mapping/cycles", "cycles", _sums(costs, lambda cost: cost.cycles))
    yield from _beside("mapping/bits", "bits", _sums(costs, lambda cost: cost.traffic.external))
    yield from _all("mapping/memory", _sums(costs, lambda cost: cost.traffic.internal))
    for what in ("program", "input"):
        yield from _all(f"mapping/{what}", _sums(costs, lambda cost, what=what: getattr(cost.traffic, what)))
    for what in ("program", "load", "run"):
        cycles = _sums(costs, lambda cost, what=what: getattr(cost, f"{what}_cycles"))
        yield reported(f"mapping/{what}-cycles-cs", "cycles", cycles[Mapping.COMBINED])
    for what in MEMORIES:
        bits = _sums(costs, lambda cost, what=what: getattr(cost.traffic, what))
        yield reported(f"mapping/{what.replace('_', '-')}-cs", "bits", bits[Mapping.COMBINED])


def arrays(bench):
    """The same layers and images on four column arrays behind one controller."""
    costs = _total(bench, 4)
    yield from _beside("mapping/cycles", "cycles", _sums(costs, lambda cost: cost.cycles), "@4")
    yield from _beside("mapping/bits", "bits", _sums(costs, lambda cost: cost.traffic.external), "@4")


def rtl(bench):
    """Passes of two layers, by all mappings, on the compiled RTL against the models of values and cycles."""
    from shiftwork.sim.compiled import CompiledSimulator

    bench.note("compiling")
    simulator = CompiledSimulator(ternary.verilog(CHECKED), folders.cache(), progress=bench.note)
    rng, different, passes = np.random.default_rng(0), 0, 0
    for kernel, stride, channels, size in ((3, 1, 20, 12), (5, 2, 6, 17)):
        one = layer(PERCENT, 24, channels, rng, kernel, stride)
        work = Convolution(one, (channels, size, size), 3, CHECKED)
        x = rng.integers(0, 256, (work.images, *work.shape))
        expected = forward_layer(one, x)
        for chosen in schedules(work).values():
            done = simulator.run_passes(chosen.packets(x))
            passes += len(done)
            different += int(np.count_nonzero(chosen.outputs([found.values for found in done]) != expected))
            different += sum(
                sum(getattr(found, count) for found in done) != getattr(chosen.cost, count)
                for count in ("program_cycles", "load_cycles", "run_cycles"))
    yield reported("mapping/passes", "passes on the RTL", passes)
    yield exactly("mapping/different", "values and cycles", different, 0)


ENTRIES = {"mapping/cycles": network, "mapping/arrays": arrays, "mapping/different": rtl}
