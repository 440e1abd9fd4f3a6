"""What becomes of the matrix array's outputs: where they go, and what is summed up on the way."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...golden.training.config import FRACTION, PRODUCT_FRACTION, WEIGHT_BITS, WIDE_BITS
from ...golden.training.engine_config import SUM_BITS, TILE_SUM_BITS
from ...golden.training.registers import REGISTER_BITS, Matrix
from ..common.adder_tree import AdderTree
from ..common.delay import delay
from .layouts import PASS, vector
from .rounding import clipped

__all__ = ["MatrixDrain"]

_SQUARE_BITS = 62       # of a sum of 2 ** 16 squares of 24 bits
_LOW = 17               # bits of z's lower part: its square takes one multiplier


class MatrixDrain(wiring.Component):
    """Takes vectors of sums; docs/engines/training-machine.md, "Matrix unit", "Outputs".

    Members
    -------
    registers : In(PASS), constant from ``start`` on
    start : In(1), before the pass's first vector
    i_valid, i : In: a vector of S sums
    bias_lane, bias_data, bias_write : In: parameter BIAS of a lane, 2 cycles later
    z_address, z_data, z_write : Out
    wide_address, wide_data, error_write, gradient_write : Out, a cycle earlier: for either memory
    sums_address, sums_data, sums_write : Out: a tile's (half's) sum of magnitudes
    probe_address, probe_data : In, Out: quantity * S + lane; S1, S2, most; 3 cycles
    busy : Out(1), while vectors are under way

    Timing: a vector a cycle; memories are written 2 cycles after it, gradients and errors one.
    Cost: three multipliers of 18 bits, adders of 30, 62 and 40 bits and a comparison of 40 for each lane.
    """

    def __init__(self, config):
        self.config = config
        side = config.side
        super().__init__({
            "registers": In(PASS), "start": In(1), "i_valid": In(1), "i": In(vector(side, SUM_BITS)),
            "bias_lane": In(range(side)), "bias_data": In(signed(WEIGHT_BITS)), "bias_write": In(1),
            "z_address": Out(REGISTER_BITS), "z_data": Out(vector(side, WIDE_BITS)), "z_write": Out(1),
            "wide_address": Out(REGISTER_BITS), "wide_data": Out(vector(side, SUM_BITS)),
            "error_write": Out(1), "gradient_write": Out(1),
            "sums_address": Out(REGISTER_BITS), "sums_data": Out(TILE_SUM_BITS), "sums_write": Out(1),
            "probe_address": In(range(3 * side)), "probe_data": Out(signed(_SQUARE_BITS + 1)),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        side, mode = self.config.side, self.registers.matrix_mode[:2]
        to = {kind: delay(m, mode == kind, 1, name=f"is_{kind.name.lower()}") for kind in Matrix}
        forward = to[Matrix.FORWARD]
        bias = Signal(vector(side, WEIGHT_BITS))        # 0 until one is written
        write = delay(m, self.bias_write, 1, reset_less=False, name="bias_write")
        lane, value = (delay(m, member, 1, name=name) for member, name in (
            (self.bias_lane, "bias_lane"), (self.bias_data, "bias_data")))
        with m.If(write):
            m.d.sync += bias[lane].eq(value)

        tree = m.submodules.tree = AdderTree(side, SUM_BITS + side.bit_length() - 1)
        # Other numbers need no reset: a pass begins with 0.
        most, totals, squares, z = (
            Signal(layout, reset_less=True, name=name) for layout, name in (
                (data.ArrayLayout(SUM_BITS, side), "most"), (vector(side, SUM_BITS), "totals"),
                (data.ArrayLayout(_SQUARE_BITS, side), "squares"), (vector(side, WIDE_BITS), "z")))
        m.d.comb += self.z_data.eq(z)
        marks = [self.i_valid]
        for n in range(4 + tree.latency):
            marks.append(delay(m, marks[-1], 1, reset_less=False, name=f"mark{n}_"))
        # The first vector is some cycles behind the start.
        begin = delay(m, self.start, 1, reset_less=False, name="begin")
        for n in range(side):
            total, magnitude = (Signal(signed(SUM_BITS), reset_less=True, name=f"{name}{n}")
                                for name in ("total", "magnitude"))
            lift = Mux(forward, bias[n] << PRODUCT_FRACTION - FRACTION, 0)
            m.d.sync += [total.eq(self.i[n] + lift), magnitude.eq(Mux(total < 0, -total, total)),
                         z[n].eq(clipped(total, WIDE_BITS))]
            product = self._square(m, delay(m, z[n], 1, name=f"z{n}_"), n)
            m.d.comb += [tree.i[n].eq(magnitude.as_unsigned()), self.wide_data[n].eq(total)]
            with m.If(marks[2] & forward):
                m.d.sync += totals[n].eq(totals[n] + z[n])
            with m.Elif(begin & forward):
                m.d.sync += totals[n].eq(0)
            with m.If(marks[5] & forward):
                m.d.sync += squares[n].eq(squares[n] + product)
            with m.Elif(begin & forward):
                m.d.sync += squares[n].eq(0)
            with m.If(begin & ~forward & ~self.registers.keep_most[0]):
                m.d.sync += most[n].eq(0)
            # A sign, not a comparison: of that synthesis makes lookup tables instead of a carry chain.
            with m.Elif(marks[2] & ~forward & (most[n] - magnitude.as_unsigned())[-1]):
                m.d.sync += most[n].eq(magnitude)

        self._write(m, to, marks[1])
        self._sums(m, mode, tree.o, marks[2 + tree.latency])
        self._probe(m, totals, squares, most)
        m.d.comb += self.busy.eq(Cat(*marks).any() | self.sums_write)
        return m

    @staticmethod
    def _square(m, z, n):
        """z * z, 2 cycles later: with z = high * 2 ** 17 + low, both squares side by side, and twice the
        product of the parts.
        """
        low, high = z[:_LOW], z[_LOW:].as_signed()
        squares = delay(m, Cat((low * low)[:2 * _LOW], (high * high)[:2 * len(high)]), 1, name=f"squares{n}_")
        cross = delay(m, high * low, 1, name=f"cross{n}_")
        upper = squares[_LOW + 1:] + cross
        return delay(m, Cat(squares[:_LOW + 1], upper)[:2 * WIDE_BITS], 1, name=f"product{n}_")

    def _probe(self, m, *quantities):
        """Each lane chooses among its own numbers first: all of them never meet in one place."""
        lanes = (self.config.side - 1).bit_length()
        address = delay(m, self.probe_address, 1, name="probe_address_")
        lane = delay(m, address[:lanes], 1, name="probe_lane")
        chosen = Signal(vector(self.config.side, len(self.probe_data)), reset_less=True)
        with m.Switch(address[lanes:]):
            for n, quantity in enumerate(quantities):
                with m.Case(n):
                    m.d.sync += [word.eq(value) for word, value in zip(chosen, quantity, strict=True)]
        m.d.comb += self.probe_data.eq(delay(m, chosen[lane], 1, name="probe"))

    def _write(self, m, to, valid):
        """Addresses count up; in WEIGHT a tile's half is skipped behind the other."""
        block = self.config.block
        address, column = Signal(REGISTER_BITS), Signal(range(block))
        ends = (column == block - 1) & to[Matrix.WEIGHT]
        with m.If(self.start):
            m.d.sync += [address.eq(self.registers.out_base), column.eq(0)]
        with m.Elif(valid):
            m.d.sync += [address.eq(address + Mux(ends, block + 1, 1)),
                         column.eq(Mux(ends, 0, column + 1))]
        m.d.sync += [
            self.z_address.eq(address), self.z_write.eq(valid & to[Matrix.FORWARD])]
        m.d.comb += [
            self.wide_address.eq(address), self.error_write.eq(valid & to[Matrix.INPUT]),
            self.gradient_write.eq(valid & to[Matrix.WEIGHT])]

    def _sums(self, m, mode, total, valid):
        """The sum of as many vectors as a tile has, of a weight or of a pixel's images."""
        block = self.config.block
        number, fresh = Signal(REGISTER_BITS), Signal()
        found = Signal(TILE_SUM_BITS, reset_less=True)
        # Two less than vectors are still to come: of the last one it is negative.
        count, left = (Signal(signed(REGISTER_BITS + 1), name=name) for name in ("count", "left"))
        m.d.sync += count.eq(Mux(mode == Matrix.WEIGHT, block, self.registers.groups[:16] * block) - 2)
        m.d.sync += self.sums_write.eq(0)
        with m.If(self.start):
            m.d.sync += [number.eq(self.registers.sums_base), fresh.eq(1)]
        with m.Elif(valid & (mode != Matrix.FORWARD)):
            m.d.sync += found.eq(Mux(fresh, 0, found) + total)
            with m.If(Mux(fresh, count[-1], left[-1])):
                m.d.sync += [fresh.eq(1), self.sums_write.eq(1), number.eq(number + 1),
                             self.sums_address.eq(number)]
            with m.Else():
                m.d.sync += [fresh.eq(0), left.eq(Mux(fresh, count, left) - 1)]
        m.d.comb += self.sums_data.eq(found)
