"""Firmware: the update of weights (by the update unit), gammas, betas, biases; random numbers."""

from .assembler import ZERO
from .config import GRADIENT_BITS, MASTER_BITS, RANDOM_BITS
from .quantize import CONSTANT_FRACTION
from .registers import Get, Put, Unit, Update

__all__ = ["load_random", "update", "update_norm"]


def update(fw):
    """The step of all weights, in the layers' order, and then of the bias."""
    with fw.borrowed("levels right") as (levels, right), fw.part("update"):
        fw.set(fw.t, 1)
        fw.shl(levels, fw.t, fw.log_levels)
        fw.register("levels", levels)
        fw.register("rate", fw.rate)
        fw.register("update_mode", Update.STEP)
        fw.set(fw.layer, fw.first_layer)
        layer, last = fw.label(), fw.fresh()
        fw.field(fw.t, "weight_base")
        fw.mul(fw.t, fw.t, 2 * fw.block)
        fw.register("weight_base", fw.t)
        fw.registers_of_fields(tiles="weight_tiles")
        fw.field(fw.t, "gradient_scale")
        fw.sub(fw.t, fw.t, fw.log_levels)
        fw.sub(fw.t, fw.t, RANDOM_BITS)
        fw.register("gradient_shift", fw.t)
        fw.run(Unit.UPDATE)
        fw.field(fw.t, "last")
        fw.branch("ne", fw.t, 0, last)
        fw.add(fw.layer, fw.layer, fw.layer_size)
        fw.go(layer)
        fw.label(last)
        fw.field(fw.record, "records")
        _bias(fw, levels, right)


def _step(fw, channel, name, gradient, x):
    """The stored parameter ``name`` and its accumulator; ``gradient`` becomes the step's."""
    channel.load(x, f"{name}_momentum")
    fw.mul(x, x, fw.training.momentum)
    fw.add(gradient, gradient, x)
    channel.load(x, name)
    fw.mul(fw.t, gradient, fw.rate)
    fw.sub(x, x, fw.t)
    fw.sat(x, x, MASTER_BITS)
    channel.store(x, name)
    fw.rnd(gradient, gradient, 2)
    channel.store(gradient, f"{name}_momentum")


def update_norm(fw):
    """Gammas and betas of the current layer."""
    with fw.part("update"), fw.borrowed("exponent shift gradient x") as (exponent, shift, gradient, x):
        fw.field(fw.record, "records")
        fw.field(exponent, "error_exponent")
        fw.field(fw.t, "filters")
        with fw.channels(fw.t) as channel:
            for name, fraction in (("gamma", fw.training.normal_fraction), ("beta", 0)):
                # More than 16 bits to the left saturate whatever is not 0; more than 87 to the right leave 0.
                fw.sub(shift, ZERO, exponent)
                fw.add(shift, shift, fraction - CONSTANT_FRACTION)
                fw.max(shift, shift, -GRADIENT_BITS)
                fw.min(shift, shift, 87)
                channel.load(gradient, f"d{name}")
                fw.rnd(gradient, gradient, shift)
                fw.sat(gradient, gradient, GRADIENT_BITS)
                _step(fw, channel, name, gradient, x)


def _bias(fw, levels, right):
    """The last layer's biases, their gradients quantized like those of weights."""
    with fw.borrowed("left halves") as (left, halves):
        fw.clear(left)
        fw.field(fw.t, "filters")
        with fw.channels(fw.t) as channel:
            channel.load(fw.t, "dbeta")
            fw.abs_(fw.t, fw.t)
            fw.max(left, left, fw.t)
        fw.scale_exponent(right, left, fw.t)
        fw.sub(right, right, fw.log_levels)
        fw.sub(right, right, RANDOM_BITS)
        fw.sub(left, ZERO, right)
        fw.max(left, left, 0)
        fw.max(right, right, 0)
        fw.field(halves, "out_blocks")
        fw.add(halves, halves, halves)
        with fw.repeat(halves, halves):
            fw.put(Put.RANDOM, ZERO, 0)
            with fw.borrowed("y c x") as (y, c, x), fw.channels(fw.side) as channel:
                up, plus = fw.fresh(), fw.fresh()
                channel.load(x, "dbeta")
                fw.abs_(y, x)
                fw.shr(y, y, right)
                fw.shl(y, y, left)
                fw.shr(c, y, RANDOM_BITS)
                fw.and_(y, y, (1 << RANDOM_BITS) - 1)
                channel.get(fw.t, Get.RANDOM, 0, fw.side)
                fw.branch("ge", fw.t, y, up)
                fw.add(c, c, 1)
                fw.label(up)
                fw.sub(fw.t, levels, 1)
                fw.min(c, c, fw.t)
                fw.branch("ge", x, 0, plus)
                fw.sub(c, ZERO, c)
                fw.label(plus)
                _step(fw, channel, "beta", c, x)
            fw.next_record(fw.side)


def load_random(fw):
    """States of the random numbers, before a program's first step."""
    with fw.borrowed("state") as (state,), fw.part("update"):
        known = fw.fresh()
        fw.load(state, fw.states)
        fw.branch("eq", state, 0, known)
        for lane in range(fw.side):
            fw.load(state, fw.states + lane)
            fw.put(Put.RANDOM, state, lane)
        fw.store(ZERO, fw.states)
        fw.label(known)
