import itertools

import numpy as np
import pytest
from shiftwork.flow.recipes import convolutional
from shiftwork.golden.training import products
from shiftwork.golden.training.config import TrainingConfig
from shiftwork.golden.training.dynasty import DynastySettings, Precision, WidthMap, wanted_widths
from shiftwork.golden.training.network import IntegerNetwork
from shiftwork.golden.training.precision_control import Controller
from shiftwork.golden.training.quantize import shifted
from shiftwork.golden.training.tile_cost import BRICKS, layer_steps
from shiftwork.golden.training.tiles import WIDTHS, as_tiles, round_tiles, tile_bits, tile_sums
from shiftwork.golden.training.trainer import IntegerSettings, Training, train

from .test_training_trainer import FAST, GRAPH, bars
from .training_graphs import dense, node, residual


def slow_round(values, width, signed):
    """One tile, number by number."""
    bits = width - 1 if signed else width
    drop = max(0, max(abs(v) for v in values).bit_length() - bits)
    return [(v > 0) * 2 * min(round(abs(v) / 2 ** drop), 2 ** bits - 1) * 2 ** drop
            - min(round(abs(v) / 2 ** drop), 2 ** bits - 1) * 2 ** drop for v in values]


@pytest.mark.parametrize("width", WIDTHS)
def test_tiles_of_all_pairs_of_8_bits_are_rounded_as_said(width):
    # Tiles of 4 by 4 with two different numbers: a greatest one and any other.
    for signed, numbers in ((True, range(-127, 128, 3)), (False, range(0, 256, 3))):
        pairs = np.array(list(itertools.product((1, 2, 5, 31, 100, 127), numbers)))
        tiles = np.repeat(pairs, 8, axis=1).reshape(-1, 4, 4)
        found, lengths = round_tiles(tiles.transpose(1, 0, 2), np.int64(width), 4, signed=signed)
        for n, tile in enumerate(found.transpose(1, 0, 2)):
            wanted = slow_round(tiles[n].reshape(-1).tolist(), width, signed)
            assert tile.reshape(-1).tolist() == wanted
            assert lengths[0, n, 0] == int(np.abs(pairs[n]).max()).bit_length()


@pytest.mark.parametrize("width", WIDTHS)
def test_tiles_are_rounded_at_random_as_said(width):
    rng = np.random.default_rng(width)
    values, random = rng.integers(-32767, 32768, (4, 9, 4)), rng.integers(0, 1 << 16, (4, 9, 4))
    values[:, 0] >>= 12         # a tile of few bits
    found, lengths = round_tiles(values, np.int64(width), 4, random=random)
    for n in range(9):
        drop, most = max(0, lengths[0, n, 0] - (width - 1)), 2 ** (width - 1) - 1
        numbers = (array[:, n].ravel().tolist() for array in (values, random, found))
        for v, u, got in zip(*numbers, strict=True):
            whole, fraction = divmod(abs(v) * 2 ** (16 - drop), 1 << 16)
            assert got == int(np.sign(v)) * min(whole + (int(fraction) > u), most) * 2 ** drop


def test_rounding_at_random_has_the_numbers_as_its_mean():
    values = np.array([[-97, 800], [3, 250]])[:, None]      # 10 bits, of which 3 are kept: steps of 128
    found = [round_tiles(values, np.int64(4), 4, random=np.full(values.shape, u))[0]
             for u in range(0, 1 << 16, 512)]
    assert np.array_equal(np.mean(found, axis=0), values)


@pytest.mark.parametrize("shape, weight", [((5, 3, 2, 9), False), ((7, 6), False), ((5, 6, 3, 2), True),
                                           ((3, 9), True)])
def test_round_tiles_keeps_shapes_and_what_fits(shape, weight):
    rng = np.random.default_rng(0)
    values = rng.integers(-127, 128, shape)
    kept, lengths = round_tiles(values, np.int64(8), 4, weight=weight)
    assert np.array_equal(kept, values)
    tiles = as_tiles(values, 4, weight)
    assert tiles.shape == (lengths.shape[0], 4, lengths.shape[1], lengths.shape[2], 4)
    assert np.abs(tiles).sum() == np.abs(values).sum() == tile_sums(tiles).sum()
    assert np.array_equal(tile_bits(tiles), lengths)
    rounded, _ = round_tiles(values, np.int64(4), 4, weight=weight)
    step = 2.0 ** np.maximum(int(np.abs(values).max()).bit_length() - 3, 0)
    assert 0 < np.abs(rounded - values).max() <= step       # clipped values lose up to a whole step


def test_a_weight_tile_is_filters_by_inputs_at_one_tap():
    weight = np.zeros((8, 8, 2, 2), np.int64)
    weight[4:, :4, 1, 0] = 100
    lengths = tile_bits(as_tiles(weight, 4, weight=True))
    assert lengths.shape == (2, 4, 2)       # tiles of filters, taps, tiles of inputs
    assert lengths[1, 2, 0] == 7 and lengths.sum() == 7


def test_wanted_widths():
    lengths = np.array([8, 8, 8, 8, 3, 0])
    importance = np.array([10, 8, 6, 2, 10, 0])

    def wanted(tolerance, reach, signed):
        return wanted_widths(lengths, importance, tolerance, reach, signed).tolist()

    assert wanted(0, 6, signed=False) == [8, 6, 4, 2, 4, 2]
    assert wanted(0, 2, signed=False) == [8, 6, 6, 6, 4, 2]
    assert wanted(2, 6, signed=False) == [6, 4, 2, 2, 2, 2]
    # A sign takes a bit: 7 bits of magnitude, one of 8 is lost already; and 4 bits are the least.
    assert wanted(0, 6, signed=True) == [8, 6, 4, 4, 4, 4]
    # Numbers far below 7 bits: tolerance counts from 7 bits, not from the greatest.
    small = np.array([5, 5, 2])
    assert wanted_widths(small, np.array([3, 2, 3]), 1, 6, signed=True).tolist() == [6, 6, 4]
    assert wanted_widths(small, np.array([3, 2, 3]), 4, 6, signed=False).tolist() == [4, 4, 2]
    # Errors of 15 bits lose 8 of them in 8 bits.
    assert wanted_widths(np.array([15, 13, 9]), np.zeros(3, int), 0, 6, signed=True).tolist() == [8, 6, 4]


def test_maps_grow_at_once_and_shrink_after_wishes_in_a_row():
    found = WidthMap(np.array([8, 4]), hold=2)
    for wish, wanted in (([2, 8], [8, 8]), ([2, 8], [6, 8]), ([2, 8], [6, 8]), ([6, 4], [6, 8]),
                         ([2, 4], [6, 6]), ([8, 6], [8, 6])):
        found.follow(np.array(wish))
        assert found.widths.tolist() == wanted


def test_the_controller_goes_up_while_the_loss_falls_and_down_when_it_rises():
    controller = Controller(0, 3)
    seen = []
    for loss in [*range(30000, 10000, -400), *range(10000, 22000, 400), *[22000] * 60]:
        controller.see(loss)
        controller.move()
        seen.append(controller.tolerance)
    assert max(seen[:50]) == 3 and seen[49] == 3        # falls: up to the limit
    assert seen[79] == 0                                # rises: down to 0
    assert set(seen[-20:]) == {0}                       # stays: no change
    assert max(abs(a - b) for a, b in itertools.pairwise(seen)) == 1


def test_the_controller_leaves_a_loss_alone_that_stays():
    for loss in (300, 3000, 30000):
        controller = Controller(3, 4)
        for sign in range(40):
            controller.see(loss + (-1) ** sign * loss // 50)
            controller.move()
        assert controller.tolerance == 3


def slow_steps(n, kernel, x, weight, error, size):
    """Pair of tiles by pair, from the loops of a convolution."""
    strides, pads = n.attributes.get("strides", (1, 1)), n.attributes.get("pads", (0, 0, 0, 0))
    steps, pairs = {"forward": 0, "weight gradient": 0, "input gradient": 0}, 0
    for i, j, r, s in itertools.product(range(error.shape[1]), range(error.shape[2]), *map(range, kernel)):
        row, column = i * strides[0] + r - pads[0], j * strides[1] + s - pads[1]
        if not (0 <= row < size[0] and 0 <= column < size[1]):
            continue
        for f, c in itertools.product(range(len(error)), range(len(x))):
            a, w, e = x[c, row, column] // 2, weight[f, r * kernel[1] + s, c] // 2, error[f, i, j] // 2
            steps["forward"] += a * w
            steps["weight gradient"] += a * e
            steps["input gradient"] += w * e
            pairs += 1
    return steps, pairs


@pytest.mark.parametrize("strides, pads", [((1, 1), (1, 1, 1, 1)), ((2, 1), (0, 1, 1, 0))])
def test_steps_are_those_of_the_loops(strides, pads):
    rng = np.random.default_rng(0)
    n = node("Conv", "c", "x", "w", strides=strides, pads=pads)
    oh, ow = ((size + pads[axis] + pads[axis + 2] - k) // strides[axis] + 1
              for axis, (size, k) in enumerate(zip((6, 5), (2, 3), strict=True)))
    x, weight, error = (2 * rng.integers(1, 5, shape) for shape in ((2, 6, 5), (3, 6, 2), (3, oh, ow)))
    assert layer_steps(n, x, weight, error, (2, 3)) == slow_steps(n, (2, 3), x, weight, error, (6, 5))


def test_eight_bits_throughout_are_the_integers_without_precision():
    """Widths that never change: 8 bits lose nothing of weights and activations, 15-bit errors are rounded."""
    x, labels = bars(64)
    net = IntegerNetwork.random(GRAPH)
    precision = Precision(net, DynastySettings(interval=0, start=0))
    plain, wide = (Training(net.copy(), IntegerSettings(epochs=1, batch=32, **FAST), 2, p)
                   for p in (None, precision))
    for training in (plain, wide):
        training.step(x[:32], labels[:32])
    a, b = plain.interpreter.tensors, wide.interpreter.tensors
    assert np.array_equal(a["logits"].integers, b["logits"].integers)
    assert not np.array_equal(a["gradient conv1.weight"].integers, b["gradient conv1.weight"].integers)
    assert precision.speedup == 1 and set(precision.mean_widths().values()) == {8}


def test_what_is_stored_of_an_error_is_rounded_and_read_by_all():
    """16 bits whatever the config says, as many as its tiles have; a bias's gradient is of those before."""
    x, labels = bars(16)
    net = IntegerNetwork.random(GRAPH, TrainingConfig(error_bits=8))
    precision = Precision(net, DynastySettings(interval=0))
    training = Training(net, IntegerSettings(epochs=1, batch=16, **FAST), 1, precision)
    run, drawn = training.interpreter, []
    draw = run.random.errors
    run.random.errors = lambda shape, block: drawn.append((shape, draw(shape, block))) or drawn[-1][1]
    training.step(x, labels)
    tensors = run.tensors
    for n, (name, source) in enumerate((("logits", "error logits"), ("conv2", "error conv2"))):
        (shape, random), wide = drawn[n], shifted(tensors[source], 16)
        assert shape == wide.integers.shape
        found, _ = round_tiles(wide.integers, np.int64(4), 16, random=random)
        assert np.array_equal(tensors[f"E2 {name}"].integers, found)
        assert tensors[f"E2 {name}"].exponent == wide.exponent
    wide = shifted(tensors["error logits"], 16)
    assert np.array_equal(tensors["gradient dense.bias"].integers, wide.integers.sum(axis=1))
    assert tensors["gradient dense.bias"].exponent == wide.exponent
    assert not np.array_equal(tensors["E2 logits"].integers, wide.integers)
    # The products read 4 bits of all operands.
    a, _ = round_tiles(tensors["flat"].integers.reshape(8, -1, 16), np.int64(4), 16, signed=False)
    exact = products.weight_gradient(GRAPH.nodes[-1], a.reshape(-1, 16), tensors["E2 logits"].integers,
                                     net.parameters["dense.weight"].master)
    assert np.array_equal(tensors["gradient dense.weight"].integers, exact)


def test_full_steps_are_the_multiplications_of_the_three_products(monkeypatch):
    """One image group, tiles of 4: a tile product is 64 multiplications where sizes are multiples of 4."""
    graph = convolutional((4, 6, 6), (8,), 4, set(), 0)
    counted = []
    product = products.exact_product
    monkeypatch.setattr(products, "exact_product",
                        lambda a, b: counted.append(a.shape[0] * b.size) or product(a, b))
    net = IntegerNetwork.random(graph, TrainingConfig(block=4, random_lanes=4))
    precision = Precision(net, DynastySettings(start=0))
    training = Training(net, IntegerSettings(epochs=1, batch=4, **FAST), 1, precision)
    training.step(np.random.default_rng(0).random((4, 4, 6, 6)), np.array([0, 1, 2, 3]))
    taps = 256 / 324                # of 3 x 3 taps at 6 x 6 pixels, 256 meet within the map
    conv_forward, dense_forward, dense_weight, dense_input, conv_weight = counted
    dense = dense_forward + dense_weight + dense_input
    assert precision.full / BRICKS * 64 == (conv_forward + conv_weight) * taps + dense


def test_a_gemm_behind_a_flatten_is_a_convolution_of_the_maps_size():
    """The same tiles, shifts, steps and random numbers: the same parameters after some steps."""
    rng, trained = np.random.default_rng(0), []
    x, labels = rng.random((8, 1, 4, 3)), rng.integers(0, 2, 8)
    for flatten in (True, False):
        net = IntegerNetwork.random(dense(flatten), TrainingConfig(block=4, random_lanes=2))
        precision = Precision(net, DynastySettings(interval=1, hold=1, start=3))
        training = Training(net, IntegerSettings(epochs=1, batch=8, **FAST), 4, precision)
        for _ in range(4):
            training.step(x, labels)
        masters = [net.parameters[name].master.reshape(-1) for name in ("w1", "w2", "w3", "b3")]
        trained.append((precision.steps, precision.full, np.concatenate(masters).tolist()))
    assert trained[0] == trained[1] and trained[0][0] < trained[0][1]


def test_training_with_dynamic_precision_learns_faster_in_cycles():
    x, labels = bars(768)
    held_x, held_labels = bars(200, seed=1)
    settings = IntegerSettings(epochs=8, batch=32, **FAST)
    net = IntegerNetwork.random(GRAPH, TrainingConfig(block=8))
    precision = Precision(net, DynastySettings(start=3, limit=3))
    trained = train(net, x, labels, settings, precision)
    assert trained.accuracy(held_x, held_labels) > 0.95
    assert precision.speedup > 2
    widths = precision.mean_widths()
    assert widths.keys() == {"x", "relu1", "flat", "conv1.weight", "conv2.weight", "dense.weight", "E2 conv1",
                             "E2 conv2", "E2 logits"}
    assert all(2 <= width <= 8 for width in widths.values()) and min(widths.values()) < 7


def test_precision_of_a_residual_network_counts_every_product():
    network = residual()
    net = IntegerNetwork.random(network, TrainingConfig(block=4, random_lanes=4))
    precision = Precision(net, DynastySettings(interval=1, hold=1, start=2))
    training = Training(net, IntegerSettings(epochs=1, batch=8, **FAST), 3, precision)
    rng = np.random.default_rng(0)
    for _ in range(3):
        training.step(rng.random((8, *network.input_shape)), rng.integers(0, 3, 8))
    assert 1 < precision.speedup <= BRICKS
    assert {"w1", "w2", "w3", "w4", "w5", "x", "r1", "p", "f", "r4", "E2 c1", "E2 y"} <= precision.maps.keys()


def test_refusals():
    for wrong, message in (({"interval": -1}, "interval must be between 0 and 1024, not -1"),
                           ({"start": 5}, "start must be between 0 and 4, not 5"),
                           ({"reach": 7}, "reach must be between 0 and 6, not 7"),
                           ({"hold": 0.5}, "hold must be an integer, not 0.5")):
        with pytest.raises(ValueError, match=message):
            DynastySettings(**wrong)


def test_the_tolerance_is_spent_as_the_rate_falls(monkeypatch):
    """Half of the greatest rate costs nothing, a quarter and an eighth a bit and two; a new greatest none."""
    x, labels = bars(8)
    seen, follow, most = [], WidthMap.follow, []
    monkeypatch.setattr(WidthMap, "follow", lambda self, wanted: (seen.append(wanted), follow(self, wanted)))
    for last in (256, 255, 128, 127, 64, 63, 1, 511):
        net = IntegerNetwork.random(GRAPH, TrainingConfig(block=8))
        precision = Precision(net, DynastySettings(interval=2, hold=1, start=4))
        settings = IntegerSettings(epochs=1, batch=8, rates=((0.0, 256), (0.5, last)))
        training = Training(net, settings, 2, precision)
        seen.clear()
        for _ in range(2):
            training.step(x, labels)
        most.append(int(max(wanted.max() for wanted in seen)))
    assert most == sorted(most[:7]) + [most[0]] and most[:3] == [4, 4, 4] and most[6] == 8
