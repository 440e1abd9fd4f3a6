"""The multiply-accumulate lanes of all rows."""

from amaranth import Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay
from .lane import ComplexLane, RealLane, factors

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
        Weights of each row, of the same cycle, registered.
    valid, last : In(1), of the same cycle
        There is a column; it is the pass's last.
    o : Out(snapshots(config))
        Sums of the pass's first row, ``latency`` cycles after its last column.
    advance : In(1)
        In the next cycle ``o`` is that of the next row, unless it is that of another pass.

    Timing: ``latency`` = 3 cycles, one column a cycle: sums, products, accumulators.
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
        valid = delay(m, self.valid, 2, reset_less=False, name="valid")
        last = delay(m, self.last, 2, name="last")
        x = [Signal(self.x.shape().elem_shape, reset_less=True, name="x0")]
        m.d.sync += x[0].eq(self.x[0])
        for slot in range(1, config.slots):
            a, b = self.x[slot]
            x.append(Signal(factors(config.spectrum_width), reset_less=True, name=f"x{slot}"))
            m.d.sync += [x[slot].a.eq(a), x[slot].difference.eq(b - a), x[slot].sum.eq(a + b)]
        sums = Const({}, snapshots(config))
        for row in reversed(range(config.rows)):
            behind, sums = sums, Signal(snapshots(config), name=f"sums{row}")
            for slot in range(config.slots):
                m.submodules[f"lane{row}_{slot}"] = lane = (ComplexLane if slot else RealLane)(*widths)
                i, o = (values.complex[slot - 1] if slot else values.real for values in (behind, sums))
                m.d.comb += [
                    lane.x.eq(x[slot]), lane.w.eq(self.w[row][slot]), lane.valid.eq(valid),
                    lane.last.eq(last), lane.advance.eq(self.advance), lane.i.eq(i), o.eq(lane.o)]
        m.d.comb += self.o.eq(sums)
        return m
