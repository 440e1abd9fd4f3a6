"""Control of a line: from tokens to rebuild engines, and from these to steps of the multipliers."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..common.bits import encode, lowest
from ..common.delay import delay
from .layouts import DESCRIPTOR
from .rebuild_layouts import PAIRS, RING, RebuildWidths, token_layout

__all__ = ["LineControl"]


class LineControl(wiring.Component):
    """Rules 3 and 4 of docs/engines/smartexchange-rebuild.md, "Cycles"; the others through its members.

    Members
    -------
    descriptor : In(DESCRIPTOR), constant while a layer runs
    i : In(stream of token_layout)
    read : Out(1), half, offset : Out, of `CoefficientStore`: a row is popped
    tap, first, last, turn, keep : Out, of the row that is rebuilt, in this and the cycles behind ``read``
    row, place : Out, for `LineRows`: a row to fetch, for the tap
    row_ready : Out(1), the next row may have its first step; begin : In(1), then: it has
    mark_ready : Out(1), it is a mark, and all rows before are done; end : In(1), then: the position ends
    steps_place : Out, more : In, of `LineRows`
    step_first : Out(1), a tap's first step: of the activations at ``steps_place``; step_tap : Out
    load : Out(1), it is the row's first step; load_turn : Out, of which weights

    Timing: a token can be popped ``selected`` cycles after it is taken; a row may have its first step
    taps + ``rebuilt`` cycles after it is popped.
    """

    selected = 1
    rebuilt = 4

    def __init__(self, config):
        self._config = config
        w = RebuildWidths(config)
        self._place = w.tap + (RING - 1).bit_length()
        super().__init__({
            "descriptor": In(DESCRIPTOR), "i": In(stream.Signature(token_layout(config))),
            "read": Out(1), "half": Out(1), "offset": Out(w.row),
            "tap": Out(range(config.taps)), "first": Out(1), "last": Out(1), "turn": Out(1), "keep": Out(1),
            "row": Out(w.row), "place": Out(self._place),
            "row_ready": Out(1), "begin": In(1), "mark_ready": Out(1), "end": In(1),
            "steps_place": Out(self._place), "more": In(w.digits - 1), "step_first": Out(1),
            "step_tap": Out(range(config.taps)), "load": Out(1), "load_turn": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        # tokens that have been popped, one after the other: what is known of each until it has its first step
        popped, started = Signal(range(RING)), Signal(range(RING))
        rebuilt = Array(Signal(data.StructLayout({"mark": 1, "mask": config.taps}), name=f"rebuilt_{n}")
                        for n in range(RING))
        goes = self.begin | self.end
        token, there, pop = self._queue(m)
        ready_event = self._rebuild(m, token, there, pop, popped, goes)
        with m.If(pop):
            m.d.sync += [popped.eq(popped + 1), rebuilt[popped].mark.eq(token.mark),
                         rebuilt[popped].mask.eq(token.mask)]
        ready = Signal(range(3))
        m.d.sync += ready.eq(ready + delay(m, ready_event, self.rebuilt, reset_less=False) - goes)
        with m.If(goes):
            m.d.sync += started.eq(started + 1)
        self._step(m, rebuilt[started], ready, started)
        return m

    def _queue(self, m):
        """Rule 2's queue: its first token, whether there is one, and what takes it out."""
        level, pop = Signal(range(PAIRS + 1)), Signal()
        m.submodules.queue = queue = Memory(
            shape=len(self.i.p.as_value()), depth=PAIRS, init=[])
        write, read = queue.write_port(), queue.read_port(domain="comb")
        taken = self.i.valid & self.i.ready
        token = Signal(token_layout(self._config))
        m.d.comb += [
            self.i.ready.eq(level != PAIRS), write.en.eq(taken), write.data.eq(self.i.p),
            token.as_value().eq(read.data)]
        m.d.sync += [write.addr.eq(write.addr + taken), read.addr.eq(read.addr + pop),
                     level.eq(level + taken - pop)]
        return token, level != 0, pop

    def _rebuild(self, m, token, there, pop, popped, goes):
        """Rule 3; whether it is a row's last cycle of rebuilding, or a mark's only one."""
        d, w = self.descriptor, RebuildWidths(self._config)
        busy, engines, tap, row = Signal(), Signal(range(3)), Signal(range(self._config.taps)), Signal(w.row)
        turn, place = Signal.like(popped), Signal.like(popped)
        m.d.comb += [
            pop.eq(there & ~busy & (engines != 2)),
            self.read.eq(pop & ~token.mark), self.keep.eq(self.read | busy),
            self.half.eq(token.half), self.offset.eq(token.offset), place.eq(Mux(busy, turn, popped)),
            self.tap.eq(Mux(busy, tap, 0)), self.first.eq(~busy), self.turn.eq(place[0]),
            self.last.eq(self.tap == d.tap_count - 1), self.row.eq(Mux(busy, row, token.row)),
            self.place.eq(Cat(self.tap[:w.tap], place)),
        ]
        m.d.sync += [
            engines.eq(engines + pop - goes), turn.eq(place), row.eq(self.row + d.index_column_stride),
            tap.eq(self.tap + 1), busy.eq(self.keep & ~self.last),
        ]
        return (pop & token.mark) | (self.keep & self.last)

    def _step(self, m, front, ready, started):
        """Rule 4: one step a cycle, tap by tap."""
        config, w = self._config, RebuildWidths(self._config)
        running, fresh, taps = Signal(), Signal(), Signal(config.taps)
        place, left, more = Signal.like(started), Signal.like(self.more), Signal.like(self.more)
        now, current = Signal(config.taps), Signal.like(started)
        tap, others = lowest(now)
        ends = ~more[0]
        m.d.comb += [
            self.row_ready.eq((ready != 0) & ~running & ~front.mark),
            self.mark_ready.eq((ready != 0) & ~running & front.mark),
            now.eq(Mux(running, taps, front.mask)), current.eq(Mux(running, place, started)),
            self.step_first.eq(self.begin | (running & fresh)),
            self.step_tap.eq(encode(tap) if config.taps > 1 else 0),
            self.steps_place.eq(Cat(self.step_tap[:w.tap], current)),
            more.eq(Mux(running & ~fresh, left, self.more)),
            self.load.eq(self.begin), self.load_turn.eq(current[0]),
        ]
        m.d.sync += [place.eq(current), left.eq(more >> 1), fresh.eq(ends), taps.eq(Mux(ends, others, now)),
                     running.eq((self.begin | running) & ~(ends & ~others.any()))]
        return running
