"""Programs of the circulant engine at random, of phases and rows of any kind; tests run them."""

import dataclasses

import numpy as np
from shiftwork.golden.circulant.program import Program
from shiftwork.golden.circulant.words import Act, Addend, Header, Left, Phase, Right, Row, Segment

__all__ = ["random_program"]

_COEFFICIENTS = 6
"""Blocks of coefficients."""


class _Step:
    """A step at random: phases, rows, and what the rows write.

    Vectors stand in the spectrum memory in the order of their rows, from the end of the input on; those of a
    phase alternate or none of them does.
    """

    def __init__(self, rng, config):
        self.rng, self.config = rng, config
        self.half, self.blocks = config.spectrum_depth // 2, config.state_depth // config.slots
        self.input_blocks = int(rng.integers(1, 4))
        self.weights, self.rows, self.spans = 0, [], []     # spans: (first vector, their count, alternate)
        #: the row that wrote a block of C, T0 and T1 last
        self.written = np.full(self.blocks, -100)
        self.phases = self._phases()

    def _phases(self):
        rng, config, phases = self.rng, self.config, []
        counts = rng.integers(1, 2 * config.rows + 2, rng.integers(1, 5))
        alternating = rng.random(len(counts)) < 0.7
        vectors = [rng.random(count) < 0.6 for count in counts]
        vectors[-1][-1] = True
        first, base = 0, config.spectrum_width + config.weight_width - config.sum_width - 3
        for marks, alternate in zip(vectors, alternating, strict=True):
            self.spans.append((first, int(marks.sum()), bool(alternate)))
            first += int(marks.sum())
        self.vectors = first
        for n, marks in enumerate(vectors):
            segments = tuple(self._segment(n) for _ in range(rng.integers(1, 3)))
            phases.append(Phase(
                rows=len(marks), weight_base=self.weights,
                sum_shift=_often(rng, range(base, base + 5), (0, 1, 31)),
                last=n == len(vectors) - 1, segments=(*segments, Segment())[:2]))
            self.weights += -(-len(marks) // config.rows) * phases[-1].columns
            target = self.spans[n][0]
            for vector in marks:
                self.rows.append(self._row(vector, self.input_blocks + target, self.spans[n][2]))
                target += vector
        return tuple(phases)

    def _segment(self, n):
        """Blocks of the input; or of vectors of an earlier phase, or of the step before."""
        rng, kind = self.rng, self.rng.integers(4)
        spans = [span for span in self.spans[:n] if span[1]] if kind < 3 else [
            span for m, span in enumerate(self.spans) if span[1] and (span[2] or m > n)]
        if kind == 0 or not spans:
            count = int(rng.integers(1, self.input_blocks + 1))
            return Segment(base=int(rng.integers(self.input_blocks - count + 1)), count=count, alternate=True)
        first, count, alternate = spans[rng.integers(len(spans))]
        skipped = int(rng.integers(count))
        first, count = first + skipped, int(rng.integers(1, min(5, count - skipped) + 1))
        base = self.input_blocks + first
        if kind == 3:
            if alternate:
                base += self.half
            # those that do not alternate are overwritten by later phases
            return Segment(base=base, count=count, alternate=alternate, old=bool(rng.integers(2)))
        following = bool(rng.integers(2))
        return Segment(base=base, count=count, alternate=alternate, following=following,
                       after=first + (1 if following else count))

    def _row(self, vector, target, alternate):
        rng, number, width = self.rng, len(self.rows), self.config.vector_width
        flags = dict(zip(("peephole", "add", "to_t0", "to_t1", "to_c", "to_output"),
                         (bool(bit) for bit in rng.integers(0, 2, 6)), strict=True))
        if rng.random() < 0.1 and not vector:
            flags = {name: False for name in flags}
        free = np.flatnonzero(number - self.written >= self.config.dependence)
        state = int(rng.choice(free))
        if flags["to_t0"] or flags["to_t1"] or flags["to_c"]:
            self.written[state] = number
        return Row(
            state=state, coefficient=int(rng.integers(_COEFFICIENTS)),
            target=target, alternate=alternate, to_vector=bool(vector),
            pre_shift=_often(rng, range(2, 7), (0, 1, 10, 31)),
            out_shift=_often(rng, range(max(0, 14 - width), 18 - width), (0, 15)),
            act=Act(int(rng.integers(3))),
            left=Left(int(rng.integers(3))), right=Right(int(rng.integers(5))),
            addend=Addend(int(rng.integers(3))), old=bool(rng.integers(2)), **flags)


def random_program(rng, config):
    """A Program of one to four phases, weights and coefficients over their whole range."""
    step = _Step(rng, config)
    if step.weights > config.weight_depth or len(step.rows) > config.row_depth:
        return random_program(rng, config)
    assert step.input_blocks + step.vectors <= step.half
    beats = sum(row.to_output for row in step.rows) * config.slots
    if not beats:
        beats = config.slots
        step.rows[0] = dataclasses.replace(step.rows[0], to_output=True)
    header = Header(input_blocks=step.input_blocks, input_base=0, vectors=step.vectors, output_beats=beats)
    coefficients = _numbers(rng, 16, (_COEFFICIENTS * config.slots, 4))
    weights = _numbers(rng, config.weight_width, (step.weights, config.rows, config.slots, 2))
    return Program.of_words(config, header, step.phases, step.rows, coefficients, weights)


def _numbers(rng, width, shape):
    """Of all magnitudes, a few of them the least and the greatest."""
    low, high = -(1 << width - 1), (1 << width - 1) - 1
    x = rng.integers(low, high + 1, shape)
    extreme = np.where(x < 0, low, high)
    return np.where(rng.random(shape) < 0.05, extreme, x >> rng.integers(0, width // 2, shape))


def _often(rng, usual, seldom):
    """One of ``usual``, now and then of ``seldom``."""
    return int(rng.choice(usual if rng.random() < 0.9 else seldom))
