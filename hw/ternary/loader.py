"""The program loader: takes a program packet apart, checks it and fills the memories."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import enum, stream, wiring
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


class Crc32Step(wiring.Component):
    """A step of CRC-32 by a little-endian word of four bytes: next = o where i = crc ^ word."""

    i: In(32)
    o: Out(32)

    def elaborate(self, platform):
        m = Module()
        # The step is linear, so it is known from what becomes of each bit alone: one exclusive or for each bit of `o`.
        images = [_divide(1 << n) for n in range(32)]
        for n in range(32):
            m.d.comb += self.o[n].eq(Cat(self.i[k] for k in range(32) if images[k] >> n & 1).xor())
        return m


def _divide(value):
    for _ in range(32):
        value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
    return value


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
        table_chunks, weights_chunks = -(-len(self.table_data) // 32), -(-len(self.weights_data) // 32)

        # Every accepted word shifts in at the top and is looked at in the next cycle. No word is ever held there, so
        # the stream is ready whenever it is enabled; and when the last chunk of a memory word is looked at, that word
        # is complete, its least significant bit `chunks` words below the top.
        valid, last = Signal(), Signal()
        words = Signal(32 * max(table_chunks, weights_chunks))
        word = words[-32:]
        m.d.comb += self.i.ready.eq(self.enable)
        m.d.sync += valid.eq(self.i.valid & self.i.ready)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [words.eq(Cat(words, self.i.p.data)[32:]), last.eq(self.i.p.last)]

        crc = Signal(32, init=0xFFFFFFFF)
        m.submodules.divider = divider = Crc32Step()
        m.d.comb += divider.i.eq(crc ^ word)
        with m.If(valid):
            m.d.sync += crc.eq(Mux(last, crc.init, divider.o))

        expect = Signal(Expect)
        error = Signal(LoadError)
        good, write = Signal(), Signal()
        doomed = Signal()           # the word before was refused, and not the packet's last
        fresh = valid & ~doomed
        remaining = Signal(32)      # words before the checksum
        unknown = Signal()          # the section is for no memory, or begins beyond any
        weights = Signal()          # it is for the weight memory
        address = Signal(range(max(self.config.table_depth, self.config.weight_depth) + 1))
        left = Signal.like(address)                                        # memory words of it
        chunk = Signal(range(max(2, table_chunks, weights_chunks)))        # chunks of the memory word to follow

        checksum = (expect == Expect.SECTION) & (remaining == 0)
        number, begin, end = word[:8], word[8:], address + word[:len(left)]
        depth = Mux(weights, self.config.weight_depth, self.config.table_depth)
        chunks = Mux(weights, weights_chunks - 1, table_chunks - 1)

        def refuse(condition, code):
            with m.If(condition):
                m.d.comb += error.eq(code)

        # The assignment that comes later wins: of two errors, the one with the lower code.
        refuse(last & ~checksum & (expect != Expect.END), LoadError.TRUNCATED)
        with m.Switch(expect):
            with m.Case(Expect.MAGIC):
                refuse(word != MAGIC, LoadError.MAGIC)
            with m.Case(Expect.VERSION):
                refuse(word[8:] != self.config.fingerprint, LoadError.GEOMETRY)
                refuse(word[:8] != VERSION, LoadError.VERSION)
            with m.Case(Expect.SECTION):
                refuse(checksum & ~last, LoadError.OVERLONG)
                refuse(checksum & (word != ~crc), LoadError.CHECKSUM)
            with m.Case(Expect.COUNT):
                refuse(unknown | word[len(left):].any() | (end > depth), LoadError.ADDRESS)
                refuse(remaining == 0, LoadError.TRUNCATED)
            with m.Case(Expect.CHUNK):
                refuse(remaining == 0, LoadError.TRUNCATED)

        with m.If(fresh):
            m.d.sync += remaining.eq(remaining - 1)
            with m.Switch(expect):
                with m.Case(Expect.MAGIC):
                    m.d.sync += expect.eq(Expect.VERSION)
                with m.Case(Expect.VERSION):
                    m.d.sync += expect.eq(Expect.LENGTH)
                with m.Case(Expect.LENGTH):
                    m.d.sync += [remaining.eq(word), expect.eq(Expect.SECTION)]
                with m.Case(Expect.SECTION):
                    m.d.comb += good.eq(checksum & last & (word == ~crc))
                    m.d.sync += [
                        unknown.eq(((number != Memory.TABLE.value) & (number != Memory.WEIGHTS.value))
                                   | begin[len(address):].any()),
                        weights.eq(number == Memory.WEIGHTS.value),
                        address.eq(begin),
                        expect.eq(Expect.COUNT),
                    ]
                with m.Case(Expect.COUNT):
                    m.d.sync += [left.eq(word), chunk.eq(chunks)]
                    m.d.sync += expect.eq(Mux(word[:len(left)].any(), Expect.CHUNK, Expect.SECTION))
                with m.Case(Expect.CHUNK):
                    m.d.sync += chunk.eq(chunk - 1)
                    with m.If(chunk == 0):
                        m.d.comb += write.eq(remaining != 0)
                        m.d.sync += [address.eq(address + 1), left.eq(left - 1), chunk.eq(chunks)]
                        with m.If(left == 1):
                            m.d.sync += expect.eq(Expect.SECTION)
        # Acting on an error a cycle late keeps the checks out of the longest path.
        m.d.sync += doomed.eq(fresh & ~last & (error != LoadError.NONE))
        with m.If(valid & last):
            m.d.sync += expect.eq(Expect.MAGIC)
        with m.Elif(doomed):
            m.d.sync += expect.eq(Expect.END)

        loaded = Signal()
        with m.If(valid):
            m.d.sync += loaded.eq(good)
        m.d.sync += [
            self.error.eq(error),
            self.failed.eq(fresh & (error != LoadError.NONE)),
            self.done.eq(good),
        ]
        m.d.comb += [
            self.loaded.eq(loaded & ~valid),
            self.busy.eq(valid | (expect != Expect.MAGIC)),
            self.table_address.eq(address),
            self.table_data.eq(words[-32 * table_chunks:]),
            self.table_write.eq(write & ~weights),
            self.weights_address.eq(address),
            self.weights_data.eq(words[-32 * weights_chunks:]),
            self.weights_write.eq(write & weights),
        ]

        return m
