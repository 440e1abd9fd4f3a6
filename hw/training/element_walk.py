"""Loops and addresses of the element unit: one vector a cycle, in the order of the packed tiles."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.registers import REGISTER_BITS, Element

from ..common.delay import delay
from ..common.nest import Nest
from .layouts import PASS

__all__ = ["ERROR_LATER", "MARK", "ElementWalk"]

ERROR_LATER = 7
"""Cycles from a vector's address of z to its address of errors and winners."""

MARK = data.StructLayout({"half": 1, "first": 1, "number": 2, "inside": 1})
"""Of a vector: half, and whether that begins with it; place in its window of a pool, row by row; whether the
pooled map has that window. Where there is no vector, nothing begins."""

_SETTLE = 4             # cycles from `start` to the first vector, in which what the registers imply is found
_COUNTER_BITS = 16      # rows, columns, groups


class ElementWalk(wiring.Component):
    """Goes over a pass: pixel, group, half, image and, in a pooled ACTIVATE, the four taps of a window.

    Parameters: ``block``: B, a power of two.

    Members
    -------
    registers : In(PASS), constant from ``start`` until ``busy`` falls
        ``groups``, ``rows``, ``columns`` (with a pool, their halves) are at least 1, all are below 2^16.
    start : In(1), busy : Out(1), from the cycle after ``start`` to the last vector
    room : In(1), reserve : Out(1)
        A tile that is packed begins, with ``reserve``, in a cycle in which there is room.
    valid : Out(1), mark : Out(MARK), z_address : Out(24)
        A vector, 2 cycles after it was decided upon.
    error_address, winner_address : Out(24), `ERROR_LATER` cycles later

    Timing: a vector each cycle. The first one is `_SETTLE` + 3 cycles behind ``start`` or later.
    Cost: a multiplier of 16 bits, for the distance of two rows; counters and adders of 24 bits.

    Every tile is at a multiple of B images, and so is every pixel: pointers count tiles, and the image is
    appended. One pointer counts up by one a tile. The other goes over the larger map of a pool while the
    first goes over the pooled one, or the other way round; it moves between tiles, so that what it moves to
    is computed ahead.
    """

    def __init__(self, block):
        self._image_bits = (block - 1).bit_length()
        address = Out(REGISTER_BITS)
        super().__init__({
            "registers": In(PASS), "start": In(1), "busy": Out(1), "room": In(1), "reserve": Out(1),
            "valid": Out(1), "mark": Out(MARK), "z_address": address, "error_address": address,
            "winner_address": address})

    def elaborate(self, platform):
        m = Module()
        registers = self.registers
        mode = registers.element_mode[:3]
        pooled = registers.pooled[0] & (mode != Element.RAW)
        activate = mode == Element.ACTIVATE
        #: of a pass: something is packed; z goes by the windows of a pool, errors do
        packs = delay(m, activate | (mode == Element.ERROR) | (mode == Element.RAW), 1, name="packs")
        windows, spread = (delay(m, value, 1, name=name) for value, name in (
            (pooled & activate, "windows"), (pooled & ~activate, "spread")))
        begin = self._begin(m)

        m.submodules.nest = nest = Nest((*[_COUNTER_BITS] * 3, 1, self._image_bits, 2))
        rows, columns = (Mux(windows, value >> 1, value) for value in (registers.rows, registers.columns))
        for k, count in enumerate((rows, columns, registers.groups, 0, 0, Mux(windows, 0, 1))):
            m.d.sync += getattr(nest, f"count{k}").eq(count)
        #: what comes next begins a tile that is packed, and so waits for room
        running, needs = Signal(), Signal(reset_less=True)
        step, done = Signal(), Signal()
        m.d.comb += [
            step.eq(running & (self.room | ~needs)), self.reserve.eq(step & needs),
            nest.step.eq(step), nest.reset.eq(begin), done.eq(step & nest.done),
            self.busy.eq(running | self._pending)]
        with m.If(begin | done):
            m.d.sync += [running.eq(begin), needs.eq(packs)]
        with m.Elif(step):
            m.d.sync += needs.eq(nest.carry2 & packs)

        tile, other = self._pointers(m, nest, begin, step & nest.carry2, windows)
        number = Mux(windows, nest.value5, Cat(nest.value1[0], nest.value0[0]))
        outside = (registers.columns[0] & nest.at_end1) | (registers.rows[0] & nest.at_end0)
        mark = Signal(MARK)
        m.d.comb += [
            mark.half.eq(nest.value3), mark.first.eq(step & ~Cat(nest.value4, nest.value5).any()),
            mark.number.eq(number), mark.inside.eq(~outside)]
        m.d.comb += [self.mark.eq(delay(m, mark, 2, name="mark")),
                     self.valid.eq(delay(m, step, 2, reset_less=False, name="valid"))]
        self._addresses(m, nest, windows, spread, tile, other)
        return m

    def _begin(self, m):
        """The cycle before the first that may have a vector."""
        begin = self.start
        self._pending = 0
        for n in range(_SETTLE):
            begin = delay(m, begin, 1, reset_less=False, name=f"begin{n}_")
            self._pending |= begin
        return begin

    def _pointers(self, m, nest, begin, move, windows):
        """The tile, counted from 0 on, and its place in the other map of a pool."""
        groups = self.registers.groups[:_COUNTER_BITS]
        shape = REGISTER_BITS - self._image_bits
        #: in tiles: distance of two rows of z's map
        self._row = delay(m, (self.registers.columns[:_COUNTER_BITS] * groups)[:shape], 2, name="row")
        tile, other, pixel, row, next_row, next_pixel = (
            Signal(shape, name=name, reset_less=True)
            for name in ("tile", "other", "pixel", "row_begin", "next_row", "next_pixel"))
        #: errors stay in a pixel of the pooled map for two columns, and in its rows for two rows
        stays, again = ~windows & ~nest.value1[0], ~windows & ~nest.value0[0]
        m.d.sync += [
            next_pixel.eq(Mux(stays, pixel, other + 1 + Mux(windows, groups, 0))),
            next_row.eq(Mux(windows, row + (self._row << 1), Mux(again, row, next_pixel)))]
        with m.If(begin):
            m.d.sync += [pointer.eq(0) for pointer in (tile, other, pixel, row)]
        with m.Elif(move):
            m.d.sync += [tile.eq(tile + 1), other.eq(other + 1)]
            with m.If(nest.carry1):
                m.d.sync += [pixel.eq(next_pixel), other.eq(next_pixel)]
            with m.If(nest.carry0):
                m.d.sync += [pixel.eq(next_row), other.eq(next_row), row.eq(next_row)]
        return tile, other

    def _addresses(self, m, nest, windows, spread, tile, other):
        """Base of the half + place of the tile and the image."""
        registers, groups = self.registers, self.registers.groups
        half = delay(m, nest.value3, 1, name="half")
        image = delay(m, nest.value4, 1, name="image")
        tap = Mux(nest.value5[0], groups, 0) + Mux(nest.value5[1], self._row, 0)
        z_tile = delay(m, Mux(windows, other + tap, tile)[:len(tile)], 1, name="z_tile")
        error_place = delay(m, Cat(nest.value4, Mux(spread, other, tile), nest.value3), 1 + ERROR_LATER,
                            name="error_place")
        for name, distance, place, at in (
                ("z", registers.z_half, Cat(image, z_tile), half),
                ("error", registers.error_half, error_place[:-1], error_place[-1]),
                ("winner", registers.error_half, error_place[:-1], error_place[-1])):
            base = getattr(registers, f"{name}_base")
            second = delay(m, (base + distance)[:REGISTER_BITS], 1, name=f"{name}_second")
            address = getattr(self, f"{name}_address")
            m.d.sync += address.eq(place + Mux(at, second, base))
