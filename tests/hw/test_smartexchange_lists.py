# amaranth: UnusedElaboratable=no
"""Walking lists and their items against the loops of docs/engines/smartexchange-machine.md, "Descriptors"."""

import dataclasses
import random

import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from shiftwork.golden.smartexchange.config import PRESETS
from shiftwork.hw.smartexchange.layouts import DESCRIPTOR, item_layout
from shiftwork.hw.smartexchange.list_reader import ListReader
from shiftwork.hw.smartexchange.tap_walk import TapWalk

from .kit import monitor, plain, simulate

TINY = PRESETS["tiny"]
LOOPS = ("m", "i", "pi", "run", "column")


class Lists(wiring.Component):
    """A ListReader with its memories."""

    def __init__(self, config, items, basis):
        self._config, self._items, self._basis = config, items, basis
        super().__init__({"descriptor": In(DESCRIPTOR), "start": In(1),
                          "o": Out(stream.Signature(item_layout(config)))})

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.reader = reader = ListReader(config)
        m.submodules.items = items = Memory(shape=32, depth=config.item_depth // 2, init=self._items)
        m.submodules.basis = basis = Memory(shape=config.basis_width, depth=config.basis_depth,
                                            init=self._basis)
        items_r, basis_r = items.read_port(), basis.read_port()
        wiring.connect(m, reader.o, wiring.flipped(self.o))
        m.d.comb += [
            reader.descriptor.eq(self.descriptor), reader.start.eq(self.start),
            items_r.addr.eq(reader.item_address), items_r.en.eq(reader.item_advance),
            reader.item_word.eq(items_r.data), basis_r.addr.eq(reader.basis_address),
            basis_r.en.eq(reader.basis_advance), reader.basis.eq(basis_r.data),
        ]
        return m


class Layer:
    """A random layer: its descriptor, its memories, and its items in order."""

    def __init__(self, seed, longest, config=TINY):
        rng = random.Random(seed)
        d = {f"{name}_count": rng.randrange(1, 3) for name in LOOPS}
        d |= {"lists": rng.randrange(1, 4), "item_base": rng.randrange(9), "basis_base": rng.randrange(9)}
        d |= {f"index_{name}_stride": rng.randrange(40) for name in LOOPS}
        self.descriptor = d | {"index_base": rng.randrange(40)}
        total = d["m_count"] * d["lists"]
        self.items = [rng.getrandbits(16) for _ in range(config.item_depth)]
        self.basis = [rng.getrandbits(config.basis_width) >> 9 << 9 | rng.randrange(1, longest + 1)
                      for _ in range(d["basis_base"] + total)]
        words = [low | high << 16 for low, high in zip(self.items[::2], self.items[1::2], strict=True)]
        self.dut = Lists(config, words, self.basis)
        self.expected = list(self._walk(config))

    def _walk(self, config):
        d = self.descriptor
        base = d["item_base"]
        for m in range(d["m_count"]):
            words = self.basis[d["basis_base"] + m * d["lists"]:][:d["lists"]]
            for i in range(d["i_count"]):
                for pi in range(d["pi_count"]):
                    for run in range(d["run_count"]):
                        for column in range(d["column_count"]):
                            position = d["index_base"] + sum(
                                n * d[f"index_{name}_stride"]
                                for n, name in zip((m, i, pi, run, column), LOOPS, strict=True))
                            yield from self._column(config, words, base, position)
            base += sum(word & 511 for word in words)

    def _column(self, config, words, pointer, position):
        for number, word in enumerate(words):
            coefficients = [word >> 12 + 8 * s & 255 for s in range(config.taps)]
            head = {"lift": word >> 9 & 7, "b": [b - 256 * (b > 127) for b in coefficients],
                    "first": int(number == 0), "last": int(number == len(words) - 1)}
            for n in range(word & 511):
                item = self.items[pointer]
                pointer += 1
                yield {"row": (position + (item & 0x3FFF)) % config.row_depth, "negative": item >> 14 & 1,
                       "shift": item >> 15, "last": int(n == (word & 511) - 1), "head": head}


@pytest.mark.parametrize("seed, longest, p", [
    (1, 1, 1), (2, 3, 1), (3, 9, 1), (4, 1, 0.5), (5, 3, 0.7), (6, 30, 0.4), (7, 2, 0.1), (8, 2, 0.5)])
def test_items(seed, longest, p):
    """In order, from ``latency`` on one is offered in every cycle, however it stalls; twice."""
    layer, rng = Layer(seed, longest), random.Random(seed)
    dut = layer.dut

    async def run(ctx):
        ctx.set(dut.descriptor, layer.descriptor)
        for _ in range(2):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for _ in range(ListReader.latency - 1):
                assert not ctx.get(dut.o.valid)
                await ctx.tick()
            taken = []
            while len(taken) < len(layer.expected):
                assert ctx.get(dut.o.valid), "an item must be there in every cycle"
                ready = rng.random() < p
                ctx.set(dut.o.ready, ready)
                if ready:
                    taken.append(plain(ctx.get(dut.o.p)))
                await ctx.tick()
            assert taken == layer.expected
            ctx.set(dut.o.ready, 1)
            for _ in range(20):
                assert not ctx.get(dut.o.valid)
                await ctx.tick()

    simulate(dut, run, background=[monitor(dut.o)], timeout=100 + 3 * int(len(layer.expected) / p))


def test_reset():
    """In any cycle; the next layer is as good as any."""
    layer, reset, rng = Layer(11, 5), Signal(), random.Random(1)
    dut = layer.dut

    async def run(ctx):
        ctx.set(dut.descriptor, layer.descriptor)
        for cycles in (1, 2, 4, 6, 9, 15, 22):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for _ in range(cycles):
                ctx.set(dut.o.ready, rng.random() < 0.5)
                await ctx.tick()
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.o.ready, 1)
            for expected in layer.expected:
                while not ctx.get(dut.o.valid):
                    await ctx.tick()
                assert plain(ctx.get(dut.o.p)) == expected
                await ctx.tick()
            await ctx.tick().repeat(10)
            assert not ctx.get(dut.o.valid)

    simulate(ResetInserter(reset)(dut), run, timeout=10 * len(layer.expected) + 1000)


@pytest.mark.parametrize("taps, hop, columns, outputs, skip", [
    (3, 1, 6, 4, 0), (3, 1, 4, 4, 1), (3, 1, 4, 5, 2), (3, 2, 7, 3, 0), (3, 2, 6, 3, 1), (3, 3, 6, 2, 0),
    (2, 2, 1, 1, 1), (1, 1, 3, 3, 0), (4, 1, 5, 6, 3), (4, 3, 7, 3, 2), (2, 1, 33, 32, 0), (4, 2, 4, 2, 1)])
def test_taps(taps, hop, columns, outputs, skip):
    """Which taps contribute, and to the same sum in the same place, whenever the next column is wanted."""
    dut, rng = TapWalk(dataclasses.replace(TINY, taps=4)), random.Random(1)

    async def run(ctx):
        ctx.set(dut.descriptor, {"tap_count": taps, "hop": hop, "column_count": columns, "skip": skip,
                                 "run_outputs_less_1": outputs - 1})
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for column in [*range(columns)] * 3:
            await ctx.tick().repeat((skip + 1 if column == 0 else 1) + rng.choice([0, 0, 3]))
            v = {s: skip + column - s for s in range(taps)}
            sums = {s: v[s] // hop for s in range(taps)
                    if v[s] >= 0 and v[s] % hop == 0 and v[s] // hop < outputs}
            assert ctx.get(dut.mask) == sum(1 << s for s in sums)
            assert (ctx.get(dut.first), ctx.get(dut.last)) == (column == 0, column == columns - 1)
            ring = ctx.get(dut.ring)
            if column == 0:
                places = {}
            for s, f in sums.items():
                assert places.setdefault(f, ring - s & 3) == ring - s & 3
            assert len({places[f] for f in sums.values()}) == len(sums)
            ctx.set(dut.step, 1)
            await ctx.tick()
            ctx.set(dut.step, 0)

    simulate(dut, run, timeout=1000)
