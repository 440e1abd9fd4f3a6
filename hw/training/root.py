"""A serial square root with a sticky bit."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Root"]


class Root(wiring.Component):
    """``o = 2 floor(sqrt x) + [x is no square]`` for 0 <= x < 2 ** (width - 2).

    One bit of the root a cycle, without restoring.

    Parameters
    ----------
    width : int
        Bits of ``x``, even and at least 4.

    Members
    -------
    start : In(1), one cycle; ignored while ``busy``
    x : In(width), of the cycle of ``start``
    busy : Out(1), the result stands from its end until the next start
    o : Out(width / 2)

    Timing: busy for ``width`` / 2 - 1 cycles. Cost: an adder of ``width`` / 2 + 2 bits, 2 * ``width``
    flip-flops.

    Raises ValueError for another width.
    """

    def __init__(self, width):
        if width < 4 or width % 2:
            raise ValueError(f"Root's width must be even and at least 4, not {width!r}")
        self._width = width
        super().__init__({"start": In(1), "x": In(width), "busy": Out(1), "o": Out(width // 2)})

    def elaborate(self, platform):
        m = Module()
        steps = self._width // 2 - 1
        square, root = Signal(2 * steps, reset_less=True), Signal(steps, reset_less=True)
        count = Signal(range(steps), reset_less=True)
        # The true rest r minus 2 root + 1 where the last bit of the root is 0, else r: at most 2 root.
        rest, follow = Signal(steps + 3, reset_less=True), Signal(steps + 3)
        negative, exact = rest[-1], Signal()
        # 4 rest + two bits, minus 4 root + 1 or plus 4 root + 3
        other = Cat(Const(3, 2), Cat(root, Const(0, 1)) ^ (~negative).replicate(steps + 1))
        m.d.comb += [
            follow.eq(Cat(square[-2:], rest) + other),
            exact.eq(rest == Cat(Const(1, 1), ~root, Const(3, 2)) & negative.replicate(steps + 3)),
            self.o.eq(Cat(~exact, root)),
        ]
        with m.If(self.busy):
            m.d.sync += [
                square.eq(Cat(Const(0, 2), square)), rest.eq(follow), root.eq(Cat(~follow[-1], root)),
                count.eq(count + 1), self.busy.eq(count != steps - 1),
            ]
        with m.Elif(self.start):
            m.d.sync += [square.eq(self.x), rest.eq(0), root.eq(0), count.eq(0), self.busy.eq(1)]
        return m
