"""Each machine on layers small enough to count by hand; the counting stands in the comments."""

import numpy as np
import pytest
from shiftwork.golden.common.shapes import Kind, LayerShape
from shiftwork.golden.smartexchange.cost import Setting
from shiftwork.golden.smartexchange.rivals import MACHINES
from shiftwork.golden.smartexchange.rivals_dense import Dense, DianNao
from shiftwork.golden.smartexchange.rivals_serial import BitPragmatic
from shiftwork.golden.smartexchange.rivals_sparse import CambriconX, Scnn, entry_share
from shiftwork.golden.smartexchange.sparsity import Statistics


def conv(channels, filters, size, kernel=3, **changes):
    pad = (kernel - 1) // 2
    return LayerShape(**dict(
        name="conv", kind=Kind.CONVOLUTION, channels=channels, filters=filters, kernel_rows=kernel,
        kernel_columns=kernel, rows=size, columns=size, pads=(pad,) * 4) | changes)


def depthwise(channels, size):
    return conv(channels, channels, size, kind=Kind.DEPTHWISE, groups=channels)


def dense(inputs, outputs):
    return LayerShape(name="fc", kind=Kind.FULLY_CONNECTED, channels=inputs, filters=outputs)


SMALL = conv(2, 3, 4)   # 16 positions, 18 taps, 54 weights, 32 inputs, 48 outputs, 864 multiplications
FULL = Statistics(activation_zeros=0.0, average_bits=8.0, average_digits=4.0)     # nothing is zero
EMPTY = Statistics(activation_zeros=1.0, average_bits=0.0, average_digits=0.0)    # every activation is


def test_dense_array():
    """16 positions x 64 filters: 18 taps. Reads 16 * 18 activations, 54 weights; writes 48 outputs.

    DRAM: 32 + 54 + 48 bytes. Energy: 864 * 0.143 + 134 * 100 + (390 + 134) * 1.36 + 864 * 8 * 0.019 pJ.
    """
    cost = Dense().cost(SMALL, FULL)
    assert (cost.compute, cost.cycles, cost.macs, cost.products) == (18, 18, 864, 864)
    assert (cost.dram, cost.buffer, cost.register) == (8 * 134, 8 * (390 + 134), 864 * 64)
    assert cost.energy == pytest.approx(123.552 + 13400 + 712.64 + 131.328)


@pytest.mark.parametrize("layer, cycles", [
    (dense(100, 2000), 2 * 100),        # 1 position, 1,024 filters at a time
    (conv(16, 16, 32, kernel=1), 16 * 16),      # 1,024 positions x 16 filters: 64 x 16, 16 times over
    (depthwise(40, 4), 40 * 9),         # a filter in each group
    (conv(64, 65, 8, kernel=1), 64 * 5),    # 64 positions x 16 filters, 5 times over
])
def test_dense_array_takes_the_best_split(layer, cycles):
    assert Dense().cost(layer, FULL).compute == cycles


def test_diannao():
    """2 of 32 channels and 3 of 32 filters, 9 kernel positions, 16 outputs: 144 cycles.

    Reads 16 * 18 activations, 864 weights; a sum is kept for each kernel position: 48 * 9.
    """
    cost = DianNao().cost(SMALL, FULL)
    assert (cost.compute, cost.buffer, cost.register) == (144, 8 * (288 + 864 + 48 + 134), 48 * 9 * 48)


@pytest.mark.parametrize("layer, cycles", [
    (conv(33, 65, 4), 16 * 9 * 2 * 3),
    (depthwise(40, 4), 2 * 9 * 16),     # 32 channels at a time
    (dense(100, 2000), 4 * 63),
    (conv(66, 66, 4, groups=2), 2 * 16 * 9 * 2 * 2),
])
def test_diannao_rounds_up(layer, cycles):
    assert DianNao().cost(layer, FULL).compute == cycles


def test_scnn_dense():
    """16 PEs have one activation (1 vector) of each channel; the tile reaches 3 x 3 accumulators, so that a
    block has room for all filters: 27 weights of a channel are 7 vectors. 2 channels * 1 * 7 = 14 cycles.
    """
    cost = Scnn().cost(SMALL, FULL)
    assert (cost.compute, cost.products) == pytest.approx((14, 32 * 27))
    # 16 PEs * 2 channels of vectors of 4 entries of 12 bits: once, and 7 of weights; outputs, and DRAM
    assert cost.buffer == pytest.approx(16 * 2 * 48 * (1 + 7) + 8 * 48 + 8 * 134)
    assert cost.register == pytest.approx(16 * 2 * 7 * 64 + 864 * 48)
    assert cost.dram == 8 * 134, "what has no zeros is stored as it is"


def test_scnn_waits_for_the_slowest():
    """Half of the activations zero: of 16 PEs the slowest has 2 vectors with 1 - 0.75^16, 0 with 0.25^16."""
    half = Statistics(activation_zeros=0.5, average_bits=4.0, average_digits=2.0)
    slowest = 2 - 0.75 ** 16 - 0.25 ** 16
    assert Scnn().cost(SMALL, half).compute == pytest.approx(7 * slowest, rel=1e-4)


@pytest.mark.parametrize("layer, cycles", [
    (dense(8, 12), 8 * 3),              # one PE, one activation, 3 vectors of weights for each
    (conv(1, 4, 16, kernel=1, stride=2), 1),    # tiles of 4 activations, 1 vector; 4 weights
    (depthwise(40, 4), 40 * 3),         # 9 weights are 3 vectors
    (conv(1, 2, 9, kernel=1), 1),       # tiles of 2 x 2: 5 x 5 PEs, 1 vector each
])
def test_scnn_rounds_up(layer, cycles):
    assert Scnn().cost(layer, FULL).compute == pytest.approx(cycles)


def test_scnn_does_all_products_of_a_stride():
    cost = Scnn().cost(conv(1, 4, 16, kernel=1, stride=2), FULL)
    assert cost.products == pytest.approx(4 * cost.macs)


def test_scnn_cuts_blocks_and_bands_by_its_accumulators():
    """Tiles of 2 x 2 reach 4 x 4. 16 have room for one filter: 2 blocks of 3 vectors. 15 have not: the map is
    cut into two bands of 8 rows, with tiles of 1 x 2 (reach 12) of 1 vector.
    """
    layer = conv(5, 2, 16)
    assert Scnn(accumulators=32).cost(layer, FULL).compute == pytest.approx(5 * 5)     # 18 weights
    assert Scnn(accumulators=16).cost(layer, FULL).compute == pytest.approx(5 * 2 * 3)
    assert Scnn(accumulators=15).cost(layer, FULL).compute == pytest.approx(2 * 5 * 2 * 3)


@pytest.mark.parametrize("zeros, share", [(0, 1), (1, 1 / 16), (0.5, 0.5 / (1 - 2 ** -16))])
def test_run_length_entries(zeros, share):
    assert entry_share(zeros) == pytest.approx(share)


def test_run_length_entries_of_a_long_random_code():
    """Counted entry by entry: 3 bits reach 8 values on."""
    values, entries, gap = np.random.default_rng(0).random(200_000) >= 0.9, 0, 0
    for value in values:
        gap += 1
        if value or gap == 8:
            entries, gap = entries + 1, 0
    assert entries / len(values) == pytest.approx(entry_share(0.9, index=3), rel=0.01)


def test_cambricon_dense():
    """18 weights are 2 cycles of 16; 16 positions. Activations once for 3 PEs: 16 * 18; weights 864."""
    cost = CambriconX().cost(SMALL, FULL)
    assert (cost.compute, cost.products) == (32, 864)
    assert cost.buffer == 8 * (288 + 864 + 48 + 134)
    assert cost.register == pytest.approx(8 * 864 + 48 * 48 * 2)


def test_cambricon_waits_for_the_slowest():
    """Of 18 weights more than 16 are left with 19 / 2^18; then one of 3 PEs takes 2 cycles instead of 1."""
    late = 1 - (1 - 19 / 2 ** 18) ** 3
    cost = CambriconX().cost(SMALL, Statistics(weight_zeros=0.5))
    assert cost.compute == pytest.approx(16 * (1 + late))
    assert cost.products == 432
    # 12 bits of an entry, 8 of a weight as it is: half of 12 is less
    assert cost.dram == pytest.approx(8 * 80 + 54 * 6, rel=1e-4)


@pytest.mark.parametrize("layer, zeros, cycles", [
    (depthwise(40, 4), 0.0, 2 * 16),    # 28 channels in a window of 256, 9 weights at once
    (dense(600, 65), 0.0, 2 * 38),      # windows of 256, 256, 88: 16 + 16 + 6 cycles
    (dense(600, 65), 1.0, 2 * 3),       # a window takes a cycle, even if it is empty
])
def test_cambricon_windows(layer, zeros, cycles):
    assert CambriconX().cost(layer, Statistics(weight_zeros=zeros)).compute == pytest.approx(cycles)


@pytest.mark.parametrize("changes, statistics, step", [
    ({}, FULL, 4), (dict(encoding="bits"), FULL, 8), ({}, EMPTY, 1)])
def test_pragmatic(changes, statistics, step):
    """2 pallets of 8 windows, 9 kernel positions, one brick, one block of filters: 18 steps."""
    cost = BitPragmatic(**changes).cost(SMALL, statistics)
    assert cost.compute == pytest.approx(18 * step)
    assert cost.buffer == 8 * (288 + 54 * 2 + 48 + 134)


def test_pragmatic_waits_for_the_longest():
    """An activation without digits takes a cycle, as one of a single digit does."""
    narrow = Statistics(activation_zeros=0.4, average_bits=0.6, average_digits=0.6)
    assert BitPragmatic().cost(SMALL, narrow).compute == pytest.approx(18)
    some = Statistics()
    longest = sum(1 - sum(some.digits[:k + 1]) ** 128 for k in range(4))
    assert BitPragmatic().cost(SMALL, some).compute == pytest.approx(18 * longest)
    longest = sum(1 - sum(some.digits[:k + 1]) ** 16 for k in range(1, 4)) + 1
    assert BitPragmatic(waiting="column").cost(SMALL, some).compute == pytest.approx(18 * longest)


@pytest.mark.parametrize("layer, cycles", [
    (dense(32, 600), 2 * 2 * 8),        # 512 filters at a time, a column a cycle
    (depthwise(40, 4), 2 * 9 * 3 * 4),  # 16 channels at a time
    (conv(17, 65, 4), 2 * 9 * 2 * 2 * 4),
])
def test_pragmatic_rounds_up(layer, cycles):
    assert BitPragmatic().cost(layer, FULL).compute == pytest.approx(cycles)


def test_refused():
    with pytest.raises(ValueError, match="encoding must be one of bits, booth, not 'csd'"):
        BitPragmatic(encoding="csd")
    with pytest.raises(ValueError, match="waiting must be one of pallet, column, not 'tile'"):
        BitPragmatic(waiting="tile")
    with pytest.raises(ValueError, match="bandwidth of the setting must be greater than 0, not 0"):
        Setting(bandwidth=0)


def test_dram_reads_one_operand_again():
    """Inputs of 3 buffers, weights of 2: 3 times the weights, or twice the inputs; groups need neither."""
    layer, setting = conv(4, 4, 4), Setting(input_buffer=100, weight_buffer=1000)
    assert setting.dram_bits(layer, 300, 2000, 7) == 7 + 2000 + 2 * 300
    assert setting.dram_bits(layer, 300, 200, 7) == 7 + 200 + 300
    assert setting.dram_bits(layer, 100, 2000, 7) == 7 + 2000 + 100
    assert setting.dram_bits(depthwise(4, 4), 400, 2000, 7) == 7 + 2400


def test_small_activations_may_stay():
    """At most half of the 100 bits: 50 inputs stay, 51 outputs do not; weights are read all the same."""
    layer, setting = conv(4, 4, 4), Setting(input_buffer=100, weight_buffer=1000, resident=True)
    assert setting.dram_bits(layer, 50, 2000, 51) == 2000 + 51
    assert setting.dram_bits(layer, 51, 200, 50) == 51 + 200


def test_a_layer_takes_as_long_as_dram_needs():
    cost = Dense(setting=Setting(bandwidth=8)).cost(SMALL, FULL)
    assert (cost.compute, cost.cycles) == (18, 134)


@pytest.mark.parametrize("layer", [SMALL, depthwise(40, 4), dense(600, 65)])
def test_a_sum_of_costs(layer):
    for cost in MACHINES.values():
        one = cost(layer, Statistics())
        both = one + cost(SMALL, Statistics())
        assert both.energy == one.energy + cost(SMALL, Statistics()).energy
        assert both.macs == layer.macs + 864
