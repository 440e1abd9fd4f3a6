"""Pairs of a block that follow one another without a gap."""

from amaranth import Mux, Signal

__all__ = ["pairs"]


def pairs(m, first, count, name="index"):
    """(index, active) of the ``count`` pairs of a block, a power of two, of which ``first`` marks number 0.

    The index is 0 between blocks. Reset forgets the block.
    """
    index = Signal(range(count), name=name)
    active = first | index.any()
    m.d.sync += index.eq(Mux(active, index + 1, 0))
    return index, active
