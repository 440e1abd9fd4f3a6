"""From tiles of numbers to planes of digits in the operand memories."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import RANDOM_BITS
from shiftwork.golden.training.engine_config import ERROR_BITS, MOST_PLANES

from ..common.delay import delay
from .digit_rounder import DigitRounder
from .layouts import DESCRIPTOR, MEMORY_CYCLES, PASS, vector
from .plane_writer import PlaneWriter
from .tile_buffer import MAGNITUDE_BITS, TileBuffer

__all__ = ["Packer"]


class Packer(wiring.Component):
    """Tiles to slots and descriptors, and their lengths: docs/engines/training-machine.md, "Packer".

    Parameters: ``config``: EngineConfig.

    Members
    -------
    registers : In(PASS)
        Of them groups (1 .. 65535), wide, map_base, left_base, right_base. They and the next members do not
        change from ``start`` on until ``busy`` is low.
    signed : In(1), to_left : In(1), to_right : In(1)
        Numbers are signed (else they are at least 0); which memories take them.
    errors : In(1)
        Numbers that are not wide are rounded at random.
    shared : In(1)
        A map entry is for ``groups`` tiles, else for one.
    start : In(1)
        Tiles and map entries are counted from here on; not while ``busy``.
    busy : Out(1)
        A tile is reserved or not yet written.
    reserve : In(1), room : Out(1), i_valid : In(1), i : In(vector(S, 16))
        A tile of 2 B vectors will come, where there is room; its vectors, above -2^15. ``room`` follows
        ``reserve`` in the next cycle.
    random_step : Out(1), random : In(16 bits of each lane)
        A step of all lanes for each vector of such numbers; it has the number of the next cycle.
    map_address : Out, map_data : In(3)
        Of the map planes - 1, 0 .. 3, `MEMORY_CYCLES` later.
    length_write : Out(1), length_address : Out, length_data : Out(5)
        The greatest length of an entry, once, with its last tile.
    write_x, write_y : Out(1), write_data : Out(bank_width), plane : Out(3), s : Out(1)
        A word of bank x or y: at 8 * slot + 2 * plane + s.
    left_slot, right_slot : Out, left_write, right_write : Out(1)
        The tile's slot in each memory, and whether words and descriptors go there in this cycle.
    descriptor_write : Out(1), descriptor : Out(DESCRIPTOR)
        Of that slot, with the tile's first word.

    Timing: a quadrant takes S cycles, or as many as its planes if they are more, a tile four times that with
    no gaps; a tile's first word comes S + 11 cycles behind its last vector. Reset forgets all.
    Cost: `TileBuffer`, `PlaneWriter`, S times `DigitRounder`; S = 8: 2,349 LUT4, 229 CCU2C, 3,182 flip-flops,
    4 block RAMs (ECP5).
    """

    def __init__(self, config):
        self._config = config
        entry = range(config.maps)
        super().__init__({
            "registers": In(PASS), "signed": In(1), "to_left": In(1), "to_right": In(1), "errors": In(1),
            "shared": In(1), "random_step": Out(1),
            "random": In(data.ArrayLayout(RANDOM_BITS, config.side)),
            "start": In(1), "busy": Out(1), "reserve": In(1), "room": Out(1), "i_valid": In(1),
            "i": In(vector(config.side, ERROR_BITS)), "map_address": Out(entry), "map_data": In(3),
            "length_write": Out(1), "length_address": Out(entry), "length_data": Out(5),
            "write_x": Out(1), "write_y": Out(1), "write_data": Out(config.bank_width),
            "plane": Out(range(MOST_PLANES)), "s": Out(1),
            "left_slot": Out(range(config.left_slots)), "right_slot": Out(range(config.right_slots)),
            "left_write": Out(1), "right_write": Out(1),
            "descriptor_write": Out(1), "descriptor": Out(DESCRIPTOR),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.tiles = tiles = TileBuffer(self._config)
        m.submodules.writer = writer = PlaneWriter(self._config)
        m.d.comb += [tiles.reserve.eq(self.reserve), self.room.eq(tiles.room),
                     tiles.i_valid.eq(self.i_valid), tiles.i.eq(self.i)]
        planes, length = Signal(range(MOST_PLANES)), Signal.like(tiles.length)
        with m.If(tiles.take):
            m.d.sync += [planes.eq(Mux(self._wide, MOST_PLANES - 1, self.map_data)), length.eq(tiles.length)]
        self._entries(m, tiles)
        ends = self._read(m, tiles, planes)
        drop, beyond = self._precision(m, planes, length)

        # Marks of the columns under way, from the memory to the writer.
        cycles = MEMORY_CYCLES + DigitRounder.latency
        marks, last = Signal(cycles), Signal(cycles)
        m.d.sync += [marks.eq(marks << 1 | tiles.read), last.eq(last << 1 | ends)]
        at_random = Signal()
        m.d.sync += at_random.eq(self.errors & ~self._wide)
        m.d.comb += [
            writer.i_valid.eq(marks[-1]), writer.i_last.eq(last[-1]),
            self.random_step.eq(marks[MEMORY_CYCLES + DigitRounder.random_latency - 3] & at_random)]
        numbers = delay(m, self.random, 1, name="numbers")     # they come from far
        # ``drop`` and ``beyond`` are one register behind their tile's first read.
        now = [delay(m, value, MEMORY_CYCLES - 1, name=f"now{n}_") for n, value in enumerate((drop, beyond))]
        for n, number in enumerate(tiles.o):
            m.submodules[f"rounder{n}"] = rounder = DigitRounder(MAGNITUDE_BITS)
            m.d.comb += [
                rounder.magnitude.eq(number.magnitude), rounder.negative.eq(number.negative),
                rounder.drop.eq(now[0]), rounder.beyond.eq(now[1]), rounder.at_random.eq(at_random),
                rounder.random.eq(numbers[n]), writer.i[n].eq(rounder.o),
            ]
        # .. and of their tile, until the quadrant is complete.
        planes, drop = delay(m, planes, cycles + 1, name="planes_"), delay(m, drop, cycles, name="late")
        m.d.comb += [writer.planes.eq(planes),
                     self.busy.eq(tiles.busy | marks.any() | writer.busy)]
        self._write(m, writer, planes, drop)
        return m

    @property
    def _wide(self):
        return self.registers.wide[0]

    def _read(self, m, tiles, planes):
        """Reads quadrant after quadrant of the tiles; "the quadrant's last column is read"."""
        side = self._config.side
        step, quadrant, within, end = Signal(3), Signal(2), Signal(), Signal(3)
        # Of a tile's first cycle, which is not the last one, it is that of the tile before.
        m.d.sync += end.eq(Mux(planes > side - 1, planes, side - 1))
        last = step == end
        ends = within & last & quadrant.all()
        m.d.comb += [tiles.take.eq(tiles.valid & (~within | ends)), tiles.read.eq(within & (step < side))]
        m.d.sync += within.eq(tiles.take | (within & ~ends))
        with m.If(within):
            m.d.sync += [step.eq(Mux(last, 0, step + 1)), quadrant.eq(quadrant + last)]
        return within & (step == side - 1)

    def _precision(self, m, planes, length):
        """A tile's drop, and a mask of the bits beyond those of its magnitudes; in registers."""
        bits = Signal(range(MAGNITUDE_BITS + 1))
        m.d.comb += bits.eq(Mux(self._wide, MAGNITUDE_BITS, ((planes[:2] + 1) << 1) - self.signed))
        drop, beyond = Signal(range(MAGNITUDE_BITS)), Signal(MAGNITUDE_BITS)
        m.d.sync += [drop.eq(Mux(length > bits, length - bits, 0)),
                     beyond.eq(~((1 << bits) - 1))]
        return drop, beyond

    def _entries(self, m, tiles):
        """The map's entry of the tile that is taken next; the greatest length of an entry's tiles."""
        entry, group, first, last = Signal.like(self.map_address), Signal(16), Signal(), Signal()
        greatest, end = Signal.like(tiles.length), Signal(16)
        now = Mux(first | (tiles.length > greatest), tiles.length, greatest)
        m.d.comb += [self.map_address.eq(entry), self.length_data.eq(greatest)]
        # Tiles are taken some cycles apart, the first one long after the start.
        m.d.sync += [end.eq(self.registers.groups[:16] - 1), last.eq(~self.shared | (group == end)),
                     first.eq(~self.shared | ~group.any())]
        m.d.sync += self.length_write.eq(tiles.take & last)
        with m.If(self.start):
            m.d.sync += [entry.eq(self.registers.map_base), group.eq(0)]
        with m.Elif(tiles.take):
            m.d.sync += [entry.eq(entry + last), group.eq(Mux(last, 0, group + 1)), greatest.eq(now),
                         self.length_address.eq(entry)]

    def _write(self, m, writer, planes, drop):
        """Words and descriptors of the quadrants, in turn, and the tiles' slots."""
        quadrant = Signal(2)
        u, v = quadrant[1], quadrant[0]
        m.d.comb += [
            self.write_x.eq(writer.valid & (u == v)), self.write_y.eq(writer.valid & (u != v)),
            self.write_data.eq(writer.o), self.plane.eq(writer.plane), self.s.eq(u),
            self.left_write.eq(writer.valid & self.to_left),
            self.right_write.eq(writer.valid & self.to_right),
            self.descriptor_write.eq(writer.valid & ~quadrant.any() & ~writer.plane.any()),
        ]
        m.d.sync += [self.descriptor.planes.eq(planes), self.descriptor.drop.eq(drop),
                     quadrant.eq(quadrant + writer.last)]
        for slot, base in ((self.left_slot, self.registers.left_base),
                           (self.right_slot, self.registers.right_base)):
            with m.If(self.start):
                m.d.sync += slot.eq(base)
            with m.Elif(writer.last & quadrant.all()):
                m.d.sync += slot.eq(slot + 1 + self._wide)
