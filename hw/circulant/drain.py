"""From the lanes' snapshots to the inverse transform."""

from functools import partial

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
    i : In(snapshots(config))
    load : In(1)
        Snapshots are new from the next cycle on. Not while rows of the ones before are left.
    rows : In(range(R + 1)), at least 1; shift : In(5)
        With ``load``: rows of the pass, and by how much sums are shifted.
    o : Out(lines(sum_width))
    first : Out(1)
        With a row's first pair.

    Timing: the first row's first pair is read in the cycle after ``load`` and comes ``latency`` = 4 cycles
    later: a slot of each row, a row, the combination, rounding. Reset forgets rows.
    """

    latency = 4

    def __init__(self, config):
        self._config, self._order = config, schedule(config.block)[-1].results[..., 1:]
        super().__init__({
            "i": In(snapshots(config)), "load": In(1), "rows": In(range(config.rows + 1)), "shift": In(5),
            "o": Out(lines(config.sum_width)), "first": Out(1)})

    def elaborate(self, platform):
        m = Module()
        config = self._config
        pair, row = Signal(range(config.slots)), Signal(range(config.rows))
        left, shift = Signal(range(config.rows + 1)), Signal(5, reset_less=True)
        with m.If(left.any()):
            m.d.sync += pair.eq(pair + 1)
            with m.If(pair == config.slots - 1):
                m.d.sync += [left.eq(left - 1), row.eq(row + 1)]
        with m.If(self.load):
            m.d.sync += [left.eq(self.rows), row.eq(0), shift.eq(self.shift)]
        m.d.comb += self.first.eq(
            delay(m, left.any() & ~pair.any(), self.latency, reset_less=False, name="first"))
        shift = delay(m, shift, 3, name="shift")
        for line in range(2):
            value = self._combined(m, line, pair, row)
            # Shifted one bit less, so that the last bit is the one to round by.
            fraction = self._shifted(value << 1, shift)
            m.d.comb += self.o[line].eq(delay(
                m, ((fraction + 1) >> 1)[:config.sum_width].as_signed(), 1, name=f"rounded{line}"))
        return m

    def _combined(self, m, line, pair, row):
        """A line's number, left + right or left - right, three cycles after ``pair`` and ``row``."""
        slots = [tuple(slot) for slot in self._order[:, line].tolist()]
        subtract = _chosen(pair, [bool(slot) and not part for slot, part in slots], lambda bit: Const(bit, 1))
        row, subtract = delay(m, row, 1, name=f"row{line}_"), delay(m, subtract, 1, name=f"subtract{line}_")

        def operand(number, keys, name):
            found = [delay(m, _chosen(pair, keys, partial(number, values)), 1, name=f"{name}{line}_{n}_")
                     for n, values in enumerate(self.i)]
            rows = [min(n, len(found) - 1) for n in range(1 << len(row))]
            return _chosen(row, rows, found.__getitem__)

        left = operand(_left, [(slot, 0 if slot else part) for slot, part in slots], "left")
        right = operand(_right, [(slot, part) if slot else None for slot, part in slots], "right")
        left = delay(m, left, 1, name=f"left{line}_")
        # The carry that makes a difference comes in by a bit of its own below.
        right = delay(m, right ^ subtract.replicate(len(right)), 1, name=f"right{line}_")
        total = Cat(1, left) + Cat(delay(m, subtract, 1, name=f"carry{line}_"), right)
        return delay(m, total[1:len(left) + 1].as_signed(), 1, name=f"combined{line}_")

    def _shifted(self, value, shift):
        """``value`` >> ``shift``, of it the sum_width + 1 lowest bits."""
        for bit in reversed(range(len(shift))):
            kept = self._config.sum_width + (1 << bit)
            value = Mux(shift[bit], value >> (1 << bit), value)[:kept].as_signed()
        return value


def _left(row, key):
    slot, part = key
    return row.complex[slot - 1][0] if slot else row.real[part]


def _right(row, key):
    """k3 of a slot's real part, k2 of its imaginary one; slot 0 has none."""
    return Const(0, row.real[0].shape()) if key is None else row.complex[key[0] - 1][1 if key[1] else 2]


def _chosen(index, keys, of):
    """``of``(``keys``[index]), of a power of two of keys; those that are equal take no multiplexer."""
    if len(set(keys)) == 1:
        return of(keys[0])
    even, odd = (_chosen(index[1:], keys[n::2], of) for n in range(2))
    return Mux(index[0], odd, even)
