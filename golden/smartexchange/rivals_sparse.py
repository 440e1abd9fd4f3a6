"""Machines that skip zero weights: SCNN (zero activations, too) and Cambricon-X."""

from dataclasses import dataclass
from math import ceil

from ..common.shapes import Kind
from .cost import ACCUMULATION, WORD, Machine
from .expectation import binomial, groups_of, longest, mean, pieces, total

__all__ = ["CambriconX", "Scnn", "entry_share"]

INDEX = 4   #: bits of the distance to the next value that is not zero


def entry_share(zeros, index=INDEX):
    """Entries of a run-length code for each value, if ``zeros`` of the values are zero.

    With r = 2**index an entry can stand at most r values behind the one before; longer runs of zeros have an
    entry that is zero in every r-th place. A run of at least k * r zeros has the probability zeros**(k * r),
    so there are 1 + zeros**r + zeros**(2 * r) + ... = 1 / (1 - zeros**r) entries for each value not zero.
    """
    return 2.0 ** -index if zeros == 1 else (1 - zeros) / (1 - zeros ** (1 << index))


def _stored(values, zeros):
    """Bits of ``values``, compressed or, if that is shorter, as they are [ours, generous]."""
    return values * min(WORD, (WORD + INDEX) * entry_share(zeros))


@dataclass(frozen=True, kw_only=True)
class Scnn(Machine):
    """SCNN (ISCA 2017, arXiv:1708.04485), dataflow PT-IS-CP-sparse, from memory of the paper.

    8 x 8 elements (PEs) of F x I = 4 x 4 multipliers [published: 1,024]. The input map is cut into one tile a
    PE. For each block of K_c filters and each channel, a PE multiplies its tile's non-zero activations, I at
    a time, by the block's non-zero weights of that channel, F at a time, each with each:

        cycles of a PE = sum over channels of ceil(activations / I) * ceil(weights / F)

    Values come run-length coded (``entry_share``); code entries that are zero take places. K_c is as many
    filters as have room in 1,024 accumulators, one for each output that the tile reaches; if one has not, the
    map is cut into bands that come one after another [ours]. PEs wait for each other behind each block: its
    cycles are the expected maximum, over PEs, of the sums over channels of ceil(binomial / I), times the
    expected ceil(binomial / F), which all PEs share [ours: independent zeros]. Halos are exchanged, banks
    selected and outputs compressed meanwhile at no cost [ours, generous].

    Weaknesses that follow: a map smaller than 8 x 8 leaves PEs idle, and a tile of one activation 3 of 4
    multipliers of each vector; a fully connected layer has one PE, and one activation for each vector of
    weights. Of a stride's products only one in stride ** 2 belongs to an output, and all are done (as later
    papers say of SCNN). A depthwise layer has blocks of one filter of one channel [ours].

    Buffers give a vector of I activations once for each block, a vector of F weights in every cycle, and take
    each output. A product reads and writes an accumulator.
    """

    grid: int = 8           #: PEs along rows, and along columns
    vector: int = 4         #: F and I
    accumulators: int = 1024    #: of a PE

    def _reached(self, tile, layer):
        """Outputs of one filter that a tile (rows, columns) of the input reaches."""
        found = 1
        for size, kernel, most in zip(tile, layer.kernel, (layer.output_rows, layer.output_columns),
                                      strict=True):
            reach = min(size + (kernel - 1) * layer.dilation, size * kernel)
            found *= min((reach - 1) // layer.stride + 1, most)
        return found

    def _band(self, layer):
        """Rows and columns of the bands: the whole map, its longer side halved until a tile has room."""
        rows, columns = layer.rows, layer.columns
        while self._reached((ceil(rows / self.grid), ceil(columns / self.grid)), layer) > self.accumulators \
                and rows * columns > 1:
            rows, columns = (ceil(rows / 2), columns) if rows >= columns else (rows, ceil(columns / 2))
        return rows, columns

    def _tiles(self, band):
        """Tiles of a band: [(activations of one channel, PEs)]."""
        sides = [pieces(size, ceil(size / self.grid)) for size in band]
        return [(rows * columns, m * n) for rows, m in sides[0] for columns, n in sides[1]]

    def cost(self, layer, statistics):
        """Cost of ``layer``; weight_zeros and activation_zeros matter."""
        kernel = layer.kernel_rows * layer.kernel_columns
        active, dense = entry_share(statistics.activation_zeros), entry_share(statistics.weight_zeros)
        band = self._band(layer)
        tile = ceil(band[0] / self.grid), ceil(band[1] / self.grid)
        block = max(1, self.accumulators // self._reached(tile, layer))
        blocks = pieces(layer.group_filters, block)
        weights = sum(n * mean(groups_of(self.vector, binomial(filters * kernel, dense)))
                      for filters, n in blocks)
        slowest = steps = 0.0
        for rows, m in pieces(layer.rows, band[0]):
            for columns, n in pieces(layer.columns, band[1]):
                parts = [(groups_of(self.vector, binomial(size, active)), pes)
                         for size, pes in self._tiles((rows, columns))]
                sums = [(total([(part, layer.group_channels)]), pes) for part, pes in parts]
                slowest += m * n * longest(sums)
                steps += m * n * layer.group_channels * sum(mean(part) * pes for part, pes in parts)
        products = layer.inputs * active * layer.group_filters * kernel * dense
        repeats = sum(n for _, n in blocks)
        code = WORD + INDEX
        return self.counted(
            layer, compute=layer.groups * slowest * weights, products=products, additions=products,
            dram=self.setting.dram_bits(
                layer, _stored(layer.inputs, statistics.activation_zeros),
                _stored(layer.weights, statistics.weight_zeros),
                _stored(layer.outputs, statistics.activation_zeros)),
            buffer=layer.groups * steps * code * self.vector * (repeats + weights) + WORD * layer.outputs,
            register=layer.groups * steps * weights * 2 * self.vector * WORD + products * ACCUMULATION)


@dataclass(frozen=True, kw_only=True)
class CambriconX(Machine):
    """Cambricon-X (MICRO 2016), from memory of the paper: zero weights are skipped, zero activations are not.

    A PE computes one filter. An indexing module picks, from a window of 256 activations that all PEs see,
    those that meet the PE's next weights that are not zero, up to 16 in a cycle (step indices tell which):

        cycles of a PE for one output = sum over windows of max(1, ceil(weights / 16))

    64 PEs instead of 16 make 1,024 multipliers [ours]. PEs run on by themselves [published] and wait for each
    other behind each output position [ours]: its cycles are the expected maximum, over PEs, of sums over the
    windows of binomials [ours: independent zeros]. In a depthwise layer a window holds the taps of
    floor(256 / taps) channels, as many PEs have work [ours].

    Buffers give each window once for all PEs, weights with their indices for every product, and take each
    output; a dense layer has no indices [ours, generous]. A PE's adder tree leads to one accumulator.
    """

    elements: int = 64
    width: int = 16
    window: int = 256

    def cost(self, layer, statistics):
        """Cost of ``layer``; weight_zeros matters."""
        dense = 1 - statistics.weight_zeros
        windows = [(groups_of(self.width, binomial(size, dense), least=1), n)
                   for size, n in pieces(layer.taps, self.window)]
        output = total(windows)
        if layer.kind == Kind.DEPTHWISE:
            together = max(1, min(self.elements, self.window // layer.taps))
            blocks, reads = pieces(layer.filters, together), layer.macs
        else:
            blocks = [(n, layer.groups * count) for n, count in pieces(layer.group_filters, self.elements)]
            reads = layer.positions * layer.taps * sum(count for _, count in blocks)
        compute = layer.positions * sum(count * longest([(output, filters)]) for filters, count in blocks)
        products = layer.macs * dense
        weight = _stored(1, statistics.weight_zeros)
        return self.counted(
            layer, compute=compute, products=products, additions=products,
            dram=self.setting.dram_bits(layer, WORD * layer.inputs, weight * layer.weights,
                                        WORD * layer.outputs),
            buffer=WORD * (reads + layer.outputs) + weight * layer.macs,
            register=WORD * products + ACCUMULATION * layer.outputs * mean(output))
