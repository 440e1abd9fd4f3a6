"""The program loader: takes a program packet apart, checks it and fills the memories."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import enum, stream, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from ..common.stream import packet

__all__ = ["MAGIC", "VERSION", "LoadError", "ProgramLoader"]

MAGIC = 0x31545753
"""Word 0 of a program, bytes "SWT1"."""

VERSION = 1
"""Version of the program format."""


class LoadError(enum.Enum, shape=4):
    """Why a program is refused."""

    NONE = 0
    MAGIC = 1
    VERSION = 2
    GEOMETRY = 3
    ADDRESS = 4
    CHECKSUM = 5
    TRUNCATED = 6
    OVERLONG = 7


class Memory(enum.Enum, shape=8):
    """Number of a memory in a section's first word."""

    TABLE = 1
    WEIGHTS = 2


class Expect(enum.Enum):
    """What the next word of the packet is."""

    MAGIC = 0
    VERSION = 1
    LENGTH = 2
    SECTION = 3    # first word of a section, or the checksum once no word remains
    COUNT = 4
    CHUNK = 5
    END = 6        # anything: the rest of a packet with an error


class ProgramLoader(wiring.Component):
    """Loads the programs of docs/engines/ternary-machine.md, "Program".

    Words are checked one at a time as they come; where one word has several errors, the lowest code counts. The rest
    of a packet with an error is swallowed. Words of a memory are written as they come, so a program found bad
    afterwards has overwritten the one before. A memory's word takes ceil(width/32) words of the packet; bits beyond
    its width are ignored.

    Parameters
    ----------
    config : TernaryConfig

    Members
    -------
    i : In(stream of packet(32))
        The program.
    enable : In(1)
        Whether words are accepted: ``i.ready``.
    table_address, table_data, table_write : Out
        Write port of the table.
    weights_address, weights_data, weights_write : Out
        Write port of the weight memory.
    loaded : Out(1)
        Whether the last packet was a good program; low from the cycle after its first word is accepted.
    error, failed : Out
        Code of an error, for the one cycle of ``failed``; at most once a packet.
    done : Out(1)
        High for one cycle at the end of a good program, the first with ``loaded``.
    busy : Out(1)
        Whether a packet has begun and not ended; high from the cycle after its first word is accepted.

    Timing: one word a cycle, without pauses, also between packets. A memory is written in the cycle after the last
    chunk of its word is accepted; ``loaded``, ``done`` and ``failed`` follow 2 cycles after the word they are due to.
    Cost: 32 * ceil(max(2 * lanes, table_width) / 32) flip-flops of shift register and some 200 more.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(packet(32))),
            "enable": In(1),
            "table_address": Out(range(config.table_depth)),
            "table_data": Out(config.table_width),
            "table_write": Out(1),
            "weights_address": Out(range(config.weight_depth)),
            "weights_data": Out(2 * config.word_width),
            "weights_write": Out(1),
            "loaded": Out(1),
            "error": Out(LoadError),
            "failed": Out(1),
            "done": Out(1),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        chunks = {Memory.TABLE: -(-config.table_width // 32), Memory.WEIGHTS: -(-2 * config.word_width // 32)}
        depths = {Memory.TABLE: config.table_depth, Memory.WEIGHTS: config.weight_depth}
        most_chunks, most_depth = max(chunks.values()), max(depths.values())

        # Every accepted word shifts in at the top, where it is looked at in the next cycle. As words are never held
        # there, the stream is ready whenever it is enabled; and when the last chunk is looked at, the memory word is
        # complete, its least significant bit `chunks` words below the top.
        valid, last = Signal(), Signal()
        words = Signal(32 * most_chunks)
        word = words[-32:]
        m.d.comb += self.i.ready.eq(self.enable)
        m.d.sync += valid.eq(self.i.valid & self.i.ready)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [words.eq(Cat(words, self.i.p.data)[32:]), last.eq(self.i.p.last)]

        m.submodules.crc = crc = ResetInserter(valid & last)(catalog.CRC32_ISO_HDLC(32).create())
        m.d.comb += [crc.data.eq(word), crc.valid.eq(valid)]

        expect = Signal(Expect)
        error = Signal(LoadError)
        good = Signal()
        remaining = Signal(32)
        weights = Signal()
        address = Signal(range(most_depth))
        left = Signal(range(most_depth + 1))
        chunk = Signal(range(most_chunks))
        write = Signal()
        ...
        return m
