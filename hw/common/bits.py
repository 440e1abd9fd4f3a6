"""Words of bits: the lowest one that is set, and its number."""

from amaranth import Cat
from amaranth.utils import bits_for

__all__ = ["lowest", "encode"]


def lowest(bits):
    """The least significant set bit of ``bits`` alone (0 if none), and ``bits`` without it."""
    below = [Cat(bits[:n]).any() for n in range(len(bits))]
    return (Cat(bit & ~lower for bit, lower in zip(bits, below, strict=True)),
            Cat(bit & lower for bit, lower in zip(bits, below, strict=True)))


def encode(onehot):
    """Number of the only set bit of ``onehot``."""
    width = bits_for(len(onehot) - 1)
    return Cat(Cat(onehot[n] for n in range(len(onehot)) if n >> k & 1).any() for k in range(width))
