"""Bit-Pragmatic: activations bit-serial, one cycle for each of their bits that is not zero."""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from ..common.shapes import Kind
from .cost import ACCUMULATION, WORD, Machine
from .expectation import longest, mean

__all__ = ["BitPragmatic", "Encoding", "Waiting"]


class Encoding(StrEnum):
    """What of an activation takes a cycle."""

    BITS = "bits"       #: a bit that is not 0, of 8
    BOOTH = "booth"     #: a radix-4 Booth digit that is not 0, of 4


class Waiting(StrEnum):
    """Which activations wait for each other, step by step."""

    PALLET = "pallet"   #: those of all windows
    COLUMN = "column"   #: those of one window (columns run ahead of each other without limit)


@dataclass(frozen=True, kw_only=True)
class BitPragmatic(Machine):
    """Bit-Pragmatic (MICRO 2017, arXiv:1610.06920), from memory of the paper; weights are dense.

    A step takes a brick of 16 channels of each of the windows in a pallet, times as many weights of each
    filter; a unit multiplies one weight by one activation, digit by digit. All units of a brick, or of the
    pallet, go on together, so a step lasts as long as its activation of most digits, at least one cycle:

        cycles = ceil(positions / windows) * R * S * ceil(channels / 16) * ceil(filters / 64) * E[max digits]

    64 filters (4 tiles of 16), 16 channels, 8 windows: 8,192 units; published are 16 tiles and 16 windows,
    for 16 bits [ours: scaled]. Activations are independent [ours]. The shifters reach every digit at once (no
    second stage) [ours, generous]. Booth digits are the paper's improved encoding as we remember it, waiting
    by pallet its plain form.

    A fully connected layer has one window. Then the columns take other filters each, one after another, as
    weights arrive for one column a cycle: as fast as the machine with parallel multipliers [ours]. A
    depthwise filter uses one channel of the brick that all filters share: 16 channels a step [ours].

    Buffers give a brick for its 64 filters and a weight for its 8 windows, and take each output. A unit holds
    its weight in a register; 16 units share an adder tree and an accumulator, read and written in every
    cycle.
    """

    filters: int = 64
    channels: int = 16
    windows: int = 8
    encoding: Encoding = Encoding.BOOTH
    waiting: Waiting = Waiting.PALLET

    def __post_init__(self):
        for name, kind in (("encoding", Encoding), ("waiting", Waiting)):
            if getattr(self, name) not in list(kind):
                raise ValueError(f"{name} must be one of {', '.join(kind)}, not {getattr(self, name)!r}")

    def cost(self, layer, statistics):
        """Cost of ``layer``; the distribution of bits or digits matters."""
        digits = statistics.digits if self.encoding == Encoding.BOOTH else statistics.bits
        wide = self.windows if self.waiting == Waiting.PALLET else 1
        step = longest([(digits, self.channels * wide)], least=1)
        kernel = layer.kernel_rows * layer.kernel_columns
        pallets, blocks = ceil(layer.positions / self.windows), layer.groups * ceil(
            layer.group_filters / self.filters)
        bricks, reads = ceil(layer.group_channels / self.channels), layer.positions * layer.taps * blocks
        weights = layer.weights * pallets
        if layer.kind == Kind.DEPTHWISE:
            blocks, bricks, reads = ceil(layer.filters / self.channels), 1, layer.macs
        elif layer.kind == Kind.FULLY_CONNECTED:
            step = max(self.windows, longest([(digits, self.channels)], least=1))
            blocks = ceil(layer.filters / (self.filters * self.windows))
        steps = pallets * kernel * bricks * blocks
        done = layer.macs * mean(digits)
        sums = layer.outputs * kernel * bricks * step
        return self.counted(
            layer, compute=steps * step, products=layer.macs, digits=done,
            dram=self.setting.dram_bits(layer, WORD * layer.inputs, WORD * layer.weights,
                                        WORD * layer.outputs),
            buffer=WORD * (reads + weights + layer.outputs), register=WORD * done + ACCUMULATION * sums)
