"""Exact cycles of a layer of the `rebuild` dataflow, from recurrences over groups, positions and rows.

The rules are those of docs/engines/smartexchange-rebuild.md; cycle 0 is the layer's start. They depend on
activations' values, of which the layer's `RebuildRun` has kept the numbers of digits.
"""

from collections import deque

import numpy as np

from ..common.timing_results import Results

__all__ = ["rebuild_cycles", "START", "CLEARED", "LIST", "FILLED", "NEXT", "PAIRS", "SELECTED", "REBUILT",
           "TREE", "FREE", "DRAIN_LATENCY"]

START = 1              #: from a layer's start to its first group's first cycle
LIST = 3               #: what a list costs beside its items
FILLED = 5             #: from a group that is read in to its first selection
NEXT = 4               #: from the last line's mark to the first selection of the next position
PAIRS = 4              #: tokens that a line has selected ahead
SELECTED = 1           #: from a token's place in the queue to its rebuild engine
REBUILT = 4            #: from the cycle after a row's S cycles of rebuilding to its first step
TREE = 8               #: from a position's end to its first drain step
FREE = 1               #: from the last use of sums, or of a half of the store, to the next
DRAIN_LATENCY = 14     #: from a drain step to its vector at the destination
CLEARED = 32           #: offsets that are cleared in a cycle before a group is read in

_LONG_AGO = -99


class _Line:
    """One line: its selector, queue, rebuild engines and multipliers, from token to token."""

    def __init__(self, taps):
        self._taps = taps
        self._popped = deque([_LONG_AGO] * PAIRS, maxlen=PAIRS)
        self._started = deque([_LONG_AGO] * 2, maxlen=2)    # X of the last two tokens
        self._engine = _LONG_AGO    # the next token may be popped
        self._idle = _LONG_AGO      # the multipliers have done the token before

    def begin(self, cycle, steps):
        """Selects a position from ``cycle`` on; ``steps`` of each candidate, 0 for one that is left out."""
        self._look, self._steps = cycle, deque(steps)

    def _pop(self, duration):
        """Makes a token, which takes an engine for ``duration`` cycles; the cycle in which it is ready."""
        made = max(self._look, self._popped[0] + 1)
        self._look = made + 1
        popped = max(made + SELECTED, self._engine, self._started[0] + 1)
        self._popped.append(popped)
        self._engine = popped + duration
        return max(popped + duration + REBUILT, self._idle)

    def token(self):
        """(cycle, steps) of the next row, the first in which it may start; of the mark steps are 0."""
        while self._steps and not self._steps[0]:
            self._steps.popleft()
            self._look += 1
        if self._steps:
            return self._pop(self._taps), self._steps.popleft()
        return self._pop(1), 0

    @property
    def marked(self):
        """The cycle in which the last token was made."""
        return self._look - 1

    def start(self, cycle, steps):
        """The token has its first step in ``cycle``; a mark has one."""
        self._started.append(cycle)
        self._idle = cycle + max(1, steps)


def _position(lines, together):
    """Computes a position that all ``lines`` have begun; the cycle in which all are done with it."""
    waiting, done = list(lines), _LONG_AGO
    while waiting:
        tokens = [line.token() for line in waiting]
        latest, rows = max(cycle for cycle, _ in tokens), []
        for line, (cycle, steps) in zip(waiting, tokens, strict=True):
            if steps:
                line.start(latest if together else cycle, steps)
                rows.append(line)
            else:
                done = max(done, cycle)
        waiting = rows
    return done


class _Sums:
    """Drain of a layer's sums."""

    def __init__(self, d, config):
        self._d, self._steps, self._results = d, config.drain_cycles, Results(d, config)
        self._drained = -FREE

    @property
    def free(self):
        """The first cycle in which a position may end."""
        return self._drained + FREE

    def end(self, cycle, filters, i, j, ends_row):
        """A position of ``filters`` filters ends in ``cycle``; whether each of its sums ends row (i, j)."""
        first = cycle + TREE
        for _ in range(filters):
            first = max(first, self._drained + 1)
            if ends_row:
                first = self._results.free(first)
                self._results.arrive(first + DRAIN_LATENCY, self._steps, 1, i, j)
            self._drained = first + self._steps - 1

    @property
    def done(self):
        """The layer is done."""
        return self._results.done


def rebuild_cycles(run, config):
    """Cycles of the layer of ``run``, a RebuildRun, from its start."""
    d, sums = run.descriptor, _Sums(run.descriptor, config)
    lines = [_Line(d.tap_count) for _ in range(config.lines)]
    clear = -(-config.row_depth // CLEARED)
    filled, begin, ends = START, _LONG_AGO, [_LONG_AGO, _LONG_AGO]  # of groups: last positions' ends
    for group in run.groups:
        filled = max(filled, ends[-2] + FREE) + clear + LIST * group.lists + group.items
        begin = max(begin, filled + FILLED)
        steps = [run.steps(group, b).tolist() for b in range(config.lines)]
        for n, (i, j, pi, pj) in enumerate(np.ndindex(d.i_count, d.j_count, d.pi_count, d.pj_count)):
            for line, each in zip(lines, steps, strict=True):
                line.begin(begin, each[n])
            end = max(_position(lines, config.synchronised), sums.free)
            for line in lines:
                line.start(end, 0)
            begin = max(line.marked for line in lines) + NEXT
            sums.end(end, group.filters, i, j, (pi, pj) == (d.pi_count - 1, d.pj_count - 1))
        ends.append(end)
    return sums.done
