"""Cycles of a batch, layer after layer; those of INPUT, which are the same for all engines of arrays."""

from dataclasses import dataclass

import numpy as np

from .timing_results import Results

__all__ = ["Timing", "batch_timing", "input_cycles", "DESCRIPTOR_CYCLES", "END_CYCLES"]

DESCRIPTOR_CYCLES = 18  #: from the end of a layer to the start of the next
END_CYCLES = 3         #: from the end of the last layer to idle


@dataclass(frozen=True)
class Timing:
    """Cycles of one batch. ``layers``: of each descriptor, its fetch included, INPUT first."""

    load_cycles: int
    run_cycles: int
    layers: tuple[int, ...]


def input_cycles(d, config):
    """Cycles of an INPUT from its start, for a sender that always offers a beat."""
    results = Results(d, config)
    cycle, beats = 1, config.arrays * config.drain_cycles
    for _, i, j in np.ndindex(d.m_count, d.i_count, d.j_count):
        cycle = results.free(cycle)
        results.arrive(cycle + 1, beats, 1, i, j)
        cycle += beats
    return results.done


def batch_timing(cycles):
    """Timing of a batch whose layers take ``cycles`` from their starts, a list, INPUT first."""
    if not cycles:
        return Timing(load_cycles=END_CYCLES, run_cycles=0, layers=())
    layers = tuple(DESCRIPTOR_CYCLES + each for each in cycles)
    return Timing(load_cycles=layers[0], run_cycles=sum(layers[1:]) + END_CYCLES, layers=layers)
