"""Firmware: the error behind the logits, or they themselves to the output."""

from .registers import Element, Get, Unit

__all__ = ["logits", "loss"]


def logits(fw):
    """All images' logits to the output, the end of an inference."""
    side, image = fw.side, fw.plan.batch * fw.side
    places = [n // side * image + n % side for n in range(fw.plan.fields[-1]["filters"])]
    last = fw.fresh()
    with fw.borrowed("z images") as (z, images), fw.part("logits"):
        fw.field(z, "z_base")
        fw.mul(z, z, side)
        with fw.repeat(images, fw.plan.batch):
            for place in places[:-1]:
                fw.get(fw.t, Get.Z, place, z)
                fw.out(fw.t)
            fw.get(fw.t, Get.Z, places[-1], z)
            fw.add(z, z, side)
            fw.branch("eq", images, 1, last)
            fw.out(fw.t)
        fw.label(last)
        fw.out(fw.t, last=True)
        fw.halt()


def loss(fw):
    """Error of the logits to error memory from 0 on, its E2, the bias's gradient to ``dbeta``; miss.

    Afterwards ``exponent`` is that of E2.
    """
    with fw.part("loss"):
        fw.registers_of_fields(z_base="z_base", classes="filters")
        fw.register("error_base", 0)
        fw.run(Unit.LOSS)
        fw.get(fw.miss, Get.LOSS, 0)
        fw.get(fw.most, Get.LOSS, 1)
        _raw(fw)


def _raw(fw):
    """E2 of the logits' error, and its sums."""
    fw.scale_exponent(fw.exponent, fw.most, fw.t)
    fw.register("product_shift", fw.exponent)
    # Of the error -15 - log2 of the batch, of E2 by r less its bits more.
    fw.add(fw.exponent, fw.exponent,
           -15 - (fw.plan.batch - 1).bit_length() - (14 if fw.plan.flagged else 15))
    fw.register("element_mode", Element.RAW)
    fw.register("wide", int(fw.plan.wide))
    with fw.borrowed("error left right map blocks") as (error, left, right, map_, blocks):
        fw.clear(error)
        for x, name in ((left, "left_error"), (right, "right_error"), (map_, "map_error"),
                        (fw.record, "records"), (blocks, "out_blocks")):
            fw.field(x, name)
        with fw.repeat(blocks, blocks):
            for name, x in (("error_base", error), ("left_base", left), ("right_base", right),
                            ("map_base", map_)):
                fw.register(name, x)
            fw.run(Unit.ELEMENT)
            with fw.channels(fw.block) as channel:
                channel.get(fw.t, Get.ELEMENT, 0, fw.block)
                channel.store(fw.t, "dbeta")
            fw.next_record(fw.block)
            fw.advance(error, "error_half", 2)
            fw.advance(left, "error_slots")
            fw.advance(right, "error_slots")
            fw.advance(map_, "out_pixels")
