"""The scheduler of a convolution that is larger than an engine's memories, with one cost for all mappings.

    cycles = sum over passes of (words of the program packet + load_cycles + run_cycles)

A program packet takes a cycle a word; load_cycles and run_cycles are those of `timing.predict`. All hold for
streams that always offer and take. The host's accesses to registers between passes are not counted.
"""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from .interpreter import Machine
from .passes import Mapping, Nest, Pass, pass_program, passes, sends
from .tiles import Convolution, Tiling, tilings
from .timing import END_CYCLES, LEAST_GAP, layer_cycles
from .traffic import Traffic, batch_traffic, program_traffic

__all__ = ["Mapping", "Cost", "Schedule", "TileCosts", "schedule", "schedules"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cycles and bits of all passes."""

    program_cycles: int
    load_cycles: int
    run_cycles: int
    traffic: Traffic

    @property
    def cycles(self):
        """Cycles of loading programs, loading activations and computing."""
        return self.program_cycles + self.load_cycles + self.run_cycles


class TileCosts:
    """Cycles and traffic of the passes of one Tiling: all mappings and orders of it have the same ones."""

    def __init__(self, tiling):
        self._tiling, self._known, self._tiles = tiling, {}, {}

    def program(self, one):
        """(words, Traffic) of the program packet of the Pass ``one``."""
        tiling = self._tiling
        span = tiling.span(one.filter_tile)
        # Packets of filter tiles of one size are equally long.
        key = span.stop - span.start, one.loads, one.descriptors, one.weights
        if key not in self._known:
            found = pass_program(tiling, one)
            self._known[key] = (len(found.to_words()), program_traffic(found)) if found else (0, Traffic())
        return self._known[key]

    def batch(self, one):
        """(load_cycles, run_cycles, Traffic) of the pass, counted from its program's words."""
        if one.filter_tile not in self._tiles:
            config = self._tiling.work.config
            whole = replace(one, place=0, descriptors=True, weights=True, loads=True)
            machine = Machine(config)
            machine.load(pass_program(self._tiling, whole).to_words())
            given, conv = machine.visits()
            load = self._known.setdefault("load", layer_cycles(given, config))
            run = layer_cycles(conv, config) + END_CYCLES
            self._tiles[one.filter_tile] = {False: (0, run, batch_traffic((conv,), config)),
                                            True: (load, run, batch_traffic((given, conv), config))}
        return self._tiles[one.filter_tile][one.loads]

    def of(self, some):
        """Cost of the passes ``some``."""
        program_cycles = load_cycles = run_cycles = 0
        traffic = Traffic()
        for one, count in Counter(replace(one, window_set=0, place=0) for one in some).items():
            words, brought = self.program(one)
            load, run, moved = self.batch(one)
            program_cycles += count * words
            load_cycles += count * load
            run_cycles += count * run
            traffic += (brought + moved) * count
        return Cost(program_cycles=program_cycles, load_cycles=load_cycles, run_cycles=run_cycles,
                    traffic=traffic)


@dataclass(frozen=True, eq=False, kw_only=True)
class Schedule:
    """Passes that compute a convolution, and their cost."""

    mapping: Mapping    #: what stays in it, at most what the one asked for allows
    tiling: Tiling
    nest: Nest
    passes: tuple[Pass, ...]
    cost: Cost

    def packets(self, x):
        """Yields (program words or None, input beats or None) of each pass, for ``x`` (images, C, H, W)."""
        beats = self.tiling.pack(x)
        for one in self.passes:
            program = pass_program(self.tiling, one)
            yield program and program.to_words(), beats[one.window_set] if one.loads else None

    def outputs(self, values):
        """Outputs (images, M, rows, columns) of the output packets of the passes, in their order."""
        found = {(one.window_set, one.filter_tile): np.ravel(v)
                 for one, v in zip(self.passes, values, strict=True)}
        tiling = self.tiling
        return tiling.unpack([np.concatenate([found[window_set, f] for f in range(tiling.filter_tiles)])
                              for window_set in range(tiling.window_sets)])

    def run(self, x):
        """Outputs (images, M, rows, columns) for ``x`` (images, C, H, W), by the interpreter."""
        machine, values = Machine(self.tiling.work.config), []
        for program, beats in self.packets(x):
            if program is not None:
                machine.load(program)
            values.append(machine.run([] if beats is None else beats))
        return self.outputs(values)


class _Estimate:
    """About how many cycles a mapping takes with each tiling, to tell which ones to count exactly."""

    def __init__(self, work):
        weights = work.layer.weights.reshape(len(work.layer.weights), -1)
        self.items = np.count_nonzero(weights, axis=1) if work.config.skip_zeros else weights.shape[1]

    def parts(self, tiling):
        """Cycles of all filter tiles' packets, all activation tiles' packets, and all runs' once each."""
        plan, config, layer = tiling.plan, tiling.work.config, tiling.work.layer
        words = plan.segments * plan.words
        dot = np.maximum(self.items, max(config.drain_cycles, LEAST_GAP, words + 1))
        row = np.maximum(dot * int(np.prod(layer.pool)), config.arrays * config.drain_cycles)
        weights = len(layer.weights) * (words * -(-2 * config.lanes // 32) + -(-config.table_width // 32))
        load = plan.rows * max(config.arrays * config.drain_cycles, config.groups + 1)
        runs = int(np.prod(plan.block)) * int(np.sum(np.broadcast_to(row, len(layer.weights))))
        return weights, load * tiling.window_sets, runs * tiling.window_sets

    def cycles(self, mapping, tiling, nest):
        """Of all passes."""
        weights, inputs, runs = self.parts(tiling)
        filters, tiles = sends(mapping, tiling, nest)
        again = tiling.filter_tiles * tiling.window_sets if tiling.windows > 1 else 0
        return (runs + weights * filters / tiling.filter_tiles + inputs * tiles / tiling.tiles
                + _DESCRIPTOR_WORDS * (filters + again))


_DESCRIPTOR_WORDS = 80    # of a packet that brings descriptors, about


def _shortlist(work):
    """Of all tilings those that an estimate prefers for some mapping."""
    estimate, found = _Estimate(work), tilings(work)
    best = {min(range(len(found)), key=lambda n: min(
        estimate.cycles(mapping, found[n], nest) for nest in Nest)) for mapping in Mapping}
    return [found[n] for n in sorted(best)]


def schedules(work, mappings=tuple(Mapping)):
    """The Schedule of a Convolution for each of ``mappings``, a dict.

    Each one has, of a few tilings and both orders of the loops, those with the fewest cycles and, where they
    are equal, the fewest bits at the ports. All mappings choose among the same tilings, and what may stay
    need not, so none takes fewer cycles than Mapping.COMBINED.
    """
    best = {}
    for tiling in _shortlist(work):
        costs = TileCosts(tiling)
        for mapping in Mapping:
            for nest in Nest:
                some = tuple(passes(mapping, tiling, nest))
                found = Schedule(mapping=mapping, tiling=tiling, nest=nest, passes=some, cost=costs.of(some))
                if mapping not in best or _rank(found) < _rank(best[mapping]):
                    best[mapping] = found
    return {mapping: min((best[m] for m in Mapping if mapping.allows(m)), key=_rank)
            for mapping in mappings}


def _rank(found):
    return found.cost.cycles, found.cost.traffic.external


def schedule(layer, shape, images, config, mapping):
    """The Schedule of ``layer`` on ``images`` inputs of ``shape`` (C, H, W) for an engine of ``config``.

    Raises what `Convolution` and `tilings` raise.
    """
    return schedules(Convolution(layer, tuple(shape), images, config), (mapping,))[mapping]
