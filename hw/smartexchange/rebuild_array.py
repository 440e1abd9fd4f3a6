"""Lines of all slices, and the sums of their accumulators."""

from amaranth import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..common.adder_tree import AdderTree
from ..common.delay import delay
from .layouts import DESCRIPTOR
from .rebuild_booth import BoothEncoder, SerialMultipliers
from .rebuild_candidates import Candidates
from .rebuild_flags import RowFlags
from .rebuild_layouts import RebuildWidths, digit_layout, fill_layout, position_layout
from .rebuild_line import LineControl
from .rebuild_rows import LineRows
from .rebuild_selector import IndexSelector
from .rebuild_store import CoefficientStore
from .rebuild_weights import RebuildEngine

__all__ = ["RebuildLine", "RebuildArray"]


class RebuildLine(wiring.Component):
    """Line ``number`` of all slices: a selector, a copy of the rows, and for each slice its multipliers.

    Members
    -------
    descriptor, start : In
    fill : In(fill_layout), of `RebuildLists`
    write_row, write_data, write_groups : In, of `RowMemory`; flag_row, flag, flag_write : In, of `RowFlags`
    go : In(1), position : In(position_layout), waiting : Out(1), of `IndexSelector`
    moves : In(ArrayLayout(row, taps)), rows from the position's to those of each tap, in this line
    row_ready, mark_ready : Out(1), begin, end : In(1), of `LineControl`
    clear : In(1), ``latency - 1`` cycles after ``end``: accumulators begin anew
    acc : Out(ArrayLayout(sum_width, slices * P)), complete in that cycle

    Timing: ``latency`` cycles from a step to its product in ``acc``.
    """

    latency = 1 + BoothEncoder.latency + SerialMultipliers.latency

    def __init__(self, config, number):
        self._config, self._number = config, number
        w = RebuildWidths(config)
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "fill": In(fill_layout(config)),
            "write_row": In(w.row), "write_data": In(config.activation_width * config.scatter_width),
            "write_groups": In(config.groups),
            "flag_row": In(w.row), "flag": In(1), "flag_write": In(1),
            "go": In(1), "position": In(position_layout(config)), "waiting": Out(1),
            "moves": In(data.ArrayLayout(w.row, config.taps)),
            "row_ready": Out(1), "mark_ready": Out(1), "begin": In(1), "end": In(1), "clear": In(1),
            "acc": Out(data.ArrayLayout(config.sum_width, config.slices * config.lanes)),
        })

    def elaborate(self, platform):
        m = Module()
        config, d = self._config, self.descriptor
        depthwise = Signal()
        m.d.sync += depthwise.eq(d.index_m_stride != 0)
        m.submodules.control = control = LineControl(config)
        m.submodules.rows = rows = LineRows(config)
        m.submodules.store = store = CoefficientStore(config, self._number)
        self._select(m, control, store)
        m.d.comb += [
            control.descriptor.eq(d), store.depthwise.eq(depthwise), rows.signed.eq(d.signed),
            self.row_ready.eq(control.row_ready), self.mark_ready.eq(control.mark_ready),
            control.begin.eq(self.begin), control.end.eq(self.end),
            store.read.eq(control.read), store.half.eq(control.half), store.offset.eq(control.offset),
            store.tap.eq(delay(m, control.tap, 2)),
            rows.row.eq(control.row), rows.place.eq(control.place),
            rows.steps_place.eq(control.steps_place), control.more.eq(rows.more),
            rows.read_place.eq(delay(m, control.steps_place, 1)),
        ]
        m.d.comb += [getattr(rows, name).eq(getattr(self, name))
                     for name in ("write_row", "write_data", "write_groups")]
        digits = Signal(data.ArrayLayout(digit_layout(config), config.lanes))
        first = delay(m, control.step_first, 1, reset_less=False)
        for lane in range(config.lanes):
            m.submodules[f"encoder{lane}"] = encoder = BoothEncoder(config)
            m.d.comb += [
                encoder.first.eq(first), encoder.signed.eq(d.signed), digits[lane].eq(encoder.o),
                encoder.x.eq(rows.x.word_select(lane, config.activation_width))]
        for n in range(config.slices):
            weight = self._weight(m, n, control, store, depthwise if n != self._number else 0)
            m.submodules[f"multipliers{n}"] = multipliers = SerialMultipliers(config)
            m.d.comb += [
                multipliers.weight.eq(weight), multipliers.digits.eq(digits),
                multipliers.clear.eq(self.clear),
                self.acc.as_value().word_select(n, config.lanes * config.sum_width).eq(multipliers.acc)]
        return m

    def _select(self, m, control, store):
        """Candidates and coefficients of this line, and what of the candidates is computed."""
        config, fill = self._config, self.fill
        m.submodules.candidates = candidates = Candidates(config)
        m.submodules.selector = selector = IndexSelector(config)
        mine = Signal()
        m.d.comb += [
            mine.eq(fill.valid & (fill.item.line == self._number)),
            candidates.clear.eq(fill.clear), candidates.clear_word.eq(fill.clear_word),
            candidates.valid.eq(mine), candidates.offset.eq(fill.item.offset),
            candidates.half.eq(fill.item.half), candidates.read_half.eq(selector.read_half),
            candidates.address.eq(selector.address), candidates.advance.eq(selector.advance),
            selector.candidate.eq(candidates.candidate), selector.count.eq(candidates.count),
            selector.start.eq(self.start), selector.go.eq(self.go), selector.position.eq(self.position),
            selector.moves.eq(self.moves), self.waiting.eq(selector.waiting),
            *(getattr(selector, name).eq(getattr(self, name)) for name in ("flag_row", "flag", "flag_write")),
            *(getattr(store, f"{name}").eq(fill[name]) for name in fill.shape().members
              if name.startswith(("basis_", "write_"))),
            store.item.eq(delay(m, fill.item.as_value(), 1)), store.first.eq(delay(m, candidates.first, 1)),
            store.valid.eq(delay(m, mine, 1, reset_less=False)),
        ]
        wiring.connect(m, selector.o, control.i)

    def _weight(self, m, n, control, store, masked):
        """Weights of slice ``n``, and the one that a step's digits are multiplied by, with these."""
        config = self._config
        m.submodules[f"engine{n}"] = engine = RebuildEngine(config)
        m.d.comb += [
            engine.code.eq(store.codes[n]), engine.b.eq(store.bases[n]),
            engine.select.eq(control.load_turn),
            *(getattr(engine, name).eq(delay(m, getattr(control, name), 3, reset_less=False))
              for name in ("first", "last", "turn", "keep")),
        ]
        weights = Signal.like(engine.weights, name=f"weights_{n}", reset_less=True)
        with m.If(control.load):
            m.d.sync += weights.eq(engine.weights)
        tap = delay(m, control.step_tap, 1)
        chosen = Signal(weights.shape().elem_shape, name=f"weight_{n}", reset_less=True)
        m.d.sync += chosen.eq(Mux(masked, 0, Array(weights[s] for s in range(config.taps))[tap]))
        return delay(m, chosen, 1)


class RebuildArray(wiring.Component):
    """``slices`` x ``lines`` x P multipliers, bit-serial, and all that feeds them.

    Rules 2 to 6 of docs/engines/smartexchange-rebuild.md, "Cycles".

    Members
    -------
    descriptor, start : In
    fill : In(fill_layout), of `RebuildLists`
    write_row, write_data, write_groups : In, of `RowMemory`
    go : In(1), one cycle, while all are ``waiting``; position : In(position_layout), with it
    free : In(1), sums may be replaced; end : Out(1), one cycle: a position ends
    select : In, of slices * P / D vectors of sums
    result : Out(ArrayLayout(signed(sum_width), D)), one cycle later

    Timing: the sums of a position can be selected ``latency`` cycles after its ``end``, until the next one.
    """

    def __init__(self, config):
        self._config = config
        w = RebuildWidths(config)
        self.latency = RebuildLine.latency + config.lines.bit_length() - 1
        super().__init__({
            "descriptor": In(DESCRIPTOR), "start": In(1), "fill": In(fill_layout(config)),
            "write_row": In(w.row), "write_data": In(config.activation_width * config.scatter_width),
            "write_groups": In(config.groups),
            "go": In(1), "position": In(position_layout(config)), "waiting": Out(1),
            "free": In(1), "end": Out(1), "select": In(range(config.slices * config.drain_cycles)),
            "result": Out(data.ArrayLayout(signed(config.sum_width), config.drain_width)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.flags = flags = RowFlags(config)
        lines = [RebuildLine(config, n) for n in range(config.lines)]
        rows = ("write_row", "write_data", "write_groups")
        m.d.comb += [getattr(flags, name).eq(getattr(self, name)) for name in rows]
        clear = delay(m, self.end | self.start, RebuildLine.latency - 1, reset_less=False)
        for n, (line, moves) in enumerate(zip(lines, self._moves(m), strict=True)):
            m.submodules[f"line{n}"] = line
            m.d.comb += [getattr(line, name).eq(getattr(self, name))
                         for name in (*rows, "descriptor", "start", "fill", "go", "position", "end")]
            m.d.comb += [
                line.flag_row.eq(flags.row), line.flag.eq(flags.flag), line.flag_write.eq(flags.write),
                line.moves.eq(moves), line.clear.eq(clear)]
        row_ready, mark_ready = (Cat(getattr(line, name) for line in lines)
                                 for name in ("row_ready", "mark_ready"))
        together = Signal(init=1)
        if config.synchronised:
            m.d.comb += together.eq((row_ready | mark_ready).all())
        m.d.comb += [line.begin.eq(line.row_ready & together) for line in lines]
        m.d.comb += [
            self.waiting.eq(Cat(line.waiting for line in lines).all()),
            self.end.eq(mark_ready.all() & self.free)]
        self._sum(m, lines)
        return m

    def _moves(self, m):
        """Constants of a layer: for each line and tap, rows from a position's to the one that is read."""
        config, d, w = self._config, self.descriptor, RebuildWidths(self._config)
        bases, moves = [], []
        for n in range(config.lines):
            base = Signal(w.row, name=f"base_{n}", reset_less=True)
            lower = n & n - 1
            if n:
                m.d.sync += base.eq(bases[lower] + (d.index_m_stride << ((n ^ lower).bit_length() - 1)))
            bases.append(base)
            tap_moves = [Signal(w.row, name=f"move_{n}_{s}", reset_less=True) for s in range(config.taps)]
            for s, move in enumerate(tap_moves):
                m.d.sync += move.eq((tap_moves[s - 1] + d.index_column_stride) if s else base)
            moves.append(Cat(tap_moves))
        return moves

    def _sum(self, m, lines):
        """Sums of all lines, kept while they are drained."""
        config = self._config
        lanes = config.slices * config.lanes
        sums = Signal(data.ArrayLayout(config.sum_width, lanes), reset_less=True)
        trees = [AdderTree(config.lines, config.sum_width) for _ in range(lanes)]
        for n, tree in enumerate(trees):
            m.submodules[f"tree{n}"] = tree
            m.d.comb += [tree.i[k].eq(line.acc[n]) for k, line in enumerate(lines)]
        with m.If(delay(m, self.end, self.latency - 1, reset_less=False)):
            m.d.sync += [sums[n].eq(tree.o) for n, tree in enumerate(trees)]
        result = Signal.like(self.result, reset_less=True)
        size = config.drain_width * config.sum_width
        words = Array(sums.as_value()[n:n + size] for n in range(0, lanes * config.sum_width, size))
        m.d.sync += result.as_value().eq(words[self.select])
        m.d.comb += self.result.eq(result)
