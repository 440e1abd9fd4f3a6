"""Firmware: layers backward, from the last one's E2 to all gradients."""

from .config import FACTOR_BITS, FRACTION, GUARD_BITS
from .firmware_precision import precision
from .firmware_update import update_norm
from .registers import Element, Get, Matrix, Slot, Unit

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
        _normalization_sums(fw)
        _move(fw, 1)
        fw.call("weight gradient", fw.link)
        _move(fw, -1)
        _normalization_error(fw, top)
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
    fw.register("right_wide", 0)
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
    _means(fw, top)
    _factors(fw, top)
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
    fw.register("right_wide", int(fw.plan.wide))
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


def _normalization_sums(fw):
    """dbeta and dgamma of all blocks; ``exponent`` becomes E1's."""
    with fw.borrowed("shift blocks error winner z") as (shift, *rest):
        fw.scale_exponent(shift, fw.most, fw.t)
        fw.sub(shift, shift, 7)
        fw.register("error_shift", shift)
        fw.add(fw.exponent, fw.exponent, shift)
        fw.set_field("error_exponent", fw.exponent)
        _pass(fw, Element.SUMS, rest, lambda: _sums(fw))


def _normalization_error(fw, top):
    """E2 of all blocks; ``exponent`` becomes its."""
    with fw.borrowed("right blocks error winner z") as (right, *rest):
        fw.add(fw.exponent, fw.exponent, top)
        fw.sub(fw.exponent, fw.exponent, GUARD_BITS + FACTOR_BITS - 1 + FRACTION)
        fw.clear(fw.most)
        _pass(fw, Element.MOST, rest, lambda: _most(fw))
        fw.scale_exponent(top, fw.most, fw.t)
        fw.register("product_shift", top)
        fw.add(fw.exponent, fw.exponent, top)
        fw.sub(fw.exponent, fw.exponent, 14 if fw.training.error_bits == 8 else 15)
        map_ = top
        fw.field(right, "right_error")
        fw.field(map_, "map_error")
        _pass(fw, Element.ERROR, rest, lambda: None, right, map_)


def _pass(fw, mode, registers, behind, right=None, map_=None):
    """A pass over all blocks of a layer; ``behind()`` reads what each yields."""
    blocks, error, winner, z = registers
    fw.register("element_mode", mode)
    fw.clear(error)
    for x, name in ((blocks, "out_blocks"), (winner, "winner_base"), (z, "z_base"), (fw.record, "records")):
        fw.field(x, name)
    with fw.repeat(blocks, blocks):
        _parameters(fw, mode)
        for name, x in (("error_base", error), ("winner_base", winner), ("z_base", z)):
            fw.register(name, x)
        if mode == Element.ERROR:
            _error_places(fw, right, map_)
        fw.run(Unit.ELEMENT)
        behind()
        fw.next_record(fw.block)
        fw.advance(error, "error_half", 2)
        fw.advance(winner, "error_half", 2)
        fw.advance(z, "z_half", 2)


def _error_places(fw, right, map_):
    """Where the E2 of a block goes; the left memory's are as far from the weights as the right one's."""
    fw.register("right_base", right)
    fw.field(fw.t, "left_less_right")
    fw.add(fw.t, fw.t, right)
    fw.register("left_base", fw.t)
    fw.register("map_base", map_)
    fw.advance(right, "error_slots")
    fw.advance(map_, "out_pixels")


def _parameters(fw, mode):
    """Parameters of a block, unless the lanes still have them: of the only block, after the pass before."""
    same = fw.fresh()
    if mode != Element.SUMS:
        fw.field(fw.t, "out_blocks")
        fw.branch("eq", fw.t, 1, same)
    fw.call("forward parameters", fw.inner_link)
    if mode == Element.MOST:
        fw.label(same)
    if mode != Element.SUMS:
        with fw.channels(fw.block) as channel:
            for slot, name in ((Slot.P, "p"), (Slot.Q, "q"), (Slot.FACTOR, "factor")):
                channel.load(fw.t, name)
                channel.parameter(slot, fw.t)
    if mode == Element.ERROR:
        fw.label(same)


def _sums(fw):
    with fw.channels(fw.block) as channel:
        for quantity, name in enumerate(("dbeta", "dgamma")):
            channel.get(fw.t, Get.ELEMENT, quantity, fw.block)
            channel.store(fw.t, name)


def _means(fw, top):
    """docs/engines/training.md, batch normalization: p, q, G to ``factor``, top."""
    with fw.borrowed("outputs x") as (outputs, x):
        fw.set(top, -64)
        fw.field(outputs, "outputs")
        fw.field(fw.record, "records")
        fw.field(fw.t, "filters")
        with fw.channels(fw.t) as channel:
            for total, mean, fraction in (("dbeta", "p", 0), ("dgamma", "q", fw.training.normal_fraction)):
                channel.load(x, total)
                fw.shl(x, x, GUARD_BITS)
                fw.shl(fw.t, outputs, fraction)
                fw.div(x, x, fw.t)
                channel.store(x, mean)
            none = fw.fresh()
            channel.load(x, "gamma8")
            channel.load(fw.t, "mantissa")
            fw.mul(x, x, fw.t)
            channel.store(x, "factor")
            fw.branch("eq", x, 0, none)
            fw.len_(x, x)
            channel.load(fw.t, "shift")
            fw.sub(x, x, fw.t)
            # A shift is L + 15 - F.
            fw.add(x, x, 15 - fw.training.normal_fraction)
            fw.max(top, top, x)
            fw.label(none)


def _factors(fw, top):
    """Of each channel G with 18 bits, of which the greatest has them all."""
    with fw.borrowed("factor") as (factor,):
        fw.field(fw.record, "records")
        fw.field(fw.t, "filters")
        with fw.channels(fw.t) as channel:
            channel.load(factor, "factor")
            channel.load(fw.t, "shift")
            fw.add(fw.t, fw.t, top)
            fw.sub(fw.t, fw.t, 15 - fw.training.normal_fraction + FACTOR_BITS - 1)
            fw.rnd(factor, factor, fw.t)
            fw.sat(factor, factor, FACTOR_BITS)
            channel.store(factor, "factor")


def _most(fw):
    with fw.channels(fw.block) as channel:
        channel.get(fw.t, Get.ELEMENT, 2, fw.block)
        fw.max(fw.most, fw.most, fw.t)
