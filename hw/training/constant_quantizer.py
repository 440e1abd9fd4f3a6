"""CQ: a gradient normalized and rounded at random."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay
from .rounding import magnitude, with_sign

__all__ = ["ConstantQuantizer"]


class ConstantQuantizer(wiring.Component):
    """A lane of CQ (WAGEUBN, arXiv:1909.02384), as docs/engines/training-machine.md, "Update unit", has it.

        y = abs(i) / 2 ** shift, cut to an integer           it counts units of 2 ** -fraction
        o = sign(i) * min( (y >> fraction) + [y mod 2 ** fraction > random], limit )

    Parameters
    ----------
    gradient_bits, level_bits, fraction : int
        Bits of ``i``, of ``limit`` and of ``random``.

    Members
    -------
    i : In(signed(gradient_bits))
    distance : In, of the same cycle
        ``distance_of(shift)``, how far the number is shifted to the right from the greatest that counts.
    limit : In(level_bits), constant
    random : In(fraction), ``random_latency`` = 1 + shifter's cycles after ``i``
    o : Out(signed(level_bits + 1))

    Timing: ``latency`` = ``random_latency`` + 2 cycles; a number each cycle. Not reset.
    Cost: an adder and a shifter of ``gradient_bits``, about 250 lookup tables of 40, 7 and 16 bits.
    """

    def __init__(self, gradient_bits=40, level_bits=7, fraction=16):
        self._low = level_bits + fraction
        self._most = self._low + gradient_bits
        bits = range(self._most.bit_length())[::-1]
        #: bits of the distance that each register has before it, two of them
        self._levels = [bits[n:n + 2] for n in range(0, len(bits), 2)]
        self._level_bits, self._fraction = level_bits, fraction
        self.random_latency = 1 + len(self._levels)
        self.latency = self.random_latency + 2
        super().__init__({
            "i": In(signed(gradient_bits)), "distance": In(range(self._most + 1)), "limit": In(level_bits),
            "random": In(fraction), "o": Out(signed(level_bits + 1)),
        })

    def distance_of(self, shift):
        """The distance of a signed ``shift``.

        A shift to the left by more than the bits of y makes y either 0 or too great, as does one by so many;
        one to the right that far, 0.
        """
        distance = shift + self._low
        return Mux(distance < 0, 0, Mux(distance > self._most, self._most, distance))

    def elaborate(self, platform):
        m = Module()
        negative = delay(m, self.i[-1], self.latency - 1, name="negative")
        value = Cat(Const(0, self._low), delay(m, magnitude(self.i), 1, name="magnitude"))
        distance, beyond = delay(m, self.distance, 1, name="distance_"), Const(0, 1)
        for n, bits in enumerate(self._levels):
            for bit in bits:
                # Only bits are kept that may still come down; any of the others makes the number too great.
                value, kept = Mux(distance[bit], value >> 2 ** bit, value), self._low + 2 ** bit - 1
                beyond |= value[kept:].any()
                value = value[:kept]
            value, beyond = delay(m, value, 1, name=f"value{n}_"), delay(m, beyond, 1, name=f"beyond{n}_")
            distance = delay(m, distance, 1, name=f"distance{n}_")
        whole = value[self._fraction:]
        # Below the limit, a step up is still within it.
        full = beyond | (whole >= self.limit)
        up = Signal(reset_less=True)
        m.d.sync += up.eq(~full & (value[:self._fraction] > self.random))
        whole = delay(m, Mux(full, self.limit, whole), 1, name="whole")
        m.d.comb += self.o.eq(delay(m, with_sign(whole, up, negative), 1, name="o_"))
        return m
