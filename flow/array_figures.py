"""What figures of programs of column arrays have in common: table, rows of windows, dense cycles."""

import numpy as np
from shiftwork.golden.common.descriptor import DESCRIPTOR_WORDS, Destination

__all__ = ["dense_cycles", "descriptors", "row_memory", "table_words"]


def table_words(program):
    """Words of the table that ``program`` writes, a list of int."""
    (section,) = (s for s in program.sections if s.memory is program.MEMORIES.TABLE)
    bits = section.bits(program.config.table_width)
    return [sum(1 << int(n) for n in np.flatnonzero(word)) for word in bits]


def descriptors(table, kind):
    """Descriptors of the class ``kind`` in the words ``table``, up to END."""
    found = []
    for first in range(0, len(table), DESCRIPTOR_WORDS):
        d = kind.from_words(table[first : first + DESCRIPTOR_WORDS])
        if d.kind == 0:
            break
        found.append(d)
    return found


def row_memory(config, layers):
    """Bits of the row memories of all arrays, and those that windows of ``layers``, descriptors, take."""
    rows = set()
    for d in layers:
        if d.destination is Destination.ROWS:
            rows.update(range(d.out_base, d.out_base + d.out_u_count * d.out_u_row))
    bits = config.activation_width * config.all_lanes
    return {"name": "row memory", "bits": bits * config.row_depth, "used": bits * len(rows)}


def dense_cycles(about, config):
    """Cycles of a layer on an engine with as many lanes, one multiplication each, that does not skip zeros.

    ``about`` is the layer's entry in the program's metadata.
    """
    positions, outputs, weights = about["positions"], about["outputs"], about["weights"]
    if about["kind"] != "dense":
        return weights * -(-positions // config.all_lanes)
    return weights // outputs * (positions // config.arrays) * -(-outputs // config.lanes)
