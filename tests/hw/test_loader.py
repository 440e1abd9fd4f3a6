"""The program loader against packets made here, good and bad."""

import random
import zlib

import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.ternary.config import PRESETS, TernaryConfig
from shiftwork.golden.ternary.program import MAGIC, ErrorCode
from shiftwork.hw.common.loader import ProgramLoader

from .kit import monitor, simulate, source

TABLE, WEIGHTS = 1, 2
TINY = PRESETS["tiny"]
CONFIGS = {
    "tiny": TINY,                                             # 2 chunks, 1 chunk; the weights are deeper
    "default": TernaryConfig(weight_depth=64, table_depth=128),    # 2 chunks, 4 chunks; the table is deeper
    "flat": TernaryConfig(lanes=16, grid_rows=4, grid_columns=4, drain_width=4, acc_width=16, scale_width=12,
                          weight_depth=32, table_depth=32),   # 1 chunk each, no bit to spare
}


def width(config, memory):
    return {TABLE: config.acc_width + config.scale_width + 4, WEIGHTS: 2 * config.lanes}[memory]


def depth(config, memory):
    return {TABLE: config.table_depth, WEIGHTS: config.weight_depth}[memory]


def loader(config):
    memories = {"table": TABLE, "weights": WEIGHTS}
    return ProgramLoader(MAGIC, config.fingerprint, {
        name: (depth(config, memory), width(config, memory)) for name, memory in memories.items()})


def chunks(config, memory):
    return -(-width(config, memory) // 32)


def section(config, memory, address, values):
    words = [memory | address << 8, len(values)]
    for value in values:
        words += [value >> 32 * k & 0xFFFFFFFF for k in range(chunks(config, memory))]
    return words


def seal(words):
    return [*words, zlib.crc32(b"".join(word.to_bytes(4, "little") for word in words))]


def program(config, *sections, magic=0x31545753, version=1, fingerprint=None, n=None):
    body = [word for words in sections for word in words]
    fingerprint = config.fingerprint if fingerprint is None else fingerprint
    return seal([magic, version | fingerprint << 8, len(body) if n is None else n, *body])


def packets(*programs):
    return [{"data": word, "last": n == len(words) - 1} for words in programs for n, word in enumerate(words)]


def random_sections(config, rng, count=4):
    """Sections, and the memories' contents after them."""
    sections, contents = [], {TABLE: {}, WEIGHTS: {}}
    for _ in range(count):
        memory = rng.choice([TABLE, WEIGHTS])
        size = rng.choice([0, 1, 2, rng.randint(3, 12)])
        address = rng.choice([0, depth(config, memory) - size, rng.randint(0, depth(config, memory) - size)])
        values = [rng.getrandbits(width(config, memory)) for _ in range(size)]
        sections.append(section(config, memory, address, values))
        contents[memory].update(enumerate(values, address))
    return sections, contents


class Bench:
    """A loader and what it does: memory contents, number of writes, and (cycle, event) for each strobe."""

    def __init__(self, config):
        self.dut = loader(config)
        self.contents = {TABLE: {}, WEIGHTS: {}}
        self.packet_writes = [[]]
        self.events = []
        self.accepted = []

    async def watch(self, ctx):
        dut, was_loaded, begun, ended, cycle = self.dut, 0, False, False, -1
        ports = {TABLE: (dut.table_write, dut.table_address, dut.table_data),
                 WEIGHTS: (dut.weights_write, dut.weights_address, dut.weights_data)}
        sampled = [*ports[TABLE], *ports[WEIGHTS], dut.i.valid & dut.i.ready, dut.i.p.last,
                   dut.loaded, dut.done, dut.failed, dut.error, dut.busy]
        async for _, _, *values in ctx.tick().sample(*sampled):
            cycle += 1
            for memory in TABLE, WEIGHTS:
                write, address, data = values[:3]
                del values[:3]
                if write:
                    self.contents[memory][address] = data
                    self.packet_writes[-1].append((memory, address))
            # A write comes in the cycle after its word, so it is counted before the packet is closed.
            if ended:
                self.packet_writes.append([])
            accept, last, loaded, done, failed, error, busy = values
            assert not (loaded and begun), "loaded within a packet"
            assert not begun or busy, "not busy within a packet"
            assert not done or loaded or busy, "done without a program"
            assert not (loaded and not was_loaded) or done, "loaded without done"
            assert not (done and failed)
            if done:
                self.events.append((cycle, 0))
            if failed:
                self.events.append((cycle, error))
            if accept:
                self.accepted.append(cycle)
                begun = not last
            ended = accept and last
            was_loaded = loaded

    def run(self, words, *, p=1.0, seed=0, enable=1.0):
        rng = random.Random(seed)

        async def gate(ctx):
            while True:
                ctx.set(self.dut.enable, rng.random() < enable)
                await ctx.tick()

        async def settle(ctx):
            await source(self.dut.i, words, p=p, seed=seed)(ctx)
            await ctx.tick().repeat(4)
            assert not ctx.get(self.dut.busy)
            self.loaded = ctx.get(self.dut.loaded)

        simulate(self.dut, settle, background=(gate, self.watch, monitor(self.dut.i)),
                 timeout=20 * len(words) + 200)
        return [code for _, code in self.events]


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("p, enable", [(1, 1), (0.4, 1), (1, 0.4), (0.6, 0.6)])
def test_loads(name, p, enable):
    config, rng = CONFIGS[name], random.Random(name)
    bench, programs, contents = Bench(config), [], {TABLE: {}, WEIGHTS: {}}
    for _ in range(4):
        sections, new = random_sections(config, rng)
        programs.append(program(config, *sections))
        for memory in contents:
            contents[memory].update(new[memory])
    assert bench.run(packets(*programs), p=p, enable=enable, seed=1) == [0] * 4
    assert bench.contents == contents and bench.loaded


@pytest.mark.parametrize("name", CONFIGS)
def test_fills_memories(name):
    config, rng, sections = CONFIGS[name], random.Random(5), []
    expected = {}
    for memory in TABLE, WEIGHTS:
        values = [rng.getrandbits(width(config, memory)) for _ in range(depth(config, memory))]
        sections.append(section(config, memory, 0, values))
        expected[memory] = dict(enumerate(values))
    bench = Bench(config)
    assert bench.run(packets(program(config, *sections))) == [0]
    assert bench.contents == expected
    assert sum(map(len, bench.packet_writes)) == config.table_depth + config.weight_depth


def test_ignores_unused_bits():
    bench = Bench(TINY)
    assert bench.run(packets(program(TINY, [TABLE, 1, 0xFFFFFFFF, 0xFFFFFFFF]))) == [0]
    assert bench.contents[TABLE] == {0: 2 ** width(TINY, TABLE) - 1}


def test_timing():
    """A word a cycle, back to back; what is due to a word comes two cycles after it."""
    words = program(TINY, section(TINY, TABLE, 3, [1, 2, 3]))
    bench = Bench(TINY)
    assert bench.run(packets(words, words)) == [0, 0]
    assert bench.accepted == list(range(bench.accepted[0], bench.accepted[0] + 2 * len(words)))
    assert [cycle for cycle, _ in bench.events] == [bench.accepted[n] + 2 for n in (len(words) - 1, -1)]

    bench = Bench(TINY)
    assert bench.run(packets(program(TINY, magic=0))) == [1]
    assert bench.events[0][0] == bench.accepted[0] + 2


def bad_programs(config):
    """(name, code, words, number of words written before the error)"""
    one = section(config, TABLE, 0, [1])
    good = program(config, one)
    yield "magic", 1, program(config, one, magic=0x31545752), 0
    yield "magic's high bit", 1, program(config, one, magic=0xB1545753), 0
    yield "only magic, wrong", 1, [0], 0
    yield "version", 2, program(config, one, version=2), 0
    yield "version before geometry", 2, program(config, one, version=0, fingerprint=0), 0
    yield "version before truncated", 2, program(config, version=3)[:2], 0
    yield "geometry", 3, program(config, one, fingerprint=config.fingerprint ^ 0x800000), 0
    yield "geometry before truncated", 3, program(config, fingerprint=1)[:2], 0
    for memory in TABLE, WEIGHTS:
        limit = depth(config, memory)
        full = section(config, memory, limit - 1, [7])
        yield f"{memory} address by one", 4, program(config, full, section(config, memory, limit, [1])), 1
        over = section(config, memory, limit - 1, [1, 2])
        yield f"{memory} count by one", 4, program(config, full, over), 1
        yield f"{memory} address at the end", 0, program(config, section(config, memory, limit, [])), 0
        yield f"{memory} address beyond", 4, program(config, section(config, memory, limit + 1, [])), 0
        yield f"{memory} wide address", 4, program(config, section(config, memory, 1 << 23, [1])), 0
        yield f"{memory} wide count", 4, program(config, [memory, 0x80000001, 1, 1]), 0
        yield f"{memory} sum wraps", 4, program(config, [memory | 0xFFFFFF << 8, 0xFFFFFFFF]), 0
        yield f"{memory} address before truncated", 4, program(config, [memory | limit << 8, 1])[:5], 0
    for memory in 0, 3, 4, 0x81, 0x82, 0xFF:
        yield f"memory {memory}", 4, program(config, [memory, 1, 1]), 0
        yield f"memory {memory}, nothing", 4, program(config, one, [memory, 0]), 1
        yield f"memory {memory}, truncated", 6, program(config, [memory])[:4], 0
        yield f"memory {memory}, n ends", 6, program(config, [memory]), 0
    for bit in 0, 17, 31:
        yield f"checksum {bit}", 5, [*good[:-1], good[-1] ^ 1 << bit], 1
    yield "data changed", 5, [*good[:5], good[5] ^ 2, *good[6:]], 1
    yield "checksum before overlong", 5, [*good[:-1], good[-1] ^ 1, 0], 1
    written = {n: int(n > 4 + chunks(config, TABLE)) for n in range(len(good))}
    for n in range(1, len(good)):
        yield f"cut to {n}", 6, good[:n], written[n]
    yield "n in a head", 6, program(config, one, [TABLE, 0, 5, 5], n=3 + chunks(config, TABLE)), 1
    yield "n before data", 6, program(config, one, n=2), 0
    if chunks(config, TABLE) > 1:
        yield "n in a memory word", 6, program(config, section(config, TABLE, 0, [1, 2]), n=5), 1
    yield "n too great", 6, program(config, one, n=0xFFFFFFFF), 1
    yield "overlong", 7, [*good, 0], 1
    yield "very overlong", 7, [*good, *good], 1
    yield "empty", 0, program(config), 0


BAD = {name: list(bad_programs(config)) for name, config in CONFIGS.items()}


@pytest.mark.parametrize("name", CONFIGS)
def test_codes(name):
    """Each error by itself: its code, once; no writes after it; then a good program loads."""
    config = CONFIGS[name]
    of_a_run = {ErrorCode.INPUT_SHORT, ErrorCode.INPUT_LONG, ErrorCode.NO_PROGRAM, ErrorCode.COMMAND}
    assert {code for _, code, *_ in BAD[name]} == {0, *ErrorCode} - of_a_run
    good = program(config, section(config, WEIGHTS, 2, [1, 2, 3]))
    bench = Bench(config)
    codes = bench.run(packets(*(packet for _, _, words, _ in BAD[name] for packet in (words, good))))
    for n, (case, code, _, written) in enumerate(BAD[name]):
        assert codes[2 * n:2 * n + 2] == [code, 0], case
        assert len(bench.packet_writes[2 * n]) == written and len(bench.packet_writes[2 * n + 1]) == 3, case
        for memory, address in bench.packet_writes[2 * n]:
            assert address < depth(config, memory), case
    assert len(codes) == 2 * len(BAD[name]) and bench.loaded


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(3))
def test_good_and_bad_mixed(name, seed):
    """Back to back in any order, with gaps, and noise of random words between."""
    config, rng = CONFIGS[name], random.Random(seed)
    cases = [*BAD[name]] * 2
    for _ in range(20):
        cases.append(("noise", 1, [rng.getrandbits(31) & ~1 for _ in range(rng.randint(1, 9))], 0))
        cases.append(("good", 0, program(config, *random_sections(config, rng)[0]), 0))
    rng.shuffle(cases)
    bench = Bench(config)
    codes = bench.run(packets(*(words for _, _, words, _ in cases)), p=(1, 0.5, 0.9)[seed], seed=seed)
    assert codes == [code for _, code, *_ in cases]


def test_last_writes_stand():
    """`loaded` falls with a packet that fails."""
    good, bad = program(TINY), program(TINY, version=9)
    bench = Bench(TINY)
    assert bench.run(packets(good, bad)) == [0, 2] and not bench.loaded


def test_not_enabled():
    dut = loader(TINY)

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        for _ in range(20):
            await ctx.tick()
            assert not ctx.get(dut.i.ready) and not ctx.get(dut.busy)

    simulate(dut, bench, timeout=100)


@pytest.mark.parametrize("cut", range(1, 9))
def test_reset(cut):
    """Reset in mid-packet, or just after it: the next packet is read from its first word."""
    words = packets(program(TINY, section(TINY, TABLE, 0, [1, 2])))
    dut, reset = loader(TINY), Signal()
    fall = []

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        await source(dut.i, words[:cut])(ctx)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        assert not ctx.get(dut.busy) and not ctx.get(dut.loaded)
        await source(dut.i, words)(ctx)
        await ctx.tick().repeat(2)
        assert ctx.get(dut.loaded) and not fall

    async def watch(ctx):
        async for _, _, failed in ctx.tick().sample(dut.failed):
            if failed:
                fall.append(failed)

    simulate(ResetInserter(reset)(dut), bench, background=(watch,), timeout=200)
