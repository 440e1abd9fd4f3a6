"""Moves rows of results to the lanes of the row memory that need them."""

from itertools import pairwise

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .layouts import ArrayWidths, operation_layout
from .row_buffer import RowBuffer

__all__ = ["RowMover"]


class RowMover(wiring.Component):
    """Carries out what `Scatter` decides, with the rows of one array.

    write_data[k] = row[(group*G + k + shift) mod P] where inside[k], else 0,  k in 0..G

    Members
    -------
    write, slot, values : In, part of the row that is filled
    fill, drain, clear : In(1), `RowBuffer`'s
    valid, operation : In, of `Scatter`
    write_row, write_data, write_groups : Out, to the row memory, registered

    Timing: a write leaves 3 cycles after its operation.
    Cost: G * log2(G) multiplexers for each bit that is written at once (A, or 1), ``row_slots`` * P
    activations of distributed memory.
    """

    def __init__(self, config, step=1):
        self._config, self._step = config, step
        w = ArrayWidths(config, step)
        super().__init__({
            "write": In(1), "slot": In(range(config.drain_cycles)),
            "values": In(data.ArrayLayout(config.activation_width, config.drain_width)),
            "fill": In(1), "drain": In(1), "clear": In(1),
            "valid": In(1), "operation": In(operation_layout(config, step)),
            "write_row": Out(w.write_row), "write_data": Out(w.piece * config.scatter_width),
            "write_groups": Out(config.groups),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.buffer = buffer = RowBuffer(config)
        m.d.comb += [
            getattr(buffer, name).eq(getattr(self, name))
            for name in ("write", "slot", "values", "fill", "drain", "clear")]
        m.d.comb += [buffer.group.eq(self.operation.group), buffer.shift.eq(self.operation.shift)]
        self._move(m, buffer, ArrayWidths(config, self._step).piece)
        return m

    def _move(self, m, buffer, piece):
        """Stage by stage: the banks, the coarse rotation, the fine rotation and the mask."""
        offset_bits = bits_for(self._config.scatter_width - 1)
        coarse = offset_bits // 2
        operations, valids = [self.operation], [self.valid]
        for n in range(2):
            operations.append(Signal.like(self.operation, name=f"operation{n}", reset_less=True))
            valids.append(Signal(name=f"valid{n}"))
        for before, after in (*pairwise(operations), *pairwise(valids)):
            m.d.sync += after.eq(before)
        _, second, last = operations

        banks = Signal.like(buffer.bank_values, reset_less=True)
        m.d.sync += banks.eq(buffer.bank_values)
        values = Cat(bank.word_select(second.bit, piece) for bank in banks)
        turned = Signal.like(values, reset_less=True)
        m.d.sync += turned.eq(_rotate(values, second.shift, range(coarse, offset_bits), piece))
        mask = Cat(bit.replicate(piece) for bit in last.inside)
        m.d.sync += [
            self.write_data.eq(_rotate(turned, last.shift, range(coarse), piece) & mask),
            self.write_row.eq(Cat(last.bit, last.row)),
            self.write_groups.eq(Mux(valids[-1], 1 << last.group, 0)),
        ]


def _rotate(value, amount, bits, piece):
    """Pieces of ``value`` moved down by ``amount`` (its bits ``bits`` alone), cyclically."""
    for bit in bits:
        value = Mux(amount[bit], value.rotate_right(piece << bit), value)
    return value
