"""The column array: accumulators that double themselves, add and subtract together."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay
from ..common.row_memory import RowMemory

__all__ = ["ShiftAddColumn"]


class ShiftAddColumn(wiring.Component):
    """``lanes`` accumulators of dot products with signed powers of two, one term a cycle each.

        acc[l] = (acc[l] << shift) + (-x if negative else x)    with x = rows[row][l]

    modulo 2 ** ``acc_width``. After a term with ``last`` the sum stands in lane l's snapshot, complemented
    where that term was ``negative``, and the accumulator starts again from 0, so dot products follow one
    another without a gap.

    Subtracting takes no gate on the way of x: acc - x = ~(~acc + x). So an accumulator stands there
    complemented after a term that was subtracted, and one gate a bit, which doubles, complements it again
    where the next term asks for that.

    Parameters
    ----------
    config : SmartExchangeConfig

    Members
    -------
    valid, row, negative, shift, last, signed : In, a term; activations are two's complement
    write_row, write_data, write_groups : In, of `RowMemory`
    select : In(K), one-hot: E lanes to read
    result : Out(ArrayLayout(signed(acc_width), E)), their snapshots, one cycle after ``select``

    Timing: a snapshot is readable (by ``select``) ``latency`` cycles after its last term's issue, and until
    the next last term's sum takes its place. Reset forgets unfinished sums.

    Cost: ``acc_width`` bits of carry chain and as many LUTs a lane; ``acc_width * combine_width``
    multiplexers of K inputs; block RAM; no multiplier.
    """

    latency = 4

    def __init__(self, config):
        self._config = config
        super().__init__({
            "valid": In(1), "row": In(range(config.row_depth)), "negative": In(1), "shift": In(1),
            "last": In(1), "signed": In(1),
            "write_row": In(range(config.row_depth)),
            "write_data": In(config.activation_width * config.scatter_width),
            "write_groups": In(config.groups), "select": In(config.combine_cycles),
            "result": Out(data.ArrayLayout(signed(config.acc_width), config.combine_width)),
        })

    def elaborate(self, platform):
        m = Module()
        config, width = self._config, self._config.activation_width
        m.submodules.rows = rows = RowMemory(
            config.lanes, width, config.row_depth, config.scatter_width)
        valid, negative, shift = (delay(m, value, 2) for value in (self.valid, self.negative, self.shift))
        # The mark of the last term knows the module's reset, which sets it: accumulators then stay cleared
        # until all older terms are gone.
        last = delay(m, self.valid & self.last, 2, init=1, reset_less=False)
        m.d.comb += [
            rows.row.eq(self.row), rows.clear.eq(~valid), rows.signed.eq(delay(m, self.signed, 2)),
            rows.write_row.eq(self.write_row), rows.write_data.eq(self.write_data),
            rows.write_groups.eq(self.write_groups),
        ]
        complemented, turn, double, fill, ends = (
            Signal(name=name, reset_less=True) for name in ("complemented", "turn", "double", "fill", "ends"))
        m.d.sync += [
            turn.eq(valid & (complemented ^ negative)), double.eq(valid & shift), fill.eq(negative),
            ends.eq(last),
        ]
        with m.If(last):
            m.d.sync += complemented.eq(0)
        with m.Elif(valid):
            m.d.sync += complemented.eq(negative)

        snapshots = []
        for n in range(config.lanes):
            acc = Signal(config.acc_width, reset_less=True, name=f"acc_{n}")
            total = Signal(config.acc_width, name=f"total_{n}")
            snapshot = Signal(config.acc_width, reset_less=True, name=f"snapshot_{n}")
            x = Cat(rows.x.word_select(n, width), rows.sign[n]).as_signed()
            turned = acc ^ turn.replicate(config.acc_width)
            m.d.comb += total.eq(Mux(double, Cat(fill, turned), turned)[:config.acc_width] + x)
            m.d.sync += acc.eq(total)
            with m.If(ends):
                m.d.sync += [acc.eq(0), snapshot.eq(total)]
            snapshots.append(snapshot)

        result = Signal.like(self.result, reset_less=True)
        m.d.comb += self.result.eq(result)
        for e in range(config.combine_width):
            m.d.sync += result[e].eq(reduce(or_, (
                snapshot & hot.replicate(config.acc_width)
                for snapshot, hot in zip(snapshots[e::config.combine_width], self.select, strict=True))))
        return m
