"""The bit-serial column array: word lengths, operations, and the columns bit by bit.

docs/engines/ternary-serial.md specifies all three. An activation has k bits (``bits``), two's complement
where ``signed``; n counts the terms of one accumulator.
"""

import enum
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .layers import input_range

__all__ = ["sum_width", "result_width", "Kind", "Operation", "operations", "dense_operations", "cycles",
           "item_cycles", "serial_dot", "serial_dense"]


def sum_width(n, bits, signed):
    """Bits of a sum of ``n`` activations, w(n): the fewest that hold every such sum.

        unsigned: sums in 0 .. n * (2 ** k - 1)                           w(n) = len(n * (2 ** k - 1))
        signed:   sums in -n * 2 ** (k - 1) .. n * (2 ** (k - 1) - 1)     w(n) = 1 + len(n * 2 ** (k - 1) - 1)

    with len(v) the least b with v < 2 ** b, and w(0) = 0.
    """
    if n == 0:
        return 0
    if signed:
        return 1 + ((n << bits - 1) - 1).bit_length()
    return (n * ((1 << bits) - 1)).bit_length()


def result_width(plus, minus, bits, signed):
    """Bits of a sum of ``plus`` activations less one of ``minus``: W(n+, n-), enough for every result.

        W(n+, 0) = w(n+)        W(n+, n-) = 1 + max(w(n+), w(n-)), two's complement
    """
    width = sum_width(plus, bits, signed)
    return 1 + max(width, sum_width(minus, bits, signed)) if minus else width


class Kind(enum.Enum):
    """What one operation of the columns does."""

    PLUS = "plus"              #: P <- P + x
    MINUS = "minus"            #: N <- N + x
    ZERO = "zero"              #: P <- P + 0
    WEIGHTED = "weighted"      #: P <- P + t * x, a weight t for each column
    DIFFERENCE = "difference"  #: S <- P - N
    CLEAR = "clear"            #: S <- 0


class Operation(NamedTuple):
    """One addition in all columns at once, of ``width`` bits."""

    kind: Kind
    width: int


_KINDS = {1: Kind.PLUS, -1: Kind.MINUS, 0: Kind.ZERO}


def operations(signs, bits, signed, acc_width=None):
    """Operations, a list, of a convolution's dot product whose terms are ``signs`` (1, -1, 0), in that order.

    A 0 is a zero that the controller did not skip. Widths are at most ``acc_width`` where it is given.
    """
    count, result = {Kind.PLUS: 0, Kind.MINUS: 0}, []
    for sign in signs:
        kind = _KINDS[int(sign)]
        accumulator = Kind.MINUS if kind is Kind.MINUS else Kind.PLUS
        count[accumulator] += 1
        result.append(Operation(kind, sum_width(count[accumulator], bits, signed)))
    if count[Kind.MINUS]:
        result.append(Operation(Kind.DIFFERENCE, result_width(*count.values(), bits, signed)))
    return _limit(result, acc_width)


def dense_operations(terms, bits, signed, acc_width=None):
    """Operations, a list, of a fully connected layer's dot product of so many ``terms``: 1 + w(n) bits."""
    widths = [1 + sum_width(n + 1, bits, signed) for n in range(terms)]
    return _limit([Operation(Kind.WEIGHTED, width) for width in widths], acc_width)


def _limit(plan, acc_width):
    plan = plan or [Operation(Kind.CLEAR, 1)]
    return [Operation(kind, min(width, acc_width or width)) for kind, width in plan]


def cycles(plan, write_back=False):
    """Cycles of ``plan``, a list of operations: one a bit, two where the carry is written back."""
    return sum(width for _, width in plan) * (2 if write_back else 1)


def item_cycles(plan, write_back=False):
    """Cycles of each item of a dot product, a list: of its operation, and of a difference after the last."""
    result = [cycles([operation], write_back) for operation in plan]
    if plan[-1].kind is Kind.DIFFERENCE:
        result[-2:] = [sum(result[-2:])]
    return result


@dataclass
class _Word:
    """Bit rows of all columns, bool (depth, columns), of which the first ``width`` are a number."""

    rows: np.ndarray
    signed: bool
    width: int = 0

    def bits(self, length):
        """Yields bits 0 .. length - 1, each when it is asked for; beyond the word its sign bit, or 0.

        The sign bit is held: a sum that takes the word's place has overwritten it by then.
        """
        bit = zero = np.zeros(self.rows.shape[1], bool)
        for i in range(length):
            if i < self.width:
                bit = self.rows[i].copy()
            yield bit if self.signed or i < self.width else zero

    def values(self):
        """The numbers, int64 (columns,)."""
        places = np.int64(1) << np.arange(self.width)
        sign = self.rows[self.width - 1].astype(np.int64) << self.width
        return places @ self.rows[:self.width] - sign * self.signed


class _Columns:
    """P, N and S of all columns, and the one adder that each column has.

    Bit rows hold ones at first, so that one which is read before it is written shows.
    """

    def __init__(self, columns, plan, signed, write_back):
        depth = max(width for _, width in plan)
        self.p, self.n, self.s = (_Word(np.ones((depth, columns), bool), signed) for _ in range(3))
        self.empty = _Word(np.ones((depth, columns), bool), signed)
        self._write_back = write_back
        self.cycles = 0

    def add(self, target, a, b, preset, width, last):
        """target <- a + b + preset, ``b`` an iterable of bits; with the last operation S is written, too."""
        carry = np.broadcast_to(preset, target.rows.shape[1])
        for i, (a_i, b_i) in enumerate(zip(a.bits(width), b, strict=True)):
            target.rows[i] = a_i ^ b_i ^ carry
            if last:
                self.s.rows[i] = target.rows[i]
            self.cycles += 1
            carry = a_i & b_i | (a_i | b_i) & carry
            self.cycles += self._write_back    # the carry's way to its row is a step of its own
        target.width = width
        if last:
            self.s.width = width

    def finish(self, kind, width):
        """What follows the last term: the difference, or a result of zero where there was no term."""
        if kind is Kind.DIFFERENCE:
            self.s.signed = True
            self.add(self.s, self.p, (~bit for bit in self.n.bits(width)), True, width, False)
        else:
            self.add(self.s, self.empty, self.empty.bits(width), False, width, False)


def _planes(x, bits, signed):
    """Bit rows of each activation of ``x`` (terms, columns): _Word for each term."""
    low, high = input_range(signed, bits)
    x = np.asarray(x, np.int64)
    if x.size and (x.min() < low or x.max() > high):
        raise ValueError(f"Activations must be within {low} .. {high}, {bits} bits, "
                         f"not {x.min()} .. {x.max()}")
    rows = (x[:, None] >> np.arange(bits)[:, None] & 1) != 0
    return [_Word(term, signed, bits) for term in rows]


def serial_dot(x, signs, bits, signed, acc_width=None, write_back=False):
    """Dot products of a convolution as the columns compute them, and their cycles.

        values[l] = sum over n of signs[n] * x[n, l]

    ``x``: integers (terms, columns) of ``bits`` bits; ``signs``: (terms,), each 1, -1 or 0. Returns int64
    (columns,) and int. ``acc_width`` as in `operations`; results must fit it. Raises ValueError where an
    activation does not fit its bits.
    """
    plan = operations(signs, bits, signed, acc_width)
    columns = _Columns(np.shape(x)[1], plan, signed, write_back)
    terms = _planes(x, bits, signed)
    for n, (kind, width) in enumerate(plan):
        if n == len(terms):
            columns.finish(kind, width)
            continue
        target = columns.n if kind is Kind.MINUS else columns.p
        term = columns.empty if kind is Kind.ZERO else terms[n]
        columns.add(target, target, term.bits(width), False, width, n == len(plan) - 1)
    return columns.s.values(), columns.cycles


def serial_dense(x, weights, bits, signed, acc_width=None, write_back=False):
    """Dot products of a fully connected layer as the columns compute them, and their cycles.

        values[l] = sum over n of weights[n, l] * x[n]

    ``x``: integers (terms,) of ``bits`` bits; ``weights``: (terms, columns), each 1, -1 or 0. The rest is as
    in `serial_dot`.
    """
    weights = np.asarray(weights)
    plan = dense_operations(len(weights), bits, signed, acc_width)
    columns = _Columns(weights.shape[1], plan, signed, write_back)
    columns.p.signed = columns.s.signed = True
    terms = _planes(np.reshape(x, (-1, 1)), bits, signed)
    for n, (kind, width) in enumerate(plan):
        if n == len(terms):
            columns.finish(kind, width)
            continue
        nonzero, negative = weights[n] != 0, weights[n] < 0
        term = (nonzero & (bit ^ negative) for bit in terms[n].bits(width))
        columns.add(columns.p, columns.p, term, nonzero & negative, width, n == len(plan) - 1)
    return columns.s.values(), columns.cycles
