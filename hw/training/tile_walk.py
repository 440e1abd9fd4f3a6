"""The loops of the matrix unit: which tiles meet, output by output."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...golden.training.registers import Matrix
from ..common.delay import delay
from ..common.nest import Nest
from ..common.stream import Queue
from .layouts import PAIR, PASS

__all__ = ["TileWalk"]

COUNTER_BITS, TILE_BITS = 10, 16

_COUNTS = {
    Matrix.FORWARD: ("out_height", "out_width", "groups", 2, "blocks", "kernel_height", "kernel_width"),
    Matrix.INPUT: ("height", "width", "groups", 2, "blocks", "kernel_height", "kernel_width"),
    Matrix.WEIGHT: ("blocks", "kernel_height", "kernel_width", 2, "out_height", "out_width", "groups"),
}

_PIXEL_FIRST, _TAP_FIRST = ("y", "x", "g", "j", "block", "r", "s"), ("block", "r", "s", "j", "y", "x", "g")

OUTER = 3
"""Loops that step a cycle behind the other ones."""

QUEUE, ROOM = 32, 16
"""Pairs that wait to be taken, and up to how many of them the loops go on: 12 more may be under way."""


class TileWalk(wiring.Component):
    """Pairs of tiles in the order of docs/engines/training-machine.md, "Matrix unit".

    Members
    -------
    registers : In(PASS), constant from ``start`` on
    start : In(1)
    o : Out(stream of PAIR): slots of the tiles that meet; an output without any has one empty pair
    busy : Out(1), from the cycle after ``start`` until the last pair is taken

    Timing: the loops look at one pair a cycle, also at those that do not meet; the first leaves 13 cycles
    after the start. They wait while too many pairs do; behind them nothing ever waits. Cost: two
    multiplications of 10 by 10 bits and four of 16 by 10, and a memory of 31 pairs.
    """

    def __init__(self):
        super().__init__({"registers": In(PASS), "start": In(1), "o": Out(stream.Signature(PAIR)),
                          "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = Queue(PAIR, QUEUE)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        given = self._given(m)
        begin = delay(m, self.start, 1, reset_less=False, name="begin")
        waiting = Signal(range(QUEUE + 1))
        m.d.sync += waiting.eq(waiting + queue.i.valid - (queue.o.valid & queue.o.ready))
        stage, under_way = self._loops(m, given, begin, waiting < ROOM)
        for step in (self._counters, self._pixels, self._meets, self._rows, self._maps, self._groups,
                     self._slots):
            stage = self._register(m, step(given, stage), step.__name__)
            under_way.append(stage["valid"])
        under_way += [self._emit(m, stage, queue), waiting != 0]
        m.d.comb += self.busy.eq(Cat(under_way).any())
        return m

    def _loops(self, m, given, begin, room):
        """What the loops stand at, and signals of which one is 1 while they run.

        The inner loops run ahead by a cycle, which is why steps too many may follow the last one.
        """
        m.submodules.outer = outer = Nest([COUNTER_BITS] * OUTER)
        m.submodules.inner = inner = Nest([COUNTER_BITS] * (len(_PIXEL_FIRST) - OUTER))
        nests = [(outer, k) for k in range(OUTER)] + [(inner, k) for k in range(len(_PIXEL_FIRST) - OUTER)]
        running, stepped, ends = Signal(), Signal(), Signal(reset_less=True)
        m.d.comb += [outer.reset.eq(begin), inner.reset.eq(begin)]
        m.d.comb += [getattr(nest, f"count{k}").eq(given[f"count{n}"]) for n, (nest, k) in enumerate(nests)]
        m.d.sync += [inner.step.eq(running & room), outer.step.eq(inner.step & inner.done),
                     stepped.eq(inner.step), ends.eq(inner.at_end1 & inner.at_end2 & inner.at_end3)]
        with m.If(begin):
            m.d.sync += running.eq(1)
        with m.Elif(outer.step & outer.done):
            m.d.sync += running.eq(0)
        values = [getattr(nest, f"value{k}") for nest, k in nests]
        values[OUTER:] = [delay(m, value, 1, name=f"inner{n}") for n, value in enumerate(values[OUTER:])]
        stage = {"valid": stepped & running, "ends": ends}
        stage |= {name: Mux(given["weight"], values[_TAP_FIRST.index(name)],
                            values[_PIXEL_FIRST.index(name)]) for name in _PIXEL_FIRST}
        return stage, [begin, running]

    def _given(self, m):
        """What the pass's registers say, in registers: those are far, and constant."""
        r, mode = self.registers, self.registers.matrix_mode[:2]
        is_input, is_weight = mode == Matrix.INPUT, mode == Matrix.WEIGHT
        counts = [Signal(COUNTER_BITS, name=f"count{k}") for k in range(len(_PIXEL_FIRST))]
        with m.Switch(mode):
            for each, names in _COUNTS.items():
                with m.Case(each):
                    m.d.comb += [count.eq(r[name] if name != 2 else 2)
                                 for count, name in zip(counts, names, strict=True)]
        values = {f"count{k}": count for k, count in enumerate(counts)} | {
            "input": is_input, "weight": is_weight, "stride": r.stride[:3], "mask": (r.stride[:3] - 1)[:2],
            "shift": Mux(is_input, r.stride[1:3], 0),
            "left_pitch": Mux(is_weight, r.out_width, r.kernel_width)[:COUNTER_BITS],
            "right_pitch": Mux(is_input, r.out_width, r.width)[:COUNTER_BITS],
            "left_stride": Mux(is_weight, 0, r.left_stride)[:TILE_BITS],
            "right_stride": r.right_stride[:TILE_BITS],
            "left_groups": Mux(is_weight, r.groups, 1)[:COUNTER_BITS], "groups": r.groups[:COUNTER_BITS],
            "left_wide": r.wide[0] & is_weight, "right_wide": r.wide[0] & is_input}
        for axis, pad, own, other in (("y", "pad_top", "height", "out_height"),
                                      ("x", "pad_left", "width", "out_width")):
            values |= {f"pad_{axis}": r[pad][:COUNTER_BITS],
                       f"size_{axis}": Mux(is_input, r[other], r[own])[:COUNTER_BITS]}
        values |= {name: r[name][:TILE_BITS] for name in ("left_base", "right_base")}
        return self._register(m, values, "_given")

    def _register(self, m, values, name):
        """The values a cycle later."""
        return {key: delay(m, Value.cast(value), 1, reset_less=key != "valid", name=f"{key}{name}")
                for key, value in values.items()}

    def _counters(self, given, at):
        return at

    def _pixels(self, given, at):
        """Pixel of the other map: iy = oy * stride + r - pad, or oy * stride."""
        found, stride = dict(at), given["stride"]
        for axis, tap in (("y", "r"), ("x", "s")):
            plain, pad = at[axis], given[f"pad_{axis}"]
            strided = Mux(stride[2], plain << 2, Mux(stride[1], plain << 1, plain))
            found[f"m{axis}"] = Mux(given["input"], plain + pad - at[tap], strided + at[tap] - pad)
        return found

    def _meets(self, given, at):
        """Whether there is such a pixel; the pixels of both tiles."""
        found, ok = {key: at[key] for key in ("valid", "ends", "j", "g", "block")}, 1
        for axis in "yx":
            m, shift = at[f"m{axis}"], given["shift"]
            pixel = Mux(shift[1], m >> 2, Mux(shift[0], m >> 1, m))
            whole = ~given["input"] | ((m[:2] & given["mask"]) == 0)
            ok = ok & (m >= 0) & (pixel < given[f"size_{axis}"]) & whole
            found[f"right_{axis}"] = pixel[:COUNTER_BITS]
        found["ok"] = ok
        found["left_y"] = Mux(given["weight"], at["y"], at["r"])
        found["left_x"] = Mux(given["weight"], at["x"], at["s"])
        return found

    def _rows(self, given, at):
        """Where the pixels' rows begin."""
        return at | {f"{side}_y": (at[f"{side}_y"] * given[f"{side}_pitch"])[:TILE_BITS]
                     for side in ("left", "right")}

    def _maps(self, given, at):
        """Pixels, or the tap, as numbers; the block's place."""
        found = {key: at[key] for key in ("valid", "ends", "j", "g", "ok")}
        for side in ("left", "right"):
            found |= {side: (at[f"{side}_y"] + at[f"{side}_x"])[:TILE_BITS],
                      f"{side}_block": (at["block"] * given[f"{side}_stride"])[:TILE_BITS]}
        return found

    def _groups(self, given, at):
        """Tiles of the pixel and group."""
        found = {key: at[key] for key in ("valid", "ends", "j", "ok", "g", "right_block", "left_block")}
        return found | {"right": (at["right"] * given["groups"])[:TILE_BITS],
                        "left": (at["left"] * given["left_groups"])[:TILE_BITS]}

    def _slots(self, given, at):
        found, group = {key: at[key] for key in ("valid", "ends", "j", "ok")}, at["g"]
        for side, g in (("left", Mux(given["weight"], group, 0)), ("right", group)):
            slot = at[side] + g + at[f"{side}_block"]
            found[side] = (Mux(given[f"{side}_wide"], slot << 1, slot) + given[f"{side}_base"])[:TILE_BITS]
        return found

    def _emit(self, m, at, queue):
        """A pair is held until another one of its output comes, or the output ends: so it knows its last."""
        pair, held, ended, emit = Signal(PAIR), Signal(), Signal(), Signal()
        found = at["valid"] & at["ok"]
        m.d.comb += [
            emit.eq(held & (ended | found)), queue.i.valid.eq(emit), queue.i.payload.eq(pair),
            queue.i.payload.last.eq(ended),
        ]
        with m.If(found | (at["valid"] & at["ends"] & (emit | ~held))):
            m.d.sync += [
                held.eq(1), ended.eq(at["ends"]), pair.left.eq(at["left"]), pair.right.eq(at["right"]),
                pair.right_half.eq(at["j"]), pair.empty.eq(~at["ok"]), pair.first.eq(~held | ended),
            ]
        with m.Elif(at["valid"] & at["ends"]):
            m.d.sync += ended.eq(1)
        with m.Elif(emit):
            m.d.sync += held.eq(0)
        return held
