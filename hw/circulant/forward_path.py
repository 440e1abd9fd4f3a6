"""From vectors to the spectrum memory: rows and blocks of the input share one forward transform."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..common.stream import Queue, packet
from .input_blocks import InputBlocks, place_layout
from .pairs import pairs
from .swap import lines
from .transform import Transform

__all__ = ["ForwardPath"]


class ForwardPath(wiring.Component):
    """Vectors of rows and of the input, transformed and written as words of the spectrum memory.

    A row never waits. A block of the input enters only if no row's pair comes in the h cycles that it takes.

    Parameters: ``config``: CirculantConfig.

    Members
    -------
    rows_i : In(lines(V)), rows_first : In(1), rows_target : In
        A row's h pairs, one a cycle; its first one, and with that the address it is written to.
    row_coming : In(1)
        ``rows_first``, exactly h cycles ahead.
    i, enable, input_blocks, input_base : In
        The input packet, as `InputBlocks` takes it. ``enable`` is low between sequences, 2 cycles at least.
    step_ready : Out(1), step_last : Out(1)
        The input of a step is in the spectrum memory; it ended the packet.
    step_take : In(1)
        One cycle of ``step_ready``: this step begins, the one before is over. The next one's input may come.
    short : Out(1)
        One cycle: the packet ended within a step; all whole steps before it have been taken.
    write : Out(1), write_address : Out, write_data : Out(k numbers)
        A word of the spectrum memory: numbers in the order of slots, slot s, part p at 2 s + p.
    row_written : Out(1)
        ``write``, of a row.

    Timing: a word is written ``latency`` cycles after its block's first pair, that is the transform's latency
    and h; ``step_ready`` follows in the next cycle. Reset forgets all.
    Cost: `Transform`, `InputBlocks`, k numbers in flip-flops.
    """

    def __init__(self, config):
        self._config = config
        self._transform = Transform(config.forward)
        self.latency = self._transform.latency + config.slots
        address = range(config.spectrum_depth)
        super().__init__({
            "rows_i": In(lines(config.vector_width)), "rows_first": In(1), "rows_target": In(address),
            "row_coming": In(1), "i": In(stream.Signature(packet(32))), "enable": In(1),
            "input_blocks": In(16), "input_base": In(16),
            "step_ready": Out(1), "step_last": Out(1), "step_take": In(1), "short": Out(1),
            "write": Out(1), "write_address": Out(address),
            "write_data": Out(data.ArrayLayout(signed(config.spectrum_width), config.block)),
            "row_written": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cycles = self._config.slots
        m.submodules.transform = transform = self._transform
        m.submodules.blocks = blocks = InputBlocks(self._config)
        wiring.connect(m, wiring.flipped(self.i), blocks.i)
        m.d.comb += [getattr(blocks, name).eq(getattr(self, name))
                     for name in ("enable", "input_blocks", "input_base", "step_take")]
        # A row announced in this cycle comes when a block that enters now is through, but not one that enters
        # in the next cycle, as is decided here.
        taken, enter = Signal(range(2 * cycles)), Signal()
        with m.If(self.row_coming):
            m.d.sync += taken.eq(2 * cycles - 1)
        with m.Elif(taken.any()):
            m.d.sync += taken.eq(taken - 1)
        m.d.sync += enter.eq(self.enable & blocks.valid & ~enter & ~self.row_coming & (taken <= 1))
        m.d.comb += [
            blocks.enter.eq(enter), self.short.eq(blocks.short),
            transform.first.eq(blocks.enter | self.rows_first),
            transform.i.eq(Mux(blocks.entering, blocks.o.as_value(), self.rows_i.as_value())),
        ]

        # Where the blocks go that are in the transform; there are few, so the queue is always ready.
        place = data.StructLayout({"row": 1, "place": place_layout(self._config)})
        m.submodules.places = places = Queue(place, transform.latency // cycles + 3)
        m.d.comb += [
            places.i.valid.eq(transform.first), places.i.p.row.eq(self.rows_first),
            places.i.p.place.eq(blocks.place), places.o.ready.eq(self.write),
        ]
        with m.If(self.rows_first):
            m.d.comb += places.i.p.place.address.eq(self.rows_target)
        self._collect(m)
        found = places.o.p
        m.d.comb += [
            self.write_address.eq(found.place.address), self.row_written.eq(self.write & found.row)]
        with m.If(self.write & ~found.row & found.place.step_ends):
            m.d.sync += [self.step_ready.eq(1), self.step_last.eq(found.place.packet_ends)]
        with m.If(self.step_take | ~self.enable):
            m.d.sync += self.step_ready.eq(0)
        return m

    def _collect(self, m):
        """A block's pairs, put to their places in the word; the next one's come in the cycle of ``write``."""
        transform, word = self._transform, Signal.like(self.write_data, reset_less=True)
        index, _ = pairs(m, transform.o_first, self._config.slots)
        for t, pair in enumerate(transform.order):
            with m.If(index == t):
                m.d.sync += [word[2 * int(slot) + int(part)].eq(value)
                             for (slot, part), value in zip(pair, transform.o, strict=True)]
        m.d.sync += self.write.eq(index.all())
        m.d.comb += self.write_data.eq(word)
