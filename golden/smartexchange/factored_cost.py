"""Our own machine: many engines of the `factored` dataflow, docs/engines/smartexchange-machine.md."""

from dataclasses import dataclass
from enum import StrEnum

from .cost import ACCUMULATION, WORD, Machine
from .factored_lists import lists_of
from .factored_map import Engines, walked, window
from .rebuild import stored_weights

__all__ = ["Factored", "Stored"]

SUM, TERM = 32, 20      #: bits of a combined sum, and of T
INDEXED = 10            #: bits of an item that says its row by 8 bits: a slice has at most 192 rows


class Stored(StrEnum):
    """What of weights comes from DRAM."""

    PROGRAM = "program"     #: items of 16 bits and basis words, as the engine reads them
    INDEXED = "indexed"     #: items of 10 bits, whose rows become offsets on the chip
    PAPER = "paper"         #: as SmartExchange stores them: items are made and sorted on the chip


@dataclass(frozen=True, kw_only=True)
class Factored(Machine):
    """``engines``, all of one layer at a time; cycles as `factored_map.Engines` says, in expected values.

    Filling and emptying the pipeline, once a layer, is left out, as of all machines. How filters and the map
    are dealt out is the best way for each layer, and so is the grid [ours: layers go through DRAM, and
    come back in the order that the lanes want]. Filters are dealt out in their order.

    Each engine reads a list's items and basis word once for a column of T, and each lane an activation from
    its row memory for each addition. Row memories, of ``engines.row_depth`` bytes a lane, come on top of the
    common buffers [ours, generous]; the input buffer fills them with ``input_width`` bits a cycle, which all
    engines take that want the same. T is written and read once, and read for each tap with a sum,
    which is written back. An addition uses an activation and an accumulator in registers; a product has T's
    20 bits. Multipliers, ``engines.combine_width`` of an engine, come on top of the adders.
    """

    engines: Engines = Engines()
    single: bool = False    #: 1x1 and fully connected layers of one tap: plain powers of two
    stored: Stored = Stored.PROGRAM
    input_width: int = 32 * 64

    def __post_init__(self):
        if self.stored not in list(Stored):
            raise ValueError(f"stored must be one of {', '.join(Stored)}, not {self.stored!r}")

    def lists(self, layer, statistics):
        """The layer's `factored_lists.Lists`."""
        compressed = stored_weights(layer, statistics)[1]
        return lists_of(layer, statistics.coefficient_zeros if compressed else 0.0, compressed, self.single)

    def mapping(self, layer, statistics):
        """How the layer is dealt out: `factored_map.Mapping`."""
        return self.engines.mapping(layer, self.lists(layer, statistics))

    def _stored(self, layer, statistics, lists):
        if self.stored == Stored.PAPER:
            return stored_weights(layer, statistics)[0]
        short = (16 - INDEXED) * lists.items if self.stored == Stored.INDEXED else 0
        return layer.filters * (lists.bits - short)

    def cost(self, layer, statistics):
        """Cost of ``layer``; coefficient_zeros matters, and which layers are compressed."""
        lists = self.lists(layer, statistics)
        mapping = self.engines.mapping(layer, lists)
        columns = walked(layer, lists.taps, mapping.width)
        pieces = mapping.rows * mapping.pieces                      # of a lane
        walks = pieces * sum(columns.values())                      # columns of T
        lanes = layer.filters * mapping.cells                       # blocks of all filters
        adds, terms = lanes * lists.items * walks, lanes * lists.count * walks
        products = lanes * lists.count * pieces * sum(taps * count for taps, count in columns.items())
        pixels = mapping.cells * mapping.pieces * window(layer, mapping.rows, mapping.width)
        reads = pixels * layer.channels
        copies = mapping.filters if layer.groups == 1 else 1
        program = layer.filters * lists.bits
        return self.counted(
            layer, compute=max(self.engines.cycles(layer, lists), WORD * reads / self.input_width),
            products=products, width=TERM, additions=adds + products,
            dram=self.setting.dram_bits(layer, WORD * layer.inputs, self._stored(layer, statistics, lists),
                                        WORD * layer.outputs),
            buffer=WORD * (adds + reads * (1 + copies) + layer.outputs) + program * walks * mapping.maps
            + 2 * TERM * terms + (TERM + 2 * SUM) * products,
            register=(WORD + ACCUMULATION) * adds)
