"""Exact cycles of a batch; those of `factored` from recurrences over dot products, sums and rows.

Nothing here simulates: each event's cycle is the maximum of a few earlier ones. The times are those of an
engine whose input always offers a beat and whose output is always taken. The rules are those of
docs/engines/smartexchange-machine.md; docs/engines/ternary-arrays.md has what several arrays change. Those of
the `rebuild` dataflow are in `rebuild_timing`.
"""

from collections import deque

import numpy as np

from ..common.timing import Timing, batch_timing
from ..common.timing_results import Results
from .config import FINISHED
from .rebuild_timing import rebuild_cycles

__all__ = ["Timing", "predict", "START", "GAP", "COMBINE", "FREE", "DRAIN", "DRAIN_LATENCY"]

START = 9              #: first item
GAP = 6                #: least distance of two last items
COMBINE = 5            #: from a last item to the first step of combining
FREE = 1               #: from the last drain step of a sum to a last item that needs its place
DRAIN = 5              #: from the first step of the completing tap to the first drain step
DRAIN_LATENCY = 15     #: from a drain step to its vector at the destination


class _Sums:
    """Drain of a layer's complete sums. Cycle 0 is the layer's start."""

    def __init__(self, d, config):
        self._steps = config.drain_cycles
        self._results = Results(d, config)
        # Last drain steps of the sums before; the last FINISHED of them.
        self._drained = deque([-FREE] * FINISHED, maxlen=FINISHED)

    def room(self, count):
        """First cycle in which a last item that completes ``count`` sums, at least 1, may be taken.

        Sum k + count - 1 needs the place of sum k + count - 1 - FINISHED, k the number of the next sum.
        """
        return self._drained[count - 1] + FREE

    def complete(self, cycle, row):
        """A sum's completing tap begins in ``cycle``; ``row``: (i, j) of the one it ends, or None."""
        first = max(cycle + DRAIN, self._drained[-1] + 1)
        if row is not None:
            first = self._results.free(first)
            self._results.arrive(first + DRAIN_LATENCY, self._steps, 1, *row)
        self._drained.append(first + self._steps - 1)

    @property
    def done(self):
        """The layer is done."""
        return self._results.done


def _dots(run, config):
    """Yields (row, columns) of each row of sums: i, whether pi is the last one, the columns of all runs.

    A column is a pair: X, cycles that combining takes, and for each complete sum the number of its tap among
    those that contribute.
    """
    d = run.descriptor
    columns = [(len(found) * config.combine_cycles, [n for n, one in enumerate(found) if one.last])
               for found in run.columns]
    for _, i, pi in np.ndindex(d.m_count, d.i_count, d.pi_count):
        yield i, pi == d.pi_count - 1, columns * d.run_count


def _compute(run, config):
    d, step = run.descriptor, config.combine_cycles
    sums, last, busy = _Sums(d, config), START - 1, -1
    rows = d.i_count * d.pi_count
    for number, (i, final, columns) in enumerate(_dots(run, config)):
        lengths, q = run.lengths[number // rows], 0
        for combining, complete in columns:
            for n, length in enumerate(lengths):
                cycle = max(last + length, busy)
                ready = complete if n == d.lists - 1 else ()
                if ready:
                    cycle = max(cycle, sums.room(len(ready)))
                last, busy = cycle, cycle + max(combining, GAP)
                for tap in ready:
                    j, pj = divmod(q, d.pj_count)
                    ends = final and pj == d.pj_count - 1
                    sums.complete(cycle + COMBINE + tap * step, (i, j) if ends else None)
                    q += 1
    return sums.done


def predict(machine):
    """Timing of the batch that ``machine`` (interpreter.Machine) has run last."""
    compute = rebuild_cycles if machine.config.rebuild else _compute
    return batch_timing(machine.layers, machine.config, compute)
