"""Shifts to the right, rounded and limited."""

from amaranth import Cat, Const, Module, Mux, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay

__all__ = ["RoundingShift", "saturated"]


def saturated(value, width):
    """``value`` limited to ``width`` bits, two's complement."""
    if len(value) <= width:
        return value
    upper = value[width - 1:]
    return _limited(value, width, upper.all() | ~upper.any(), value[-1])


def _limited(value, width, fits, negative):
    """``value`` if it ``fits``, otherwise the least or the greatest number of ``width`` bits."""
    return Mux(fits, value[:width], Cat((~negative).replicate(width - 1), negative)).as_signed()


class RoundingShift(wiring.Component):
    """``o = sat_n((i + 2 ** (shift - 1)) >> shift)``, or sat_n(i) for shift 0.

    Parameters
    ----------
    in_width, out_width : int
        Bits of ``i`` and of ``o``, n.
    levels : tuple of tuple of int
        Of each register the bits of ``shift`` that come before it, the highest first.

    Members: ``i``: In(signed(in_width)), ``shift``: In, of the same cycle, ``o``: Out(signed(out_width)).

    Timing: ``latency`` = len(levels) + 1 cycles. Not reset.
    Cost: a multiplexer of each bit and level, an adder of ``out_width`` bits.
    """

    def __init__(self, in_width, out_width, levels):
        self._levels, self.latency = levels, len(levels) + 1
        bits = [bit for level in levels for bit in level]
        super().__init__({"i": In(signed(in_width)), "shift": In(max(bits) + 1), "o": Out(signed(out_width))})

    def elaborate(self, platform):
        m = Module()
        width = len(self.o)
        # One bit more stands below: the highest one that the shift drops. Only bits are kept that may still
        # come down into the result; if others differ from the sign, it is beyond the limits.
        value, shift, beyond = Cat(Const(0, 1), self.i).as_signed(), self.shift, Const(0, 1)
        for n, bits in enumerate(self._levels):
            for bit in bits:
                value, kept = Mux(shift[bit], value >> 2 ** bit, value), width + 2 ** bit
                if len(value) > kept:
                    upper = value[kept - 1:-1]
                    beyond |= upper != value[-1].replicate(len(upper))
                    value = Cat(value[:kept - 1], value[-1]).as_signed()
            value, beyond = delay(m, value, 1, name=f"value{n}_"), delay(m, beyond, 1, name=f"beyond{n}_")
            shift = delay(m, shift, 1, name=f"shift{n}_")
        found = (value + 1)[1:].as_signed()
        if len(found) > width:
            # The sign is that before rounding: of what is beyond the limits, the kept bits mean nothing.
            found = _limited(found, width, ~beyond & (found[-2] == found[-1]), value[-1])
        m.d.comb += self.o.eq(delay(m, found, 1, name="rounded"))
        return m
