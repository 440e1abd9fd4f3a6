"""The training engine's machine: element and update unit against the arithmetic."""

import numpy as np
import pytest
from shiftwork.golden.common.layers import BACKWARD, FORWARD
from shiftwork.golden.training import batch_norm
from shiftwork.golden.training.arithmetic import MANTISSA_BITS, divide_round
from shiftwork.golden.training.config import TrainingConfig
from shiftwork.golden.training.interpreter import product_error, rectify
from shiftwork.golden.training.isa import Instruction, Op
from shiftwork.golden.training.lfsr import RandomLanes
from shiftwork.golden.training.quantize import Scaled, constant, scale_exponent, shifted
from shiftwork.golden.training.registers import Element, Get, Put, Slot, Unit, Update
from shiftwork.golden.training.tiles import round_tiles
from shiftwork.golden.training.update import Parameter

from .training_graphs import node
from .training_machine_kit import (
    filled,
    from_vectors,
    loaded,
    one_pass,
    parameters,
    put,
    reload,
    run_pass,
    to_vectors,
)

POOL = node("MaxPool", "p", "r", kernel_shape=(2, 2), strides=(2, 2))
PLACES = {"z_base": 5, "error_base": 7, "winner_base": 2}


def draw(lanes, steps):
    """Numbers (steps, lanes): of a step each lane's last 16 bits."""
    found = []
    for _ in range(steps):
        lanes.numbers(1)
        found.append(lanes.states >> np.uint64(16))
    return np.array(found, np.int64)


def tiles_of(memory, base, count, signed, wide, groups, shape):
    """Numbers (C, H, W, N) of ``count`` tiles from slot ``base`` on, each times 2 ** drop."""
    tiles, _, drops = memory.read(base + np.arange(count) * (1 + wide), signed)
    whole = (tiles << drops[:, None, None]).reshape(shape[1], shape[2], groups, *tiles.shape[1:])
    return whole.transpose(3, 0, 1, 2, 4).reshape(-1, *shape[1:])[:shape[0]]


@pytest.mark.parametrize("error_bits", [8, 16])
@pytest.mark.parametrize("side,groups,channels,size,pooled", [
    (2, 2, 3, (5, 4), False), (2, 1, 4, (5, 7), True), (8, 2, 12, (4, 4), True), (8, 1, 5, (3, 2), False)])
def test_element_passes_are_those_of_the_arithmetic(side, groups, channels, size, pooled, error_bits):
    rng, config = np.random.default_rng(channels), TrainingConfig(error_bits=error_bits)
    block, batch = 2 * side, 2 * side * groups
    # A channel without spread is clipped; small gammas and betas leave equal numbers in a window.
    z = Scaled(rng.integers(-(1 << 18), 1 << 18, (channels, *size, batch)), -14)
    z.integers[1] = 3 << 14
    z.integers[1, 0, 0, 0] += 2
    gamma, beta = rng.integers(-90, 128, channels), rng.integers(-60, 61, channels)
    gamma[2], beta[2] = 2, 4
    found = batch_norm.statistics(z)
    normal = batch_norm.normalize(z, found, config)
    a = rectify(batch_norm.scale_and_shift(normal, gamma, beta)).integers
    packed, cache = FORWARD["MaxPool"](POOL, {}, True, a) if pooled else (a, None)

    machine = loaded([], side)
    machine.maps[3:80] = rng.integers(0, 4, 77)
    vectors, pixels = to_vectors(z.integers, side), size[0] * size[1]
    machine.z[5:5 + len(vectors)] = vectors
    mantissa, length = found.reciprocals
    program = [i for slot, values in ((Slot.MEAN, found.mean), (Slot.MANTISSA, mantissa),
                                      (Slot.SHIFT, length + MANTISSA_BITS - 1 - config.normal_fraction),
                                      (Slot.GAMMA, gamma), (Slot.BETA, beta))
               for i in parameters(side, slot, values)]
    reload(machine, program)
    machine.run([0])
    maps = packed[0, :, :, 0].size
    common = dict(PLACES, groups=groups, rows=size[0], columns=size[1], pooled=pooled, z_half=pixels * batch,
                  error_half=maps * batch)
    run_pass(machine, Unit.ELEMENT, element_mode=Element.ACTIVATE, right_base=9, map_base=3, **common)
    expected, lengths = round_tiles(packed, 2 * (machine.maps[3:3 + maps] + 1)[:, None], block, signed=False)
    tiles = tiles_of(machine.right, 9, maps * groups, False, 0, groups, packed.shape)
    assert np.array_equal(tiles, expected)
    assert np.array_equal(machine.lengths[3:3 + maps], lengths[0].max(axis=1))
    assert machine.cycles[Unit.ELEMENT][Element.ACTIVATE] == 2 * batch * (4 * maps if pooled else pixels)

    # Backward: E1 where the activation is inside, normalization's error, E2.
    wide = rng.integers(-(1 << 36), 1 << 36, packed.shape) >> rng.integers(0, 30, packed.shape)
    machine.errors[7:7 + 2 * maps * batch] = to_vectors(wide, side)
    narrow = shifted(Scaled(wide, 0), 8)
    if pooled:
        narrow = Scaled(BACKWARD["MaxPool"](POOL, {}, narrow.integers, cache)[0][0], narrow.exponent)
    e = Scaled(narrow.integers * ((a > 0) & (a < 255)), narrow.exponent)
    common["error_shift"] = narrow.exponent
    run_pass(machine, Unit.ELEMENT, element_mode=Element.SUMS, **common)
    sums = batch_norm.error_sums(e, normal)
    assert np.array_equal(machine.element_sums[:2].reshape(2, -1)[:, :channels], [s.integers for s in sums])
    assert np.any(sums[0].integers)

    dx = batch_norm.input_error(e, normal, sums, gamma, found)
    count = pixels * batch
    factors, _ = batch_norm._factors(gamma, found)
    p, q = ([divide_round(int(total) << 8, count << fraction) for total in part.integers]
            for part, fraction in zip(sums, (0, 12), strict=True))
    program = [i for slot, values in ((Slot.P, p), (Slot.Q, q), (Slot.FACTOR, factors))
               for i in parameters(side, slot, values)]
    reload(machine, program)
    machine.run([0])
    run_pass(machine, Unit.ELEMENT, element_mode=Element.MOST, **common)
    each = np.abs(dx.integers).max(axis=(1, 2, 3))
    assert np.array_equal(machine.element_sums[2].reshape(-1), filled(each, block))

    slots = int(error_bits == 16)
    run_pass(machine, Unit.ELEMENT, element_mode=Element.ERROR, left_base=4, right_base=30, map_base=6,
             flagged=1 - slots, wide=slots, product_shift=scale_exponent(each.max()), **common)
    expected = product_error(dx, config).integers
    lanes = RandomLanes(0, side)
    if not slots:
        expected, _ = round_tiles(expected, 2 * (machine.maps[6:6 + pixels] + 1)[:, None], block,
                                  random=lanes.errors(expected.shape, block))
    # Nothing else has drawn numbers.
    assert np.array_equal(machine.random.states, lanes.states)
    for memory, base in ((machine.left, 4), (machine.right, 30)):
        tiles = tiles_of(memory, base, pixels * groups, True, slots, groups, z.integers.shape)
        assert np.array_equal(tiles, expected)


def test_winners_are_the_first_of_equal_numbers():
    machine = loaded([], side=2)
    machine.z[:16] = np.array([[1, 7, 7, 2], [5, 5, 5, 5], [0, 0, 0, 9], [3, 4, 8, 8]]).reshape(4, 4)[
        :, :, None].swapaxes(0, 1).reshape(16, 1) << 12
    for slot, value in ((Slot.MANTISSA, 1 << 15), (Slot.SHIFT, 16), (Slot.GAMMA, 16)):
        reload(machine, parameters(2, slot, [value] * 4))
        machine.run([0])
    run_pass(machine, Unit.ELEMENT, element_mode=Element.ACTIVATE, groups=1, rows=2, columns=2, pooled=1)
    assert machine.winners[:4, 0].tolist() == [1, 0, 3, 2]


def test_wide_is_for_errors_alone():
    machine = loaded([])
    with pytest.raises(ValueError, match="wide must be 0 in a pass that packs weights or activations"):
        run_pass(machine, Unit.ELEMENT, element_mode=Element.ACTIVATE, groups=1, rows=1, columns=1, wide=1)


@pytest.mark.parametrize("side", [2, 8])
@pytest.mark.parametrize("levels,size,momentum,rate", [(128, 1 << 34, 1, 400), (2, 1 << 30, 3, 511),
                                                       (32, 9, 0, 3), (128, 2, 2, 1)])
def test_updates_are_those_of_the_arithmetic(side, levels, size, momentum, rate):
    """Two steps one behind the other: the random numbers go on."""
    machine, rng = loaded([], side), np.random.default_rng(side)
    tiles, random = 3, RandomLanes(0, side)
    count = tiles * 4 * side
    span = slice(5, 5 + count)
    machine.stored[:] = rng.integers(1 - (1 << 23), 1 << 23, machine.stored.shape)
    machine.accumulators[:] = rng.integers(-32768, 32769, machine.stored.shape)
    before = machine.stored.copy()
    parameter = Parameter(machine.stored[span].copy(), machine.accumulators[span].copy())
    for _ in range(2):
        machine.gradients[span] = rng.integers(-size, size + 1, (count, side))
        gradient = Scaled(machine.gradients[span], 0)
        shift = scale_exponent(np.abs(gradient.integers).max()) - (levels.bit_length() - 1) - 16
        parameter.step(constant(gradient, levels, draw(random, count)), rate, momentum)
        run_pass(machine, Unit.UPDATE, update_mode=Update.STEP, weight_base=5, tiles=tiles, levels=levels,
                 gradient_shift=shift, rate=rate, momentum=momentum)
        assert np.array_equal(machine.stored[span], parameter.master)
        assert np.array_equal(machine.accumulators[span], parameter.accumulator)
    before[span] = parameter.master
    assert np.array_equal(machine.stored, before)
    assert machine.cycles[Unit.UPDATE] == {Update.STEP: 2 * count * {2: 2, 8: 4}[side]}


def test_random_numbers_by_the_controller():
    lanes = RandomLanes(0, 2)
    first, second = draw(lanes, 2)
    step = [*put(Put.RANDOM, 0, 0), Instruction(Op.GET, d=2, b=Get.RANDOM, value=1), Instruction(Op.OUT, a=2)]
    load = put(Put.RANDOM, 1, 0x1234ABCD)
    update = one_pass(Unit.UPDATE, update_mode=Update.ROUND, tiles=1)
    machine = loaded([*step, *update, *step, *load, *step[-2:]])
    assert machine.run([0]).tolist() == [first[1], second[1], 0x1234]
    assert machine.random.states[0] == lanes.states[0]


def test_vectors_are_tensors():
    x = np.arange(5 * 2 * 3 * 4).reshape(5, 2, 3, 4)
    assert np.array_equal(from_vectors(to_vectors(x, 2), x.shape), x)
