"""How a layer is dealt out to engines of the `factored` dataflow, and in how many cycles they do it."""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, prod
from types import SimpleNamespace

import numpy as np

from .config import FINISHED
from .expectation import longest_sum, spread
from .runs import contributions, conv_runs
from .timing import COMBINE, DRAIN, FREE, GAP

__all__ = ["Engines", "Mapping", "walked", "window"]


@lru_cache(maxsize=65536)
def _run_columns(taps, stride, left, width, whole, columns):
    layer = SimpleNamespace(name="", taps=taps, stride=(1, stride), pads=(0, left), pool=(1, 1),
                            pool_stride=(1, 1))
    runs = conv_runs(layer, SimpleNamespace(channels=1, block=(1, width), pooled=(1, width + (not whole)),
                                            input_columns=columns))
    return {taps: runs.run_count * count for taps, count in Counter(map(len, contributions(runs))).items()}


def walked(layer, taps, width):
    """Columns of T that a lane walks for ``width`` outputs of a row: {taps they contribute to: how many}.

    Those of the encoder's runs (padding that all lanes have is skipped). Of a dilated layer the outputs are
    every ``dilation``-th one, which need every dilation-th column [ours: the encoder refuses such layers].
    """
    if taps == 1 or layer.kernel_columns == 1:
        return {1: width * taps}
    step = layer.dilation
    return _run_columns(taps, layer.stride, ceil(layer.pads[1] / step), width,
                        width == ceil(layer.output_columns / step), ceil(layer.columns / step))


def window(layer, rows, width):
    """Pixels of the map, with its pads, that ``rows`` of ``width`` outputs (see ``walked``) need."""
    sides = ((rows, layer.kernel_rows, layer.dilation), (width, layer.kernel_columns, 1))
    return prod(min((count - 1) * layer.stride + (kernel - 1) * dilation + 1, count * kernel)
                for count, kernel, dilation in sides)


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """A layer on engines: ``filters`` of them have other filters, times ``maps`` that have other cells."""

    filters: int
    maps: int
    cells: int      #: lanes that have a block of the map, of those of ``maps`` engines
    rows: int       #: of a block
    pieces: int     #: into which the rows are cut
    width: int      #: columns of a piece
    depth: int      #: activations that a lane holds for a piece of a row
    cycles: float   #: expected, of an engine with the most filters


@dataclass(frozen=True, kw_only=True)
class Engines:
    """``controllers`` engines of ``lanes`` adders, ``combine_width`` multipliers and ``drain_width`` scalers.

    An engine has some of a layer's filters and some cells of its map; a lane of it has a cell, a block of
    outputs. For each of its filters, rows of a block, columns of T and lists an engine takes

        max(items of the list, K * taps that the column contributes to, GAP) cycles,  K = lanes/combine_width

    (docs/engines/smartexchange-machine.md, timing), and at least ``drain_cycles`` for each output. A row of a
    block is cut into pieces for which a lane's memory has room, ``row_depth`` activations; that it has it for
    a single output is assumed.
    """

    controllers: int = 128
    lanes: int = 64
    combine_width: int = 8
    drain_width: int = 4
    row_depth: int = 8192       #: holds a 3x3 window of 512 channels, the widest ones of the seven networks

    @property
    def combine_cycles(self):
        """K."""
        return self.lanes // self.combine_width

    @property
    def drain_cycles(self):
        """Least average cycles from one sum to the next: of FINISHED on their way, each drained N cycles."""
        cycles = self.lanes / self.drain_width
        return max(cycles, (COMBINE + DRAIN + cycles - 1 + FREE) / FINISHED)

    def row_cycles(self, items, columns):
        """Cycles of lists of so many ``items``, an array, for ``columns`` as ``walked`` says."""
        return sum(count * np.maximum(items, max(self.combine_cycles * taps, GAP))
                   for taps, count in columns.items())

    @lru_cache(maxsize=65536)  # noqa: B019 (engines are few, and frozen)
    def mapping(self, layer, lists):
        """The Mapping of fewest cycles, of equal ones that of fewest cells: the best for the layer."""
        cycles, cells, maps, rows, block = min(self._mappings(layer, lists))
        filters = self.controllers // maps
        pieces, width = self._pieces(layer, filters, block)
        return Mapping(filters=filters, maps=maps, cells=cells, rows=rows, pieces=pieces, width=width,
                       depth=self._depth(layer, filters, width), cycles=cycles)

    def _depth(self, layer, filters, width):
        groups = 1 if layer.groups == 1 else ceil(layer.groups / filters)
        return groups * layer.group_channels * window(layer, 1, width)

    def _pieces(self, layer, filters, block):
        """How many pieces a row of ``block`` outputs is cut into, and outputs of a piece."""
        parts = min(block, layer.dilation)
        most = ceil(block / parts)
        widths = sorted({ceil(most / cuts) for cuts in range(1, most + 1)}, reverse=True)
        width = next((n for n in widths if self._depth(layer, filters, n) <= self.row_depth), 1)
        return parts * ceil(most / width), width

    def _mappings(self, layer, lists):
        """Tuples (cycles, cells, maps, rows, columns of a block) of all that are worth a look."""
        taps = {n: lists.moments(lambda items, n=n: self.row_cycles(items, {n: 1}))[0]
                for n in range(1, lists.taps + 1)}
        high, wide = layer.output_rows, layer.output_columns
        heights = {ceil(high / bands) for bands in range(1, high + 1)}
        for maps in {self.controllers // filters for filters in range(1, self.controllers + 1)}:
            filters, lanes, row = self.controllers // maps, self.lanes * maps, {}
            most = ceil(layer.filters / filters)
            for rows in heights:
                bands = ceil(high / rows)
                if bands > lanes:
                    continue
                block = ceil(wide / min(wide, lanes // bands))
                if block not in row:
                    pieces, width = self._pieces(layer, filters, block)
                    taken = sum(taps[n] * count for n, count in walked(layer, lists.taps, width).items())
                    row[block] = pieces * max(taken, width * self.drain_cycles)
                yield most * rows * row[block], bands * ceil(wide / block), maps, rows, block

    @lru_cache(maxsize=65536)  # noqa: B019
    def cycles(self, layer, lists):
        """Expected cycles of the slowest engine: none waits for another before the layer's end."""
        mapping = self.mapping(layer, lists)
        columns = walked(layer, lists.taps, mapping.width)
        mean, variance = lists.moments(lambda items: self.row_cycles(items, columns))
        engines = [(n * mean, n * variance, count) for n, count in spread(layer.filters, mapping.filters)]
        return mapping.cycles * longest_sum(engines) / engines[0][0]
