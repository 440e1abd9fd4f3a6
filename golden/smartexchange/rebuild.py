"""The paper's own machine: weights rebuilt from coefficients and basis, then multiplied bit-serially."""

from dataclasses import dataclass
from math import ceil

from ..common.shapes import Kind
from .cost import ACCUMULATION, WORD, Machine
from .expectation import binomial, longest, mean, spread

__all__ = ["Rebuild", "stored_weights"]

COEFFICIENT = 4         #: bits of a coefficient [T]
HEIGHT = 64             #: a slice has at most HEIGHT * S rows [C]


def _slices(layer):
    return ceil(layer.coefficient_rows / (HEIGHT * layer.row_size))


def stored_weights(layer, statistics):
    """(bits of the layer's weights, whether they are compressed).

    4 bits for each coefficient of a row that is not zero and a bitmap of rows, or 4 bits for each coefficient
    that is not zero and a bitmap of coefficients, whichever is shorter; and 8 bits for each of the S * S
    elements of B, one B for each slice of at most 64 * S rows of each filter [T, C]. If that is not shorter
    than 8 bits a weight, or the kernel is neither 1 nor 3 wide [C], weights stay as they are.
    """
    raw = WORD * layer.weights
    if layer.kernel_columns not in (1, 3):
        return raw, False
    size, rows = layer.row_size, layer.coefficient_rows
    by_rows = rows * (1 + COEFFICIENT * size * (1 - statistics.row_zeros(size)))
    by_elements = rows * size * (1 + COEFFICIENT * (1 - statistics.coefficient_zeros))
    bits = layer.filters * (min(by_rows, by_elements) + WORD * size * size * _slices(layer))
    return (bits, True) if bits < raw else (raw, False)


@dataclass(frozen=True, kw_only=True)
class Rebuild(Machine):
    """SmartExchange's accelerator (arXiv:2005.03403; [T] unless tagged), in expected values.

    ``slices`` (dimM) filters x ``lines`` (dimC) channels x ``macs`` (dimF) output pixels of a row [M-mid: 64
    x 16 x 8]. A line takes, for a row of outputs, each kernel row of each of its channels, and of it one
    weight a step; its MACs multiply that weight by their own activation, one cycle for each Booth digit:

        cycles = ceil(filters / slices) * output rows * ceil(output columns / macs) * rows of the slowest line
                 * S * E[max(least, digits of the MACs in a line)]

    * Rows: pairs of a coefficient row and a row of activations that are not zero, the rest is skipped. The
      channels are dealt out to the lines; with ``barrier`` all lines of all slices wait for each other behind
      each row of outputs, and the slowest is the expected maximum of binomials [ours: independent zeros];
      without it all take the average [ours: as if pruned in balance].
    * ``least`` is 1, or for rebuilt weights S * ``shift_adds``: an engine makes one weight in S shift-adds (S
      for S weights of a row each), one in a cycle [D; one adder, T]. Its twin loads the next B meanwhile, so
      only this rate can delay a step. The step never waits for less than its rebuilt weight [ours: no queue].
    * ``together``: MACs of a line wait for the slowest (A1.7), as they share the weight; else each goes on.
    * 1x1 and fully connected layers: a coefficient row is S = 3 inputs [C], and rows instead of channels are
      dealt out to the lines [ours]. A fully connected layer has one output pixel, and the MACs of a line
      split into ``clusters`` of other filters [M-lo: up to two].
    * Depthwise: adder trees bypassed, lines of all slices take (channel, output row) pairs [M-lo: channels on
      lines; ours: rows, too].
    * The input buffer delivers ``input_width`` bits a cycle to the lines, 32 banks [M-mid] of 64 bits [ours],
      shared by all slices (but depthwise): its cycles count where they are more.

    Weights come from DRAM as ``stored_weights``. The slices' buffers give coefficients for each row of
    outputs anew, and each line its B [ours]; rows needed by any slice are read from the input buffer. A digit
    uses a weight and an accumulator in registers.
    """

    slices: int = 64
    lines: int = 16
    macs: int = 8
    clusters: int = 2
    shift_adds: int = 1     #: cycles of one
    input_width: int = 32 * 64
    barrier: bool = True
    together: bool = True

    def _slowest(self, parts, share):
        """Rows of the slowest line: of [(rows, lines)], each row kept with probability ``share``."""
        if self.barrier:
            return longest([(binomial(rows, share), count) for rows, count in parts])
        return share * max(rows for rows, _ in parts)

    def rebuilt(self, layer, statistics):
        """Weights that the engines make of a layer: those of all rows kept, anew for each row of outputs."""
        if not stored_weights(layer, statistics)[1]:
            return 0
        kept = (1 - statistics.row_zeros(layer.row_size)) * (1 - statistics.activation_row_zeros)
        repeats = layer.output_rows * ceil(layer.output_columns / self.macs)
        return layer.filters * repeats * layer.coefficient_rows * kept * layer.row_size

    def cost(self, layer, statistics):
        """Cost of ``layer``; coefficient_zeros, reading, activation_row_zeros and digits matter."""
        bits, compressed = stored_weights(layer, statistics)
        size, flat = layer.row_size, layer.kernel_columns == 1
        rows = layer.coefficient_rows
        kept = 1 - statistics.row_zeros(size) if compressed else 1.0
        share = kept * (1 - statistics.activation_row_zeros)
        least = size * self.shift_adds if compressed else 1
        segments = ceil(layer.output_columns / self.macs)
        repeats = layer.output_rows * segments      # of each filter's rows
        width, mine, filters = self.macs, self.lines, self.slices
        if layer.kind == Kind.FULLY_CONNECTED:
            width, filters = 1, self.slices * self.clusters
        step = longest([(statistics.digits, width if self.together else 1)], least=least)
        pixels = (width - 1) * layer.stride + 1 if flat else (width - 1) * layer.stride + 1 + (
            size - 1) * layer.dilation
        if layer.kind == Kind.DEPTHWISE:
            mine = self.lines * self.slices
            parts = [(layer.kernel_rows, min(mine, layer.channels))]
            slowest = self._slowest(parts, share)
            compute = ceil(layer.channels * layer.output_rows / mine) * segments * slowest * size * step
            reads = layer.channels * repeats * layer.kernel_rows * share * pixels
        else:
            blocks = layer.groups * ceil(layer.group_filters / filters)
            parts = spread(rows, mine) if flat else [
                (n * layer.kernel_rows, count) for n, count in spread(layer.group_channels, mine)]
            among = min(filters, layer.group_filters)
            slowest = self._slowest([(n, count * among) for n, count in parts], share)
            compute = blocks * repeats * slowest * size * step
            needed = (1 - (1 - kept) ** among) * (1 - statistics.activation_row_zeros)
            reads = blocks * repeats * (layer.taps if flat else rows) * needed * pixels
        products = layer.macs * share
        digits = products * mean(statistics.digits)
        adds = self.rebuilt(layer, statistics) * size
        fetched = layer.weights * WORD * share
        if compressed:
            loads = max(sum(count for _, count in parts), _slices(layer))
            fetched = layer.filters * (rows * (1 + COEFFICIENT * size * kept) + WORD * size * size * loads)
        return self.counted(
            layer, compute=max(compute, WORD * reads / self.input_width), products=products, digits=digits,
            additions=adds,
            dram=self.setting.dram_bits(layer, WORD * layer.inputs, bits, WORD * layer.outputs),
            buffer=WORD * (reads + layer.outputs) + repeats * fetched,
            register=(WORD + ACCUMULATION) * digits + 2 * WORD * adds)
