# amaranth: UnusedElaboratable=no
"""From lists to the coefficient store, against the page's words in Python."""

import dataclasses
import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from shiftwork.golden.smartexchange.config import PRESETS
from shiftwork.hw.smartexchange.layouts import DESCRIPTOR
from shiftwork.hw.smartexchange.rebuild_candidates import Candidates
from shiftwork.hw.smartexchange.rebuild_lists import RebuildLists
from shiftwork.hw.smartexchange.rebuild_store import CoefficientStore

from .kit import plain, simulate

TINY = dataclasses.replace(PRESETS["tiny"], rebuild=True, row_depth=64, filter_bases=4)
CONFIGS = {
    "2 x 2": dataclasses.replace(TINY, slices=2, lines=2),
    "4 x 1": dataclasses.replace(TINY, slices=4, lines=1, filter_bases=1),
    "1 x 4, 4 taps": dataclasses.replace(TINY, slices=1, lines=4, taps=4, row_depth=32),
    "1 x 1, 1 tap": dataclasses.replace(TINY, taps=1),
}


class Filling(wiring.Component):
    """What fills the store, with what it fills, and memories of lists."""

    def __init__(self, config, bases, items):
        self.config, self.bases, self.items = config, bases, items
        self.lists = RebuildLists(config)
        self.candidates = [Candidates(config) for _ in range(config.lines)]
        self.stores = [CoefficientStore(config, n) for n in range(config.lines)]
        super().__init__({"descriptor": In(DESCRIPTOR), "filled": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.lists = lists = self.lists
        m.submodules.bases = bases = Memory(shape=lists.basis.shape(), depth=128, init=self.bases)
        m.submodules.items = items = Memory(shape=lists.item_word.shape(), depth=512, init=self.items)
        basis, item = bases.read_port(), items.read_port()
        m.d.comb += [
            lists.descriptor.eq(self.descriptor), basis.addr.eq(lists.basis_address),
            lists.basis.eq(basis.data), item.addr.eq(lists.item_address), lists.item_word.eq(item.data),
        ]
        for n, (candidates, store) in enumerate(zip(self.candidates, self.stores, strict=True)):
            m.submodules[f"candidates{n}"], m.submodules[f"store{n}"] = candidates, store
            m.d.comb += [
                candidates.clear.eq(lists.clear), candidates.clear_word.eq(lists.clear_word),
                candidates.valid.eq(lists.valid & (lists.item.line == n)), candidates.advance.eq(1),
                candidates.offset.eq(lists.item.offset), candidates.half.eq(lists.item.half),
                store.depthwise.eq(self.descriptor.index_m_stride != 0),
                store.valid.eq(candidates.valid), store.item.eq(lists.item),
                store.first.eq(candidates.first), store.write_basis.eq(lists.write_basis),
            ]
            m.d.comb += [getattr(store, f"basis_{name}").eq(getattr(lists, f"basis_{name}"))
                         for name in ("half", "slice", "tap", "number", "row")]
        return m


class Lists:
    """Random lists of a layer."""

    def __init__(self, config, rng, depthwise):
        self.config, self.rng = config, rng
        self.filters, self.taps = rng.randrange(1, 8), config.taps
        self.lists = self.taps * rng.randrange(1, config.filter_bases + 1)
        self.depthwise = depthwise
        self.size = min(config.slices, config.lines) if depthwise else config.slices
        self.bases, self.items = [], [self._item(0) for _ in range(3)]   # a layer begins anywhere
        self.content = []
        for _ in range(self.filters):
            owner = {}
            self.content.append([self._list(owner, n // self.taps) for n in range(self.lists)])
        words = [{"length": len(items), "lift": lift, "b": b}
                 for lists in self.content for items, lift, b in lists]
        self.bases = [{"length": 1, "lift": 0, "b": [0] * self.taps}] * 2 + words
        flat = self.items + [item for lists in self.content for items, _, _ in lists for item in items]
        self.words = [[flat[n], (flat + flat)[n + 1]] for n in range(0, len(flat), 2)]

    def _item(self, offset):
        return {"offset": offset, "negative": self.rng.getrandbits(1), "shift": self.rng.random() < 0.4}

    def _list(self, owner, number):
        """A row belongs to one basis."""
        rng, items = self.rng, []
        for _ in range(rng.randrange(1, 7)):
            offset = rng.randrange(self.config.row_depth)
            if owner.setdefault(offset, number) == number:
                items += [self._item(offset) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
        b = [rng.randint(-128, 127) for _ in range(self.taps)]
        b = b if rng.random() < 0.8 else [0] * self.taps
        return items or [self._item(min(owner))], rng.randrange(8), b

    @property
    def descriptor(self):
        return {"lists": self.lists, "item_base": 3, "basis_base": 2, "m_count": self.filters,
                "tap_count": self.taps, "index_m_stride": self.depthwise}

    def group(self, filters):
        """(cycles, candidates by line, {(line, slice, offset): (codes, bases)}) of a group."""
        config = self.config
        cycles = -(-config.row_depth // 32)
        candidates, store = [[] for _ in range(config.lines)], {}
        for k, m in enumerate(filters):
            for number, (items, lift, b) in enumerate(self.content[m]):
                cycles += 3
                if not any(b):
                    continue
                cycles += len(items)
                exponent, before = lift, None
                for item in reversed(items):
                    offset = item["offset"]
                    line = k if self.depthwise else offset % config.lines
                    level = before[1] if before and before[0] == offset else exponent % 8
                    before, exponent = (offset, level), exponent + item["shift"]
                    if offset not in candidates[line]:
                        candidates[line].append(offset)
                        for n in range(config.slices):
                            store[line, n, offset] = [[0] * 3 for _ in range(self.taps)], None
                    codes = store[line, k, offset][0]
                    codes[number % self.taps] = [1, item["negative"], level]
                    first = number // self.taps * self.taps
                    bases = [b for _, _, b in self.content[m][first:first + self.taps]]
                    store[line, k, offset] = codes, bases
        return cycles, candidates, store


async def check(ctx, dut, lists, half, candidates, store):
    """Compares a half of all lines."""
    for line in range(dut.config.lines):
        port = dut.candidates[line]
        ctx.set(port.read_half, half)
        found = []
        for n in range(len(candidates[line])):
            ctx.set(port.address, n)
            await ctx.tick()
            found.append(ctx.get(port.candidate))
        assert found == candidates[line] and ctx.get(port.count) == len(found)
        for offset in candidates[line]:
            port = dut.stores[line]
            for name, value in (("read", 1), ("half", half), ("offset", offset)):
                ctx.set(getattr(port, name), value)
            await ctx.tick()
            ctx.set(port.read, 0)
            ctx.set(port.half, 1 - half)
            await ctx.tick()
            for tap in range(lists.taps):
                ctx.set(port.tap, tap)
                await ctx.tick()
                for n in range(dut.config.slices):
                    codes, bases = store[line, n, offset]
                    code = plain(ctx.get(port.codes[n]))
                    if codes[tap][0]:
                        assert [code["nonzero"], code["negative"], code["exponent"]] == codes[tap]
                        assert plain(ctx.get(port.bases[n])) == bases[tap]
                    elif lists.depthwise and n != line:
                        pass    # rows of other slices have no place of their own
                    else:
                        assert not code["nonzero"], (line, n, offset, tap)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("depthwise", [0, 1])
def test_groups(name, depthwise):
    """All groups of some layers: contents, cycles, and that a half stays until it is released."""
    config = CONFIGS[name]
    for seed in range(4):
        rng = random.Random(seed)
        lists = Lists(config, rng, depthwise)
        dut = Filling(config, lists.bases, lists.words)
        _run(dut, lists, rng)


def _run(dut, lists, rng):
    groups = [lists.group(range(base, min(base + lists.size, lists.filters)))
              for base in range(0, lists.filters, lists.size)]

    async def pulse(ctx, signal):
        ctx.set(signal, 1)
        await ctx.tick()
        ctx.set(signal, 0)

    async def run(ctx):
        ctx.set(dut.descriptor, lists.descriptor)
        ctx.set(dut.lists.size, lists.size)
        await pulse(ctx, dut.lists.start)
        for number, (cycles, candidates, store) in enumerate(groups):
            if number >= 2:
                await ctx.tick().repeat(rng.randrange(1, 4))
                await pulse(ctx, dut.lists.released)
            elif number == 1:
                continue        # is read in meanwhile
            # the first two follow one another at once
            total = cycles + (groups[1][0] if number == 0 and len(groups) > 1 else 0)
            for cycle in range(total):
                assert ctx.get(dut.lists.filled) == (cycle + 1 in (cycles, total)), cycle
                await ctx.tick()
            for _ in range(3):
                await ctx.tick()
                assert not ctx.get(dut.lists.filled)
            await check(ctx, dut, lists, number % 2, candidates, store)
            if number == 0 and len(groups) > 1:
                await check(ctx, dut, lists, 1, *groups[1][1:])

    simulate(dut, run, timeout=6000)
