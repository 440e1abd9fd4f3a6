"""Cycles of drain and destination; docs/engines/ternary.md and ternary-serial.md derive the recurrences.

What several arrays change is in docs/engines/ternary-arrays.md.
"""

from collections import deque

import numpy as np

from .descriptor import Destination, Kind

__all__ = ["Results", "ARRAY_LATENCY", "DRAIN_LATENCY", "LEAST_GAP"]

ARRAY_LATENCY = 5      #: from an item's last step to its sum
DRAIN_LATENCY = 12     #: from selecting lanes to their scaled and pooled vector at its destination
LEAST_GAP = 6          #: least distance of two ends of dot products
OUTPUT_LATENCY = 2     #: from a vector's arrival to its beat on the output stream
ARRAYS_LATENCY = 2     #: what that takes longer where several arrays' beats are merged


class Results:
    """Drain and destination of a layer whose descriptor is ``d``. Cycle 0 is the layer's start."""

    def __init__(self, d, config):
        self._d, self._config = d, config
        self._next_end = 0
        self._dots = iter(np.ndindex(d.m_count, d.i_count, d.j_count, max(1, d.pi_count), max(1, d.pj_count)))
        self._row = config.drain_cycles
        self._over = deque([-9] * config.row_slots, maxlen=config.row_slots)   # rows' slots are free again
        self._scattered = -9                     # last operation of the row before
        self._pops = deque()                     # cycles in which vectors leave the output, their last beats
        self._last_beat = -9                     # of the vector before
        self.done = 0

    def may_end(self, cycle, span):
        """The next dot product's last item is taken, work of ``span`` cycles.

        The first cycle from ``cycle`` on in which it may be, and all that follows from it.
        """
        d, step = self._d, self._config.drain_step
        _, i, j, pi, pj = next(self._dots)
        length = self._row if d.kind is Kind.CONV else self._dense_length(i)
        row_ends = pi == max(1, d.pi_count) - 1 and pj == max(1, d.pj_count) - 1
        cycle = max(cycle, self._next_end)
        if row_ends:
            cycle = self.free(cycle)
        finished = cycle + span - 1
        self._next_end = finished + self._gap(step * length)
        if row_ends:
            selected = finished + ARRAY_LATENCY + 1
            # A bit-serial array's last bit rows take one cycle more.
            first = selected + step - 1 + DRAIN_LATENCY + self._config.bit_serial
            self.arrive(first, length, step, i, j)
        return cycle

    def _gap(self, drain):
        """Cycles from a dot product's last step to the next one's end, for a drain of so many."""
        return LEAST_GAP + drain if self._config.bit_serial else max(LEAST_GAP, drain)

    def _dense_length(self, i):
        wanted = min(self._config.lanes, self._d.outputs - i * self._config.lanes)
        to_vector = self._d.destination is Destination.VECTOR
        unit = self._config.scatter_width if to_vector else self._config.drain_width
        return -(-wanted // unit) * unit

    def free(self, cycle):
        """First cycle from ``cycle`` on in which the destination takes a row."""
        if self._d.destination is Destination.ROWS:
            return max(cycle, self._over[0] + 1)
        if self._d.destination is Destination.STREAM:
            while self._pops and self._pops[0] < cycle:
                self._pops.popleft()
            while len(self._pops) > self._row:
                cycle = self._pops.popleft() + 1
        return cycle

    def arrive(self, first, length, step, i, j):
        """A row's results arrive: vectors (transposed mode: values) in cycle ``first`` and every ``step``."""
        d, end = self._d, first + (length - 1) * step
        if d.destination is Destination.ROWS:
            load = max(end + 1, self._scattered + 1)
            self._scattered = load + self._operations(i, j) * self._config.scatter_step
            self.done = self._scattered + 1
            self._over.append(self.done)
        elif d.destination is Destination.VECTOR:
            self.done = end
        else:
            values = 1 if d.kind is Kind.CONV else self._config.drain_width
            for vector in range(first + (values - 1) * step, end + 1, values * step):
                self._leave(vector)
            self.done = self._last_beat + 1

    def _leave(self, cycle):
        """A vector that reaches the output in ``cycle`` leaves it, a beat of each array."""
        arrays = self._config.arrays
        latency = OUTPUT_LATENCY + ARRAYS_LATENCY * (arrays > 1)
        self._last_beat = max(cycle + latency, self._last_beat + 1) + arrays - 1
        self._pops.append(self._last_beat)

    def _operations(self, i, j):
        d = self._d
        u = len(range((i + d.out_u_first) % d.i_count, d.out_u_count, d.i_count))
        v = len(range((j + d.out_v_first) % d.j_count, d.out_v_count, d.j_count))
        return u * v * self._config.groups
