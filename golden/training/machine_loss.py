"""The pass of the training engine's loss unit."""

import numpy as np

from .config import PRODUCT_FRACTION
from .engine_config import LABELS, MOST_CLASSES
from .machine_controller import within
from .quantize import Scaled
from .softmax import softmax_error

__all__ = ["IMAGE_CYCLES", "PASS_CYCLES", "run_loss"]

IMAGE_CYCLES, PASS_CYCLES = 57, 2
"""Cycles of an image and of a pass beside those that classes take."""


def run_loss(machine, p):
    """One pass with pass registers ``p``; (0, cycles), which are those of the hardware.

    Raises ValueError for registers and labels that the specification excludes.
    """
    block, side = machine.config.block, machine.config.side
    images = p.groups * block
    within("register classes", p.classes, 1, MOST_CLASSES)
    within("images of a pass of the loss unit", images, 1, LABELS)
    labels = machine.labels[:images]
    within("label", int(labels.max()), 0, p.classes - 1)

    blocks = -(-p.classes // block)
    half, image = np.ogrid[:2 * blocks, :images]
    z = machine.z[p.z_base + half * p.z_half + image]           # (halves, images, S)
    found = softmax_error(
        Scaled(z.transpose(0, 2, 1).reshape(-1, images)[:p.classes], -PRODUCT_FRACTION), labels)
    errors = np.zeros((2 * blocks * side, images), np.int64)
    errors[:p.classes] = found.error.integers
    machine.errors[p.error_base + half * p.error_half + image] = (
        errors.reshape(2 * blocks, side, images).transpose(0, 2, 1))
    machine.loss[:] = found.miss, np.abs(errors).max()
    return 0, images * (2 * p.classes + blocks * block + IMAGE_CYCLES) + PASS_CYCLES
