"""Which rows of the row memory have an activation that is not zero."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .rebuild_layouts import RebuildWidths

__all__ = ["RowFlags"]


class RowFlags(wiring.Component):
    """A bit for each row, kept when the groups of its lanes are written, one a cycle.

        flag[row] = whether any lane of the row is not 0

    Members
    -------
    write_row, write_data, write_groups : In, as those of `RowMemory`; at most one group a cycle
    row, flag, write : Out, three cycles later: the row's flag, for all memories that have a copy

    Cost: ``row_depth`` bits for each group of lanes.
    """

    latency = 3

    def __init__(self, config):
        self._config = config
        w = RebuildWidths(config)
        super().__init__({
            "write_row": In(w.row), "write_data": In(config.activation_width * config.scatter_width),
            "write_groups": In(config.groups),
            "row": Out(w.row), "flag": Out(1), "write": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.flags = flags = Memory(
            shape=config.groups, depth=config.row_depth, init=[], attrs={"no_rw_check": 1})
        read, write = flags.read_port(), flags.write_port()
        # a group that comes; then what was known of its row, but for what the group before it has just told
        group = data.StructLayout({"row": self.write_row.shape(), "groups": config.groups, "nonzero": 1})
        row, after = Signal(group), Signal(group)
        word, known, valid = Signal(config.groups), Signal(config.groups), Signal()
        m.d.comb += [
            read.addr.eq(row.row),
            known.eq(Mux(self.write & (self.row == after.row), word, read.data)),
            valid.eq(after.groups.any()), write.addr.eq(after.row), write.en.eq(valid),
            write.data.eq((known & ~after.groups) | Mux(after.nonzero, after.groups, 0)),
            self.flag.eq(word.any()),
        ]
        m.d.sync += [
            row.row.eq(self.write_row), row.groups.eq(self.write_groups),
            row.nonzero.eq(self.write_data.any()), after.eq(row),
            self.row.eq(after.row), self.write.eq(valid), word.eq(write.data),
        ]
        return m
