import numpy as np
import pytest
from shiftwork.flow.datasets import digits
from shiftwork.flow.recipes import convolutional
from shiftwork.golden.common.program import ErrorCode, ProgramError
from shiftwork.golden.training.dynasty import DynastySettings
from shiftwork.golden.training.firmware import firmware

from .training_firmware_kit import Pair, integer_network, varied

TINY = convolutional((1, 4, 4), (3, 5), 3, {2}, 0)
MODES = [(mode, bits) for mode in ("wide", "fixed", "dynamic") for bits in (8, 16)]


def batches(shape, classes, size, count, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield rng.random((size, *shape)), rng.integers(0, classes, size)


@pytest.mark.parametrize("side", [2, 4])
@pytest.mark.parametrize("mode, bits", MODES)
def test_steps_and_inference_are_the_interpreters(side, mode, bits):
    pair = Pair(integer_network(TINY, side, error_bits=bits), 8, mode, seed=side,
                settings=DynastySettings(interval=1, hold=1))
    for n, (x, labels) in enumerate(batches((1, 4, 4), 3, 8, 4)):
        pair.step(x, labels, rate=(400, 26, 0, 511)[n], levels=(128, 2, 16, 64)[n])
        found = pair.packets.parse_infer(pair.machine.run(pair.packets.infer(x[:5])), 5)
        assert np.array_equal(found, pair.golden.logits(x[:5]))
    if mode == "dynamic":
        assert pair.check_widths().min() < 8


@pytest.mark.parametrize("mode, bits", [("wide", 8), ("fixed", 16), ("dynamic", 8)])
def test_strides_pads_hidden_gemms_and_several_blocks(mode, bits):
    pair = Pair(integer_network(varied(), 2, error_bits=bits, momentum=3, running_shift=2), 8, mode,
                settings=DynastySettings(interval=1, hold=2, start=2))
    for x, labels in batches((6, 7, 5), 5, 8, 3):
        pair.step(x, labels)
    found = pair.packets.parse_infer(pair.machine.run(pair.packets.infer(x)))
    assert np.array_equal(found, pair.golden.logits(x))


def test_classes_of_several_blocks():
    pair = Pair(integer_network(convolutional((1, 4, 4), (3,), 15, {1}, 0), 2), 8, "wide")
    for x, labels in batches((1, 4, 4), 15, 8, 2):
        pair.step(x, labels)


def test_a_single_layer_and_a_batch_that_is_no_power_of_two():
    pair = Pair(integer_network(convolutional((1, 4, 4), (), 3, set(), 0), 2), 12, "dynamic",
                settings=DynastySettings(interval=1))
    for x, labels in batches((1, 4, 4), 3, 12, 3):
        pair.step(x, labels)


def test_dynamic_precision_on_digits():
    data = digits()
    pair = Pair(integer_network(convolutional((1, 8, 8), (6, 9), 10, {1, 2}, 0), 8), 32, "dynamic",
                settings=DynastySettings(interval=2, hold=1, start=3))
    for n in range(0, 32 * 6, 32):
        pair.step(data.train_x[n:n + 32], data.train_y[n:n + 32], rate=400)
    widths = pair.check_widths()
    assert widths.mean() < 6
    # An inference sees all in 8 bits, and what has been learned stays.
    x = data.test_x[:32]
    for _ in range(2):
        found = pair.packets.parse_infer(pair.machine.run(pair.packets.infer(x)))
        assert np.array_equal(found, pair.golden.logits(x))
    assert np.array_equal(pair.check_widths(), widths)
    pair.machine.run(pair.packets.infer(x))
    pair.step(data.train_x[:32], data.train_y[:32])


def test_tolerance_follows_the_averages():
    settings = DynastySettings(interval=1, start=0, limit=2)
    pair = Pair(integer_network(TINY, 2), 8, "dynamic", settings=settings)
    averages = firmware(pair.packets.plan, [1, 1], settings).averages
    found = []
    for n, (x, labels) in enumerate(batches((1, 4, 4), 3, 8, 16)):
        if n:       # After falls of the loss rises, then falls again: the controller's state from outside.
            fast, slow = (1 << 22, 1 << 23) if n < 5 or n > 7 else (1 << 23, 1 << 22)
            pair.machine.data[averages:averages + 2] = fast, slow
            pair.precision.controller.fast, pair.precision.controller.slow = fast, slow
        found.append(pair.step(x, labels))
    assert found[4] == 2 and found[7] == 0 and found[11] == 0 and found[15] == 2


def test_tolerance_on_both_sides_of_its_thresholds():
    settings = DynastySettings(interval=1, start=0, hold=16)        # 8 bits for so long: the loss stays
    pair = Pair(integer_network(TINY, 2), 8, "dynamic", settings=settings)
    averages = firmware(pair.packets.plan, [1, 1], settings).averages
    x, labels = next(batches((1, 4, 4), 3, 8, 1))
    found, controller = [pair.step(x, labels, rate=0)], pair.precision.controller
    loss, slow = controller.fast, 1 << 22
    rise, fall = (1 << 23) - slow >> 6, slow >> 4
    for change in (9 - fall, -9 - fall, rise - 9, rise + 9):
        # What the averages are after the step is (3 fast + loss) / 4 and (15 slow + loss) / 16.
        given = [round((4 * (slow + change) - loss) / 3), round((16 * slow - loss) / 15)]
        pair.machine.data[averages:averages + 2] = given
        controller.fast, controller.slow = given
        found.append(pair.step(x, labels, rate=0))
        assert abs(controller.fast - slow - change) < 3 and abs(controller.slow - slow) < 3
    assert found == [0, 0, 1, 1, 0]


def test_without_an_interval_nothing_changes():
    pair = Pair(integer_network(TINY, 2), 8, "dynamic", settings=DynastySettings(interval=0, start=2))
    for x, labels in batches((1, 4, 4), 3, 8, 2):
        assert pair.step(x, labels) == 2
    assert set(pair.check_widths()) == {6}


def test_a_program_of_a_trained_network_goes_on():
    first = Pair(integer_network(TINY, 2), 8, "wide")
    given = list(batches((1, 4, 4), 3, 8, 4))
    for x, labels in given[:2]:
        first.step(x, labels)
    second = Pair(first.dump(), 8, "wide", seed=7)
    assert second.golden.running
    for x, labels in given[2:]:
        second.step(x, labels)


@pytest.mark.parametrize("words, code", [([4], ErrorCode.COMMAND), ([2, 0], ErrorCode.INPUT_LONG),
                                         ([3, 0], ErrorCode.INPUT_LONG), ([1, 0], ErrorCode.INPUT_SHORT)])
def test_packets_that_are_refused(words, code):
    pair = Pair(integer_network(TINY, 2), 8, "dynamic")
    with pytest.raises(ProgramError) as raised:
        pair.machine.run(words)
    assert raised.value.code is code
    x, labels = next(batches((1, 4, 4), 3, 8, 1))
    pair.step(x, labels)


@pytest.mark.parametrize("place, value, code", [
    (1, 512, ErrorCode.COMMAND), (2, 0, ErrorCode.COMMAND), (2, 8, ErrorCode.COMMAND),
    (5, 3, ErrorCode.COMMAND), (None, None, ErrorCode.INPUT_SHORT)])
def test_steps_that_are_refused_change_nothing(place, value, code):
    pair = Pair(integer_network(TINY, 2), 8, "fixed")
    x, labels = next(batches((1, 4, 4), 3, 8, 1))
    words = pair.packets.train(x, labels, 200, 128)
    if place is None:
        words = words[:-1]
    else:
        words[place] = value
    with pytest.raises(ProgramError) as raised:
        pair.machine.run(words)
    assert raised.value.code is code
    pair.check()
    pair.step(x, labels)


def test_packets_need_images_labels_rates_and_levels_in_range():
    packets = Pair(integer_network(TINY, 2), 8, "wide").packets
    x, labels = next(batches((1, 4, 4), 3, 8, 1))
    for arguments, message in (
            ((x[:7], labels, 200, 128), r"images must be of shape \(8, 1, 4, 4\), not \(7, 1, 4, 4\)"),
            ((x, labels + 3, 200, 128), r"labels must be 8 of 0 \.\. 2, not array"),
            ((x, labels, 512, 128), r"rate must be 0 \.\. 511, not 512"),
            ((x, labels, 200, 100), r"levels must be a power of two, 2 \.\. 128, not 100")):
        with pytest.raises(ValueError, match=message):
            packets.train(*arguments)
    with pytest.raises(ValueError, match=r"images must be 1 \.\. 8, not 9"):
        packets.infer(np.zeros((9, 1, 4, 4)))
    with pytest.raises(ValueError, match=r"output must have 7 words, not 2"):
        packets.parse_train([0, 0])
