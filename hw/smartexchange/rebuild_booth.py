"""Bit-serial multiplication: activations as radix-4 Booth digits, one non-zero digit a cycle."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..common.bits import lowest
from .rebuild_layouts import RebuildWidths, digit_layout

__all__ = ["BoothEncoder", "SerialMultipliers", "nonzero_digits", "digit_counts"]


def _extended(x, is_signed):
    """An activation with a zero below and two bits of its sign above."""
    sign = x[-1] & is_signed
    return Cat(0, x, sign, sign)


def nonzero_digits(x, is_signed):
    """For each digit of an activation: whether it is not 0, that is, its three bits differ."""
    bits = _extended(x, is_signed)
    return Cat(bits[2 * k:2 * k + 3].any() & ~bits[2 * k:2 * k + 3].all() for k in range(len(x) // 2 + 1))


def digit_counts(digits):
    """Bit n of the result: whether more than n + 1 of the ``digits`` are set."""
    # seen[n]: more than n of those so far
    seen = []
    for digit in digits:
        before = [1, *seen, 0]
        seen = [before[n + 1] | (digit & before[n]) for n in range(len(seen) + 1)]
    return Cat(seen[1:])


class BoothEncoder(wiring.Component):
    """Takes an activation apart, the least digit first; of digits that are 0 nothing is to be seen.

        x = sum over its non-zero digits of (-1)**negative * 2**shift

    Members
    -------
    first : In(1), x : In(A), signed : In(1): an activation, instead of what is left of the one before
    o : Out(digit_layout), the first of its digits two cycles later, then one a cycle

    Source: SmartExchange (arXiv 2005.03403), section IV; radix-4 digits as docs/engines/
    smartexchange-rebuild.md has them. Cost: about 40 cells for A = 8.
    """

    latency = 2

    def __init__(self, config):
        self._config = config
        super().__init__({
            "first": In(1), "x": In(config.activation_width), "signed": In(1),
            "o": Out(digit_layout(config)),
        })

    def elaborate(self, platform):
        m = Module()
        w = RebuildWidths(self._config)
        pending, bits = Signal(w.digits), Signal(self._config.activation_width + 3, reset_less=True)
        onehot, rest = lowest(pending)
        m.d.sync += pending.eq(rest)
        with m.If(self.first):
            m.d.sync += [
                pending.eq(nonzero_digits(self.x, self.signed)), bits.eq(_extended(self.x, self.signed))]

        def chosen(values):
            return Cat(value & bit for value, bit in zip(values, onehot, strict=True)).any()

        triples = [bits[2 * k:2 * k + 3] for k in range(w.digits)]
        position = [chosen([bool(k >> n & 1) for k in range(w.digits)])
                    for n in range(bits_for(w.digits - 1))]
        m.d.sync += [
            self.o.valid.eq(pending.any()), self.o.negative.eq(chosen([t[2] for t in triples])),
            # the digit is -2 or 2 where its lower two bits are equal
            self.o.shift.eq(Cat(chosen([~(t[0] ^ t[1]) for t in triples]), *position)),
        ]
        return m


class SerialMultipliers(wiring.Component):
    """P accumulators of products of one weight with a digit each.

        acc[l] = (0 if clear else acc[l] + (-1)**negative[l] * weight << shift[l])    modulo 2 ** sum_width

    Members
    -------
    weight : In, digits : In(ArrayLayout(digit_layout, P))
    clear : In(1), one cycle later
    acc : Out(ArrayLayout(sum_width, P)), two cycles after ``digits``

    Cost: for each lane 4 multiplexers of up to ``weight + A + 1`` bits (A = 8), and an adder of ``sum_width``
    bits; no multiplier.
    """

    latency = 2

    def __init__(self, config):
        self._config = config
        super().__init__({
            "weight": In(signed(RebuildWidths(config).weight)),
            "digits": In(data.ArrayLayout(digit_layout(config), config.lanes)), "clear": In(1),
            "acc": Out(data.ArrayLayout(config.sum_width, config.lanes)),
        })

    def elaborate(self, platform):
        m = Module()
        width = self._config.sum_width
        acc = Signal.like(self.acc, reset_less=True)
        m.d.comb += self.acc.eq(acc)
        for lane, digit in enumerate(self.digits):
            product = Mux(digit.valid, self.weight, 0)
            for n, bit in enumerate(digit.shift):
                product = Mux(bit, product << (1 << n), product)
            # -x = ~x + 1
            negative = digit.negative & digit.valid
            shape = signed(min(width, len(self.weight) + self._config.activation_width + 1))
            term, carry = Signal(shape, name=f"term_{lane}", reset_less=True), \
                Signal(name=f"carry_{lane}", reset_less=True)
            m.d.sync += [term.eq(product ^ negative.replicate(shape.width).as_signed()), carry.eq(negative)]
            m.d.sync += acc[lane].eq(acc[lane].as_signed() + term + carry)
            with m.If(self.clear):
                m.d.sync += acc[lane].eq(0)
        return m
