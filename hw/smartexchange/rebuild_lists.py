"""Reads the lists of a group of filters, backwards, into the coefficient store."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from ..common.filter_groups import FilterGroups
from .layouts import DESCRIPTOR, ITEM, basis_layout
from .rebuild_layouts import RebuildWidths, bases_layout, item_layout

__all__ = ["RebuildLists"]


class State(enum.Enum):
    """What happens in a cycle."""

    IDLE = 0
    CLEAR = 1      # a word of candidates' bits, where a half of the store is free
    FETCH = 2      # a list's basis word is addressed
    WORD = 3       # .. is here
    MEET = 4       # .. is kept; where is the list's end?
    ITEMS = 5      # an item is addressed


class RebuildLists(wiring.Component):
    """Walks the groups of a layer, the filters of a group and the lists of a filter.

    "From lists to coefficients" and rule 1 of docs/engines/smartexchange-rebuild.md. A group waits until one
    of two halves of the store is free.

    Members
    -------
    descriptor : In(DESCRIPTOR), constant while a layer runs
    size : In, filters of a group
    start : In(1); released : In(1), a half of the store is free again
    basis_address, basis_advance, basis : of the basis memory's read port: address, enable, word
    item_address, item_advance, item_word : likewise, of the item memory
    write_basis : Out(1), basis_half, basis_slice, basis_tap, basis_number, basis_row : Out, a row of a basis
    clear : Out(1), clear_word : Out: forget candidates of word ``clear_word`` of half ``item.half``
    valid : Out(1), item : Out(item_layout), a coefficient, which may come again and then counts
    filled : Out(1), in a group's last cycle; its last coefficient comes two cycles later

    Timing: the first group's first cycle comes ``latency`` cycles after ``start``. A group takes a cycle for
    each word to clear, ``list_cycles`` for each list and one for each item of a list that is not left out;
    coefficients and words to clear come two cycles after theirs. A half is taken from the cycle after
    ``released`` on.
    """

    latency = 1
    list_cycles = 3

    def __init__(self, config):
        self._config = config
        w = RebuildWidths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "released": In(1),
            "size": In(range(config.slices + 1)),
            "basis_address": Out(w.basis), "basis_advance": Out(1), "basis": In(basis_layout(config)),
            "item_address": Out(w.item - 1), "item_advance": Out(1),
            "item_word": In(data.ArrayLayout(ITEM, 2)),
            "write_basis": Out(1), "basis_half": Out(1), "basis_slice": Out(range(config.slices)),
            "basis_tap": Out(range(config.taps)), "basis_number": Out(w.number),
            "basis_row": Out(bases_layout(config)),
            "clear": Out(1), "clear_word": Out(range(w.clear_words)),
            "valid": Out(1), "item": Out(item_layout(config)), "filled": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, d, w = self._config, self.descriptor, RebuildWidths(self._config)
        m.submodules.groups = groups = FilterGroups(w.m, config.slices)
        basis, pointer, base = Signal(basis_layout(config), reset_less=True), Signal(w.item), Signal(w.item)
        state = Signal(State)
        half, free, clearing, word = Signal(), Signal(2), Signal(), Signal(range(w.clear_words))
        left, lists = Signal.like(basis.length), Signal(16)
        tap, number = Signal(range(config.taps)), Signal(w.number)
        clear, read, list_ends, takes = Signal(), Signal(), Signal(), Signal()
        filter_ends = list_ends & (lists == 1)
        m.d.comb += [
            groups.count.eq(d.m_count), groups.start.eq(self.start), groups.step.eq(filter_ends),
            groups.size.eq(self.size), self.basis_advance.eq(1), self.item_advance.eq(1),
            groups.advance.eq(self.filled), self.filled.eq(filter_ends & groups.last),
            self.item_address.eq(pointer >> 1),
            self.basis_half.eq(half), self.basis_slice.eq(groups.filter), self.basis_tap.eq(tap),
            self.basis_number.eq(number), self.basis_row.eq(basis.b),
        ]
        m.d.sync += free.eq(free + self.released - takes)
        with m.Switch(state):
            with m.Case(State.CLEAR):
                m.d.comb += [clear.eq(clearing | (free != 0)), takes.eq(clear & ~clearing)]
                m.d.sync += lists.eq(d.lists)
                with m.If(clear):
                    m.d.sync += [clearing.eq(1), word.eq(word + 1)]
                    with m.If(word == w.clear_words - 1):
                        m.d.sync += [clearing.eq(0), word.eq(0), state.eq(State.FETCH)]
            with m.Case(State.FETCH):
                m.d.sync += state.eq(State.WORD)
            with m.Case(State.WORD):
                m.d.sync += [
                    basis.eq(self.basis), self.basis_address.eq(self.basis_address + 1),
                    state.eq(State.MEET)]
            with m.Case(State.MEET):
                following = base + basis.length
                m.d.comb += [self.write_basis.eq(1), list_ends.eq(~basis.b.as_value().any())]
                m.d.sync += [
                    base.eq(following), pointer.eq(following - 1), left.eq(basis.length),
                    state.eq(State.ITEMS)]
            with m.Case(State.ITEMS):
                m.d.comb += [read.eq(1), list_ends.eq(left == 1)]
                m.d.sync += [pointer.eq(pointer - 1), left.eq(left - 1)]
        with m.If(list_ends):
            m.d.sync += [lists.eq(lists - 1), tap.eq(tap + 1), state.eq(State.FETCH)]
            with m.If(filter_ends):
                m.d.sync += [lists.eq(d.lists), tap.eq(0), number.eq(0)]
            with m.Elif(tap == d.tap_count - 1):
                m.d.sync += [tap.eq(0), number.eq(number + 1)]
        with m.If(self.filled):
            m.d.sync += [half.eq(~half), state.eq(Mux(groups.final, State.IDLE, State.CLEAR))]
        with m.If(self.start):
            m.d.sync += [
                free.eq(2), half.eq(0), clearing.eq(0), word.eq(0), tap.eq(0), number.eq(0),
                self.basis_address.eq(d.basis_base), base.eq(d.item_base), state.eq(State.CLEAR)]
        self._decode(m, {"half": half, "slice": groups.filter, "tap": tap, "number": number,
                         "lift": basis.lift}, pointer[0], read, clear, word)
        return m

    def _decode(self, m, meta, upper, read, clear, word):
        """Two cycles after an item's address: its coefficient."""
        w = RebuildWidths(self._config)
        stage = data.StructLayout({name: value.shape() for name, value in meta.items()})
        now, held = Signal(stage, reset_less=True), Signal(stage, reset_less=True)
        m.d.sync += [*(now[name].eq(value) for name, value in meta.items()), held.eq(now)]
        reading, odd, item = Signal(), Signal(), Signal(ITEM, reset_less=True)
        cleared, words = Signal(), Signal.like(word)
        m.d.sync += [
            reading.eq(read), self.valid.eq(reading), odd.eq(upper), item.eq(self.item_word[odd]),
            cleared.eq(clear), self.clear.eq(cleared), words.eq(word), self.clear_word.eq(words),
        ]

        # exponents grow from a list's end to its beginning; what is met again keeps its own
        first, exponent, before, offset = Signal(), Signal(3), Signal(3), Signal(w.row)
        code = self.item.code
        level = Mux(first, held.lift, exponent)
        m.d.comb += [
            *(self.item[name].eq(held[name]) for name in ("half", "slice", "tap", "number")),
            self.item.offset.eq(item.offset), code.nonzero.eq(1), code.negative.eq(item.negative),
            code.exponent.eq(Mux(~first & (self.item.offset == offset), before, level)),
        ]
        if self._config.lines > 1:
            m.d.comb += self.item.line.eq(
                Mux(self.descriptor.index_m_stride == 0, item.offset[:w.line], held.slice))
        m.d.sync += first.eq(~self.valid)
        with m.If(self.valid):
            m.d.sync += [exponent.eq(level + item.shift), before.eq(code.exponent),
                         offset.eq(self.item.offset)]
