"""Firmware: weights rounded, layers forward, batch statistics."""

from .assembler import ZERO
from .config import WIDE_BITS
from .registers import Element, Get, Matrix, Slot, Unit, Update

__all__ = ["forward"]


def forward(fw):
    """Subroutine "forward" (link 2): from the images' activations to the logits in z memory."""
    with fw.borrowed("left out winner right map rest blocks") as names, fw.part("forward"):
        left, out, winner, right, map_, rest, blocks = names
        with fw.subroutine("forward", fw.outer_link):
            _begin(fw)
            fw.set(fw.layer, fw.first_layer)
            layer, last = fw.label(), fw.fresh()
            fw.call("geometry", fw.inner_link)
            fw.registers_of_fields(blocks="in_blocks", left_stride="taps", right_stride="in_tiles")
            for x, name in ((left, "weight_base"), (out, "z_base"), (fw.record, "records"),
                            (winner, "winner_base"), (right, "right_end"), (map_, "map_end"),
                            (rest, "filters"), (blocks, "out_blocks")):
                fw.field(x, name)
            fw.field(fw.t, "last")
            fw.branch("ne", fw.t, 0, last)
            with fw.repeat(blocks, blocks):
                _block(fw, left, out, rest)
                for name, x in (("winner_base", winner), ("right_base", right), ("map_base", map_)):
                    fw.register(name, x)
                fw.run(Unit.ELEMENT)
                fw.advance(left, "row_tiles")
                fw.advance(winner, "error_half", 2)
                fw.advance(right, "end_tiles")
                fw.advance(map_, "end_pixels")
            fw.add(fw.layer, fw.layer, fw.layer_size)
            fw.go(layer)
            fw.label(last)
            with fw.repeat(blocks, blocks):
                for half in (0, 1):
                    with fw.channels(fw.side) as channel:
                        channel.load_rounded(fw.t, "beta")
                        channel.parameter(Slot.BIAS, fw.t)
                    _start_half(fw, left, out, half)
                    fw.next_record(fw.side)
                    fw.wait()
                fw.advance(left, "row_tiles")
        _statistics(fw, rest)


def _begin(fw):
    """All weights to 8 bits; what is the same for all layers."""
    plan = fw.plan
    for name, value in (("wide", 0), ("keep_most", 0), ("weight_base", 0), ("left_base", 0),
                        ("map_base", plan.weight_map), ("tiles", plan.weight_tiles),
                        ("update_mode", Update.ROUND), ("element_mode", Element.ACTIVATE)):
        fw.register(name, value)
    fw.start(Unit.UPDATE)
    with fw.repeat(fw.t, fw.side):
        fw.parameter(Slot.BIAS, ZERO, fw.side, fw.t, less=1)
    fw.wait()


def _block(fw, left, out, rest):
    """Products and statistics of a block of filters; z_base and the block's parameters are set behind it."""
    _start_half(fw, left, out, 0)
    fw.wait()
    _sums(fw)
    # The second half's products run while the first half's statistics are computed.
    _start_half(fw, left, out, 1)
    fw.call("statistics", fw.link)
    fw.next_record(fw.side)
    fw.wait()
    _sums(fw)
    fw.call("statistics", fw.link)
    fw.next_record(-fw.side)
    fw.call("forward parameters", fw.inner_link)
    fw.next_record(fw.block)
    fw.field(fw.t, "z_half")
    fw.shl(fw.t, fw.t, 1)
    fw.sub(fw.t, out, fw.t)
    fw.register("z_base", fw.t)


def _start_half(fw, left, out, half):
    """Starts the products of one half of a block's filters; ``out`` goes on to the next half."""
    if half == 0:
        fw.register("left_base", left)
        fw.registers_of_fields(right_base="right_in")
    fw.register("matrix_mode", Matrix.FORWARD | half << 2)
    fw.register("out_base", out)
    fw.start(Unit.MATRIX)
    fw.advance(out, "z_half")


def _sums(fw):
    """The matrix unit's sums to the records of a half, as their mean and mantissa."""
    with fw.channels(fw.side) as channel:
        for quantity, name in enumerate(("mean", "mantissa")):
            channel.get(fw.t, Get.MATRIX, quantity, fw.side)
            channel.store(fw.t, name)


def _statistics(fw, rest):
    """Subroutine "statistics": of the half from ``record`` on, which has ``rest`` filters or fewer."""
    with fw.borrowed("outputs sum square mean deviation") as names, fw.subroutine("statistics", fw.link):
        outputs, sum_, square, mean, deviation = names
        end = fw.fresh()
        fw.branch("ge", ZERO, rest, end)
        fw.min(mean, rest, fw.side)
        fw.sub(rest, rest, fw.side)
        fw.field(outputs, "outputs")
        with fw.channels(mean) as channel:
            infer, go_on = fw.fresh(), fw.fresh()
            fw.branch("eq", fw.train, 0, infer)
            channel.load(sum_, "mean")
            channel.load(square, "mantissa")
            _of_batch(fw, outputs, sum_, square, mean, deviation)
            for x, name in ((mean, "running_mean"), (deviation, "running_deviation")):
                _running(fw, channel, x, name, sum_)
            fw.go(go_on)
            fw.label(infer)
            for x, name in ((mean, "running_mean"), (deviation, "running_deviation")):
                channel.load(x, name)
                fw.rnd(x, x, 8)
            fw.label(go_on)
            channel.store(mean, "mean")
            fw.reciprocal(mean, fw.t, deviation)
            channel.store(mean, "mantissa")
            fw.add(fw.t, fw.t, 15 - fw.training.normal_fraction)
            channel.store(fw.t, "shift")
            for name in ("gamma", "beta"):
                channel.load_rounded(fw.t, name)
                channel.store(fw.t, f"{name}8")
        fw.label(end)


def _of_batch(fw, outputs, sum_, square, mean, deviation):
    """docs/engines/training.md, batch normalization."""
    fw.shl(fw.t, sum_, 1)
    fw.div(mean, fw.t, outputs)
    fw.mul(square, square, outputs)
    fw.mul(sum_, sum_, sum_)
    fw.sub(square, square, sum_)
    fw.shl(square, square, 4)
    fw.root(square, square)
    fw.shl(fw.t, outputs, 2)
    fw.div(deviation, square, fw.t)
    fw.min(deviation, deviation, (1 << WIDE_BITS) - 1)
    fw.add(deviation, deviation, 1)


def _running(fw, channel, x, name, old):
    """A running statistic moves to x; the first batch's is x."""
    first = fw.fresh()
    fw.load(old, fw.seen)
    fw.shl(fw.t, x, 8)
    fw.branch("eq", old, 0, first)
    channel.load(old, name)
    fw.sub(fw.t, fw.t, old)
    fw.rnd(fw.t, fw.t, fw.training.running_shift)
    fw.add(fw.t, fw.t, old)
    fw.label(first)
    channel.store(fw.t, name)
