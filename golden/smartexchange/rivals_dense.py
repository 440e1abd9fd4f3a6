"""Machines that use no zeros: a dense int8 array of ours, and DianNao."""

from dataclasses import dataclass
from math import ceil

from ..common.shapes import Kind
from .cost import ACCUMULATION, WORD, Machine

__all__ = ["Dense", "DianNao"]


def _tensors(layer):
    """Bits of inputs, weights and outputs, none of them compressed."""
    return WORD * layer.inputs, WORD * layer.weights, WORD * layer.outputs


@dataclass(frozen=True, kw_only=True)
class Dense(Machine):
    """Output-stationary array [ours]: ``multipliers`` lanes as p positions x f filters, p * f of them.

    A cycle takes one tap: p activations and f weights, each shared along the other side. p is the power of
    two that is best for the layer, so that a fully connected layer has all lanes, too:

        cycles = groups * ceil(positions / p) * ceil(filters of a group / f) * taps

    Groups come one after another (a depthwise layer has one filter in each). Buffers give one activation for
    its f filters and one weight for its p positions, and take each output once. A lane has two operands and
    its accumulator in registers.
    """

    multipliers: int = 1024

    def _cycles(self, layer, positions):
        return layer.groups * layer.taps * ceil(layer.positions / positions) * \
            ceil(layer.group_filters / (self.multipliers // positions))

    def cost(self, layer, statistics):
        """Cost of ``layer``; no statistic matters."""
        splits = [1 << k for k in range(self.multipliers.bit_length())]
        positions = min(splits, key=lambda p: self._cycles(layer, p))
        inputs = layer.groups * layer.positions * layer.taps * \
            ceil(layer.group_filters / (self.multipliers // positions))
        weights = layer.weights * ceil(layer.positions / positions)
        return self.counted(
            layer, compute=self._cycles(layer, positions), products=layer.macs, additions=layer.macs,
            dram=self.setting.dram_bits(layer, *_tensors(layer)),
            buffer=WORD * (inputs + weights + layer.outputs), register=(2 * WORD + ACCUMULATION) * layer.macs)


@dataclass(frozen=True, kw_only=True)
class DianNao(Machine):
    """DianNao (ASPLOS 2014), from memory of the paper: T_n outputs times T_i inputs multiplied in a cycle.

    One adder tree for each output sums its products over T_i input channels; a partial sum stays in the unit
    while the taps of one output position pass:

        cycles = groups * positions * R * S * ceil(channels / T_i) * ceil(filters / T_n)    (of a group)

    T_n = T_i = 32 instead of 16 gives 1,024 multipliers [ours]. All outputs share the T_i inputs, so of a
    depthwise layer T_n channels are done together, each with one of its T_i multipliers [ours]. The buffer of
    weights (SB) gives a weight for every product, NBin an input for T_n products, NBout takes each output
    [published: no weight is held in a register]. Buffers have the common sizes instead of 2, 2 and 32 KB
    [ours, generous].
    """

    outputs: int = 32
    inputs: int = 32

    def cost(self, layer, statistics):
        """Cost of ``layer``; no statistic matters."""
        kernel = layer.kernel_rows * layer.kernel_columns
        if layer.kind == Kind.DEPTHWISE:
            blocks, steps = ceil(layer.filters / self.outputs), kernel
            reads = layer.macs
        else:
            blocks = layer.groups * ceil(layer.group_filters / self.outputs)
            steps = kernel * ceil(layer.group_channels / self.inputs)
            reads = blocks * layer.positions * layer.taps
        sums = layer.outputs * steps
        return self.counted(
            layer, compute=blocks * layer.positions * steps, products=layer.macs, additions=layer.macs,
            dram=self.setting.dram_bits(layer, *_tensors(layer)),
            buffer=WORD * (reads + layer.macs + layer.outputs), register=ACCUMULATION * sums)
