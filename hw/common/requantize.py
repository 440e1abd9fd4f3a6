"""Requantization: from an accumulator to the next layer's activation, rounded half up and clamped."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Requantizer"]

PART = 16  # bits of a factor that every FPGA's multiplier takes unsigned


class Requantizer(wiring.Component):
    """``y = clamp(((acc + bias) * scale + 2 ** (n - 1)) >> n, low, high)`` with
    ``n = shift + min_shift``.

    Exact for all values of the members, provided ``low <= high``; nothing overflows on the way.

    Parameters
    ----------
    acc_width : int
        Bits of ``acc`` and ``bias``, two's complement, at least 16.
    scale_width : int
        Bits of ``scale``, unsigned.
    out_width : int
        Bits of ``low``, ``high`` and ``y``, two's complement.
    min_shift : int
        1 .. 16.

    Raises ValueError if ``acc_width`` is below 16 or ``min_shift`` not one of these.

    Members
    -------
    acc, bias : In(signed(acc_width))
    scale : In(scale_width)
    shift : In(4)
        All of the same cycle.
    low, high : In(signed(out_width))
        Bounds, ``latency - 1`` cycles later: constant while results are on their way.
    y : Out(signed(out_width))

    Timing: ``y`` is valid ``latency`` cycles after ``acc``; a result each cycle, never stalled. Not reset.

    Cost: two multipliers, of 16 bits and of ``acc_width - 15`` bits with ``scale_width + 1`` bits; 143 LUTs
    and 92 bits of carry chain at an ``acc_width`` of 20 bits and a ``scale_width`` of 12 (ECP5).
    """

    latency = 7

    def __init__(self, acc_width, scale_width, out_width=16, min_shift=8):
        if acc_width < PART:
            raise ValueError(f"acc_width must be at least {PART}, not {acc_width}")
        self.acc_width = acc_width
        self.scale_width = scale_width
        if not 1 <= min_shift <= PART:
            raise ValueError(f"min_shift must be between 1 and {PART}, not {min_shift}")
        self.out_width = out_width
        self.min_shift = min_shift
        super().__init__({
            "acc": In(signed(acc_width)),
            "bias": In(signed(acc_width)),
            "scale": In(scale_width),
            "shift": In(4),
            "low": In(signed(out_width)),
            "high": In(signed(out_width)),
            "y": Out(signed(out_width)),
        })

    def elaborate(self, platform):
        m = Module()

        def stage(value):
            """The pipeline register of ``value``."""
            register = Signal(value.shape(), reset_less=True)
            m.d.sync += register.eq(value)
            return register

        total = stage(self.acc + self.bias)
        scale = stage(self.scale)
        shift = stage(stage(stage(self.shift)))

        # Two products, each within one hardware multiplier, which stands between registers.
        product_low = stage(total[:PART] * scale)
        product_high = stage((total >> PART) * scale)
        product = stage((product_low >> PART) + product_high)
        fraction = stage(product_low[self.min_shift - 1:PART])

        # Shifting goes on with one bit below the result's, for rounding. Only those bits are kept that may
        # still come down into the result; if others differ from the sign, the result is beyond the bounds.
        value = Cat(fraction, product).as_signed()
        negative, beyond = value[-1], 0
        for bits in ((3, 2), (1, 0)):
            for bit in bits:
                kept = self.out_width + 2 ** bit
                shifted = Mux(shift[bit], value >> 2 ** bit, value)
                beyond |= shifted[kept - 1:] != negative.replicate(len(shifted[kept - 1:]))
                value = shifted[:kept].as_signed()
            value, negative, beyond, shift = stage(value), stage(negative), stage(beyond), stage(shift)

        rounded = stage((value + 1) >> 1)
        negative, beyond = stage(negative), stage(beyond)

        is_low = Mux(beyond, negative, rounded < self.low)
        is_high = Mux(beyond, ~negative, rounded > self.high)
        y = Signal(signed(self.out_width), reset_less=True)
        m.d.sync += y.eq(Mux(is_low, self.low, Mux(is_high, self.high, rounded)))
        m.d.comb += self.y.eq(y)

        return m
