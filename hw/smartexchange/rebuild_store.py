"""The coefficient store of a line: rows of coefficients of each slice, and the slices' bases."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .rebuild_layouts import CODE, RebuildWidths, bases_layout, item_layout

__all__ = ["CoefficientStore"]


class CoefficientStore(wiring.Component):
    """For each slice and offset of line ``number`` the codes and the basis of a row; two halves.

    Line b has the rows of offsets o with o mod ``lines`` = b, at address o div ``lines``; in depthwise layers
    slice b has all of its filter's, at their own addresses, and no other slice any.

    Members
    -------
    depthwise : In(1), the layer is a depthwise one
    valid : In(1), item : In(item_layout), first : In(1): a coefficient is written; ``first``: all others of
        its row, in all slices, are 0
    write_basis, basis_half, basis_slice, basis_tap, basis_number, basis_row : In, a row of a basis is written
    read : In(1), half, offset : In, a row of coefficients
    tap : In, which of them, two cycles later, and in the next ``taps`` - 1 cycles
    codes, bases : Out(ArrayLayout, slices), the ``tap``-th coefficient and row of its basis, one cycle after
        ``tap``

    Timing: the next ``read`` comes one cycle before the last ``tap`` of the one before, or later. What is
    written can be read in the next cycle. Cost: block RAM: for each slice 2 * ``row_depth`` / ``lines`` rows
    (of slice b, 2 * ``row_depth``), and 2 * ``filter_bases`` bases.
    """

    def __init__(self, config, number):
        self._config, self._number = config, number
        w = RebuildWidths(config)
        super().__init__({
            "depthwise": In(1),
            "valid": In(1), "item": In(item_layout(config)), "first": In(1),
            "write_basis": In(1), "basis_half": In(1), "basis_slice": In(range(config.slices)),
            "basis_tap": In(range(config.taps)), "basis_number": In(w.number),
            "basis_row": In(bases_layout(config)),
            "read": In(1), "half": In(1), "offset": In(w.row), "tap": In(range(config.taps)),
            "codes": Out(data.ArrayLayout(CODE, config.slices)),
            "bases": Out(data.ArrayLayout(bases_layout(config), config.slices)),
        })

    def elaborate(self, platform):
        m = Module()
        w, item = RebuildWidths(self._config), self.item

        def index(offset):
            return Mux(self.depthwise, offset, offset >> w.line)

        write_index, read_index = Signal(w.row), Signal(w.row)
        m.d.comb += [write_index.eq(index(item.offset)), read_index.eq(index(self.offset))]
        half = Signal()
        with m.If(self.read):
            m.d.sync += half.eq(self.half)
        half_held = Signal()
        m.d.sync += half_held.eq(half)
        for n in range(self._config.slices):
            mine = Signal(name=f"mine_{n}")
            m.d.comb += mine.eq(item.slice == n)
            row = self._rows(m, n, mine, write_index, read_index)
            self._bases(m, n, row, half_held)
        return m

    def _rows(self, m, n, mine, write_index, read_index):
        """Codes and number of slice ``n``, two cycles after ``read``."""
        config, w, item = self._config, RebuildWidths(self._config), self.item
        depth = config.row_depth if n == self._number else config.row_depth // config.lines
        bits = (depth - 1).bit_length()
        unit = max(CODE.size, w.number)     # words are written unit by unit: codes, and the basis' number
        m.submodules[f"rows_{n}"] = rows = Memory(
            shape=data.ArrayLayout(unit, config.taps + 1), depth=2 * depth, init=[], attrs={"no_rw_check": 1})
        write, read = rows.write_port(granularity=1), rows.read_port()
        m.d.comb += [
            write.addr.eq(Cat(write_index[:bits], item.half)),
            read.addr.eq(Cat(read_index[:bits], self.half)), read.en.eq(self.read),
            write.data[config.taps].eq(item.number), write.en[config.taps].eq(self.valid & mine),
        ]
        for s in range(config.taps):
            wanted = mine & (item.tap == s)
            m.d.comb += [
                write.data[s].eq(Mux(wanted, item.code, 0)),
                write.en[s].eq(self.valid & (wanted | self.first))]
        row = Signal.like(read.data, name=f"row_{n}", reset_less=True)
        m.d.sync += row.eq(read.data)
        return row

    def _bases(self, m, n, row, half):
        """Of slice ``n``, the ``tap``-th code and row of the basis."""
        config, w = self._config, RebuildWidths(self._config)
        stride = 1 << w.tap
        m.submodules[f"bases_{n}"] = bases = Memory(
            shape=bases_layout(config), depth=2 * config.filter_bases * stride, init=[],
            attrs={"no_rw_check": 1})
        write, read = bases.write_port(), bases.read_port()
        code = Signal(CODE, name=f"code_{n}", reset_less=True)
        m.d.comb += [
            write.addr.eq(Cat(self.basis_tap[:w.tap], self.basis_number, self.basis_half)),
            write.data.eq(self.basis_row), write.en.eq(self.write_basis & (self.basis_slice == n)),
            read.addr.eq(Cat(self.tap[:w.tap], row[config.taps][:w.number], half)),
            self.bases[n].eq(read.data), self.codes[n].eq(code),
        ]
        m.d.sync += code.eq(row[self.tap])
