"""Mappings of a layer to passes of an engine: what may stay in its memories, and what is sent again."""

from dataclasses import dataclass, replace
from enum import Enum

from ..common.parts import pack_descriptors, word_section
from .descriptor import DESCRIPTOR_WORDS, Descriptor, Destination
from .parts import Order, conv_bits, conv_fields, input_fields, number_fields
from .program import Memory, Program, Section
from .tiles import PARAM_BASE

__all__ = ["Mapping", "Nest", "Pass", "passes", "sends", "pass_program"]


class Mapping(Enum):
    """What may stay from one pass to the next; partial sums stay in the lanes in any case.

    Where both may, weights in the controller and activations in the columns, it is FAT's Combined-Stationary
    mapping.
    """

    COMBINED = "cs", True, True
    WEIGHT = "ws", True, False
    INPUT = "is", False, True
    OUTPUT = "os", False, False

    def __init__(self, short, weights_stay, inputs_stay):
        self.short = short                  #: name in tables
        self.weights_stay = weights_stay    #: a filter tile that the engine holds is not sent again
        self.inputs_stay = inputs_stay      #: an activation tile that the engine holds is not sent again

    def allows(self, other):
        """Whether nothing stays in the mapping ``other`` that may not in this one."""
        return self.weights_stay >= other.weights_stay and self.inputs_stay >= other.inputs_stay


class Nest(Enum):
    """Which loop over tiles is the outer one; the inner one turns round each time, so its last tile stays."""

    FILTERS = "filters"
    ACTIVATIONS = "activations"

    def visits(self, tiling):
        """Yields (filter tile, activation tile) in order."""
        outer, inner = tiling.filter_tiles, tiling.tiles
        if self is Nest.ACTIVATIONS:
            outer, inner = inner, outer
        for n in range(outer):
            for m in reversed(range(inner)) if n % 2 else range(inner):
                yield (n, m) if self is Nest.FILTERS else (m, n)


@dataclass(frozen=True)
class Pass:
    """One start of the engine: a filter tile on a window set, whose results leave as its output packet."""

    filter_tile: int
    window_set: int
    place: int           #: where in the row memory the window set stands
    descriptors: bool    #: whether the program packet brings descriptors
    weights: bool        #: whether it brings weights and scales; without both there is no program packet
    loads: bool          #: whether an input packet comes


def passes(mapping, tiling, nest):
    """Yields the passes of ``mapping`` in the order ``nest``; `sends` counts what they send."""
    last_filters = last_tile = table = None
    for filters, tile in nest.visits(tiling):
        weights = not (mapping.weights_stay and filters == last_filters)
        loads = not (mapping.inputs_stay and tile == last_tile)
        first = tile * tiling.windows
        for place in range(min(tiling.windows, tiling.window_sets - first)):
            brought = weights and place == 0
            span = tiling.span(filters)
            wanted = span.stop - span.start, place, loads
            yield Pass(filters, first + place, place, brought or wanted != table, brought, loads)
            table = wanted
        last_filters, last_tile = filters, tile


def sends(mapping, tiling, nest):
    """(filter tiles, activation tiles) that `passes` sends.

    With F filter tiles and A activation tiles, where a mapping keeps what a loop walks through:

        outer loop: each once        inner loop: all F * A, less one at each turn of the loop
    """
    f, a = tiling.filter_tiles, tiling.tiles
    weights = inputs = f * a
    if mapping.weights_stay:
        weights = f if nest is Nest.FILTERS else f * a - a + 1
    if mapping.inputs_stay:
        inputs = a if nest is Nest.ACTIVATIONS else f * a - f + 1
    return weights, inputs


def pass_program(tiling, one):
    """The Program that the Pass ``one`` of ``tiling`` brings, or None where it brings none."""
    work, config = tiling.work, tiling.work.config
    if not one.descriptors:
        return None
    layer = work.filters(tiling.span(one.filter_tile))
    sections = [word_section(Memory.TABLE, _descriptors(tiling, layer, one), config)]
    if one.weights:
        bits = conv_bits(layer.weights, tiling.plan, config)
        sections += [word_section(Memory.TABLE, config.scales.words(layer), config, PARAM_BASE),
                     Section.from_bits(Memory.WEIGHTS, 0, bits)]
    return Program(config, tuple(sections))


def _descriptors(tiling, layer, one):
    """Table words of INPUT, where the pass loads, CONV, and the one of END that is read."""
    plan = replace(tiling.plan, base=one.place * tiling.plan.rows)
    fields = [input_fields(plan)] if one.loads else []
    fields.append(dict(conv_fields(layer, plan, Order.ASCENDING), **number_fields(layer, tiling.work.bounds),
                       param_base=PARAM_BASE, destination=Destination.STREAM))
    words = pack_descriptors(Descriptor, tiling.work.config, [(f"layer '{layer.name}'", f) for f in fields])
    return words[:len(fields) * DESCRIPTOR_WORDS + 1]
