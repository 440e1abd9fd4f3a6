"""From the lanes' snapshots to the inverse transform."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.circulant.transform_config import schedule

from ..common.delay import delay
from .mac_array import snapshots
from .swap import lines

__all__ = ["Drain"]


class Drain(wiring.Component):
    """Rows of a pass one behind the other, h cycles each, two numbers of the spectrum a cycle.

        o = round_shift(S) modulo 2 ** sum_width,   S the slots of the row in the inverse transform's order

    Parameters
    ----------
    config : CirculantConfig

    Members
    -------
    load : In(1)
        A pass's first row is there from the next cycle on. Not while rows of the one before are left.
    rows : In(range(R + 1)), at least 1; shift : In(5)
        With ``load``: rows of the pass, and by how much sums are shifted.
    i : In(snapshots(config)), advance : Out(1)
        The row; strobe: the next one, in the next cycle.
    o : Out(lines(sum_width))
    first : Out(1)
        With a row's first pair.

    Timing: the first row's first pair is read in the cycle after ``load`` and comes ``latency`` = 4 cycles
    later: a slot, its combination, the shift, rounding. Reset forgets rows.
    """

    latency = 4

    def __init__(self, config):
        self._config, self._order = config, schedule(config.block)[-1].results[..., 1:]
        super().__init__({
            "load": In(1), "rows": In(range(config.rows + 1)), "shift": In(5),
            "i": In(snapshots(config)), "advance": Out(1),
            "o": Out(lines(config.sum_width)), "first": Out(1)})

    def elaborate(self, platform):
        m = Module()
        config = self._config
        pair, left = Signal(range(config.slots)), Signal(range(config.rows + 1))
        shift = Signal(5, reset_less=True)
        m.d.comb += self.advance.eq(pair == config.slots - 1)
        with m.If(left.any()):
            m.d.sync += [pair.eq(pair + 1), left.eq(left - self.advance)]
        with m.If(self.load):
            m.d.sync += [left.eq(self.rows), shift.eq(self.shift)]
        m.d.comb += self.first.eq(
            delay(m, left.any() & ~pair.any(), self.latency, reset_less=False, name="first"))
        shift = delay(m, shift, 2, name="shift")
        for line in range(2):
            # Shifted one bit less, so that the last bit is the one to round by.
            value = self._shifted(self._combined(m, line, pair) << 1, shift)
            value = delay(m, value, 1, name=f"shifted{line}_")
            rounded = ((value + 1) >> 1)[:config.sum_width].as_signed()
            m.d.comb += self.o[line].eq(delay(m, rounded, 1, name=f"rounded{line}_"))
        return m

    def _combined(self, m, line, pair):
        """A line's number, left + right or left - right, two cycles after ``pair``."""
        slots = [tuple(slot) for slot in self._order[:, line].tolist()]
        left = _chosen(pair, [(slot, 0 if slot else part) for slot, part in slots], self._left)
        right = _chosen(pair, [(slot, part) if slot else None for slot, part in slots], self._right)
        # The carry that makes a difference comes in by a bit of its own below.
        carry = _chosen(pair, [bool(slot) and not part for slot, part in slots], lambda bit: Const(bit, 1))
        left, right, carry = (delay(m, value, 1, name=f"{name}{line}_") for value, name in (
            (left, "left"), (right, "right"), (carry, "carry")))
        total = Cat(1, left) + Cat(carry, right)
        return delay(m, total[1:len(left) + 1].as_signed(), 1, name=f"combined{line}_")

    def _left(self, key):
        slot, part = key
        return self.i.complex[slot - 1][0] if slot else self.i.real[part]

    def _right(self, key):
        """k2 for a slot's imaginary part, for its real one -k3 - 1; slot 0 has none."""
        if key is None:
            return Const(0, self._config.acc_width)
        _, k2, k3 = self.i.complex[key[0] - 1]
        return k2.as_unsigned() if key[1] else ~k3.as_unsigned()

    def _shifted(self, value, shift):
        """``value`` >> ``shift``, of it the sum_width + 1 lowest bits."""
        for bit in reversed(range(len(shift))):
            kept = self._config.sum_width + (1 << bit)
            value = Mux(shift[bit], value >> (1 << bit), value)[:kept].as_signed()
        return value


def _chosen(index, keys, of):
    """``of``(``keys``[index]), of a power of two of keys; those that are equal take no multiplexer."""
    if len(set(keys)) == 1:
        return of(keys[0])
    even, odd = (_chosen(index[1:], keys[n::2], of) for n in range(2))
    return Mux(index[0], odd, even)
