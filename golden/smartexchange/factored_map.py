"""How a layer is dealt out to engines of the `factored` dataflow, and in how many cycles they do it."""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from types import SimpleNamespace

import numpy as np

from .expectation import longest_sum, spread
from .runs import contributions, conv_runs
from .timing import GAP

__all__ = ["Engines", "Mapping", "walked"]


@lru_cache(maxsize=65536)
def _run_columns(taps, stride, left, width, whole, columns):
    layer = SimpleNamespace(name="", taps=taps, stride=(1, stride), pads=(0, left), pool=(1, 1),
                            pool_stride=(1, 1))
    runs = conv_runs(layer, SimpleNamespace(channels=1, block=(1, width), pooled=(1, width + (not whole)),
                                            input_columns=columns))
    return {taps: runs.run_count * count for taps, count in Counter(map(len, contributions(runs))).items()}


def walked(layer, taps, width):
    """Columns of T that a lane walks for ``width`` outputs of a row: {taps they contribute to: how many}.

    Those of the encoder's runs (padding that all lanes have is skipped). A dilated layer counts as
    ``dilation`` layers of every dilation-th column [ours: the encoder refuses it].
    """
    if taps == 1 or layer.kernel_columns == 1:
        return {1: width * taps}
    step = layer.dilation
    found = _run_columns(taps, layer.stride, ceil(layer.pads[1] / step), ceil(width / step),
                         width == layer.output_columns, ceil(layer.columns / step))
    return {taps: step * count for taps, count in found.items()}


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """A layer on engines: ``filters`` of them have other filters, times ``maps`` that have other cells."""

    filters: int
    maps: int
    cells: int      #: lanes that have a block of the map, of those of ``maps`` engines
    rows: int       #: of a block
    width: int      #: columns of a block
    cycles: float   #: expected, of an engine with the most filters


@dataclass(frozen=True, kw_only=True)
class Engines:
    """``controllers`` engines of ``lanes`` adders, ``combine_width`` multipliers and ``drain_width`` scalers.

    An engine has some of a layer's filters and some cells of its map; a lane of it has a cell, a block of
    outputs. For each of its filters, rows of a block, columns of T and lists an engine takes

        max(items of the list, K * taps that the column contributes to, GAP) cycles,  K = lanes/combine_width

    (docs/engines/smartexchange-machine.md, timing), and at least lanes/drain_width for each output.
    """

    controllers: int = 128
    lanes: int = 64
    combine_width: int = 8
    drain_width: int = 4

    @property
    def combine_cycles(self):
        """K."""
        return self.lanes // self.combine_width

    def row_cycles(self, items, columns):
        """Cycles of one filter's lists of so many ``items`` (an array), for ``columns`` as ``walked`` says."""
        return sum(count * np.maximum(items, max(self.combine_cycles * taps, GAP))
                   for taps, count in columns.items())

    @lru_cache(maxsize=65536)  # noqa: B019 (engines are few, and frozen)
    def mapping(self, layer, lists):
        """The Mapping of fewest cycles, of equal ones that of fewest cells: blocks and engines as is best."""
        return min(self._mappings(layer, lists), key=lambda found: (found.cycles, found.cells))

    def _mappings(self, layer, lists):
        dots = {taps: lists.moments(lambda items, taps=taps: self.row_cycles(items, {taps: 1}))[0]
                for taps in range(1, lists.taps + 1)}
        high, wide = layer.output_rows, layer.output_columns
        heights = {ceil(high / bands) for bands in range(1, high + 1)}
        for maps in {self.controllers // filters for filters in range(1, self.controllers + 1)}:
            filters = self.controllers // maps
            lanes, most = self.lanes * maps, ceil(layer.filters / filters)
            for rows in heights:
                bands = ceil(high / rows)
                if bands > lanes:
                    continue
                width = ceil(wide / min(wide, lanes // bands))
                taken = sum(dots[taps] * count for taps, count in walked(layer, lists.taps, width).items())
                yield Mapping(filters=filters, maps=maps, cells=bands * ceil(wide / width), rows=rows, width=width,
                              cycles=most * rows * max(taken, width * self.lanes / self.drain_width))

    @lru_cache(maxsize=65536)  # noqa: B019
    def cycles(self, layer, lists):
        """Expected cycles of the slowest engine: none waits for another before the layer's end."""
        mapping = self.mapping(layer, lists)
        columns = walked(layer, lists.taps, mapping.width)
        mean, variance = lists.moments(lambda items: self.row_cycles(items, columns))
        engines = [(n * mean, n * variance, count) for n, count in spread(layer.filters, mapping.filters)]
        return mapping.cycles * longest_sum(engines) / engines[0][0]
