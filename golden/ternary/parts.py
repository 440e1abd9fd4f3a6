"""Parts of a ternary program: bits of weights, fields of descriptors."""

import enum

import numpy as np

from ..common.intervals import signed_width
from .descriptor import Kind

__all__ = ["Order", "conv_bits", "dense_bits", "input_fields", "number_fields", "conv_fields"]


class Order(enum.Enum):
    """In which order a convolution's non-zero weights are visited; the results are the same."""

    ASCENDING = "ascending"    #: as they stand
    PLUS_MINUS = "plus_minus"  #: all +1 first, then all -1: FAT's order, two passes over the bitmap


_NO_WEIGHT = 2    # marks, among weights of -1, 0 and 1, places where none stands


def conv_bits(weights, plan, config):
    """Bitmap words of all filters, bool (M * segments * words, 2 * lanes).

    Where no weight stands is a zero, and the mark "negative without nonzero" if zeros are not skipped.
    """
    filters, _, kernel_rows, kernel_columns = weights.shape
    flat = np.full((filters, plan.segments, plan.words * config.lanes),
                   0 if config.skip_zeros else _NO_WEIGHT, np.int8)
    for r in range(kernel_rows):
        segment, row = divmod(r, plan.kernel_rows)
        first = row * plan.window[1] * plan.channels
        taps = weights[:, :, r].transpose(0, 2, 1).reshape(filters, -1)
        flat[:, segment, first:first + kernel_columns * plan.channels] = taps
    words = flat.reshape(-1, config.lanes)
    return np.concatenate([np.abs(words) == 1, (words == -1) | (words == _NO_WEIGHT)], axis=1)


def dense_bits(weights, lanes):
    """Weight words, passes first, then inputs, bool (passes * K, 2 * lanes), for weights (M, K)."""
    outputs, inputs = weights.shape
    passes = -(-outputs // lanes)
    full = np.zeros((passes * lanes, inputs), np.int8)
    full[:outputs] = weights
    words = full.reshape(passes, lanes, inputs).transpose(0, 2, 1).reshape(-1, lanes)
    return np.concatenate([words != 0, words < 0], axis=1)


def _activation_bits(signed, low, high):
    """Least number of bits, at least 1, whose range holds low .. high; ``signed``: in two's complement."""
    return signed_width(low, high) if signed else max(1, signed_width(0, high) - 1)


def input_fields(plan):
    """Fields of the INPUT that writes the windows of ``plan``."""
    return dict(kind=Kind.INPUT, m_count=plan.channels, i_count=plan.input_block[0],
                j_count=plan.input_block[1], pi_count=1, pj_count=1, **plan.written)


def number_fields(layer, bounds):
    """Fields of ``layer`` about its numbers; ``bounds``: the least and greatest activation that it reads."""
    return dict(input_signed=bool(layer.input_signed), low=int(layer.low), high=int(layer.high),
                activation_bits=_activation_bits(layer.input_signed, *bounds))


def conv_fields(layer, plan, order):
    """Fields of convolution ``layer`` but for its numbers, its filters' places and its destination."""
    row, column = plan.window[1] * plan.channels, plan.channels
    (sr, sc), (tr, tc), (ti, tj) = layer.stride, layer.pool_stride, plan.block
    words = plan.segments * plan.words
    return dict(
        kind=Kind.CONV, plus_minus=order is Order.PLUS_MINUS,
        m_count=len(layer.weights), i_count=ti, j_count=tj, pi_count=layer.pool[0],
        pj_count=layer.pool[1], segments=plan.segments, words=plan.words,
        fetch_m_stride=words, fetch_seg_stride=plan.words, index_base=plan.base,
        index_i_stride=tr * sr * row, index_j_stride=tc * sc * column, index_pi_stride=sr * row,
        index_pj_stride=sc * column, index_seg_stride=plan.kernel_rows * row,
        **plan.inside)
