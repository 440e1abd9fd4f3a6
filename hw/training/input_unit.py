"""From words of the input to tiles of bytes for the packer."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import ACTIVATION_BITS
from shiftwork.golden.training.engine_config import ERROR_BITS

from ..common.delay import delay
from ..common.nest import Nest
from .layouts import PASS, vector

__all__ = ["WORD_BITS", "InputUnit"]

WORD_BITS = 32
"""Of the input; four bytes, the lowest first."""


class InputUnit(wiring.Component):
    """A pass over a block of the input's channels: docs/engines/training-machine.md, "Input unit".

    Vectors in the order pixel, group, half, image; lanes at or beyond the half's channels are 0.

    Parameters: ``config``: EngineConfig.

    Members
    -------
    registers : In(PASS)
        Of them channels (1 .. B), pixels and groups (1 .. 65535); they do not change from ``start`` on until
        ``busy`` is low.
    start : In(1), busy : Out(1)
        ``busy`` follows in the next cycle, until the last vector is pushed.
    word : In(stream of 32 bits)
        As many words are taken as the bytes of the pass take, the last one whole.
    reserve : Out(1), room : In(1), o_valid : Out(1), o : Out
        The packer's.

    Timing: a byte a cycle, and one more cycle a tile; a vector without channels takes one cycle. Reset
    forgets the pass.
    Cost: a word, a vector, `Nest`; S = 8: 225 LUT4, 35 CCU2C, 136 flip-flops (ECP5).
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "registers": In(PASS), "start": In(1), "busy": Out(1), "word": In(stream.Signature(WORD_BITS)),
            "reserve": Out(1), "room": In(1), "o_valid": Out(1), "o": Out(vector(config.side, ERROR_BITS)),
        })

    def elaborate(self, platform):
        m = Module()
        side, block = self._config.side, self._config.block
        m.submodules.nest = nest = Nest([16, 16, (2 * block - 1).bit_length()])
        working, within = Signal(), Signal()        # a pass; a tile that is reserved
        m.d.comb += [
            nest.count0.eq(self.registers.pixels), nest.count1.eq(self.registers.groups), nest.count2.eq(0),
            nest.reset.eq(self.start), self.reserve.eq(working & ~within & self.room),
            self.busy.eq(working | self.o_valid),
        ]
        # Channels of this half; the lane whose byte comes next.
        channels, lane = self.registers.channels[:block.bit_length()], Signal(range(side))
        beyond, counts = channels > side, [Signal(range(side + 1), name=f"count{half}") for half in range(2)]
        m.d.sync += [counts[0].eq(Mux(beyond, side, channels)), counts[1].eq(Mux(beyond, channels - side, 0))]
        none = [delay(m, count == 0, 1, name=f"none{half}_") for half, count in enumerate(counts)]
        count, empty = (Mux(nest.value2[-1], *pair[::-1]) for pair in (counts, none))
        byte, valid = Signal(ACTIVATION_BITS), Signal()
        self._bytes(m, within & ~empty, byte, valid)
        ends = lane + 1 == count
        m.d.comb += nest.step.eq((within & empty) | (valid & ends))
        with m.If(valid):
            m.d.sync += lane.eq(Mux(ends, 0, lane + 1))
        with m.If(within & (lane == 0)):
            m.d.sync += self.o.eq(0)
        for n in range(side):
            with m.If(valid & (lane == n)):
                m.d.sync += self.o[n].eq(byte)
        m.d.sync += [self.o_valid.eq(nest.step),
                     within.eq(self.reserve | (within & ~(nest.step & nest.carry1)))]
        with m.If(self.start):
            m.d.sync += [working.eq(1), lane.eq(0)]
        with m.Elif(nest.step & nest.done):
            m.d.sync += working.eq(0)
        return m

    def _bytes(self, m, wanted, byte, valid):
        """Where one is ``wanted``, the next ``byte`` of the input, if it is there (``valid``).

        A word is taken with its first byte, never ahead: what follows may not be this pass's. It is seen a
        cycle late, while the bytes of the one before it are used.
        """
        here = Signal()
        m.d.sync += here.eq(self.word.valid & ~self.word.ready)
        held, left = Signal(WORD_BITS - ACTIVATION_BITS), Signal(range(4))
        m.d.comb += [
            self.word.ready.eq(wanted & here & ~left.any()),
            valid.eq(wanted & (left.any() | here)),
            byte.eq(Mux(left.any(), held, self.word.payload)),
        ]
        with m.If(self.start):
            m.d.sync += left.eq(0)
        with m.Elif(valid):
            m.d.sync += [left.eq(left - 1),         # modulo 4
                         held.eq(Mux(left.any(), held, self.word.payload) >> ACTIVATION_BITS)]
