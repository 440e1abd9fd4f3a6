"""The multiply-accumulate lanes of all rows."""

from amaranth import Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay
from .lane import ComplexLane, RealLane, factors
from .weight_memory import skews

__all__ = ["MacArray", "snapshots"]


def snapshots(config):
    """What the lanes of a row yield: of slot 0 two sums, of every other one three (`ComplexLane`)."""
    three = data.ArrayLayout(signed(config.acc_width), 3)
    return data.StructLayout({
        "real": data.ArrayLayout(signed(config.acc_width), 2),
        "complex": data.ArrayLayout(three, config.slots - 1)})


class MacArray(wiring.Component):
    """Products of a column's block with a weight of each row, slot by slot, summed up over columns.

        first += X[0].0 c, second += X[0].1 d;  re[s] += X[s].0 c - X[s].1 d, im[s] += X[s].0 d + X[s].1 c

    Parameters
    ----------
    config : CirculantConfig

    Members
    -------
    x : In(ArrayLayout(ArrayLayout(signed(spectrum_width), 2), h))
        Slots of a column, registered.
    w : In(ArrayLayout(ArrayLayout(ArrayLayout(signed(weight_width), 2), h), R))
        Weights of each row, registered, of the same cycle or, of row r, `skews`[r] cycles later.
    valid, last : In(1), of the same cycle
        There is a column; it is the pass's last.
    o : Out(snapshots(config))
        Sums of the pass's first row, ``latency`` cycles after its last column.
    advance : In(1)
        In the next cycle ``o`` is that of the next row, unless it is that of another pass.

    Timing: ``latency`` = 3 cycles, one column a cycle: sums, products, accumulators. Rows behind the first
    are late by their skew, which `advance` finds them to be ready for: it comes h cycles after a pass's
    first row at the earliest.
    Cost: R (3 h - 1) multipliers, and as many times ``acc_width`` accumulators, snapshots and LUTs.
    """

    latency = 3

    def __init__(self, config):
        self._config = config
        x, w = (data.ArrayLayout(data.ArrayLayout(signed(width), 2), config.slots)
                for width in (config.spectrum_width, config.weight_width))
        super().__init__({
            "x": In(x), "w": In(data.ArrayLayout(w, config.rows)), "valid": In(1), "last": In(1),
            "advance": In(1), "o": Out(snapshots(config))})

    def elaborate(self, platform):
        m = Module()
        config = self._config
        widths = config.spectrum_width, config.weight_width, config.acc_width
        columns = [self._factors(m)]
        for skew in range(1, max(skews(config.rows, config.slots)) + 1):
            columns.append(self._late(m, *columns[-1], name=f"column{skew}_"))
        sums = Const({}, snapshots(config))
        for row, skew in reversed(list(enumerate(skews(config.rows, config.slots)))):
            valid, ends, *x = columns[skew]
            behind, sums = sums, Signal(snapshots(config), name=f"sums{row}")
            for slot in range(config.slots):
                m.submodules[f"lane{row}_{slot}"] = lane = (ComplexLane if slot else RealLane)(*widths)
                i, o = (values.complex[slot - 1] if slot else values.real for values in (behind, sums))
                m.d.comb += [
                    lane.x.eq(x[slot]), lane.w.eq(self.w[row][slot]), lane.valid.eq(valid),
                    lane.ends.eq(ends), lane.advance.eq(self.advance), lane.i.eq(i), o.eq(lane.o)]
        m.d.comb += self.o.eq(sums)
        return m

    def _factors(self, m):
        """valid and ends as lanes want them, and the slots' factors."""
        config = self._config
        x = [Signal(self.x.shape().elem_shape, reset_less=True, name="x0")]
        m.d.sync += x[0].eq(self.x[0])
        for slot in range(1, config.slots):
            a, b = self.x[slot]
            x.append(Signal(factors(config.spectrum_width), reset_less=True, name=f"x{slot}"))
            m.d.sync += [x[slot].a.eq(a), x[slot].difference.eq(b - a), x[slot].sum.eq(a + b)]
        valid, ends = (delay(m, value, 1, reset_less=False, name=name) for value, name in (
            (self.valid, "valid"), (self.valid & self.last, "ends")))
        return [*self._late(m, valid, ends, name="late"), *x]

    @staticmethod
    def _late(m, valid, ends, *x, name):
        """The same a cycle later. A reset sets ``ends``, so that accumulators need none of their own."""
        return [delay(m, valid, 1, reset_less=False, name=f"{name}valid"),
                delay(m, ends, 1, init=1, reset_less=False, name=f"{name}ends"),
                *(delay(m, value, 1, name=f"{name}{n}_") for n, value in enumerate(x))]
