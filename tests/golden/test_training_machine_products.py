"""The training engine's machine: products, and what packs their operands, against the arithmetic."""

import numpy as np
import pytest
from shiftwork.golden.training import products
from shiftwork.golden.training.arithmetic import bit_length, saturate, shift_round
from shiftwork.golden.training.config import TrainingConfig
from shiftwork.golden.training.interpreter import product_error
from shiftwork.golden.training.lfsr import RandomLanes
from shiftwork.golden.training.quantize import Scaled, scale_exponent
from shiftwork.golden.training.registers import Element, Matrix, Slot, Unit, Update
from shiftwork.golden.training.tiles import as_tiles, round_tiles, tile_bits, tile_sums

from .training_graphs import node
from .training_machine_kit import (
    filled,
    from_vectors,
    input_words,
    loaded,
    parameters,
    reload,
    run_pass,
    to_vectors,
    weight_vectors,
)

# side, groups, filters, channels, map, kernel, strides' one number, pads (top, left, bottom, right)
LAYERS = [
    (2, 2, 5, 3, (5, 4), (3, 3), 1, (1, 1, 1, 1)),
    (2, 1, 4, 9, (6, 5), (2, 3), 2, (0, 2, 1, 1)),
    (2, 3, 6, 6, (7, 6), (1, 2), 3, (0, 0, 0, 0)),
    (2, 1, 3, 5, (2, 3), (2, 3), 1, (0, 0, 0, 0)),
    (8, 2, 24, 12, (4, 4), (3, 3), 1, (1, 1, 1, 1)),
    (8, 1, 10, 20, (3, 4), (3, 4), 1, (0, 0, 0, 0)),
]


class Layer:
    """A convolution on a machine: its tensors, and where they stand."""

    def __init__(self, case, seed, error_bits):
        self.side, self.groups, filters, channels, size, kernel, stride, pads = case
        self.block, rng = 2 * self.side, np.random.default_rng(seed)
        self.batch, self.error_bits = self.groups * self.block, error_bits
        self.node = node("Conv", "c", "x", "w", kernel_shape=kernel, strides=(stride, stride), pads=pads)
        self.out = tuple((n + before + after - k) // stride + 1 for n, before, after, k in
                         zip(size, pads[:2], pads[2:], kernel, strict=True))
        # Numbers of all lengths, so that tiles differ in how much they drop.
        self.x = rng.integers(0, 256, (channels, *size, self.batch))
        self.x >>= rng.integers(0, 8, (channels, *size, 1))
        self.stored = rng.integers(1 - (1 << 23), 1 << 23, (filters, channels, *kernel))
        self.stored >>= rng.integers(0, 6, (filters, channels, 1, 1))
        self.wide = rng.integers(-(1 << 33), 1 << 33, (filters, *self.out, self.batch))
        self.wide >>= rng.integers(0, 20, (filters, *self.out, 1))
        self.bias = rng.integers(-127, 128, filters)
        self.blocks = -(-channels // self.block)
        self.filter_blocks = -(-filters // self.block)
        self.taps = kernel[0] * kernel[1]
        self.common = dict(groups=self.groups, height=size[0], width=size[1], out_height=self.out[0],
                           out_width=self.out[1], kernel_height=kernel[0], kernel_width=kernel[1],
                           stride=stride, pad_top=pads[0], pad_left=pads[1],
                           wide=int(error_bits == 16))
        # Places: maps of a, w, E2; slots of the right memory: a, E2; of the left one: w, E2.
        pixels, outputs = size[0] * size[1], self.out[0] * self.out[1]
        self.maps = np.cumsum([3, self.blocks * pixels, self.filter_blocks * self.blocks * self.taps,
                               self.filter_blocks * outputs])
        self.right = 5, 5 + self.blocks * pixels * self.groups
        self.left = 7, 7 + self.filter_blocks * self.blocks * self.taps
        self.machine = loaded([], self.side, error_depth=8192)
        self.planes = rng.integers(0, 4, self.maps[-1])
        self.machine.maps[:len(self.planes)] = self.planes

    def widths(self, number, shape):
        return 2 * (self.planes[self.maps[number]:self.maps[number + 1]] + 1).reshape(shape)

    def pack_activations(self):
        size = self.common["height"] * self.common["width"]
        for block, words in enumerate(input_words(self.x, self.side)):
            channels = min(len(self.x) - block * self.block, self.block)
            run_pass(self.machine, Unit.INPUT, words, groups=self.groups, channels=channels, pixels=size,
                     right_base=self.right[0] + block * size * self.groups,
                     map_base=self.maps[0] + block * size)
        a, lengths = round_tiles(self.x, self.widths(0, (self.blocks, size, 1)), self.block, signed=False)
        self.check_lengths(0, lengths.max(axis=2))
        return a

    def check_lengths(self, number, lengths):
        found = self.machine.lengths[self.maps[number]:self.maps[number + 1]]
        assert np.array_equal(found, lengths.reshape(-1))

    def pack_weights(self):
        vectors = weight_vectors(self.stored, self.side)
        self.machine.stored[6:6 + len(vectors)] = vectors
        tiles = self.filter_blocks * self.blocks * self.taps
        run_pass(self.machine, Unit.UPDATE, update_mode=Update.ROUND, weight_base=6, tiles=tiles,
                 left_base=self.left[0], map_base=self.maps[1])
        w = saturate(shift_round(self.stored, 16), 8)
        widths = self.widths(1, (self.filter_blocks, self.blocks, self.taps)).swapaxes(1, 2)
        w, lengths = round_tiles(w, widths, self.block, weight=True)
        self.check_lengths(1, lengths.swapaxes(1, 2))
        return w

    def pack_errors(self):
        """E2, by passes RAW: checks the sums of a bias's gradient, too."""
        vectors, outputs = to_vectors(self.wide, self.side), self.out[0] * self.out[1]
        self.machine.errors[9:9 + len(vectors)] = vectors
        slots = 1 + self.common["wide"]
        e = product_error(Scaled(self.wide, 0), TrainingConfig(error_bits=self.error_bits)).integers
        for block in range(self.filter_blocks):
            at = block * outputs * self.groups * slots
            run_pass(self.machine, Unit.ELEMENT, element_mode=Element.RAW, groups=self.groups,
                     error_base=9 + 2 * block * outputs * self.batch, error_half=outputs * self.batch,
                     rows=self.out[0], columns=self.out[1], flagged=self.error_bits == 8,
                     product_shift=scale_exponent(np.abs(self.wide).max()), wide=self.common["wide"],
                     map_base=self.maps[2] + block * outputs, left_base=self.left[1] + at,
                     right_base=self.right[1] + at, pooled=1)
            part = filled(e, self.block)[block * self.block:(block + 1) * self.block]
            assert np.array_equal(self.machine.element_sums[0].reshape(-1), part.sum(axis=(1, 2, 3)))
        lengths = tile_bits(as_tiles(e, self.block))
        self.check_lengths(2, lengths.max(axis=2))
        if self.error_bits == 16:
            return e
        return round_tiles(e, self.widths(2, (self.filter_blocks, outputs, 1)), self.block,
                           random=RandomLanes(0, self.side).errors(e.shape, self.block))[0]

    def planes_of(self, number, shape):
        return self.widths(number, shape) // 2

    def run(self, mode, half, **registers):
        before = self.machine.cycles[Unit.MATRIX][mode]
        run_pass(self.machine, Unit.MATRIX, matrix_mode=mode | half << 2, **self.common, **registers)
        return self.machine.cycles[Unit.MATRIX][mode] - before


@pytest.mark.parametrize("error_bits", [8, 16])
@pytest.mark.parametrize("case", LAYERS, ids=lambda case: "-".join(map(str, case)))
def test_products_are_those_of_the_arithmetic(case, error_bits):
    layer = Layer(case, LAYERS.index(case), error_bits)
    a, w, e = layer.pack_activations(), layer.pack_weights(), layer.pack_errors()
    check_forward(layer, a, w)
    check_input(layer, w, e)
    check_weight(layer, a, e)


def check_forward(layer, a, w):
    machine, block, side = layer.machine, layer.block, layer.side
    pixels, cycles = layer.out[0] * layer.out[1] * layer.batch, 0
    expected = saturate(products.forward(layer.node, a, w) + (layer.bias << 7)[:, None, None, None], 24)
    vectors = to_vectors(expected, side).reshape(-1, pixels, side)
    for number, z in enumerate(vectors):
        bias = filled(layer.bias, block)[number * side:(number + 1) * side]
        reload(machine, parameters(side, Slot.BIAS, bias))
        machine.run([0])
        cycles += layer.run(Matrix.FORWARD, number % 2, blocks=layer.blocks, left_stride=layer.taps,
                            left_base=layer.left[0] + number // 2 * layer.blocks * layer.taps,
                            right_base=layer.right[0], out_base=3 + number * pixels,
                            right_stride=layer.x[0, :, :, 0].size * layer.groups)
        assert np.array_equal(machine.z[3 + number * pixels:3 + (number + 1) * pixels], z)
        assert np.array_equal(machine.matrix_sums[:2], [z.sum(axis=0), (z * z).sum(axis=0)])
    # A convolution of the planes is what the plane pairs take: four quadrants a tile product.
    x_planes = layer.planes_of(0, (layer.blocks, *layer.x.shape[1:3], 1))
    w_planes = layer.planes_of(1, (layer.filter_blocks, layer.blocks, *w.shape[2:]))
    assert cycles == 4 * layer.groups * products.forward(layer.node, x_planes, w_planes).sum()


def check_input(layer, w, e):
    machine, side = layer.machine, layer.side
    expected = products.input_gradient(layer.node, e, w, layer.x.shape)
    pixels = layer.x[0, :, :, 0].size
    vectors = to_vectors(expected, side).reshape(-1, pixels * layer.batch, side)
    most = np.zeros(side, np.int64)
    for number, d in enumerate(vectors):
        layer.run(Matrix.INPUT, number % 2, blocks=layer.filter_blocks, left_stride=layer.blocks * layer.taps,
                  left_base=layer.left[0] + number // 2 * layer.taps, right_base=layer.right[1],
                  right_stride=layer.out[0] * layer.out[1] * layer.groups, sums_base=2 + number * pixels,
                  out_base=number * len(d), keep_most=number > 0)
        most = np.maximum(most, np.abs(d).max(axis=0))
        assert np.array_equal(machine.errors[number * len(d):(number + 1) * len(d)], d)
        assert np.array_equal(machine.matrix_sums[2], most)
        assert np.array_equal(machine.sums[2 + number * pixels:2 + (number + 1) * pixels],
                              np.abs(d).reshape(pixels, -1).sum(axis=1))
    assert np.array_equal(from_vectors(machine.errors[:vectors.shape[0] * vectors.shape[1]], layer.x.shape),
                          expected)


def check_weight(layer, a, e):
    machine, side, block = layer.machine, layer.side, layer.block
    expected = products.weight_gradient(layer.node, a, e, np.zeros((len(e), len(a), *layer.node.attributes[
        "kernel_shape"])))
    vectors = weight_vectors(expected, side).reshape(layer.filter_blocks, -1, 2, block, side)
    tiles = vectors.shape[1]
    machine.gradients[:] = 77
    for number in range(2 * layer.filter_blocks):
        row, half = divmod(number, 2)
        slots = 1 + layer.common["wide"]
        layer.run(Matrix.WEIGHT, half, blocks=layer.blocks, sums_base=4,
                  left_base=layer.left[1] + row * layer.out[0] * layer.out[1] * layer.groups * slots,
                  right_base=layer.right[0], right_stride=layer.x[0, :, :, 0].size * layer.groups,
                  out_base=8 + row * tiles * 2 * block + half * block)
        part = np.abs(vectors[row, :, half])
        assert np.array_equal(machine.sums[4:4 + tiles], part.sum(axis=(1, 2)))
        assert np.array_equal(machine.matrix_sums[2], part.max(axis=(0, 1)))
    assert np.array_equal(machine.gradients[8:8 + vectors.size // side], vectors.reshape(-1, side))
    assert (machine.gradients[:8] == 77).all() and (machine.gradients[8 + vectors.size // side:] == 77).all()
    # What the controller adds up for the importance of a tile.
    assert tile_sums(as_tiles(expected, block, weight=True)).sum() == np.abs(vectors).sum()


@pytest.mark.parametrize("side", [2, 8])
def test_operand_memories_hold_planes_of_quadrants(side):
    """Words bit by bit: element (i, j) of a quadrant at bits 2 (i S + j)."""
    machine, block, rng = loaded([], side), 2 * side, np.random.default_rng(side)
    tile, wide = rng.integers(-127, 128, (block, block)), rng.integers(-32767, 32768, (block, block))
    machine.left.write(np.array([3, 5]), np.stack([tile, wide]), np.array([4, 8]), np.array([2, 0]))
    assert [machine.left.descriptor(slot) for slot in (3, 5)] == [3 | 2 << 3, 7]
    for slot, numbers, planes in ((3, tile, 4), (5, wide, 8)):
        banks = machine.left.words(slot)
        for i, j in np.ndindex(side, side):
            for u, v in np.ndindex(2, 2):
                found = sum((banks[u ^ v][2 * plane + u] >> 2 * (i * side + j) & 3) << 2 * plane
                            for plane in range(planes))
                assert found == numbers[u * side + i, v * side + j] % (1 << 2 * planes)
    assert bit_length(np.abs(machine.left.read(np.array([5]), True)[0] - wide)).max() == 0


def test_an_output_without_pairs_is_the_bias():
    """A stride beyond the kernel: the input's gradient has pixels that nothing reads; pads only: no pairs."""
    machine = loaded(parameters(2, Slot.BIAS, [1, -2]))
    machine.run([0])
    machine.z[:] = 5
    run_pass(machine, Unit.MATRIX, matrix_mode=Matrix.FORWARD, groups=1, blocks=1, height=1, width=1,
             out_height=1, out_width=1, kernel_height=1, kernel_width=1, stride=1, pad_top=1)
    assert machine.z[:4].tolist() == [[128, -256]] * 4 and (machine.z[4:] == 5).all()
    assert machine.cycles[Unit.MATRIX][Matrix.FORWARD] == 0
