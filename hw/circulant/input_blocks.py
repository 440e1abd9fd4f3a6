"""The input packet, block by block, on its way into the forward transform."""

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..common.delay import delay
from ..common.stream import packet
from .pairs import pairs
from .swap import lines

__all__ = ["InputBlocks", "place_layout"]


def place_layout(config):
    """Where a block of the input goes: ``address`` in the spectrum memory; it ends a step, and the packet."""
    return data.StructLayout({"address": range(config.spectrum_depth), "step_ends": 1, "packet_ends": 1})


class InputBlocks(wiring.Component):
    """Beats of an input packet collected to blocks of h, of which it holds two.

    A block of a step is offered only when the step before it has been taken.

    Parameters: ``config``: CirculantConfig.

    Members
    -------
    i : In(stream of packet(32))
        Two numbers of V bits, bits V - 1:0 and 16 + V - 1:16. Taken up to ``last``.
    enable : In(1)
        A sequence is being taken. While it is low all is forgotten, and nothing taken.
    input_blocks, input_base : In(16)
        Blocks of a step, at least 1, and address of the first; constant while ``enable``.
    valid : Out(1), place : Out(place_layout)
        A block is there, of a step that may be held, to enter in the next cycle.
    enter : In(1)
        It is taken, a cycle after ``valid``.
    o : Out(lines(V)), entering : Out(1)
        Its pairs, in the cycle of ``enter`` and the h - 1 that follow.
    step_take : In(1)
        The step whose blocks have been taken begins; its whole input must have been.
    short : Out(1)
        One cycle, once a packet that ended within a step: after ``step_take`` of all steps before.

    Timing: a beat a cycle; ``valid`` in the cycle after the block's last beat.
    Cost: 2 * h words of 2 * V bits of memory.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "i": In(stream.Signature(packet(32))), "enable": In(1),
            "input_blocks": In(16), "input_base": In(16), "valid": Out(1),
            "place": Out(place_layout(config)), "enter": In(1), "o": Out(lines(config.vector_width)),
            "entering": Out(1), "step_take": In(1), "short": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cycles, width = self._config.slots, self._config.vector_width
        memory = Memory(shape=lines(width), depth=2 * cycles, init=[])
        m.submodules.memory = memory
        write, read = memory.write_port(), memory.read_port(domain="comb")
        beat, waiting, ended = Signal(range(2 * cycles)), Signal(range(3)), Signal()
        accepted, block_ends, left = Signal(), Signal(), Signal(range(3))
        free = Signal(init=1)   # the packet has not ended, and no two blocks wait
        m.d.comb += [
            self.i.ready.eq(self.enable & free), left.eq(waiting + block_ends - self.enter),
            accepted.eq(self.i.valid & self.i.ready), block_ends.eq(accepted & beat[:-1].all()),
            write.addr.eq(beat), write.en.eq(accepted),
            write.data.eq(Cat(self.i.p.data[:width], self.i.p.data[16:16 + width])),
        ]
        # The halves of the memory and where their blocks go. A half is free for others from `enter` on: they
        # come behind what is read.
        index, entering = pairs(m, self.enter, cycles)
        half, entered = Signal(), Signal()
        places = Array(Signal(place_layout(self._config), name=f"place{n}") for n in range(2))
        held = Signal()         # the step that comes next is complete behind here, and not yet taken
        m.d.comb += [
            read.addr.eq(Cat(index, Mux(self.enter, half, entered))), self.o.eq(read.data),
            self.entering.eq(entering), self.place.eq(places[half]),
            self.valid.eq((waiting != 0) & (~index.any() | index.all()) & ~held),
        ]
        m.d.sync += [
            beat.eq(beat + accepted), waiting.eq(left),
            free.eq(~(ended | (accepted & self.i.p.last) | (left == 2))),
            half.eq(half ^ self.enter), entered.eq(Mux(self.enter, half, entered)),
            held.eq((held & ~self.step_take) | (self.enter & self.place.step_ends)),
        ]
        place = self._place(m, block_ends)
        with m.If(block_ends):
            m.d.sync += places[beat[-1]].eq(place)
        self._short(m, accepted & self.i.p.last, block_ends & place.step_ends)
        with m.If(accepted & self.i.p.last):
            m.d.sync += ended.eq(1)
        with m.If(~self.enable):
            m.d.sync += [beat.eq(0), waiting.eq(0), ended.eq(0), free.eq(1), half.eq(0), held.eq(0)]
        return m

    def _place(self, m, block_ends):
        """Of the block that is collected."""
        place = Signal(place_layout(self._config))
        number, parity = Signal(16), Signal()
        flipped = Cat(Const(0, len(place.address) - 1), parity)
        following = number + 1
        # Blocks end two cycles from each other at least, so what the number tells may come a cycle late.
        address = delay(m, (self.input_base + number)[:len(place.address)], 1, name="address")
        m.d.comb += [
            place.address.eq(address ^ flipped), place.packet_ends.eq(self.i.p.last),
            place.step_ends.eq(delay(m, following == self.input_blocks, 1, name="step_ends")),
        ]
        with m.If(block_ends):
            m.d.sync += number.eq(following)
            with m.If(place.step_ends):
                m.d.sync += [number.eq(0), parity.eq(~parity)]
        with m.If(~self.enable):
            m.d.sync += [number.eq(0), parity.eq(0)]
        return place

    def _short(self, m, packet_ends, step_ends):
        """``short``, when of the steps before none is left."""
        steps, missing = Signal(range(4)), Signal()     # two in the memory, one behind
        m.d.comb += self.short.eq(missing & (steps == 0))
        # Counted a cycle late, as no packet ends with a step's end and yet within a step.
        step_ended = delay(m, step_ends, 1, reset_less=False, name="step_ended")
        m.d.sync += [
            steps.eq(steps + step_ended - self.step_take),
            missing.eq((missing & ~self.short) | (packet_ends & ~step_ends)),
        ]
        with m.If(~self.enable):
            m.d.sync += [steps.eq(0), missing.eq(0)]
