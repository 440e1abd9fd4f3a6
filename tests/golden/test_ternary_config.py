"""Checks of the ternary engine's parameters, and what follows from them."""

import dataclasses

import pytest
from shiftwork.golden.ternary.config import PRESETS, TernaryConfig

REFUSED = [
    (dict(lanes=64.0), "lanes must be of type int, not 64.0"),
    (dict(bit_serial=1), "bit_serial must be of type bool, not 1"),
    (dict(row_depth=500), "row_depth must be a power of two, not 500"),
    (dict(lanes=2), "lanes must be between 4 and 1024, not 2"),
    (dict(grid_rows=0), "grid_rows must be between 1 and 128, not 0"),
    (dict(grid_rows=3), r"grid_rows \* grid_columns must divide the 64 lanes, not 3 \* 4"),
    (dict(drain_width=16), "drain_width must be at most 8 and at most half of the 64 lanes, not 16"),
    (dict(scatter_width=2),
     "scatter_width must be a multiple of drain_width 4 and divide the 64 lanes, not 2"),
    (dict(drain_width=2, scatter_width=2), "scatter_width must be at least 4, not 2"),
    (dict(scatter_width=32), "scatter_width must divide the 16 lanes of one image, not 32"),
    (dict(table_depth=16), "table_depth must be between 32 and 65536, not 16"),
    (dict(vector_depth=32, drain_width=1, scatter_width=32, grid_rows=8),
     r"vector_depth \* drain_width must hold two groups of 32, not 32"),
    (dict(acc_width=33), "acc_width must be between 16 and 32, not 33"),
    (dict(scale_width=7), "scale_width must be between 8 and 16, not 7"),
    (dict(acc_width=16, scale_width=11), r"acc_width \+ scale_width must be at least 28, not 27"),
    (dict(row_slots=3), "row_slots must be 2, 4 or 8, not 3"),
    (dict(convolution=False, transposed=False), "convolution or transposed must be True, not both False"),
    (dict(activation_width=12), "activation_width must be 8 or 16, not 12"),
    (dict(carry_write_back=True), "bit_serial must be True where carry_write_back is, not False"),
    (dict(arrays=0), "arrays must be between 1 and 32, not 0"),
    (dict(arrays=33), "arrays must be between 1 and 32, not 33"),
    (dict(arrays=2.0), "arrays must be of type int, not 2.0"),
    (dict(arrays=2, bit_serial=True), "arrays must be 1 where bit_serial is True, not 2"),
]


@pytest.mark.parametrize("change, message", REFUSED)
def test_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TernaryConfig(**change)


@pytest.mark.parametrize("change, step, scatter", [
    (dict(), 1, 1),
    (dict(activation_width=16), 1, 1),
    (dict(bit_serial=True), 5, 8),
    (dict(bit_serial=True, acc_width=21), 6, 8),
    (dict(bit_serial=True, acc_width=32, activation_width=16), 8, 16),
])
def test_steps(change, step, scatter):
    config = TernaryConfig(**change)
    assert (config.drain_step, config.scatter_step) == (step, scatter)


def test_images_of_all_arrays():
    config = TernaryConfig(arrays=3)
    assert (config.array_batch, config.batch, config.all_lanes) == (4, 12, 192)
    assert TernaryConfig().fingerprint == 0x4f4f38, "programs of one array stay as they were"


def test_fingerprint_tells_what_a_program_depends_on():
    """Geometry, widths and marks; not the array that runs the program, nor the depths of memories."""
    config = PRESETS["default"]
    same = [dict(bit_serial=True), dict(bit_serial=True, carry_write_back=True), dict(row_depth=1024)]
    other = [dict(skip_zeros=False), dict(activation_width=16), dict(acc_width=21), dict(lanes=128),
             dict(arrays=2), dict(arrays=3)]
    assert all(dataclasses.replace(config, **change).fingerprint == config.fingerprint for change in same)
    prints = {dataclasses.replace(config, **change).fingerprint for change in other}
    assert len(prints | {config.fingerprint}) == 7
