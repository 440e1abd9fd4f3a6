"""Rows of results on their way to the row memory."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

__all__ = ["RowBuffer"]


class RowBuffer(wiring.Component):
    """``row_slots`` rows of P activations: filled D at a time, read G at a time from any lane on.

    Bank n holds the lanes l with l mod G = n, so any G lanes in a row can be read at once:

    bank_values[(shift + k) mod G] = row[(group*G + shift + k) mod P],  k in 0..G

    Members
    -------
    write, slot, values : In, D activations of lanes slot*D .. slot*D + D - 1 of the row that is filled
    fill, drain : In(1), one cycle: go on to the next row, of filling and of reading
    clear : In(1), start over
    group, shift : In
    bank_values : Out, combinational
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "write": In(1), "slot": In(range(config.drain_cycles)),
            "values": In(data.ArrayLayout(config.activation_width, config.drain_width)),
            "fill": In(1), "drain": In(1), "clear": In(1),
            "group": In(range(max(2, config.groups))), "shift": In(range(config.lanes)),
            "bank_values": Out(data.ArrayLayout(config.activation_width, config.scatter_width)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        size, drain, groups = config.scatter_width, config.drain_width, config.groups
        filled, read = Signal(range(config.row_slots)), Signal(range(config.row_slots))
        m.d.sync += [filled.eq(filled + self.fill), read.eq(read + self.drain)]
        with m.If(self.clear):
            m.d.sync += [filled.eq(0), read.eq(0)]
        steps = bits_for(size // drain - 1) if size > drain else 0
        group_bits = bits_for(groups - 1) if groups > 1 else 0
        offset = self.shift[:bits_for(size - 1)]
        # source lane = group * G + k + shift: bank (k + shift) mod G, entry group + (k + shift) div G
        entry, following = Signal(group_bits), Signal(group_bits)
        m.d.comb += [entry.eq(self.group + (self.shift >> bits_for(size - 1))), following.eq(entry + 1)]
        for n in range(size):
            bank = Memory(shape=config.activation_width, depth=config.row_slots * groups, init=[])
            m.submodules[f"bank{n}"] = bank
            w, r = bank.write_port(), bank.read_port(domain="comb")
            m.d.comb += [
                w.addr.eq(Cat(self.slot[steps:], filled)), w.data.eq(self.values[n % drain]),
                w.en.eq(self.write & (self.slot[:steps] == n // drain)),
                r.addr.eq(Cat(Mux(offset > n, following, entry), read)),
                self.bank_values[n].eq(r.data),
            ]
        return m
