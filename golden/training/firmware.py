"""The training engine's program: commands, and what they are made of.

A run takes one packet, of one command:

    0   one step: rate (in 1 / 512), log2 of the levels, a label for each image, the images
        -> miss, with dynamic precision the tolerance, and cycles of each unit and of all so far
    1   inference: the images  ->  of each image the logits, 32 bits each
    2   dump  ->  all that training has changed (`packets.parse_dump`)
    3   maps  ->  the width of each map entry

Images are bytes as the input unit takes them. Whatever a packet brings is read and checked before a step
changes anything.
"""

import enum

from .firmware_backward import backward
from .firmware_base import RECORD, SAVED, Firmware
from .firmware_forward import forward
from .firmware_loss import logits, loss
from .firmware_precision import learned_widths, precision_data, precision_of_activations, whole_widths
from .firmware_update import load_random, update
from .registers import COUNTERS, Get, Put, Unit

__all__ = ["COMMAND_ERROR", "Command", "firmware"]

COMMAND_ERROR = 11
"""A packet's first word is no command, or what follows is out of range."""

_MOST_RATE, _LEVELS = 511, (1, 7)


class Command(enum.IntEnum):
    """First word of a packet."""

    TRAIN = 0
    INFER = 1
    DUMP = 2
    MAPS = 3


def firmware(plan, states, settings=None):
    """The Firmware, assembled, of a ``plan``; ``states`` of the random numbers' lanes at first, ``settings``
    (DynastySettings) of dynamic precision.
    """
    fw = Firmware(plan)
    fw.states = fw.word("random states", states)
    if plan.mode == "dynamic":
        precision_data(fw, settings)
    _dispatch(fw)
    _train(fw)
    _infer(fw)
    _dump(fw)
    _maps(fw)
    fw.label("refuse")
    fw.halt(COMMAND_ERROR)
    fw.subroutines()
    forward(fw)
    return fw


def _dispatch(fw):
    for name, value in (("wide", 0), ("groups", fw.plan.groups), ("momentum", fw.training.momentum),
                        ("flagged", int(fw.plan.flagged))):
        fw.register(name, value)
    with fw.borrowed("command") as (command,):
        fw.in_(command)
        for value, name in ((0, "train"), (1, "infer"), (2, "dump"), (3, "maps")):
            fw.branch("eq", command, value, name)
        fw.go("refuse")


def _train(fw):
    fw.label("train")
    fw.set(fw.train, 1)
    dynamic = fw.plan.mode == "dynamic"
    if dynamic:
        learned_widths(fw)
    with fw.part("input"), fw.borrowed("label greatest images") as (label, greatest, images):
        fw.in_(fw.rate)
        fw.in_(fw.log_levels)
        fw.clear(greatest)
        fw.clear(label)
        with fw.repeat(images, fw.plan.batch):
            fw.in_(fw.t)
            fw.put(Put.LABEL, fw.t, 0, label)
            fw.max(greatest, greatest, fw.t)
            fw.add(label, label, 1)
        _images(fw)
        fw.check()
        fw.set(fw.t, _MOST_RATE)
        fw.branch("lt", fw.t, fw.rate, "refuse")
        fw.set(fw.t, _LEVELS[1])
        fw.branch("lt", fw.t, fw.log_levels, "refuse")
        fw.branch("lt", fw.log_levels, _LEVELS[0], "refuse")
        fw.branch("ge", greatest, fw.plan.fields[-1]["filters"], "refuse")
    load_random(fw)
    fw.call("forward", fw.outer_link)
    loss(fw)
    backward(fw)
    update(fw)
    fw.set(fw.t, 1)
    fw.store(fw.t, fw.seen)
    if dynamic:
        precision_of_activations(fw)
    fw.out(fw.miss)
    if dynamic:
        fw.load(fw.t, fw.tolerance)
        fw.out(fw.t)
    for counter in range(COUNTERS):
        fw.get(fw.t, Get.CYCLES, counter)
        fw.out(fw.t, last=counter == COUNTERS - 1)
    fw.halt()


def _infer(fw):
    fw.label("infer")
    fw.clear(fw.train)
    if fw.plan.mode == "dynamic":
        whole_widths(fw)
    _images(fw)
    fw.check()
    fw.call("forward", fw.outer_link)
    logits(fw)


def _images(fw):
    """Images through the input unit to the right memory, block by block of channels."""
    fields, block = fw.plan.fields[0], fw.block
    channels, pixels = fw.plan.layers[0].weight[1], fields["in_pixels"]
    fw.register("pixels", pixels)
    with fw.borrowed("right map rest blocks") as (right, map_, rest, blocks):
        fw.set(right, fields["right_in"])
        fw.set(map_, fields["map_in"])
        fw.set(rest, channels)
        with fw.repeat(blocks, fields["in_blocks"]):
            fw.register("right_base", right)
            fw.register("map_base", map_)
            fw.min(fw.t, rest, block)
            fw.register("channels", fw.t)
            fw.run(Unit.INPUT)
            fw.add(right, right, fields["in_tiles"])
            fw.add(map_, map_, pixels)
            fw.sub(rest, rest, block)


def _dump(fw):
    """Of all weights, in the order of weight memory, stored parameter and accumulator; of all channels the
    SAVED words of their records, 32 bits and the rest each; whether statistics have been seen.
    """
    fw.label("dump")
    fw.check()
    with fw.part("dump"), fw.borrowed("weight end record") as (weight, end, record):
        fw.clear(weight)
        fw.set(end, fw.plan.weight_tiles * 2 * fw.block * fw.side)
        start = fw.label()
        for port in (Get.STORED, Get.ACCUMULATOR):
            fw.get(fw.t, port, 0, weight)
            fw.out(fw.t)
        fw.add(weight, weight, 1)
        fw.branch("lt", weight, end, start)
        fw.set(record, fw.first_record)
        with fw.repeat(end, fw.plan.records):
            for n in range(SAVED):
                fw.load(fw.t, n, record)
                fw.out(fw.t)
                fw.shr(fw.t, fw.t, 32)
                fw.out(fw.t)
            fw.add(record, record, len(RECORD))
        fw.load(fw.t, fw.seen)
        fw.out(fw.t, last=True)
        fw.halt()


def _maps(fw):
    fw.label("maps")
    fw.check()
    if fw.plan.mode == "dynamic":
        learned_widths(fw)
    with fw.part("maps"), fw.borrowed("entry end") as (entry, end):
        last = fw.fresh()
        fw.clear(entry)
        fw.set(end, fw.plan.maps)
        start = fw.label()
        fw.get(fw.t, Get.PLANES, 0, entry)
        fw.add(fw.t, fw.t, 1)
        fw.shl(fw.t, fw.t, 1)
        fw.add(entry, entry, 1)
        fw.branch("eq", entry, end, last)
        fw.out(fw.t)
        fw.go(start)
        fw.label(last)
        fw.out(fw.t, last=True)
        fw.halt()
