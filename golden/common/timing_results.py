"""Cycles of a layer's destination; docs/engines/ternary.md and ternary-serial.md derive the recurrences.

What several arrays change is in docs/engines/ternary-arrays.md.
"""

from collections import deque

from .descriptor import Destination

__all__ = ["Results", "DRAIN_LATENCY"]

DRAIN_LATENCY = 12     #: from selecting lanes to their scaled and pooled vector at its destination
OUTPUT_LATENCY = 2     #: from a vector's arrival to its beat on the output stream
ARRAYS_LATENCY = 2     #: what that takes longer where several arrays' beats are merged


class Results:
    """Destination of a layer whose descriptor is ``d``. Cycle 0 is the layer's start."""

    def __init__(self, d, config):
        self._d, self._config = d, config
        self._row = config.drain_cycles
        self._over = deque([-9] * config.row_slots, maxlen=config.row_slots)   # rows' slots are free again
        self._scattered = -9                     # last operation of the row before
        self._pops = deque()                     # cycles in which vectors leave the output, their last beats
        self._last_beat = -9                     # of the vector before
        self.done = 0

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

    def arrive(self, first, length, step, i, j, values=1):
        """A row's results arrive in cycle ``first`` and every ``step``: vectors, in ``values`` parts each."""
        end = first + (length - 1) * step
        if self._d.destination is Destination.ROWS:
            load = max(end + 1, self._scattered + 1)
            self._scattered = load + self._operations(i, j) * self._config.scatter_step
            self.done = self._scattered + 1
            self._over.append(self.done)
        elif self._d.destination is Destination.VECTOR:
            self.done = end
        else:
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
