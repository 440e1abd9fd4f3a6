"""What a layer costs on a machine: cycles, bits moved by memory level, energy; and how each is counted.

Tags of facts in this and the machines' files: [T] read in a text about the paper, [C] in its authors' code,
[D] derived; [M-mid], [M-lo] from memory, with middle or low confidence; [ours] an assumption of ours.
"""

from dataclasses import dataclass
from math import ceil

__all__ = ["Cost", "Machine", "Setting", "ACCUMULATION", "WORD"]

WORD = 8            #: bits of an activation, and of a weight that is not compressed
ACCUMULATION = 48   #: bits of an accumulator read and written back: 24 each [ours]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all machines share, so that only their arrays differ: unit energies, memories, bandwidth.

    Energies are pJ. Those of DRAM, SRAM (the lesser of 1.36 to 2.45), multiplier and adder are the paper's
    [M-mid]; they agree with its ratios: 0.124 + 0.019 = 0.143, SRAM 9.5 and DRAM 700 times that [T]. A
    register costs as much as the adder behind it [ours]; one digit of a bit-serial multiplier is one of the
    four partial products of a parallel 8-bit Booth multiplier, and one addition [ours]. Buffers are the
    paper's own [M-mid], given to every machine [ours]: 16 KB x 32 for inputs, 2 KB x 2 x 64 for weights. DRAM
    delivers 64 bytes a cycle [ours: 64 GB/s at 1 GHz]. Neither leakage nor clock is counted.

    Layers follow one another through DRAM; if ``resident``, inputs and outputs of at most half of the input
    buffer stay on the chip, even those of the whole network [ours].
    """

    dram: float = 100.0         #: for 8 bits
    sram: float = 1.36          #: for 8 bits
    register: float = 0.019     #: for 8 bits
    multiplier: float = 0.124   #: one 8-bit multiplication
    adder: float = 0.019        #: one addition
    digit: float = 0.124 / 4 + 0.019    #: one non-zero digit times a weight, accumulated
    bandwidth: int = 512        #: bits from and to DRAM in a cycle
    input_buffer: int = 16 * 1024 * 8 * 32      #: bits
    weight_buffer: int = 2 * 1024 * 8 * 2 * 64  #: bits
    resident: bool = False

    def __post_init__(self):
        for name, value in vars(self).items():
            if name != "resident" and not value > 0:
                raise ValueError(f"{name} of the setting must be greater than 0, not {value!r}")

    def dram_bits(self, layer, inputs, weights, outputs):
        """Bits from and to DRAM for a layer whose tensors take ``inputs``, ``weights`` and ``outputs`` bits.

        Outputs are written once. Of inputs and weights one is read once, piece by piece as its buffer holds
        it, and the other once for each piece; the cheaper of the two ways. Groups share nothing.
        """
        if self.resident:
            inputs, outputs = (0 if bits <= self.input_buffer / 2 else bits for bits in (inputs, outputs))
        inputs, weights = inputs / layer.groups, weights / layer.groups
        ways = (inputs + weights * max(1, ceil(inputs / self.input_buffer)),
                weights + inputs * ceil(weights / self.weight_buffer))
        return outputs + layer.groups * min(ways)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Costs of one layer or, added, of several; expected values where zeros are random."""

    compute: float      #: cycles of the array alone
    cycles: float       #: cycles: of the array or of DRAM, whichever takes longer in a layer
    macs: float         #: multiplications that the layer asks for
    products: float     #: multiplications that the machine does
    dram: float         #: bits from and to DRAM
    buffer: float       #: bits from and to on-chip memories
    register: float     #: bits from and to registers beside the arithmetic
    energy: float       #: pJ

    def __truediv__(self, images):
        """The share of each of ``images``."""
        return Cost(**{name: value / images for name, value in vars(self).items()})

    def __add__(self, other):
        return Cost(**{name: value + getattr(other, name) for name, value in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Base of the models: each has ``cost(layer, statistics)``."""

    setting: Setting = Setting()

    def counted(self, layer, *, compute, products, dram, buffer, register, additions=0.0, digits=None,
                width=WORD):
        """A Cost. Arithmetic is ``products`` multiplications, or ``digits`` where they are bit-serial,
        and ``additions``; one of ``width`` bits by 8 counts as width / 8 of those by 8. What comes from
        DRAM and goes there passes a buffer once.
        """
        setting = self.setting
        buffer += dram
        serial = digits is not None
        arithmetic = setting.digit * digits if serial else setting.multiplier * products * width / WORD
        energy = arithmetic + setting.adder * additions + (
            dram * setting.dram + buffer * setting.sram + register * setting.register) / 8
        return Cost(compute=float(compute), cycles=max(float(compute), dram / setting.bandwidth),
                    macs=layer.macs, products=products, dram=dram, buffer=buffer, register=register,
                    energy=energy)
