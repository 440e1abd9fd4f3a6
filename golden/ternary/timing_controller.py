"""Cycles of fetcher, chunker, queue and issuer; docs/engines/ternary.md derives the recurrences."""

from collections import deque

__all__ = ["Controller", "QUEUE_DEPTH"]

QUEUE_DEPTH = 16       #: chunks between the two steps of the controller


class Controller:
    """Fetcher, chunker, queue and issuer. Cycle 0 is the layer's start.

    A chunk is a pair: cycles from its first item's to its last item's being taken, and cycles that the array
    works on the last one, its span. ``may_end(cycle, span)`` is the first cycle, from the given one on, in
    which the last item of a dot product may be taken; ``null`` is the span of a null item.
    """

    def __init__(self, may_end, null=1):
        self._may_end, self._null = may_end, (0, null)
        self._address = 2                # next address is presented
        # (into the last stage, out of it) of the last two words
        self._stages = deque([(-2, -1), (-1, 0)], maxlen=2)
        self._word_end = 0               # last cycle of a word in the chunker
        self._held = None                # [loaded, chunk, known to be last in cycle]
        # chunks leave the queue's memory
        self._read = deque([-9] * (QUEUE_DEPTH - 1), maxlen=QUEUE_DEPTH - 1)
        self._taken = self.issued = 0    # last chunk was taken, its last item was issued
        self._ready = 0                  # the array takes the next item
        self.first_issue = None

    def _advance(self, cycle):
        """First cycle from ``cycle`` on in which the fetcher's stages move."""
        for entered, left in self._stages:
            if entered < cycle < left:
                cycle = left
        return cycle

    def dot(self, words, passes=1):
        """One dot product.

        ``words``: for each its non-empty chunks, a list of lists; of all passes.
        """
        empty = True
        for k, chunks in enumerate(words):
            if k and k % (len(words) // passes) == 0:
                self._address += 1
            taken = self._advance(self._address)
            entered = self._advance(taken + 1)
            left = max(entered + 1, self._word_end)
            self._stages.append((entered, left))
            self._address = taken + 1
            cycle = left + 1
            last_word = k == len(words) - 1
            self._word_end = cycle
            if not chunks and last_word and empty:
                self._word_end = self._present(cycle, self._null, True)
            elif not chunks and last_word:
                self._held[2] = cycle + 1
            for n, chunk in enumerate(chunks):
                self._word_end = self._present(cycle, chunk, last_word and n == len(chunks) - 1)
                cycle, empty = self._word_end + 1, False
        self._address += 1

    def _present(self, cycle, chunk, last):
        """A chunk reaches the holding register; returns the cycle in which it is loaded."""
        loaded = cycle
        if self._held is not None:
            loaded = max(cycle, self._push(cycle))
        self._held = [loaded, chunk, loaded + 1 if last else None]
        return loaded

    def _push(self, cycle):
        """The held chunk goes into the queue and through the issuer; the cycle in which it is pushed."""
        loaded, (lead, span), last = self._held
        pushed = max(loaded + 1, cycle if last is None else last, self._read[0] + 1)
        read = max(pushed + 1, self._read[-1] + 1, self._taken)
        self._read.append(read)
        self._taken = max(read + 1, self.issued)
        first = max(self._taken + 1, self._ready)
        if self.first_issue is None:
            self.first_issue = first
        self.issued = first + lead
        if last is not None:
            self.issued = self._may_end(self.issued, span)
        self._ready = self.issued + span
        self._held = None
        return pushed

    def finish(self):
        """After the last dot product."""
        if self._held is not None:
            self._push(0)
