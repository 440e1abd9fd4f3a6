"""Exact cycles of a batch, from recurrences over words, chunks, dot products and rows.

Nothing here simulates: each event's cycle is the maximum of a few earlier ones. The times are those of an engine whose
input always offers a beat and whose output is always taken; docs/engines/ternary.md derives the recurrences.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from .descriptor import Destination, Kind

__all__ = ["Timing", "predict", "sacu_cycles"]

ARRAY_LATENCY = 5      #: from an issued item to its sum
DRAIN_LATENCY = 12     #: from selecting lanes to their scaled and pooled vector at its destination
LEAST_GAP = 6          #: least distance of two ends of dot products
DESCRIPTOR_CYCLES = 18  #: from the end of a layer to the start of the next
END_CYCLES = 3         #: from the end of the last layer to idle
QUEUE_DEPTH = 16       #: chunks between the two steps of the controller


@dataclass(frozen=True)
class Timing:
    """Cycles of one batch. ``layers``: of each descriptor, its fetch included, INPUT first."""

    load_cycles: int
    run_cycles: int
    layers: tuple[int, ...]


class _Controller:
    """Fetcher, chunker, queue and issuer. Cycle 0 is the layer's start."""

    def __init__(self, may_end):
        self._may_end = may_end          # earliest cycle, at or after the given one, in which a dot product may end
        self._address = 2                # next address is presented
        self._stages = deque([(-2, -1), (-1, 0)], maxlen=2)   # (into the last stage, out of it) of the last two words
        self._word_end = 0               # last cycle of a word in the chunker
        self._held = None                # [loaded, bits, known to be last in cycle]
        self._read = deque([-9] * (QUEUE_DEPTH - 1), maxlen=QUEUE_DEPTH - 1)   # chunks leave the queue's memory
        self._taken = self.issued = 0    # last chunk was taken, its last item was issued
        self.first_issue = None

    def _advance(self, cycle):
        """First cycle from ``cycle`` on in which the fetcher's stages move."""
        for entered, left in self._stages:
            if entered < cycle < left:
                cycle = left
        return cycle

    def dot(self, words, passes=1):
        """One dot product. ``words``: for each the bits of its non-empty chunks, a list of lists; of all passes."""
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
                self._word_end = self._present(cycle, 1, True)
            elif not chunks and last_word:
                self._held[2] = cycle + 1
            for n, bits in enumerate(chunks):
                self._word_end = self._present(cycle, bits, last_word and n == len(chunks) - 1)
                cycle, empty = self._word_end + 1, False
        self._address += 1

    def _present(self, cycle, bits, last):
        """A chunk reaches the holding register; returns the cycle in which it is loaded."""
        loaded = cycle
        if self._held is not None:
            loaded = max(cycle, self._push(cycle))
        self._held = [loaded, bits, loaded + 1 if last else None]
        return loaded

    def _push(self, cycle):
        """The held chunk goes into the queue and through the issuer; returns the cycle in which it is pushed."""
        loaded, bits, last = self._held
        pushed = max(loaded + 1, cycle if last is None else last, self._read[0] + 1)
        read = max(pushed + 1, self._read[-1] + 1, self._taken)
        self._read.append(read)
        self._taken = max(read + 1, self.issued)
        if self.first_issue is None:
            self.first_issue = self._taken + 1
        self.issued = self._taken + bits
        if last is not None:
            self.issued = self._may_end(self.issued)
        self._held = None
        return pushed

    def finish(self):
        """After the last dot product."""
        if self._held is not None:
            self._push(0)


class _Results:
    """Drain and destination of a layer."""

    def __init__(self, d, config):
        self._d, self._config = d, config
        self._next_end = 0
        self._dots = iter(np.ndindex(d.m_count, d.i_count, d.j_count, max(1, d.pi_count), max(1, d.pj_count)))
        self._row = config.drain_cycles
        self._over = deque([-9] * config.row_slots, maxlen=config.row_slots)   # rows' slots are free again
        self._scattered = -9                     # last operation of the row before
        self._pops = deque()                     # cycles in which vectors leave the output queue
        self.done = 0

    def may_end(self, cycle):
        """The next dot product ends: the first cycle from ``cycle`` on, and all that follows from it."""
        d = self._d
        _, i, j, pi, pj = next(self._dots)
        length = self._row if d.kind is Kind.CONV else self._dense_length(i)
        row_ends = pi == max(1, d.pi_count) - 1 and pj == max(1, d.pj_count) - 1
        cycle = max(cycle, self._next_end)
        if row_ends:
            cycle = self._free(cycle)
        self._next_end = cycle + max(length, LEAST_GAP)
        if row_ends:
            first = cycle + ARRAY_LATENCY + 1 + DRAIN_LATENCY
            self.arrive(first, length, i, j)
        return cycle

    def _dense_length(self, i):
        wanted = min(self._config.lanes, self._d.outputs - i * self._config.lanes)
        unit = self._config.scatter_width if self._d.destination is Destination.VECTOR else self._config.drain_width
        return -(-wanted // unit) * unit

    def _free(self, cycle):
        """First cycle from ``cycle`` on in which the destination takes a row."""
        if self._d.destination is Destination.ROWS:
            return max(cycle, self._over[0] + 1)
        if self._d.destination is Destination.STREAM:
            while self._pops and self._pops[0] < cycle:
                self._pops.popleft()
            while len(self._pops) > self._row:
                cycle = self._pops.popleft() + 1
        return cycle

    def arrive(self, first, length, i, j):
        """A row's results arrive, the first in cycle ``first``, one vector a cycle (transposed mode: one value)."""
        d, end = self._d, first + length - 1
        if d.destination is Destination.ROWS:
            operations = self._operations(i, j)
            load = max(end + 1, self._scattered + 1)
            self._scattered = load + operations
            self.done = self._scattered + 1
            self._over.append(self.done)
        elif d.destination is Destination.VECTOR:
            self.done = end
        else:
            step = 1 if d.kind is Kind.CONV else self._config.drain_width
            self._pops.extend(range(first + step - 1 + 2, end + 3, step))
            self.done = end + 3

    def _operations(self, i, j):
        d = self._d
        u = len(range((i + d.out_u_first) % d.i_count, d.out_u_count, d.i_count))
        v = len(range((j + d.out_v_first) % d.j_count, d.out_v_count, d.j_count))
        return u * v * self._config.groups


def _words(bitmaps, chunk):
    """For each dot product of ``bitmaps`` (m, visits, bits): for each word the bits of its non-empty chunks."""
    m, visits, bits = bitmaps.shape
    counts = bitmaps.reshape(m, visits, bits // chunk, chunk).sum(axis=3).tolist()
    return [[[n for n in word if n] for word in dot] for dot in counts]


def _compute(run, config):
    d = run.descriptor
    results = _Results(d, config)
    controller = _Controller(results.may_end)
    words = _words(run.bitmaps, config.chunk)
    each = int(np.prod(run.loops[1:]))
    for dot in words:
        for _ in range(each):
            controller.dot(dot, 2 if d.plus_minus else 1)
    controller.finish()
    return results.done


def _input(run, config):
    d = run.descriptor
    results = _Results(d, config)
    cycle = 1
    for _, i, j in np.ndindex(d.m_count, d.i_count, d.j_count):
        cycle = results._free(cycle)
        results.arrive(cycle + 1, config.drain_cycles, i, j)
        cycle += config.drain_cycles
    return results.done


def predict(machine):
    """Timing of the batch that ``machine`` (interpreter.Machine) has run last."""
    layers = []
    for run in machine.layers:
        cycles = _input(run, machine.config) if run.descriptor.kind is Kind.INPUT else _compute(run, machine.config)
        layers.append(DESCRIPTOR_CYCLES + cycles)
    return Timing(load_cycles=layers[0], run_cycles=sum(layers[1:]) + END_CYCLES, layers=tuple(layers))


def sacu_cycles(bitmap, config):
    """Cycles from the first to the last item of one dot product, both included; ``bitmap``: bool, any length."""
    bits = np.asarray(bitmap, bool)
    bits = np.pad(bits, (0, -len(bits) % config.word_width)).reshape(1, -1, config.word_width)
    controller = _Controller(lambda cycle: cycle)
    controller.dot(_words(bits, config.chunk)[0])
    controller.finish()
    return controller.issued - controller.first_issue + 1
