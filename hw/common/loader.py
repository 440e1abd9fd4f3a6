"""The program loader: takes a program packet apart, checks it and fills the memories."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from ...golden.common.program import ErrorCode
from .stream import packet

__all__ = ["VERSION", "ProgramLoader"]

VERSION = 1
"""Version of the program formats."""


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
        # The step is linear, so what becomes of each bit alone tells all: one exclusive or a bit of `o`.
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

    Words are checked one at a time as they come; where one word has several errors, the lowest code counts. A
    section's memory, address and count are checked when all have come. The rest of a packet with an error is
    swallowed. Memory words are written as they come, so a program found bad afterwards has overwritten the
    one before. Bits of a memory word beyond the memory's width are ignored.

    Parameters
    ----------
    magic : int
        Word 0 of a program.
    fingerprint : int
        24 bits, of the engine.
    memories : dict of str: (depth, width)
        Words and their bits of each memory; the first one has number 1 in a section's first word, and so on.

    Members
    -------
    i : In(stream of packet(32))
        The program.
    enable : In(1)
        Whether words are accepted: ``i.ready``.
    NAME_address, NAME_data, NAME_write : Out
        Write port of each memory.
    loaded : Out(1)
        Whether the last packet was a good program; low from the cycle after its first word is accepted.
    error, failed : Out
        An ``ErrorCode``, for the one cycle of ``failed``; at most once a packet.
    done : Out(1)
        High for one cycle at the end of a good program, the first with ``loaded``.
    busy : Out(1)
        Whether a packet has begun and not ended; high from the cycle after its first word is accepted.

    Timing: one word a cycle, without pauses, also between packets. A memory is written in the cycle after the
    last chunk of its word is accepted; ``loaded``, ``done`` and ``failed`` follow 2 cycles after the word
    that causes them. Cost: 32 * ceil(width / 32) flip-flops of shift register, width that of the widest
    memory, and about 150 more.
    """

    def __init__(self, magic, fingerprint, memories):
        self.magic, self.fingerprint, self.memories = magic, fingerprint, dict(memories)
        ports = {}
        for name, (depth, width) in self.memories.items():
            ports |= {f"{name}_address": Out(range(depth)), f"{name}_data": Out(width),
                      f"{name}_write": Out(1)}
        super().__init__({
            "i": In(stream.Signature(packet(32))),
            "enable": In(1),
            **ports,
            "loaded": Out(1),
            "error": Out(4),
            "failed": Out(1),
            "done": Out(1),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        s = _State(self.memories.values())

        # Every accepted word is looked at in the next cycle, and then shifts in at the top of those before.
        # No word is ever held, so the stream is ready whenever it is enabled; and when the last chunk of a
        # memory word is looked at, that word is complete, its least significant bit so many chunks below.
        m.d.comb += self.i.ready.eq(self.enable)
        m.d.sync += s.valid.eq(self.i.valid & self.i.ready)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [s.word.eq(self.i.p.data), s.last.eq(self.i.p.last)]
        with m.If(s.valid):
            m.d.sync += s.before.eq(s.words[32:])

        m.submodules.step = step = Crc32Step()
        m.d.comb += step.i.eq(s.crc ^ s.word)
        with m.If(s.valid):
            m.d.sync += s.crc.eq(Mux(s.last, s.crc.init, step.o))

        self._check(m, s)
        self._advance(m, s)

        loaded = Signal()
        with m.If(s.valid):
            m.d.sync += loaded.eq(s.good)
        m.d.sync += [self.failed.eq(s.fresh & s.refused), self.done.eq(s.good), self.error.eq(0)]
        for code, wrong in sorted(s.wrong.items(), reverse=True):   # the later assignment wins
            with m.If(wrong):
                m.d.sync += self.error.eq(code)
        m.d.comb += [
            self.loaded.eq(loaded & ~s.valid),
            self.busy.eq(s.valid | (s.expect != Expect.MAGIC)),
        ]
        for n, name in enumerate(self.memories):
            m.d.comb += [
                getattr(self, f"{name}_address").eq(s.address),
                getattr(self, f"{name}_data").eq(s.words[-32 * s.chunks[n]:]),
                getattr(self, f"{name}_write").eq(s.write & (s.memory == n)),
            ]

        return m

    def _check(self, m, s):
        """What is wrong with the word, were it taken: bits of ``wrong``."""
        def refuse(condition, code):
            with m.If(condition):
                m.d.comb += s.wrong[code].eq(1)

        refuse(s.last & ~s.checksum & (s.expect != Expect.END), ErrorCode.TRUNCATED)
        with m.Switch(s.expect):
            with m.Case(Expect.MAGIC):
                refuse(s.word != self.magic, ErrorCode.MAGIC)
            with m.Case(Expect.VERSION):
                refuse(s.word[8:] != self.fingerprint, ErrorCode.GEOMETRY)
                refuse(s.word[:8] != VERSION, ErrorCode.VERSION)
            with m.Case(Expect.SECTION):
                refuse(s.checksum & ~s.last, ErrorCode.OVERLONG)
                refuse(s.checksum & (s.word != ~s.crc), ErrorCode.CHECKSUM)
            with m.Case(Expect.COUNT):
                count = s.word[:len(s.left)]
                beyond = s.unknown | s.word[len(s.left):].any() | (count > s.room)
                refuse(beyond & ~s.none, ErrorCode.ADDRESS)
                refuse(s.none, ErrorCode.TRUNCATED)
            with m.Case(Expect.CHUNK):
                refuse(s.none, ErrorCode.TRUNCATED)

    def _advance(self, m, s):
        """What to expect after the word, and whether it completes a memory word or the program."""
        number, begin = s.word[:8], s.word[8:]
        chunks = Array(chunks - 1 for chunks in s.chunks)[s.memory]
        depth = Signal.like(s.address)
        with m.Switch(number):
            for n, (words, _) in enumerate(self.memories.values(), 1):
                with m.Case(n):
                    m.d.comb += depth.eq(words)

        with m.If(s.fresh):
            m.d.sync += [s.remaining.eq(s.remaining - 1), s.none.eq(s.remaining == 1)]
            with m.Switch(s.expect):
                with m.Case(Expect.MAGIC):
                    m.d.sync += s.expect.eq(Expect.VERSION)
                with m.Case(Expect.VERSION):
                    m.d.sync += s.expect.eq(Expect.LENGTH)
                with m.Case(Expect.LENGTH):
                    m.d.sync += [s.remaining.eq(s.word), s.none.eq(s.word == 0)]
                    m.d.sync += s.expect.eq(Expect.SECTION)
                with m.Case(Expect.SECTION):
                    m.d.comb += s.good.eq(s.checksum & s.last & (s.word == ~s.crc))
                    known = (number != 0) & (number <= len(s.chunks))
                    m.d.sync += [
                        s.unknown.eq(~known | begin[len(s.address):].any()),
                        s.memory.eq(number - 1),
                        s.address.eq(begin),
                        s.room.eq(depth - begin[:len(s.address)]),
                        s.expect.eq(Expect.COUNT),
                    ]
                with m.Case(Expect.COUNT):
                    m.d.sync += [s.left.eq(s.word), s.chunk.eq(chunks)]
                    m.d.sync += s.expect.eq(Mux(s.word[:len(s.left)].any(), Expect.CHUNK, Expect.SECTION))
                with m.Case(Expect.CHUNK):
                    m.d.sync += s.chunk.eq(s.chunk - 1)
                    with m.If(s.chunk == 0):
                        m.d.comb += s.write.eq(~s.none)
                        m.d.sync += [s.address.eq(s.address + 1), s.left.eq(s.left - 1), s.chunk.eq(chunks)]
                        with m.If(s.left == 1):
                            m.d.sync += s.expect.eq(Expect.SECTION)

        # Acting on an error a cycle late keeps the checks out of the longest path.
        m.d.sync += s.doomed.eq(s.fresh & ~s.last & s.refused)
        with m.If(s.valid & s.last):
            m.d.sync += s.expect.eq(Expect.MAGIC)
        with m.Elif(s.doomed):
            m.d.sync += s.expect.eq(Expect.END)


class _State:
    """Signals that the loader's parts share."""

    def __init__(self, memories):
        self.chunks = [-(-width // 32) for _, width in memories]   # of a word of each memory

        self.before = Signal(32 * (max(self.chunks) - 1))   # words, the latest at the top
        self.word = Signal(32)           # the word looked at
        self.words = Cat(self.before, self.word)
        self.valid = Signal()            # it is a new one
        self.last = Signal()             # it is the packet's last
        self.doomed = Signal()           # the one before was refused, and not the packet's last
        self.fresh = self.valid & ~self.doomed
        self.crc = Signal(32, init=0xFFFFFFFF)

        self.expect = Signal(Expect)
        self.remaining = Signal(32)      # words before the checksum, this one included
        self.none = Signal(init=1)       # they are 0
        self.checksum = (self.expect == Expect.SECTION) & self.none
        self.unknown = Signal()          # the section is for no memory, or begins beyond any
        self.memory = Signal(range(len(self.chunks)))     # which one it is for
        self.address = Signal(range(max(depth for depth, _ in memories) + 1))
        self.room = Signal(signed(len(self.address) + 1))    # the memory's words from there to its end
        self.left = Signal.like(self.address)      # memory words of it
        self.chunk = Signal(range(max(2, *self.chunks)))   # chunks of the memory word after this one

        # Whether a word is wrong, and how; bits that nothing sets would be unknown to some simulators.
        self.wrong = {code: Signal(name=f"wrong_{code.name.lower()}")
                      for code in ErrorCode if code <= ErrorCode.OVERLONG}
        self.refused = Cat(self.wrong.values()).any()
        self.good = Signal()             # the program ends here, and is good
        self.write = Signal()            # the memory word is complete
