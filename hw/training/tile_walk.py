"""The loops of the matrix unit: which tiles meet, output by output."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...golden.training.registers import Matrix
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


class TileWalk(wiring.Component):
    """Pairs of tiles in the order of docs/engines/training-machine.md, "Matrix unit".

    Members
    -------
    registers : In(PASS), constant from ``start`` on
    start : In(1)
    o : Out(stream of PAIR): slots of the tiles that meet; an output without any has one empty pair
    busy : Out(1), from the cycle after ``start`` until the last pair is taken

    Timing: the loops look at one pair a cycle, also at those that do not meet; the first leaves 9 cycles
    after the start. Cost: two multiplications of 10 by 10 bits and four of 16 by 10.
    """

    def __init__(self):
        super().__init__({"registers": In(PASS), "start": In(1), "o": Out(stream.Signature(PAIR)),
                          "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.nest = nest = Nest([COUNTER_BITS] * 7)
        m.submodules.queue = queue = Queue(PAIR, 2)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        registers, advance, running = self.registers, Signal(), Signal()
        self._input, self._weight = Signal(), Signal()
        m.d.comb += [
            self._input.eq(registers.matrix_mode[:2] == Matrix.INPUT),
            self._weight.eq(registers.matrix_mode[:2] == Matrix.WEIGHT),
            nest.reset.eq(self.start), nest.step.eq(running & advance),
        ]
        with m.Switch(registers.matrix_mode[:2]):
            for mode, counts in _COUNTS.items():
                with m.Case(mode):
                    m.d.comb += [getattr(nest, f"count{k}").eq(registers[count] if count != 2 else 2)
                                 for k, count in enumerate(counts)]
        with m.If(self.start):
            m.d.sync += running.eq(1)
        with m.Elif(nest.step & nest.done):
            m.d.sync += running.eq(0)

        stage = {"valid": running, "ends": nest.at_end4 & nest.at_end5 & nest.at_end6}
        stage |= {name: Mux(self._weight, getattr(nest, f"value{_TAP_FIRST.index(name)}"),
                            getattr(nest, f"value{_PIXEL_FIRST.index(name)}")) for name in _PIXEL_FIRST}
        under_way = [running]
        for step in (self._counters, self._pixels, self._meets, self._rows, self._maps, self._groups,
                     self._slots):
            stage = self._register(m, advance, step(registers, stage), step.__name__)
            under_way.append(stage["valid"])
        held = self._emit(m, advance, stage, queue)
        m.d.comb += self.busy.eq(Value.cast(queue.o.valid) | held | Cat(under_way).any())
        return m

    def _register(self, m, advance, values, name):
        """The values a cycle later, if all stages move."""
        found = {key: Signal(Value.cast(value).shape(), reset_less=key != "valid", name=f"{key}{name}")
                 for key, value in values.items()}
        with m.If(advance):
            m.d.sync += [found[key].eq(value) for key, value in values.items()]
        return found

    def _counters(self, registers, at):
        return at

    def _pixels(self, registers, at):
        """Pixel of the other map: iy = oy * stride + r - pad, or oy * stride."""
        found = dict(at)
        for axis, tap, pad in (("y", "r", "pad_top"), ("x", "s", "pad_left")):
            plain, pad = at[axis], registers[pad][:COUNTER_BITS]
            strided = Mux(registers.stride[2], plain << 2, Mux(registers.stride[1], plain << 1, plain))
            found[f"m{axis}"] = Mux(self._input, plain + pad - at[tap], strided + at[tap] - pad)
        return found

    def _meets(self, registers, at):
        """Whether there is such a pixel; the pixels of both tiles."""
        found, ok = {key: at[key] for key in ("valid", "ends", "j", "g", "block")}, 1
        for axis, own, other in (("y", "height", "out_height"), ("x", "width", "out_width")):
            m, mask = at[f"m{axis}"], (registers.stride[:3] - 1)[:2]
            shift = Mux(self._input, registers.stride[1:3], 0)
            pixel = Mux(shift[1], m >> 2, Mux(shift[0], m >> 1, m))
            most = Mux(self._input, registers[other][:COUNTER_BITS], registers[own][:COUNTER_BITS])
            whole = ~self._input | ((m[:2] & mask) == 0)
            ok = ok & (m >= 0) & (pixel < most) & whole
            found[f"right_{axis}"] = pixel[:COUNTER_BITS]
        found["ok"] = ok
        found["left_y"] = Mux(self._weight, at["y"], at["r"])
        found["left_x"] = Mux(self._weight, at["x"], at["s"])
        return found

    def _rows(self, registers, at):
        """Where the pixels' rows begin."""
        right = Mux(self._input, registers.out_width[:COUNTER_BITS], registers.width[:COUNTER_BITS])
        left = Mux(self._weight, registers.out_width[:COUNTER_BITS], registers.kernel_width[:COUNTER_BITS])
        return at | {"right_y": (at["right_y"] * right)[:TILE_BITS],
                     "left_y": (at["left_y"] * left)[:TILE_BITS]}

    def _maps(self, registers, at):
        """Pixels, or the tap, as numbers; the block's place."""
        left = Mux(self._weight, 0, registers.left_stride[:TILE_BITS])
        found = {key: at[key] for key in ("valid", "ends", "j", "g", "ok")}
        return found | {"right": (at["right_y"] + at["right_x"])[:TILE_BITS],
                        "left": (at["left_y"] + at["left_x"])[:TILE_BITS],
                        "right_block": (at["block"] * registers.right_stride[:TILE_BITS])[:TILE_BITS],
                        "left_block": (at["block"] * left)[:TILE_BITS]}

    def _groups(self, registers, at):
        """Tiles of the pixel and group."""
        groups = registers.groups[:COUNTER_BITS]
        found = {key: at[key] for key in ("valid", "ends", "j", "ok", "g", "right_block", "left_block")}
        left = Mux(self._weight, groups, 1)
        return found | {"right": (at["right"] * groups)[:TILE_BITS], "left": (at["left"] * left)[:TILE_BITS]}

    def _slots(self, registers, at):
        right, left = at["right"] + at["g"] + at["right_block"], at["left"] + at["left_block"]
        left = left + Mux(self._weight, at["g"], 0)
        wide = registers.wide[0]
        right = Mux(wide & self._input, right << 1, right)
        left = Mux(wide & self._weight, left << 1, left)
        found = {key: at[key] for key in ("valid", "ends", "j", "ok")}
        return found | {"right": (right + registers.right_base)[:TILE_BITS],
                        "left": (left + registers.left_base)[:TILE_BITS]}

    def _emit(self, m, advance, at, queue):
        """A pair is held until another one of its output comes, or the output ends: so it knows its last."""
        pair, held, ended, emit = Signal(PAIR), Signal(), Signal(), Signal()
        found = at["valid"] & at["ok"]
        m.d.comb += [
            emit.eq(held & (ended | found)), advance.eq(~emit | queue.i.ready), queue.i.valid.eq(emit),
            queue.i.payload.eq(pair), queue.i.payload.last.eq(ended),
        ]
        with m.If(advance):
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
