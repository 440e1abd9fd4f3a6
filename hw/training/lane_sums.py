"""Sums and the greatest error of a lane, of each half."""

from amaranth import Array, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import FACTOR_BITS
from shiftwork.golden.training.engine_config import ERROR_BITS, SUM_BITS

from .error_line import NORMAL_BITS

__all__ = ["QUANTITIES", "LaneSums"]

QUANTITIES = ("plain", "weighted", "most")
"""Sum of e or E2, sum of e * x_hat, greatest abs(dx): the number of each is its place."""


class LaneSums(wiring.Component):
    """Exact for up to 2 ** 16 terms: ``plain`` of 32 bits, ``weighted`` of 40, ``most`` of 36.

    Members
    -------
    i_plain : In(signed(16)), i_weighted : In(signed(24)), i_most : In(36), unsigned
    clear_{quantity} : In(1)
        Both halves become 0.
    half_{quantity}, take_{quantity} : In(1)
        ``i_{quantity}`` is added to that half, or compared with it.
    quantity : In(2), o : Out(signed(40))
        What the half selected by ``half_{quantity}`` has, 1 cycle later.

    Timing: a term each cycle. Not reset.
    Cost: 216 flip-flops; adders of 32 and 40, a comparator of 36 bits.
    """

    def __init__(self):
        members = {
            "i_plain": In(signed(ERROR_BITS)), "i_weighted": In(signed(8 + NORMAL_BITS)),
            "i_most": In(2 * FACTOR_BITS), "quantity": In(range(len(QUANTITIES))), "o": Out(signed(SUM_BITS))}
        for name in QUANTITIES:
            members |= {f"clear_{name}": In(1), f"half_{name}": In(1), f"take_{name}": In(1)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        plain = self._halves(m, "plain", signed(ERROR_BITS + 16), lambda kept: kept + self.i_plain)
        weighted = self._halves(m, "weighted", signed(SUM_BITS), lambda kept: kept + self.i_weighted)
        most = self._halves(m, "most", unsigned(2 * FACTOR_BITS),
                            lambda kept: Mux(self.i_most > kept, self.i_most, kept))
        m.d.sync += self.o.eq(Array([plain, weighted, most])[self.quantity])
        return m

    def _halves(self, m, name, shape, follower):
        """Registers of both halves, of which the selected one takes ``follower`` of what it has."""
        clear, half, take = (getattr(self, f"{what}_{name}") for what in ("clear", "half", "take"))
        kept = [Signal(shape, name=f"{name}{n}", reset_less=True) for n in range(2)]
        selected = Signal(shape, name=f"{name}_selected")
        m.d.comb += selected.eq(Mux(half, kept[1], kept[0]))
        for n, register in enumerate(kept):
            with m.If(clear):
                m.d.sync += register.eq(0)
            with m.Elif(take & (half == n)):
                m.d.sync += register.eq(follower(selected))
        return selected
