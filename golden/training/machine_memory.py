"""Operand memories of the training engine: tiles as planes of 2-bit digits in two banks."""

import numpy as np

from .engine_config import MOST_PLANES, PLANE_BITS, SLOT_WORDS

__all__ = ["OperandMemory"]

_QUADRANTS = (((0, 0), (1, 1)), ((0, 1), (1, 0)))     # of bank x, of bank y; at s = 0, at s = 1


class OperandMemory:
    """``slots`` slots of SLOT_WORDS words in each of two banks; docs/engines/training-machine.md, "Memories".

    ``digits``, uint8 (2, slots * SLOT_WORDS, S, S), holds the words: element (i, j) of a quadrant is the
    digit at bits 2 (i S + j) of a word. ``planes`` and ``drops``, int64 (slots,), are the descriptors.
    """

    def __init__(self, slots, side):
        self.side = side
        self.digits = np.zeros((2, slots * SLOT_WORDS, side, side), np.uint8)
        self.planes, self.drops = np.ones(slots, np.int64), np.zeros(slots, np.int64)

    def _quadrants(self, slots, planes):
        """(plane, tiles that have it, bank, word's addresses, (u, v)) of all words of tiles at ``slots``."""
        for plane in range(int(planes.max(initial=0))):
            chosen = planes > plane
            for bank, pair in enumerate(_QUADRANTS):
                for s, quadrant in enumerate(pair):
                    yield plane, chosen, bank, slots[chosen] * SLOT_WORDS + 2 * plane + s, quadrant

    def write(self, slots, tiles, planes, drops):
        """``tiles`` (n, B, B), integers of 2 ``planes`` bits (n,), at ``slots`` (n,); descriptors there.

        Words of a slot beyond its planes keep what they hold.
        """
        self.planes[slots], self.drops[slots] = planes, drops
        parts = tiles.reshape(-1, 2, self.side, 2, self.side)
        for plane, chosen, bank, at, (u, v) in self._quadrants(slots, planes):
            self.digits[bank, at] = parts[chosen, u, :, v] >> PLANE_BITS * plane & 3

    def read(self, slots, signed):
        """(tiles int64 (n, B, B), planes (n,), drops (n,)) at ``slots`` (n,), as their descriptors say."""
        planes = self.planes[slots]
        parts = np.zeros((len(slots), 2, self.side, 2, self.side), np.int64)
        for plane, chosen, bank, at, (u, v) in self._quadrants(slots, planes):
            parts[chosen, u, :, v] |= self.digits[bank, at].astype(np.int64) << PLANE_BITS * plane
        tiles = parts.reshape(len(slots), 2 * self.side, 2 * self.side)
        if signed:
            sign = np.int64(1) << PLANE_BITS * planes[:, None, None] - 1
            tiles = (tiles ^ sign) - sign
        return tiles, planes, self.drops[slots]

    def words(self, slot):
        """Words of the tile at ``slot``, integers of 2 S S bits: (those of bank x, those of bank y).

        Two a plane, from word ``slot * SLOT_WORDS`` on; what lies beyond its planes means nothing.
        """
        span = slice(slot * SLOT_WORDS, slot * SLOT_WORDS + 2 * int(self.planes[slot]))
        return tuple([self._word(word) for word in bank[span]] for bank in self.digits)

    @staticmethod
    def _word(digits):
        bits = digits.reshape(-1, 1) >> np.arange(PLANE_BITS) & 1
        return int.from_bytes(np.packbits(bits.astype(bool), bitorder="little").tobytes(), "little")

    def descriptor(self, slot):
        """The slot's descriptor as a word: planes - 1 in bits 2:0, drop above."""
        return int(self.planes[slot]) - 1 | int(self.drops[slot]) << MOST_PLANES.bit_length() - 1
