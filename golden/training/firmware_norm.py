"""Firmware: batch normalization backward, from the wide errors of a layer's activations to its E2."""

from .config import FACTOR_BITS, FRACTION, GUARD_BITS
from .registers import Element, Get, Slot, Unit

__all__ = ["factors", "norm_error", "norm_sums"]


def norm_sums(fw):
    """dbeta and dgamma of all blocks; ``exponent`` becomes E1's."""
    with fw.borrowed("shift blocks error winner z") as (shift, *rest):
        fw.scale_exponent(shift, fw.most, fw.t)
        fw.sub(shift, shift, 7)
        fw.register("error_shift", shift)
        fw.add(fw.exponent, fw.exponent, shift)
        fw.set_field("error_exponent", fw.exponent)
        _pass(fw, Element.SUMS, rest, lambda: _sums(fw))


def norm_error(fw, top):
    """E2 of all blocks; ``exponent`` becomes its."""
    with fw.borrowed("right blocks error winner z") as (right, *rest):
        fw.add(fw.exponent, fw.exponent, top)
        fw.sub(fw.exponent, fw.exponent, GUARD_BITS + FACTOR_BITS - 1 + FRACTION)
        fw.clear(fw.most)
        _pass(fw, Element.MOST, rest, lambda: _most(fw))
        fw.scale_exponent(top, fw.most, fw.t)
        fw.register("product_shift", top)
        fw.add(fw.exponent, fw.exponent, top)
        fw.sub(fw.exponent, fw.exponent, 14 if fw.plan.flagged else 15)
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


def factors(fw, top):
    """p, q and factors of all channels, behind the sums; ``top`` as in docs/engines/training.md."""
    _means(fw, top)
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


def _means(fw, top):
    """p, q, G to ``factor``, top."""
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


def _most(fw):
    with fw.channels(fw.block) as channel:
        channel.get(fw.t, Get.ELEMENT, 2, fw.block)
        fw.max(fw.most, fw.most, fw.t)
