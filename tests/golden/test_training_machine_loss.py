"""The loss unit's pass in the training engine's machine, beside the interpreter's softmax."""

import numpy as np
import pytest
from shiftwork.golden.training.isa import Instruction, Op
from shiftwork.golden.training.quantize import Scaled
from shiftwork.golden.training.registers import Get, Put, Unit
from shiftwork.golden.training.softmax import softmax_error

from .training_machine_kit import filled, loaded, one_pass, put, to_vectors


def program(labels, classes, **registers):
    """Labels, a pass, and what GET reads of it to the output."""
    return [*(i for image, label in enumerate(labels) for i in put(Put.LABEL, image, label)),
            *one_pass(Unit.LOSS, classes=classes, **registers),
            *(i for address in range(2) for i in (Instruction(Op.GET, d=1, b=Get.LOSS, value=address),
                                                  Instruction(Op.OUT, a=1)))]


@pytest.mark.parametrize("side, classes, groups", [(2, 1, 1), (2, 4, 2), (2, 5, 1), (4, 10, 3), (8, 10, 1)])
def test_pass(side, classes, groups):
    rng = np.random.default_rng(classes)
    images, half = groups * 2 * side, groups * 2 * side + 3
    z = rng.integers(-1 << 16, 1 << 16, (classes, images))
    labels = rng.integers(0, classes, images)
    machine = loaded(program(labels, classes, groups=groups, z_base=5, z_half=half, error_base=7,
                             error_half=half), side=side)
    blocks = -(-classes // (2 * side))
    # Lanes beyond the classes hold what no logit is.
    vectors = to_vectors((filled(z + 1, 2 * side) - 1)[:, None, None], side).reshape(2 * blocks, images, side)
    vectors[vectors == -1] = (1 << 23) - 1
    for n in range(2 * blocks):
        machine.z[5 + n * half:][:images] = vectors[n]
    machine.errors[:] = 77
    miss, most = machine.run([0])
    found = softmax_error(Scaled(z, -14), labels)
    assert (miss, most) == (found.miss, np.abs(found.error.integers).max())
    expected = np.full_like(machine.errors, 77)
    errors = to_vectors(found.error.integers[:, None, None], side).reshape(2 * blocks, images, side)
    for n in range(2 * blocks):
        expected[7 + n * half:][:images] = errors[n]
    assert np.array_equal(machine.errors, expected)
    assert machine.cycles[Unit.LOSS] == {0: images * (2 * classes + blocks * 2 * side + 57) + 2}


def test_labels_have_eight_bits():
    machine = loaded([*put(Put.LABEL, 1023, 256 + 7)])
    machine.run([0])
    assert machine.labels[1023] == 7


@pytest.mark.parametrize("classes, groups, message", [
    (0, 1, "register classes must be 1 .. 255, not 0"),
    (256, 1, "register classes must be 1 .. 255, not 256"), (3, 1, "label must be 0 .. 2, not 3"),
    (4, 0, "images of a pass of the loss unit must be 1 .. 1024, not 0"),
    (4, 257, "images of a pass of the loss unit must be 1 .. 1024, not 1028")])
def test_passes_without_a_meaning(classes, groups, message):
    machine = loaded(program([0, 3, 1, 0], classes, groups=groups, z_half=4, error_half=4))
    with pytest.raises(ValueError, match=message):
        machine.run([0])


@pytest.mark.parametrize("instruction, port", [
    (Instruction(Op.GET, d=1, b=Get.LOSS), "loss"), (Instruction(Op.GET, d=1, b=Get.Z), "z"),
    (Instruction(Op.PUT, d=Put.LABEL), "label"), (Instruction(Op.PUT, d=Put.ERROR), "error")])
def test_what_a_busy_loss_unit_uses_is_left_alone(instruction, port):
    start = one_pass(Unit.LOSS, classes=1, groups=1, z_half=4, error_half=4)[:-1]
    machine = loaded([*start, instruction])
    with pytest.raises(ValueError, match=f"port {port} must be used after a WAIT for loss"):
        machine.run([0])
    machine = loaded([*start, Instruction(Op.GET, d=1, b=Get.MATRIX), Instruction(Op.WAIT), instruction])
    machine.run([0])
