"""Sums and the greatest error of a lane, of each half."""

from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import FACTOR_BITS
from shiftwork.golden.training.engine_config import ERROR_BITS, SUM_BITS

from ..common.delay import delay
from .error_line import NORMAL_BITS

__all__ = ["QUANTITIES", "LaneSums"]

QUANTITIES = ("plain", "weighted", "most")
"""Sum of e or E2, sum of e * x_hat, greatest key of dx: the number of each is its place."""


class LaneSums(wiring.Component):
    """Exact for up to 2 ** 16 terms: ``plain`` of 32 bits, ``weighted`` of 40, ``most`` of 35.

    Members
    -------
    i_plain : In(signed(16)), i_weighted : In(signed(24)), i_most : In(35), unsigned
    clear_{quantity} : In(1)
        Both halves become 0.
    half_{quantity}, take_{quantity} : In(1)
        ``i_{quantity}`` is added to that half, or compared with it.
    shown_{quantity} : In(1), 1 with ``take_{quantity}``
        Without it the half counts as 0.
    o : Out(signed(40)), more : Out(1)
        What the half selected by ``half_{quantity}`` has, of the one quantity that is shown, or 0 without
        one; 1 cycle later. It is ``o`` + ``more``: of ``most``, a key of `ErrorQuantizer`, the magnitude.

    Timing: a term each cycle. Not reset.
    Cost: 255 flip-flops; adders of 32 and 40, a comparator of 35 bits.
    """

    def __init__(self):
        members = {
            "i_plain": In(signed(ERROR_BITS)), "i_weighted": In(signed(8 + NORMAL_BITS)),
            "i_most": In(2 * FACTOR_BITS - 1), "o": Out(signed(SUM_BITS)), "more": Out(1)}
        for name in QUANTITIES:
            members |= {f"{what}_{name}": In(1) for what in ("clear", "half", "take", "shown")}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        plain = self._halves(m, "plain", signed(ERROR_BITS + 16), lambda kept: kept + self.i_plain)
        weighted = self._halves(m, "weighted", signed(SUM_BITS), lambda kept: kept + self.i_weighted)
        most = self._halves(m, "most", unsigned(2 * FACTOR_BITS - 1), lambda kept: self.i_most,
                            lambda kept: kept < self.i_most)
        m.d.comb += [self.o.eq(delay(m, plain | weighted | most[1:], 1, name="o_")),
                     self.more.eq(delay(m, most[0], 1, name="more_"))]
        return m

    def _halves(self, m, name, shape, follower, changes=lambda kept: 1):
        """Registers of both halves; the selected one takes ``follower`` of what it has, if it ``changes``."""
        clear, half, take, shown = (getattr(self, f"{what}_{name}")
                                    for what in ("clear", "half", "take", "shown"))
        kept = [Signal(shape, name=f"{name}{n}", reset_less=True) for n in range(2)]
        selected = Signal(shape, name=f"{name}_selected")
        m.d.comb += selected.eq(Mux(half, kept[1], kept[0]) & shown.replicate(len(selected)))
        for n, register in enumerate(kept):
            with m.If(clear):
                m.d.sync += register.eq(0)
            with m.Elif(take & (half == n) & changes(selected)):
                m.d.sync += register.eq(follower(selected))
        return selected
