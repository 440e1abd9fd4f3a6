"""The `rebuild` dataflow cycle by cycle: rules of docs/engines/smartexchange-rebuild.md as a state machine.

What golden/smartexchange/rebuild_timing.py says in recurrences happens here: all parts see the state that the
cycle before has left.
"""

from collections import deque
from itertools import product

from shiftwork.golden.common.timing_results import Results
from shiftwork.golden.smartexchange import rebuild_timing as t

MARK = "mark"


class Line:
    def __init__(self, taps):
        self.taps, self.candidates, self.selecting = taps, deque(), False
        self.queue, self.engines = deque(), deque()     # (cycle, steps): made in; ready in
        self.engine_free = self.busy = 0

    def head(self, cycle):
        """The token that may start, or None."""
        if self.engines and self.engines[0][0] <= cycle and self.busy <= cycle:
            return self.engines[0][1]
        return None

    def start(self, cycle):
        steps = self.engines.popleft()[1]
        self.busy = cycle + (1 if steps == MARK else steps)

    def rebuild(self, cycle, engines):
        there = self.queue and self.queue[0][0] + t.SELECTED <= cycle
        if there and engines < 2 and self.engine_free <= cycle:
            steps = self.queue.popleft()[1]
            self.engine_free = cycle + (1 if steps == MARK else self.taps)
            self.engines.append((self.engine_free + t.REBUILT, steps))

    def select(self, cycle, waiting):
        """One candidate, or the mark."""
        if self.candidates and self.candidates[0] == 0:
            self.candidates.popleft()
        elif waiting < t.PAIRS:
            steps = self.candidates.popleft() if self.candidates else MARK
            self.queue.append((cycle, steps))
            self.selecting = steps != MARK


class Fill:
    """Reads groups in, a half of the store ahead."""

    def __init__(self, run, config):
        clear = -(-config.row_depth // t.CLEARED)
        self.left = deque(clear + t.LIST * group.lists + group.items for group in run.groups)
        self.halves, self.freed, self.filled = 2, [], []    # cycles in which a group is read in

    def step(self, cycle):
        if cycle < t.START or not self.left:
            return
        if self.freed and self.freed[0] + t.FREE <= cycle:
            self.freed.pop(0)
            self.halves += 1
        if self.halves:
            self.left[0] -= 1
            if not self.left[0]:
                self.left.popleft()
                self.filled.append(cycle + 1)
                self.halves -= 1


class Drain:
    def __init__(self, d, config):
        self.config, self.results, self.sums = config, Results(d, config), deque()
        self.running, self.free, self.taken = 0, 0, None

    def end(self, cycle, filters, row):
        self.sums.extend([(cycle + t.TREE, row)] * filters)

    def step(self, cycle):
        if not self.running and self.sums and self.sums[0][0] <= cycle:
            row = self.sums[0][1]
            if self.taken is None:  # the cycle in which the destination takes the row; to be asked for once
                self.taken = self.results.free(cycle) if row else cycle
            if cycle < self.taken:
                return
            if row:
                self.results.arrive(cycle + t.DRAIN_LATENCY, self.config.drain_cycles, 1, *row)
            self.sums.popleft()
            self.taken = None
            self.running = self.config.drain_cycles
        if self.running:
            self.running -= 1
            if not self.running and not self.sums:
                self.free = cycle + t.FREE


def simulate(run, config, limit=200_000):
    """Cycles of the layer of ``run``; raises TimeoutError after ``limit``."""
    d = run.descriptor
    lines, fill, drain = [Line(d.tap_count) for _ in range(config.lines)], Fill(run, config), Drain(d, config)
    loops = list(product(range(d.i_count), range(d.j_count), range(d.pi_count), range(d.pj_count)))
    selects = deque((g, n) for g in range(len(run.groups)) for n in range(len(loops)))
    computes, again = deque(selects), 0
    steps = [[run.steps(group, b).tolist() for b in range(config.lines)] for group in run.groups]
    for cycle in range(limit):
        if not computes and not drain.sums and not drain.running:
            return drain.results.done
        engines, queues = [len(line.engines) for line in lines], [len(line.queue) for line in lines]
        heads = [line.head(cycle) for line in lines]
        if computes and all(head == MARK for head in heads) and drain.free <= cycle and not (
                drain.sums or drain.running):
            g, n = computes.popleft()
            i, j, *window = loops[n]
            last = window == [d.pi_count - 1, d.pj_count - 1]
            drain.end(cycle, run.groups[g].filters, (i, j) if last else None)
            if n == len(loops) - 1:
                fill.freed.append(cycle)
            for line in lines:
                line.start(cycle)
        elif not config.synchronised or None not in heads:
            for line, head in zip(lines, heads, strict=True):
                if head not in (None, MARK):
                    line.start(cycle)
        for line, count in zip(lines, engines, strict=True):
            line.rebuild(cycle, count)
        if selects and not any(line.selecting for line in lines) and again <= cycle:
            g, n = selects[0]
            if len(fill.filled) > g and fill.filled[g] + t.FILLED <= cycle:
                selects.popleft()
                for line, each in zip(lines, steps[g], strict=True):
                    line.candidates, line.selecting = deque(each[n]), True
        if any(line.selecting for line in lines):
            for line, count in zip(lines, queues, strict=True):
                if line.selecting:
                    line.select(cycle, count)
            again = cycle + t.NEXT
        fill.step(cycle)
        drain.step(cycle)
    raise TimeoutError(f"Layer must be done after {limit} cycles")
