"""Cycles of a batch, layer after layer; those of INPUT, which are the same for all engines of arrays."""

from dataclasses import dataclass

import numpy as np

from .timing_results import Results

__all__ = ["Timing", "batch_timing", "run_cycles", "DESCRIPTOR_CYCLES", "END_CYCLES"]

DESCRIPTOR_CYCLES = 18  #: from the end of a layer to the start of the next
END_CYCLES = 3         #: from the end of the last layer to idle
INPUT = 1              #: the descriptors' kind, of all engines


@dataclass(frozen=True)
class Timing:
    """Cycles of one batch. ``layers``: of each descriptor, its fetch included, an INPUT first."""

    load_cycles: int
    run_cycles: int
    layers: tuple[int, ...]


def _input_cycles(d, config):
    """Cycles of an INPUT from its start, for a sender that always offers a beat."""
    results = Results(d, config)
    cycle, beats = 1, config.arrays * config.drain_cycles
    for _, i, j in np.ndindex(d.m_count, d.i_count, d.j_count):
        cycle = results.free(cycle)
        results.arrive(cycle + 1, beats, 1, i, j)
        cycle += beats
    return results.done


def run_cycles(run, config, compute):
    """Cycles of the layer ``run``, its descriptor's fetch included.

    ``compute(run, config)``: those of a layer that is no INPUT, from its start.
    """
    taken = _input_cycles(run.descriptor, config) if run.descriptor.kind == INPUT else compute(run, config)
    return DESCRIPTOR_CYCLES + taken


def batch_timing(runs, config, compute):
    """Timing of a batch of the layers ``runs``; ``compute`` as in `run_cycles`."""
    if not runs:
        return Timing(load_cycles=END_CYCLES, run_cycles=0, layers=())
    layers = tuple(run_cycles(run, config, compute) for run in runs)
    load = layers[0] if runs[0].descriptor.kind == INPUT else 0
    return Timing(load_cycles=load, run_cycles=sum(layers) - load + END_CYCLES, layers=layers)
