"""The column array: accumulators that double themselves, add and subtract together."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..common.delay import delay
from ..common.row_memory import RowMemory

__all__ = ["ShiftAddColumn"]

TERM = ("valid", "row", "negative", "shift", "last", "signed")
"""Members that a term comes with."""


def _term_members(config):
    return {name: In(range(config.row_depth)) if name == "row" else In(1) for name in TERM}


class ShiftAddLanes(wiring.Component):
    """One group of `ShiftAddColumn`: ``scatter_width`` lanes.

    Members
    -------
    valid, row, negative, shift, last, signed : In, a term
    write_row, write_data : In, write : In(1), of `RowMemory`
    snapshots : Out, those of all lanes, ``ShiftAddColumn.latency`` cycles after the term

    A cycle without a term adds 0; or nothing, where there are several arrays (`RowMemory` without registers):
    accumulators have an enable, and x comes from block RAM as it is.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            **_term_members(config), "write_row": In(range(config.row_depth)),
            "write_data": In(config.activation_width * config.scatter_width), "write": In(1),
            "snapshots": Out(data.ArrayLayout(config.acc_width, config.scatter_width)),
        })

    def elaborate(self, platform):
        m = Module()
        config, width, lanes = self._config, self._config.activation_width, self._config.scatter_width
        lean = config.arrays > 1
        m.submodules.rows = rows = RowMemory(lanes, width, config.row_depth, lanes, registered=not lean)
        valid, negative, shift = (delay(m, value, 2) for value in (self.valid, self.negative, self.shift))
        # The mark of the last term knows the module's reset, which sets it: accumulators then stay cleared
        # until all older terms are gone.
        last = delay(m, self.valid & self.last, 2, init=1, reset_less=False)
        m.d.comb += [
            rows.row.eq(self.row), rows.clear.eq(0 if lean else ~valid),
            rows.signed.eq(delay(m, self.signed, 2)), rows.write_row.eq(self.write_row),
            rows.write_data.eq(self.write_data), rows.write_groups.eq(self.write),
        ]
        complemented, turn, double, fill, ends = (
            Signal(name=name, reset_less=True) for name in ("complemented", "turn", "double", "fill", "ends"))
        m.d.sync += [
            turn.eq(valid & (complemented ^ negative)), double.eq(valid & shift), fill.eq(negative),
            ends.eq(last),
        ]
        adds = delay(m, valid, 1, name="adds") if lean else 1
        with m.If(last):
            m.d.sync += complemented.eq(0)
        with m.Elif(valid):
            m.d.sync += complemented.eq(negative)

        for n in range(lanes):
            acc = Signal(config.acc_width, reset_less=True, name=f"acc_{n}")
            total = Signal(config.acc_width, name=f"total_{n}")
            snapshot = Signal(config.acc_width, reset_less=True, name=f"snapshot_{n}")
            x = Cat(rows.x.word_select(n, width), rows.sign[n]).as_signed()
            turned = acc ^ turn.replicate(config.acc_width)
            m.d.comb += [
                total.eq(Mux(double, Cat(fill, turned), turned)[:config.acc_width] + x),
                self.snapshots[n].eq(snapshot),
            ]
            with m.If(adds):
                m.d.sync += acc.eq(total)
            with m.If(ends):
                m.d.sync += [acc.eq(0), snapshot.eq(total)]
        return m


class ShiftAddColumn(wiring.Component):
    """``lanes`` accumulators of dot products with signed powers of two, one term a cycle each.

        acc[l] = (acc[l] << shift) + (-x if negative else x)    with x = rows[row][l]

    modulo 2 ** ``acc_width``. After a term with ``last`` the sum stands in lane l's snapshot, complemented
    where that term was ``negative``, and the accumulator starts again from 0, so dot products follow one
    another without a gap.

    Subtracting takes no gate on the way of x: acc - x = ~(~acc + x). So an accumulator stands there
    complemented after a term that was subtracted, and one gate a bit, which doubles, complements it again
    where the next term asks for that.

    Groups of ``scatter_width`` lanes work one after the other: each has its term, in registers of its own,
    when its first vector of E lanes has its turn to be read. So what all lanes are told has a cycle's time
    from group to group, and no group's way is long.

    Parameters
    ----------
    config : SmartExchangeConfig

    Members
    -------
    valid, row, negative, shift, last, signed : In, a term; activations are two's complement
    write_row, write_data, write_groups : In, of `RowMemory`: what is written must not be read by a term of
        the K cycles before
    select : In(K), one-hot: E lanes to read
    result : Out(ArrayLayout(signed(acc_width), E)), their snapshots, one cycle after ``select``

    Timing: vector v of K is readable (by ``select``) from ``latency`` + v cycles after its last term's issue
    on, and all K are until ``latency`` cycles after the next last term's issue: whoever reads them one a
    cycle, in turn and as often as there is time, may begin at once. Reset forgets unfinished sums.

    Cost: ``acc_width`` bits of carry chain and as many LUTs a lane; ``acc_width * combine_width``
    multiplexers of K inputs; block RAM; no multiplier.
    """

    latency = 4

    def __init__(self, config):
        self._config = config
        super().__init__({
            **_term_members(config), "write_row": In(range(config.row_depth)),
            "write_data": In(config.activation_width * config.scatter_width),
            "write_groups": In(config.groups), "select": In(config.combine_cycles),
            "result": Out(data.ArrayLayout(signed(config.acc_width), config.combine_width)),
        })

    def elaborate(self, platform):
        m = Module()
        config, size = self._config, self._config.combine_width
        term, late, snapshots = {name: getattr(self, name) for name in TERM}, 0, []
        for n in range(config.groups):
            turn = n * config.scatter_width // size
            term = {name: delay(m, value, turn - late, reset_less=name != "valid")
                    for name, value in term.items()}
            late = turn
            m.submodules[f"lanes{n}"] = lanes = ShiftAddLanes(config)
            m.d.comb += [getattr(lanes, name).eq(value) for name, value in term.items()]
            m.d.comb += [
                lanes.write_row.eq(self.write_row), lanes.write_data.eq(self.write_data),
                lanes.write.eq(self.write_groups[n]),
            ]
            snapshots += [lanes.snapshots[k] for k in range(config.scatter_width)]

        result = Signal.like(self.result, reset_less=True)
        m.d.comb += self.result.eq(result)
        for e in range(size):
            m.d.sync += result[e].eq(reduce(or_, (
                snapshot & hot.replicate(config.acc_width)
                for snapshot, hot in zip(snapshots[e::size], self.select, strict=True))))
        return m
