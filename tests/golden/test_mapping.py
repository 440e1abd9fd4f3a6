"""Layers cut into passes: the same outputs as the plain model, and what each mapping sends and costs."""

from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.ternary.check import EncodeError
from shiftwork.golden.ternary.config import PRESETS
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.mapping import Mapping, TileCosts, schedule, schedules
from shiftwork.golden.ternary.model import forward_layer
from shiftwork.golden.ternary.passes import Nest, passes, sends
from shiftwork.golden.ternary.program import Program
from shiftwork.golden.ternary.tiles import Convolution, tilings
from shiftwork.golden.ternary.timing import predict
from shiftwork.golden.ternary.traffic import Traffic, batch_traffic, program_traffic

from .networks import conv_layer, random_conv

SMALL = replace(PRESETS["tiny"], row_depth=128, weight_depth=32, table_depth=64, transposed=False)
CONFIGS = {
    "one array": SMALL,
    "three arrays": replace(SMALL, arrays=3),
    "one a cycle": replace(PRESETS["icebreaker"], row_depth=128, weight_depth=64),
    "16 bits": replace(SMALL, activation_width=16, acc_width=28),
    "zeros too": replace(SMALL, skip_zeros=False),
}

CASES = {    # filters, channels, kernel, stride, pads, map, images
    "halo": (9, 5, (3, 3), (1, 1), (1, 1, 1, 1), (7, 6), 5),
    "stride": (6, 4, (3, 3), (2, 2), (1, 1, 1, 1), (9, 11), 7),
    "stride beyond the kernel": (10, 6, (1, 1), (2, 3), (0, 0, 0, 0), (8, 7), 4),
    "far padding": (5, 3, (5, 2), (3, 1), (2, 0, 1, 3), (11, 9), 3),
    "one position": (35, 2, (4, 4), (1, 1), (0, 0, 0, 0), (4, 4), 1),
}


def work_of(name, config):
    """A Convolution and inputs; about 60 % of the weights are 0."""
    filters, channels, kernel, stride, pads, size, images = CASES[name]
    rng = np.random.default_rng(len(name))
    shape = filters, channels, *kernel
    weights = rng.choice([-1, 1], shape) * (rng.random(shape) < 0.4)
    layer = conv_layer(weights, stride=stride, pads=pads, bias=rng.integers(-99, 99, filters))
    work = Convolution(layer, (channels, *size), images, config)
    return work, rng.integers(0, work.bounds[1] + 1, (images, channels, *size))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("name", CASES)
def test_outputs(name, config):
    work, x = work_of(name, CONFIGS[config])
    expected = forward_layer(work.layer, x)
    for found in schedules(work).values():
        np.testing.assert_array_equal(found.run(x), expected)


@pytest.mark.parametrize("seed", range(20))
def test_outputs_of_random_layers(seed):
    """Pooling, padding on some sides, signed inputs; every tiling, not only the best."""
    rng, config = np.random.default_rng(seed), CONFIGS[list(CONFIGS)[seed % 4]]
    shape = tuple(int(v) for v in rng.integers(1, [4, 12, 12]))
    layer, *_ = random_conv(rng, "c", shape, bool(rng.integers(2)), True, bits=8)
    work = Convolution(layer, shape, int(rng.integers(1, 9)), config)
    x = rng.integers(work.bounds[0], work.bounds[1] + 1, (work.images, *shape))
    expected, found = forward_layer(layer, x), tilings(work)
    best = schedule(layer, shape, work.images, config, Mapping.COMBINED)
    for n in rng.permutation(len(found))[:6]:
        for mapping in Mapping:
            nest = list(Nest)[rng.integers(2)]
            some = replace(best, tiling=found[n], passes=tuple(passes(mapping, found[n], nest)))
            np.testing.assert_array_equal(some.run(x), expected)


def some_tilings():
    for name in CASES:
        work, _ = work_of(name, SMALL)
        yield from tilings(work)


def test_tiles_cover_all_there_is():
    seen = set()
    for tiling in some_tilings():
        work, config = tiling.work, tiling.work.config
        count = len(work.layer.weights)
        covered = [n for f in range(tiling.filter_tiles) for n in range(*tiling.span(f).indices(count))]
        assert covered == list(range(count))
        assert tiling.filters * tiling.plan.segments * tiling.plan.words <= config.weight_depth
        assert tiling.windows * tiling.plan.rows <= config.row_depth
        assert all(b * t >= n for b, t, n in zip(tiling.blocks, tiling.plan.block, work.size, strict=True))
        assert 0 <= tiling.window_sets * config.all_lanes - work.images * np.prod(tiling.blocks) \
            < config.all_lanes
        assert 0 <= tiling.tiles * tiling.windows - tiling.window_sets < tiling.windows
        seen |= {("windows", tiling.windows > 1), ("filters", tiling.filter_tiles > 1)}
    assert len(seen) == 4


@pytest.mark.parametrize("mapping", Mapping)
@pytest.mark.parametrize("nest", Nest)
def test_passes_send_what_they_say(mapping, nest):
    """Every pair of tiles is computed once; whatever a pass relies on stands in the memories."""
    for tiling in some_tilings():
        some = list(passes(mapping, tiling, nest))
        pairs = [(one.filter_tile, one.window_set) for one in some]
        assert len(set(pairs)) == len(pairs) == tiling.filter_tiles * tiling.window_sets
        filters, rows, brought, loaded = None, {}, 0, 0
        for one in some:
            if one.weights:
                filters, brought = one.filter_tile, brought + 1
            if one.loads:
                rows[one.place], loaded = one.window_set, loaded + 1
            assert filters == one.filter_tile and rows[one.place] == one.window_set
            assert one.descriptors or not one.weights
        weights, inputs = sends(mapping, tiling, nest)
        assert brought == weights
        if tiling.tiles * tiling.windows == tiling.window_sets:
            assert loaded == inputs * tiling.windows


@pytest.mark.parametrize("nest", Nest)
def test_what_stays_is_not_sent(nest):
    for tiling in some_tilings():
        f, a = tiling.filter_tiles, tiling.tiles
        kept = {mapping: sends(mapping, tiling, nest) for mapping in Mapping}
        assert kept[Mapping.OUTPUT] == (f * a, f * a)
        weights, inputs = kept[Mapping.COMBINED]
        assert weights == kept[Mapping.WEIGHT][0] <= kept[Mapping.INPUT][0] == f * a
        assert inputs == kept[Mapping.INPUT][1] <= kept[Mapping.WEIGHT][1] == f * a
        if f == 1 or a == 1:
            assert (weights, inputs) == (f, a)


@pytest.mark.parametrize("config", ["one array", "three arrays", "zeros too"])
@pytest.mark.parametrize("name", CASES)
def test_cost_is_that_of_the_passes(name, config):
    """Each pass done by the interpreter: the cycles of its batch, the words and visits of its program."""
    work, x = work_of(name, CONFIGS[config])
    for found in schedules(work).values():
        machine, cycles, traffic = Machine(work.config), np.zeros(3, int), Traffic()
        for program, beats in found.packets(x):
            if program is not None:
                machine.load(program)
                cycles[0] += len(program)
                traffic += program_traffic(Program.from_words(program, work.config))
            out = machine.run([] if beats is None else beats)
            cycles[1:] += predict(machine).load_cycles, predict(machine).run_cycles
            moved = batch_traffic(machine.layers, work.config)
            assert moved.output == out.size * 16
            assert moved.input == (0 if beats is None else beats.size * work.config.activation_width)
            traffic += moved
        cost = found.cost
        assert [cost.program_cycles, cost.load_cycles, cost.run_cycles] == cycles.tolist()
        assert cost.cycles == cycles.sum() and cost.traffic == traffic
        assert cost.traffic.program == 32 * cost.program_cycles


@pytest.mark.parametrize("config", CONFIGS)
def test_combined_is_never_slower(config):
    seen = set()
    for name in CASES:
        work, _ = work_of(name, CONFIGS[config])
        cycles = {mapping: found.cost.cycles for mapping, found in schedules(work).items()}
        for mapping in (Mapping.WEIGHT, Mapping.INPUT):
            assert cycles[Mapping.COMBINED] <= cycles[mapping] <= cycles[Mapping.OUTPUT]
            seen.add((mapping, cycles[Mapping.COMBINED] < cycles[mapping]))
    assert {(Mapping.WEIGHT, True), (Mapping.INPUT, True)} <= seen


def test_a_schedule_is_the_cheapest_of_its_tilings():
    work, _ = work_of("halo", SMALL)
    best = schedule(work.layer, work.shape, work.images, SMALL, Mapping.COMBINED)
    for nest in Nest:
        assert best.cost.cycles <= TileCosts(best.tiling).of(
            list(passes(Mapping.COMBINED, best.tiling, nest))).cycles


def test_an_engine_that_holds_everything():
    """Each weight, each window once; as large memories as that leave nothing for the others to do worse."""
    work, _ = work_of("halo", replace(SMALL, row_depth=4096, weight_depth=512, table_depth=512))
    found = schedule(work.layer, work.shape, work.images, work.config, Mapping.COMBINED)
    assert sum(one.weights for one in found.passes) == 1
    assert sum(one.loads for one in found.passes) == len(found.passes) == found.tiling.window_sets


REFUSED = {
    "bit serial": (dict(bit_serial=True), {}, ValueError,
                   "bit_serial must be False for a mapping of layers, not True"),
    "images": ({}, dict(images=0), ValueError, "Images must be at least 1, not 0"),
    "rows": (dict(row_depth=32), {}, EncodeError,
             "Row memory must have 45 rows for one position of one filter of layer 'conv', not 32"),
    "table": (dict(table_depth=32), {}, EncodeError,
              "Table must have 34 words for one position of one filter of layer 'conv', not 32"),
    "layer": ({}, dict(shape=(4, 7, 6)), EncodeError, "Input channels of layer 'conv' must be 4, not 5"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    config, fields, kind, message = REFUSED[name]
    work, _ = work_of("halo", SMALL)
    given = dict(shape=work.shape, images=work.images) | fields
    with pytest.raises(kind, match=message):
        schedule(work.layer, config=replace(SMALL, **config), mapping=Mapping.COMBINED, **given)


@pytest.mark.parametrize("weights, config, message", [
    (np.ones((1, 1, 5, 65), int), dict(lanes=4, drain_width=2, row_depth=512),
     "Weight memory must have 82 words .*, not 32"),
    (np.ones((1, 128, 1, 1), int), dict(vector_depth=32), "Counter m_count must have 128 channels .* not 63"),
    (np.ones((1, 1, 1, 128), int), {}, "Counter j_count must have 128 columns of a window .* not 127"),
])
def test_counters_refused(weights, config, message):
    layer = conv_layer(weights)
    shape = weights.shape[1], *weights.shape[2:]
    with pytest.raises(EncodeError, match=message):
        tilings(Convolution(layer, shape, 1, replace(SMALL, **config)))


def test_inputs_refused():
    work, x = work_of("halo", SMALL)
    found = schedule(work.layer, work.shape, work.images, SMALL, Mapping.OUTPUT)
    with pytest.raises(ValueError, match=r"Input must be integers of shape \(5, 5, 7, 6\), not int64 of "):
        found.run(x[:4])
    with pytest.raises(ValueError, match="Input must be integers of shape .*, not float64 of shape"):
        found.run(x / 2)
    with pytest.raises(ValueError, match=r"Input must be within 0 \.\. 255, not .* \.\. 256"):
        found.run(np.where(x == x.max(), 256, x))
