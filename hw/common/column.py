"""The column array: accumulators that add, subtract or skip together, without a multiplier."""

from amaranth.hdl import Array, Cat, Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .delay import delay
from .row_memory import RowMemory

__all__ = ["ColumnArray"]


class ColumnArray(wiring.Component):
    """``lanes`` accumulators of ternary dot products, one term a cycle each.

        convolution:  acc[l] += x if not subtract else -x          with x = rows[row][l]
        transposed:   acc[l] += x * nonzero[l] * (-1)**negative[l]  with x = dense_value

    where the term is 0 if ``null`` is set. After a term with ``last`` the sum stands in lane l's snapshot and
    the accumulator starts again from 0, so dot products follow one another without a gap.

    Numbers: activations have A = ``activation_width`` bits, two's complement where ``signed`` is set; sums
    wrap at ``acc_width`` bits (whoever orders the terms proves that they cannot).

    Parameters
    ----------
    lanes : int
        Accumulators.
    acc_width : int
        Bits of an accumulator.
    row_depth : int
        Rows of the row memory, one activation for each lane.
    drain_width : int
        Snapshots read in one cycle; divides ``lanes``.
    scatter_width : int
        Lanes of a group, which is written alone; divides ``lanes``.
    activation_width : int
        Bits of an activation.
    registered : bool
        `RowMemory`'s.
    convolution, transposed : bool
        Modes that exist. Without ``convolution`` there is no row memory, without ``transposed`` the members
        ``dense*`` are ignored.

    Raises ValueError if a width does not divide ``lanes`` or if there is no mode.

    Members
    -------
    valid : In(1), in cycle 0 like all members up to ``dense``
        A term is issued.
    ready : Out(1)
        A term may be issued: always.
    row : In(range(row_depth))
        Row of the activations.
    subtract : In(1)
        All lanes subtract. Ignored in transposed mode.
    null : In(1)
        The term is 0 (a dot product without terms is issued as one null with ``last``).
    last : In(1)
        The term is the dot product's last one.
    signed : In(1)
        Activations are two's complement.
    dense : In(1)
        The term is of the transposed mode.
    dense_nonzero, dense_negative : In(lanes), in cycle 2
        The lanes' weights; the sign counts only where the weight is not zero.
    dense_value : In(A), in cycle 3
        The activation.
    write_row : In(range(row_depth))
    write_data : In(A * scatter_width)
    write_groups : In(lanes / scatter_width)
        Writes ``write_data`` to the row in each group whose bit is set. A term issued in the same cycle or
        later reads what was written; one issued the cycle before must not be of the same row.
    select : In(range(lanes / drain_width))
        Lanes to read.
    result : Out(ArrayLayout(signed(acc_width), drain_width))
        The snapshots of lanes ``select * drain_width + d`` one cycle after ``select``.
    done : Out(1)
        A snapshot can be selected from two cycles later on.

    Timing: a snapshot is readable (by ``select``) ``latency`` cycles after its last term's issue, and until
    the next last term's sum takes its place. Reset forgets unfinished sums.

    Cost: ``acc_width`` bits of carry chain and 10 LUTs a lane, ``acc_width * drain_width`` multiplexers of
    ``lanes / drain_width`` inputs (together 41 cells a lane on the ECP5, 64 lanes of 20 bits, 4 a cycle),
    ``row_depth * lanes * A`` bits of block RAM; no multiplier.
    """

    latency = 5

    def __init__(self, lanes, acc_width, row_depth, drain_width, scatter_width,
                 convolution=True, transposed=True, activation_width=8, registered=True):
        for name, width in (("drain_width", drain_width), ("scatter_width", scatter_width)):
            if lanes % width:
                raise ValueError(f"{name} must divide the {lanes} lanes, not {width}")
        if not (convolution or transposed):
            raise ValueError("convolution or transposed must be True, not both False")
        self.lanes = lanes
        self.acc_width = acc_width
        self.row_depth = row_depth
        self.drain_width = drain_width
        self.scatter_width = scatter_width
        self.activation_width = activation_width
        self.convolution = convolution
        self.transposed = transposed
        self.registered = registered
        super().__init__({
            "valid": In(1),
            "ready": Out(1),
            "row": In(range(row_depth)),
            "subtract": In(1),
            "null": In(1),
            "last": In(1),
            "signed": In(1),
            "dense": In(1),
            "dense_nonzero": In(lanes),
            "dense_negative": In(lanes),
            "dense_value": In(activation_width),
            "write_row": In(range(row_depth)),
            "write_data": In(activation_width * scatter_width),
            "write_groups": In(lanes // scatter_width),
            "select": In(range(lanes // drain_width)),
            "result": Out(data.ArrayLayout(signed(acc_width), drain_width)),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        width = self.activation_width

        # A lane needs neither multiplexer nor enable: registers of what is not to be added are reset to zero,
        # and subtracting zero adds ~0 + 1. So only the mark of the last term knows the module's reset, which
        # sets it: accumulators then stay cleared until all older terms are gone.
        idle = ~self.valid | self.null
        last = delay(m, self.valid & self.last, 4, init=1, reset_less=False)
        is_signed = delay(m, self.signed, 2)
        m.d.comb += [
            self.ready.eq(1),
            self.done.eq(delay(m, self.valid & self.last, self.latency - 2, reset_less=False)),
        ]
        dense = delay(m, self.dense, 2) if self.transposed else Const(0)

        if self.convolution:
            m.submodules.rows = rows = RowMemory(
                self.lanes, width, self.row_depth, self.scatter_width, self.registered)
            m.d.comb += [
                rows.row.eq(self.row), rows.clear.eq(delay(m, idle | (self.dense & self.transposed), 2)),
                rows.signed.eq(is_signed), rows.write_row.eq(self.write_row),
                rows.write_data.eq(self.write_data), rows.write_groups.eq(self.write_groups)]
            x, x_sign = rows.x, rows.sign
        else:
            x, x_sign = Const(0, width * self.lanes), Const(0, self.lanes)

        value = Const(0, width + 1)
        nonzero = Signal(self.lanes, reset_less=True)
        subtract = Signal(self.lanes, reset_less=True)
        carry = Signal(self.lanes, reset_less=True)
        m.d.sync += [
            subtract.eq(delay(m, self.valid & self.subtract, 2).replicate(self.lanes)),
            carry.eq(subtract),
        ]
        if self.transposed:
            value = Cat(self.dense_value, self.dense_value[-1] & delay(m, is_signed, 1))
            m.d.sync += nonzero.eq(self.dense_nonzero)
            with m.If(delay(m, idle | ~self.dense, 2)):
                m.d.sync += nonzero.eq(0)
            with m.If(dense):
                m.d.sync += subtract.eq(self.dense_negative)

        snapshots = []
        for n in range(self.lanes):
            term = Signal(signed(width + 1), reset_less=True, name=f"term_{n}")
            acc = Signal(signed(self.acc_width), reset_less=True, name=f"acc_{n}")
            total = Signal(signed(self.acc_width), name=f"total_{n}")
            snapshot = Signal(signed(self.acc_width), reset_less=True, name=f"snapshot_{n}")
            x_n = Cat(x.word_select(n, width), x_sign[n])
            value_n = value & nonzero[n].replicate(width + 1)
            m.d.sync += term.eq((x_n | value_n) ^ subtract[n].replicate(width + 1))
            m.d.comb += total.eq(acc + term + carry[n])
            m.d.sync += acc.eq(total)
            with m.If(last):
                m.d.sync += [acc.eq(0), snapshot.eq(total)]
            snapshots.append(snapshot)

        result = Signal.like(self.result, reset_less=True)
        m.d.comb += self.result.eq(result)
        for d in range(self.drain_width):
            m.d.sync += result[d].eq(Array(snapshots[d::self.drain_width])[self.select])

        return m
