"""Rounding to the nearest integer, halves to the even one, at a fixed or a variable bit; limits."""

from amaranth import Cat, Const, Module, Mux, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay

__all__ = ["EvenShift", "PlainShift", "clipped", "even"]


def even(value, cut, more, *, whole=False):
    """round(``value`` / 2 ** ``cut``) + ``more``, both signed; ``cut`` is at least 2.

    Halves become even; where it is ``whole`` the sum of such becomes even. One adder: up is its carry.
    """
    odd = value[cut] ^ more[0] if whole else value[cut]
    up = value[cut - 1] & (value[:cut - 1].any() | odd)
    return (Cat(Const(1, 1), value[cut:]).as_signed() + Cat(up, more).as_signed())[1:].as_signed()


def clipped(value, width, beyond=0):
    """``value`` limited to -m .. m, m = 2 ** (width - 1) - 1; where ``beyond``, to that of its sign."""
    upper, negative = value[width - 1:], value[-1]
    fits = (upper.all() | ~upper.any()) & ~beyond
    low = Mux(fits, value[:width - 1], (~negative).replicate(width - 1))
    # Negative and all zeros is -m - 1, whether it was so or was limited.
    return Cat(low[0] | (negative & ~low.any()), low[1:], negative).as_signed()


class PlainShift(wiring.Component):
    """``i * 2 ** lift / 2 ** shift``: integer and what rounding must know of the rest.

    Parameters
    ----------
    in_width, out_width : int
        Bits of ``i`` and of the integer.
    lift : int
        What a shift of 0 moves to the left.
    levels : tuple of tuple of tuple of int
        Of each register the bits of ``shift`` that come before it, the highest first, down to bit 0. Of the
        bits of an innermost tuple one is set at the most.

    Members
    -------
    i : In(signed(in_width))
    shift : In, fill : In(1), of the same cycle
        ``fill`` is what bits behind ``i``'s point are: 1 makes of ~x the complement of what x yields.
    o : Out({floor: signed(out_width), guard, sticky, beyond: 1})
        The quotient's floor; its first bit behind the point; whether others differ from ``fill``.
        ``beyond``: the floor has more bits than ``out_width``, only its sign counts.

    Timing: ``latency`` = len(levels) cycles. Not reset.
    Cost: for each bit of the shift a multiplexer of out_width + 2 ** b bits or fewer; b is the last one of
    the bit's tuple.
    """

    def __init__(self, in_width, out_width, lift, levels):
        self._lift, self._levels, self.latency = lift, levels, len(levels)
        super().__init__({
            "i": In(signed(in_width)), "shift": In(levels[0][0][0] + 1), "fill": In(1),
            "o": Out(data.StructLayout({"floor": signed(out_width), "guard": 1, "sticky": 1, "beyond": 1}))})

    def elaborate(self, platform):
        m = Module()
        # Bit 0 is the first one behind the point. Of the others only those are kept that may still come down
        # into the result; if what is dropped differs from the sign, the result is beyond.
        shift, fill = self.shift, self.fill
        value = Cat(fill.replicate(self._lift + 1), self.i).as_signed()
        sticky, beyond = Const(0, 1), Const(0, 1)
        for n, level in enumerate(self._levels):
            for bits in level:
                steps = [2 ** bit for bit in bits]
                sign, kept, most = value[-1], len(self.o.floor) + steps[-1], steps[0]
                value = Cat(value, sign.replicate(max(kept + most - len(value), 0))).as_signed()
                upper, moved = value[kept - 1 + most:], value
                beyond |= upper != sign.replicate(len(upper))
                far = Const(0, 1)
                for bit, step, less in zip(bits, steps, (*steps[1:], 0), strict=True):
                    # Steps from this one up drop the lower part, others the upper one.
                    far |= shift[bit]
                    lower, upper = value[less:step], value[kept - 1 + less:kept - 1 + step]
                    sticky |= far & (lower != fill.replicate(len(lower)))
                    beyond |= ~far & (upper != sign.replicate(len(upper)))
                    moved = Mux(shift[bit], value >> step, moved)
                value = Cat(moved[:kept - 1], sign).as_signed()
            value, beyond = delay(m, value, 1, name=f"value{n}_"), delay(m, beyond, 1, name=f"beyond{n}_")
            sticky, shift = delay(m, sticky, 1, name=f"sticky{n}_"), delay(m, shift, 1, name=f"shift{n}_")
            fill = delay(m, fill, 1, name=f"fill{n}_")
        m.d.comb += [self.o.floor.eq(value >> 1), self.o.guard.eq(value[0]),
                     self.o.sticky.eq(sticky), self.o.beyond.eq(beyond)]
        return m


class EvenShift(wiring.Component):
    """``o = clip(round(i * 2 ** lift / 2 ** shift))``, halves to even, clip to +-(2 ** (out_width - 1) - 1).

    Parameters, members: those of `PlainShift` without ``fill``; ``o``: Out(signed(out_width)).

    Timing: ``latency`` = len(levels) + 2 cycles. Not reset.
    Cost: a `PlainShift`, an adder and a multiplexer of ``out_width`` bits.
    """

    def __init__(self, in_width, out_width, lift, levels):
        self._plain = PlainShift(in_width, out_width, lift, levels)
        self.latency = self._plain.latency + 2
        given = self._plain.signature.members
        super().__init__({"i": given["i"], "shift": given["shift"], "o": Out(signed(out_width))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.plain = plain = self._plain
        m.d.comb += [plain.i.eq(self.i), plain.shift.eq(self.shift)]
        # What is beyond keeps its sign.
        up = plain.o.guard & (plain.o.sticky | plain.o.floor[0]) & ~plain.o.beyond
        rounded = delay(m, plain.o.floor + up, 1, name="rounded")
        beyond = delay(m, plain.o.beyond, 1, name="beyond")
        m.d.comb += self.o.eq(delay(m, clipped(rounded, len(self.o), beyond), 1, name="clipped"))
        return m
