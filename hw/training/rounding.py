"""Rounding, signs and limits: what the training engine's lanes share."""

from amaranth import Cat, Const, Mux

__all__ = ["clipped", "magnitude", "rounded", "with_sign"]


def magnitude(value):
    """abs(``value``) of a signed ``value``, in as many bits, unsigned."""
    negative = value[-1]
    return ((value ^ negative.replicate(len(value))).as_unsigned() + negative)[:len(value)]


def with_sign(value, up, negative):
    """``value`` + ``up``, or -(``value`` + ``up``) where ``negative``, signed; ``up`` is one bit.

    One adder: -(value + up) = ~value + 1 - up = ~value + ~up. The sum must be below 2 ** len(value).
    """
    width = len(value) + 1
    return ((Cat(value, Const(0, 1)) ^ negative.replicate(width)) + (up ^ negative))[:width].as_signed()


def rounded(value, shift):
    """round(``value`` / 2 ** ``shift``) of a signed ``value``, halves to even; ``shift``: int, at least 1."""
    up = value[shift - 1] & (value[:shift - 1].any() | value[shift])
    return (value >> shift) + up


def clipped(value, bits):
    """A signed ``value`` clipped to -m .. m, m = 2 ** (bits - 1) - 1; signed, of ``bits`` bits."""
    upper, negative = value[bits - 1:], value[-1]
    fits = upper.all() | ~upper.any()
    low = Mux(fits, value[:bits - 1], (~negative).replicate(bits - 1))
    # The least of two's complement is one too low; both limits are odd.
    odd = ~fits | value[0] | (negative & ~value[1:bits - 1].any())
    return Cat(odd, low[1:], negative).as_signed()
