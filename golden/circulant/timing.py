"""Exact cycles of a step, from a program's words alone, as docs/engines/circulant-machine.md specifies them.

Nothing here simulates: columns, passes and rows follow from a few maxima.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["FIRST_COLUMN", "Pass", "Timing", "multiplications", "multipliers", "predict", "utilization"]

FIRST_COLUMN = 3    #: cycles from a step's beginning, or a phase's last column, to the (next) first column


@dataclass(frozen=True)
class Pass:
    """Cycles of a pass from the step's beginning: its first and its last column's, and its rows' starts."""

    first: int
    last: int
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Timing:
    """A step's cycles, and those of its passes. ``run_cycles`` of n steps are n * ``step_cycles``."""

    step_cycles: int
    passes: tuple[Pass, ...]


def _issue(phase, written, begin, free):
    """Cycles in which a pass's columns are issued, int64 (columns,), not before ``begin``.

    ``written``: W of each of the step's vectors so far; ``free``: of the last column.
    """
    needs = np.concatenate([s.needs(np.arange(s.count)) for s in phase.segments])
    if needs.max() > len(written):
        raise ValueError(f"column must wait for one of the {len(written)} vectors in front of it, "
                         f"not for number {needs.max()}")
    earliest = np.array([0, *written], np.int64)[needs]
    earliest[0] = max(earliest[0], begin)
    earliest[-1] = max(earliest[-1], free)
    column = np.arange(phase.columns)
    return np.maximum.accumulate(earliest - column) + column


def predict(program):
    """Timing of a step of ``program``, a circulant Program.

    Raises ValueError where a column waits for a vector that no row in front of it writes, so that the step
    would never end.
    """
    config = program.config
    header, phases, rows = program.parse()
    written, passes, free, begin, at = [], [], 0, FIRST_COLUMN, 0
    for phase in phases:
        for first in range(0, phase.rows, config.rows):
            chosen = rows[at + first:at + min(first + config.rows, phase.rows)]
            issued = _issue(phase, written, begin, free)
            last = int(issued[-1])
            starts = tuple(last + config.slots * n for n in range(len(chosen)))
            written += [start + config.write_latency for start, row in zip(starts, chosen, strict=True)
                        if row.to_vector]
            passes.append(Pass(int(issued[0]), last, starts))
            free, begin = last + config.slots * len(chosen), last + 1
        begin, at = last + FIRST_COLUMN, at + phase.rows
    if header.vectors > len(written):
        raise ValueError(f"vectors must be at most the {len(written)} that rows write, not {header.vectors}")
    return Timing(written[header.vectors - 1], tuple(passes))


def _block(config):
    """Multiplications of a block's product: 3 of a complex slot, 2 of the first one."""
    return 3 * (config.slots - 1) + 2


def multipliers(config):
    """Multipliers: of the lanes, 2 for the element unit's products, 2 for slopes, 2 for peephole weights.

    The transforms have some, too, from k = 32 on; they are not counted.
    """
    return config.rows * _block(config) + 4 + 2 * config.peepholes


def multiplications(program):
    """Multiplications of a step's matrices: rows that do something, times columns, times those of a block."""
    _, phases, rows = program.parse()
    found, at = 0, 0
    for phase in phases:
        used = sum(not row.idle for row in rows[at:at + phase.rows])
        found, at = found + used * phase.columns * _block(program.config), at + phase.rows
    return found


def utilization(program):
    """Share of the multipliers' cycles that the matrices of a step take."""
    return multiplications(program) / (multipliers(program.config) * predict(program).step_cycles)
