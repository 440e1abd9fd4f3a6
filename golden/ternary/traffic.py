"""Bits that a batch moves: over the ports, and in and out of each memory, counted from what it visits."""

from dataclasses import astuple, dataclass

import numpy as np

from .descriptor import DESCRIPTOR_WORDS, Destination, Kind
from .program import Memory

__all__ = ["Traffic", "program_traffic", "batch_traffic"]


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Bits read and written, those of all arrays. Traffics add, and are multiplied by counts.

    Counted are the words that the specification needs: what a port reads beside, because it reads in
    every cycle, is not.
    """

    program: int = 0               #: of the program stream, its header and checksum included
    input: int = 0                 #: of the input stream
    output: int = 0                #: of the output stream
    table_written: int = 0
    table_read: int = 0            #: descriptors, and a scale for each dot product (DENSE: result)
    weights_written: int = 0
    weights_read: int = 0          #: bitmap words that are looked through (DENSE: a word for each term)
    rows_written: int = 0          #: windows' activations
    rows_read: int = 0             #: a row for each term
    vectors_written: int = 0       #: results of DENSE, and their bitmap
    vectors_read: int = 0          #: bitmap words, and a word for each term
    accumulators_written: int = 0  #: every lane's sum, for each term
    accumulators_read: int = 0
    snapshots_written: int = 0     #: every lane's finished sum, for each dot product
    snapshots_read: int = 0        #: those that are scaled

    @property
    def external(self):
        """Bits of the three streams."""
        return self.program + self.input + self.output

    def __add__(self, other):
        return Traffic(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def __mul__(self, count):
        return Traffic(**{name: count * value for name, value in vars(self).items()})

    @property
    def internal(self):
        """Bits of all memories."""
        return sum(astuple(self)) - self.external


def program_traffic(program):
    """Traffic of loading a Program."""
    written = {memory: sum(len(s.words) for s in program.sections if s.memory is memory) for memory in Memory}
    config = program.config
    return Traffic(program=32 * len(program.to_words()),
                   table_written=written[Memory.TABLE] * config.table_width,
                   weights_written=written[Memory.WEIGHTS] * 2 * config.word_width)


def batch_traffic(runs, config):
    """Traffic of a batch whose LayerRuns are ``runs``.

    Raises ValueError for a bit-serial engine: its sums are not words.
    """
    if config.bit_serial:
        raise ValueError("bit_serial must be False where words are counted, not True")
    end = Traffic(table_read=config.table_width)
    return sum((_layer(run, config) for run in runs), end)


def _layer(run, config):
    d = run.descriptor
    traffic = Traffic(table_read=DESCRIPTOR_WORDS * config.table_width) + _results(d, config)
    if d.kind is Kind.INPUT:
        activations = d.m_count * d.i_count * d.j_count * config.all_lanes
        return traffic + Traffic(input=activations * config.activation_width)
    each = int(np.prod(run.loops[1:]))
    dots, terms = each * d.m_count, each * int(run.bitmaps.sum())
    words = dots * run.bitmaps.shape[1]
    sums = config.all_lanes * config.acc_width
    traffic += Traffic(accumulators_written=terms * sums, accumulators_read=terms * sums,
                       snapshots_written=dots * sums)
    weight_word = 2 * config.word_width
    if d.kind is Kind.CONV:
        return traffic + Traffic(
            table_read=dots * config.table_width, weights_read=words * weight_word,
            rows_read=terms * config.all_lanes * config.activation_width, snapshots_read=dots * sums)
    results = d.m_count * d.outputs
    # The bitmap stands once beside the controller; every array reads its own activations.
    activations = config.arrays * config.drain_width * config.activation_width
    return traffic + Traffic(
        table_read=results * config.table_width, weights_read=terms * weight_word,
        vectors_read=words * config.scatter_width + terms * activations,
        snapshots_read=results * config.arrays * config.acc_width)


def _results(d, config):
    """Where the results of a layer, or the input, go."""
    width = config.activation_width
    if d.destination is Destination.ROWS:
        # Every row of the window is written exactly once, zeros of the padding included.
        rows = d.m_count * d.out_u_count * d.out_v_count
        return Traffic(rows_written=rows * config.all_lanes * width)
    if d.kind is Kind.DENSE:
        unit = config.scatter_width if d.destination is Destination.VECTOR else config.drain_width
        values = d.m_count * config.arrays * -(-d.outputs // unit) * unit
    else:
        values = d.m_count * d.i_count * d.j_count * config.all_lanes
    if d.destination is Destination.STREAM:
        return Traffic(output=16 * values)
    return Traffic(vectors_written=values * width + values // config.arrays)
