"""What a layer of a batch visited, and counts of it."""

from dataclasses import dataclass

import numpy as np

from .descriptor import Descriptor, Kind

__all__ = ["LayerRun", "LayerStatistics"]


@dataclass(frozen=True, eq=False)
class LayerRun:
    """What one layer of a batch visited.

    ``bitmaps``, bool (m_count, visits, word bits), holds at [m] the words of dot product (m, i, j, pi, pj) in
    the order of their visit; with the all-plus-then-all-minus bit these are the words of the first pass
    (bits without sign) and then those of the second. A bit is set where a term is visited: where a weight (in
    a fully connected layer: an activation) is not zero, or wherever there is one if the engine does not skip
    zeros. ``signs``, int8 of the same shape, says what a visited term is: 1, -1, or 0 for a zero; in a fully
    connected layer 1 for all activations but zeros. INPUT has no visits. All arrays visit the same
    terms: in a fully connected layer a value is a zero where it is one in every array.
    """

    number: int             #: of the descriptor; 0 is INPUT
    descriptor: Descriptor
    bitmaps: np.ndarray
    signs: np.ndarray

    @property
    def loops(self):
        """Counts of the loops m, i, j, pi, pj."""
        d = self.descriptor
        return d.m_count, d.i_count, d.j_count, d.pi_count, d.pj_count

    def dot_products(self):
        """Yields (number, m, i, j, pi, pj, bitmaps[m]) in the order of the machine."""
        if self.descriptor.kind in (Kind.CONV, Kind.DENSE):
            for m, *rest in np.ndindex(*self.loops):
                yield self.number, m, *rest, self.bitmaps[m]

    def statistics(self, about, config):
        """LayerStatistics of this layer; ``about`` is its entry in the program's metadata."""
        outputs, positions = about["outputs"], about["positions"]
        filters, each = len(self.bitmaps), int(np.prod(self.loops[1:]))
        non_zeros, terms = int(np.count_nonzero(self.signs)), int(self.bitmaps.sum())
        # A fully connected layer's lanes are outputs, and the arrays' images go side by side.
        conv = self.descriptor.kind is Kind.CONV
        tiles = -(-positions // config.all_lanes) if conv else -(-outputs // config.lanes)
        return LayerStatistics(
            name=about["name"], non_zeros=non_zeros, words=filters * self.bitmaps.shape[1] * each,
            adds=terms * each, work=non_zeros * tiles,
            drain=-(-outputs * positions // (config.arrays * config.drain_width)))


@dataclass(frozen=True, kw_only=True)
class LayerStatistics:
    """Counts of one layer and batch.

    ``work`` and ``drain`` bound the cycles of such an engine, word-parallel, from below. Positions are those
    of all arrays' images, and lanes and drains of all arrays work on them.
    """

    name: str
    non_zeros: int  #: of all filters; fully connected: of the union of the arrays' activations
    words: int      #: bitmap words visited, by all dot products
    adds: int       #: terms visited, by all dot products: word-parallel one cycle each
    work: int       #: non_zeros * ceil(positions / all_lanes); dense: non_zeros * ceil(outputs / lanes)
    drain: int      #: ceil(outputs * positions / (arrays * drain_width)), positions before pooling
