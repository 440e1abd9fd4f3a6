"""Firmware: error of softmax cross entropy, logits to the output."""

from .assembler import ZERO
from .registers import Element, Get, Put, Unit
from .softmax import ERROR_FRACTION, LOG2_E, TABLE_BITS, power_table

__all__ = ["logits", "loss", "loss_data"]


def _places(fw):
    """Where the last layer's outputs are in z and error memory: of each, image 0's element from the base."""
    count = fw.plan.fields[-1]["out_blocks"] * fw.block
    return [n // fw.side * fw.plan.batch * fw.side + n % fw.side for n in range(count)]


def _classes(fw):
    return fw.plan.fields[-1]["filters"]


def _z(fw, x):
    """x = where the logits of image 0 begin."""
    fw.field(x, "z_base")
    fw.mul(x, x, fw.side)


def logits(fw):
    """All images' logits to the output, the end of an inference."""
    places, last = _places(fw)[:_classes(fw)], fw.fresh()
    with fw.borrowed("z images") as (z, images), fw.part("logits"):
        _z(fw, z)
        with fw.repeat(images, fw.plan.batch):
            for place in places[:-1]:
                fw.get(fw.t, Get.Z, place, z)
                fw.out(fw.t)
            fw.get(fw.t, Get.Z, places[-1], z)
            fw.add(z, z, fw.side)
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
        fw.clear(fw.miss)
        fw.clear(fw.most)
        with fw.borrowed("z error label images") as (z, error, label, images):
            _z(fw, z)
            fw.clear(error)
            fw.set(label, fw.labels)
            with fw.repeat(images, fw.plan.batch):
                _image(fw, z, error, label)
                fw.add(z, z, fw.side)
                fw.add(error, error, fw.side)
                fw.add(label, label, 1)
        _raw(fw)


def _image(fw, z, error, label):
    """docs/engines/training.md, softmax cross entropy; powers wait in ``fw.powers``."""
    places, classes = _places(fw), _classes(fw)
    with fw.borrowed("most total power whole") as (most, total, p, whole):
        with fw.borrowed(" ".join(f"z{n}" for n in range(min(fw.free, classes)))) as free:
            # Reading z takes long: those of the first classes stay in registers.
            kept = (*free, fw.record, fw.cursor, fw.lane, fw.link, fw.inner_link)[:classes]
            for n, place in enumerate(places[:classes]):
                x = kept[n] if n < len(kept) else fw.t
                fw.get(x, Get.Z, place, z)
                fw.max(most, most if n else x, x)
            fw.clear(total)
            for n, place in enumerate(places[:classes]):
                if n < len(kept):
                    fw.sub(p, most, kept[n])
                else:
                    fw.get(p, Get.Z, place, z)
                    fw.sub(p, most, p)
                _power(fw, p, whole)
                fw.store(p, fw.powers + n)
                fw.add(total, total, p)
        mantissa, length = most, whole
        fw.reciprocal(mantissa, length, total)
        # The label's error is put last; till then its power is 0, so that the maximum is that of others.
        with fw.borrowed("own place") as (own, place):
            fw.load(place, 0, label)
            fw.load(own, fw.powers, place)
            fw.store(ZERO, fw.powers, place)
            for n, at in enumerate(places):
                if n >= classes:
                    fw.put(Put.ERROR, ZERO, at, error)
                    continue
                fw.load(p, fw.powers + n)
                fw.mul(p, p, mantissa)
                fw.rnd(p, p, length)
                fw.put(Put.ERROR, p, at, error)
                fw.max(fw.most, fw.most, p)
            fw.mul(own, own, mantissa)
            fw.rnd(own, own, length)
            fw.add(own, own, -(1 << ERROR_FRACTION))
            fw.sub(fw.miss, fw.miss, own)
            fw.sub(p, ZERO, own)
            fw.max(fw.most, fw.most, p)
            fw.load(place, fw.places, place)
            fw.add(place, place, error)
            fw.put(Put.ERROR, own, 0, place)


def _power(fw, p, whole):
    """p, how far a logit is below the greatest, becomes 2 to the power of its negative."""
    # Factors of two of the constant need no multiplication, and a shorter shift.
    even = (LOG2_E & -LOG2_E).bit_length() - 1
    fw.mul(p, p, LOG2_E >> even)
    fw.shr(p, p, 30 - TABLE_BITS - even)
    fw.shr(whole, p, TABLE_BITS)
    # Powers have 17 bits at most.
    fw.min(whole, whole, 17)
    fw.and_(p, p, (1 << TABLE_BITS) - 1)
    fw.load(p, fw.table, p)
    fw.shr(p, p, whole)


def _raw(fw):
    """E2 of the logits' error, and its sums."""
    fw.scale_exponent(fw.exponent, fw.most, fw.t)
    fw.register("product_shift", fw.exponent)
    # Of the error -15 - log2 of the batch, of E2 by r less its bits more.
    fw.add(fw.exponent, fw.exponent,
           -15 - (fw.plan.batch - 1).bit_length() - (14 if fw.training.error_bits == 8 else 15))
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


def loss_data(fw):
    """Data words of the loss."""
    fw.table = fw.word("powers of two", power_table())
    fw.powers = fw.word("powers", [0] * _classes(fw))
    fw.places = fw.word("places", _places(fw)[:_classes(fw)])
    fw.labels = fw.word("labels", [0] * fw.plan.batch)
