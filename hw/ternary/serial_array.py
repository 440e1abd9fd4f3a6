"""The bit-serial column array: one full adder a column, activations stored vertically."""

from amaranth import Cat, Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .layouts import Widths
from .serial_adder import ColumnAdders
from .serial_control import SerialControl
from .serial_rows import AccumulatorRows, ResultRows

__all__ = ["SerialColumnArray"]


class SerialColumnArray(wiring.Component):
    """`ColumnArray`'s dot products, one bit a cycle in each column, as docs/engines/ternary-serial.md says.

        s = a ^ b ^ c        c' = a & b | (a | b) & c        of bits i = 0, 1, .. of the words a and b

    Sums of the terms with +1 and of those with -1 stand in P and N; a dot product ends with P - N in S. The
    carry stays in a latch, or (``carry_write_back``) in one of two rows of a memory, of which each bit reads
    one and writes the other.

    Numbers: activations have ``bits`` bits, two's complement where ``signed`` is set. Sums must fit
    ``acc_width`` bits; whoever orders the terms proves it.

    Parameters
    ----------
    config : TernaryConfig

    Members
    -------
    valid : In(1), in cycle 0 like all members up to ``dense``
        An item is here. It stays, with all these members, until the cycle in which ``ready`` is set.
    ready : Out(1)
        There is no item, or this is its last cycle.
    row, subtract, null, last, signed, dense : In
        As of ColumnArray.
    zero : In(1)
        The term's weight is 0.
    bits : In(range(activation_width + 1))
        Bits of an activation; constant like ``signed`` and ``dense`` from three cycles before an item on
        until its sum was read.
    dense_nonzero, dense_negative : In(lanes), from cycle 2 on, as long as the item stayed
    dense_value : In(activation_width), from cycle 3 on, likewise
    write_row : In(range(row_depth * activation_width))
    write_data : In(scatter_width)
    write_groups : In(lanes / scatter_width)
        Writes ``write_data`` to the bit row in each group whose bit is set; bit b of an activation in row r
        stands in bit row r * activation_width + b. No item of this row may be here or have been here in the
        cycle before.
    select : In(range(lanes / drain_width)), part : In(range(drain_step))
        Columns to read; ``select`` stays while ``part`` goes through all its values.
    result : Out(ArrayLayout(signed(acc_width), drain_width))
        Sums of columns ``select * drain_width + d``, two cycles after the last ``part``.
    done : Out(1)
        A sum can be selected from two cycles later on.

    Timing: an item takes the cycles of its operations. A sum is readable ``latency`` cycles after its last
    item's last cycle, until the first cycle of another last item. Reset forgets unfinished sums.

    Cost: see docs/engines/ternary-serial.md; ``row_depth * lanes * activation_width`` bits of block RAM.
    """

    latency = 5

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "valid": In(1), "ready": Out(1),
            "row": In(w.row), "subtract": In(1), "zero": In(1), "null": In(1), "last": In(1),
            "signed": In(1), "bits": In(range(config.activation_width + 1)), "dense": In(1),
            "dense_nonzero": In(config.lanes), "dense_negative": In(config.lanes),
            "dense_value": In(config.activation_width),
            "write_row": In(range(config.row_depth * config.activation_width)),
            "write_data": In(config.scatter_width), "write_groups": In(config.groups),
            "select": In(range(config.drain_cycles)), "part": In(range(config.drain_step)),
            "result": Out(data.ArrayLayout(signed(config.acc_width), config.drain_width)),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.control = control = SerialControl(self._config)
        m.d.comb += [
            getattr(control, name).eq(getattr(self, name))
            for name in ("dense", "signed", "bits", "valid", "subtract", "zero", "null", "last")]
        m.d.comb += self.ready.eq(control.ready)
        # control.step is of cycle 1; the adders are at work in cycle 4
        addressing, before, now = (Signal.like(control.step, name=f"step{n}") for n in (2, 3, 4))
        m.d.sync += [addressing.eq(control.step), before.eq(addressing), now.eq(before)]

        m.submodules.plus = plus = AccumulatorRows(self._config)
        m.submodules.results = results = ResultRows(self._config)
        m.submodules.adders = adders = ColumnAdders(
            self._config.lanes, self._config.convolution, self._config.carry_write_back)
        accumulators = [(plus, adders.p, before.p_row, before.write_p)]
        if self._config.convolution:
            m.submodules.minus = minus = AccumulatorRows(self._config)
            accumulators.append((minus, adders.n, before.n_row, before.write_n))
        x, negative = self._terms(m, control.step, before)
        m.d.comb += [
            adders.x.eq(x), adders.negative.eq(negative), adders.difference.eq(now.difference),
            adders.begins.eq(now.begins), adders.odd.eq(now.index[0]), adders.keep.eq(now.write_c),
        ]
        for rows, word, read_row, write in accumulators:
            m.d.comb += [
                word.eq(rows.o), rows.read_row.eq(read_row), rows.write_row.eq(before.index),
                rows.write.eq(write), rows.copy.eq(before.ends), rows.i.eq(adders.total),
            ]
        m.d.comb += [
            results.write_row.eq(before.index), results.write.eq(before.write_s), results.i.eq(adders.total),
            results.done.eq(before.done), self.done.eq(before.done),
            results.is_signed.eq(before.difference | self.signed | self.dense),
            results.select.eq(self.select), results.part.eq(self.part), self.result.eq(results.result),
        ]
        return m

    def _terms(self, m, step, before):
        """For each column the bit of its term, and whether it is an activation's complement; of cycle 4."""
        config = self._config
        x = Const(0, config.lanes)
        if config.convolution:
            x = Signal(config.lanes, reset_less=True)
            m.d.sync += x.eq(self._rows(m, step))
            with m.If(~before.use_x | (self.dense & config.transposed)):
                m.d.sync += x.eq(0)
        if not config.transposed:
            return x, Const(0, config.lanes)
        bit = Signal(reset_less=True)
        nonzero, negative = (Signal(config.lanes, name=name, reset_less=True)
                             for name in ("nonzero", "negative"))
        m.d.sync += bit.eq(self.dense_value.bit_select(before.bit, 1) & before.use_x)
        with m.If(before.begins):
            m.d.sync += nonzero.eq(self.dense_nonzero)
            m.d.sync += negative.eq(self.dense_nonzero & self.dense_negative)
            with m.If(~self.dense):
                m.d.sync += [nonzero.eq(0), negative.eq(0)]
        return x | ((bit.replicate(config.lanes) ^ negative) & nonzero), negative

    def _rows(self, m, step):
        """The bit of the row memory of two cycles after ``step``."""
        config = self._config
        row = Signal.like(self.row, reset_less=True)
        address = Signal.like(self.write_row, reset_less=True)
        m.d.sync += [row.eq(self.row), address.eq(Cat(step.bit, row))]
        words = []
        for group in range(config.groups):
            # never is a row read in the cycle in which it is written
            memory = Memory(shape=config.scatter_width, depth=config.row_depth * config.activation_width,
                            init=[], attrs={"no_rw_check": 1})
            m.submodules[f"rows_{group}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(self.write_row), write.data.eq(self.write_data),
                write.en.eq(self.write_groups[group]), read.addr.eq(address),
            ]
            words.append(read.data)
        return Cat(words)
