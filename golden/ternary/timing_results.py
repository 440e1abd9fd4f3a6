"""Cycles of the drain; docs/engines/ternary.md and ternary-serial.md derive the recurrences."""

import numpy as np

from ..common.timing_results import DRAIN_LATENCY, Results
from .descriptor import Destination, Kind

__all__ = ["DotResults", "ARRAY_LATENCY", "LEAST_GAP"]

ARRAY_LATENCY = 5      #: from an item's last step to its sum
LEAST_GAP = 6          #: least distance of two ends of dot products


class DotResults(Results):
    """Drain and destination of a layer whose descriptor is ``d``. Cycle 0 is the layer's start."""

    def __init__(self, d, config):
        super().__init__(d, config)
        self._next_end = 0
        self._dots = iter(np.ndindex(d.m_count, d.i_count, d.j_count, max(1, d.pi_count), max(1, d.pj_count)))

    def may_end(self, cycle, span):
        """The next dot product's last item is taken, work of ``span`` cycles.

        The first cycle from ``cycle`` on in which it may be, and all that follows from it.
        """
        d, step, conv = self._d, self._config.drain_step, self._d.kind is Kind.CONV
        _, i, j, pi, pj = next(self._dots)
        length = self._row if conv else self._dense_length(i)
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
            # In transposed mode a value arrives at a time, and D of them make a vector.
            self.arrive(first, length, step, i, j, 1 if conv else self._config.drain_width)
        return cycle

    def _gap(self, drain):
        """Cycles from a dot product's last step to the next one's end, for a drain of so many."""
        return LEAST_GAP + drain if self._config.bit_serial else max(LEAST_GAP, drain)

    def _dense_length(self, i):
        wanted = min(self._config.lanes, self._d.outputs - i * self._config.lanes)
        to_vector = self._d.destination is Destination.VECTOR
        unit = self._config.scatter_width if to_vector else self._config.drain_width
        return -(-wanted // unit) * unit
