"""What a layer of a batch walked, and counts of it."""

from dataclasses import dataclass

from .descriptor import Descriptor
from .runs import Contribution

__all__ = ["LayerRun", "LayerStatistics"]


@dataclass(frozen=True, eq=False)
class LayerRun:
    """What one layer of a batch walked; INPUT has neither lists nor columns.

    ``lengths[m][l]`` are the items of list l of filter m; ``columns`` has of each column of a run its
    `runs.Contribution` tuple. All arrays walk the same.
    """

    number: int             #: of the descriptor; 0 is INPUT
    descriptor: Descriptor
    lengths: tuple[tuple[int, ...], ...]
    columns: tuple[tuple[Contribution, ...], ...]

    @property
    def walks(self):
        """Columns that are walked for a filter: rows, rows of the pooling window, runs and columns."""
        d = self.descriptor
        return d.i_count * d.pi_count * d.run_count * d.column_count

    def statistics(self, about, config):
        """LayerStatistics of this layer; ``about`` is its entry in the program's metadata."""
        d = self.descriptor
        taps = d.i_count * d.pi_count * d.run_count * sum(map(len, self.columns)) * d.lists * d.m_count
        items = sum(map(sum, self.lengths))
        return LayerStatistics(name=about["name"], items=items, adds=items * self.walks,
                               dot_products=d.m_count * d.lists * self.walks,
                               combines=taps * config.combine_cycles)


@dataclass(frozen=True, kw_only=True)
class LayerStatistics:
    """Counts of one layer and batch; ``adds`` and ``combines`` bound the cycles from below."""

    name: str
    items: int          #: of all lists
    adds: int           #: items taken, one cycle each
    dot_products: int
    combines: int       #: vectors of lanes combined, one cycle each
