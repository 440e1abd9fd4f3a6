"""Firmware: layers backward, from the last one's E2 to all gradients."""

from .config import FRACTION
from .firmware_norm import factors, norm_error, norm_sums
from .firmware_precision import precision
from .firmware_update import update_norm
from .registers import Matrix, Unit

__all__ = ["backward"]


def backward(fw):
    """Gradients of all layers; ``layer`` is the last one, ``exponent`` its E2's.

    What has to be done for each channel of a layer is done while the first product of the next one's weight
    gradient runs. Of a layer, in this order: product error, input gradient, sums of the layer before, weight
    gradient.
    """
    with fw.part("backward"), fw.borrowed("top") as (top,):
        first, layer = fw.fresh(), fw.label()
        fw.field(fw.t, "first")
        fw.branch("ne", fw.t, 0, first)
        _input_gradient(fw)
        _move(fw, -1)
        norm_sums(fw)
        _move(fw, 1)
        fw.call("weight gradient", fw.link)
        _move(fw, -1)
        norm_error(fw, top)
        fw.go(layer)
        with fw.subroutine("weight gradient", fw.link):
            _weight_gradient(fw, top)
        fw.label(first)
        fw.call("weight gradient", fw.link)


def _move(fw, layers):
    fw.add(fw.layer, fw.layer, layers * fw.layer_size)
    fw.call("geometry", fw.inner_link)


def _weight_gradient(fw, top):
    """Gradients to gradient memory, their r to ``gradient_scale``."""
    fw.registers_of_fields(blocks="in_blocks", right_stride="in_tiles", right_base="right_in")
    fw.register("keep_most", 0)
    with fw.borrowed("left out sums blocks far") as (left, out, sums, blocks, far):
        for x, name in ((left, "left_error"), (out, "weight_base"), (sums, "weight_map"),
                        (blocks, "out_blocks")):
            fw.field(x, name)
        fw.mul(out, out, 2 * fw.block)
        with fw.repeat(blocks, blocks):
            fw.register("left_base", left)
            _halves(fw, Matrix.WEIGHT, out, sums, far, lambda: _meanwhile(fw, blocks, top))
            fw.advance(left, "error_slots")
            fw.advance(sums, "row_tiles")
            fw.shl(fw.t, fw.t, fw.block.bit_length())
            fw.add(out, out, fw.t)
        fw.most_of_matrix(left)
        fw.scale_exponent(out, left, fw.t)
        fw.set_field("gradient_scale", out)


def _meanwhile(fw, blocks, top):
    """While the first product runs: gammas and betas of this layer, factors of the layer before."""
    norm, first, done = fw.fresh(), fw.fresh(), fw.fresh()
    fw.field(fw.t, "out_blocks")
    fw.branch("ne", fw.t, blocks, done)
    fw.field(fw.t, "last")
    fw.branch("ne", fw.t, 0, norm)
    update_norm(fw)
    fw.label(norm)
    fw.field(fw.t, "first")
    fw.branch("ne", fw.t, 0, first)
    fw.sub(fw.layer, fw.layer, fw.layer_size)
    factors(fw, top)
    fw.add(fw.layer, fw.layer, fw.layer_size)
    fw.go(done)
    fw.label(first)
    if fw.plan.mode == "dynamic":
        precision(fw)
    fw.label(done)


def _halves(fw, mode, out, sums, far, meanwhile=lambda: None):
    """Both halves of a product's block; ``far`` is lost. ``meanwhile`` is done while the first one runs."""
    for half in (0, 1):
        fw.register("matrix_mode", mode | half << 2)
        if half == 0:
            fw.register("out_base", out)
            fw.register("sums_base", sums)
        else:
            if mode == Matrix.WEIGHT:
                fw.add(far, out, fw.block)
            else:
                fw.field(far, "in_half")
                fw.add(far, far, out)
            fw.register("out_base", far)
            fw.add(fw.t, sums, fw.config.maps)
            fw.register("sums_base", fw.t)
        fw.start(Unit.MATRIX)
        if half == 0:
            meanwhile()
        fw.wait()
        if half == 0:
            fw.register("keep_most", 1)


def _input_gradient(fw):
    """Wide errors of the layer's input to error memory from 0 on; ``most`` and ``exponent`` are theirs."""
    fw.registers_of_fields(blocks="out_blocks", left_stride="row_tiles", right_stride="out_tiles",
                           right_base="right_error")
    fw.register("keep_most", 0)
    with fw.borrowed("left out sums blocks far") as (left, out, sums, blocks, far):
        fw.clear(out)
        for x, name in ((left, "weight_base"), (sums, "map_in"), (blocks, "in_blocks")):
            fw.field(x, name)
        with fw.repeat(blocks, blocks):
            fw.register("left_base", left)
            _halves(fw, Matrix.INPUT, out, sums, far)
            fw.advance(out, "in_half", 2)
            fw.advance(left, "taps")
            fw.advance(sums, "in_pixels")
    fw.most_of_matrix(fw.most)
    fw.sub(fw.exponent, fw.exponent, FRACTION)
