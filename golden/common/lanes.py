"""Order of values: maps cut into one block a grid cell, and back."""

import numpy as np

__all__ = ["to_lanes", "from_lanes"]


def to_lanes(x, block, grid):
    """Maps in the order of the lanes.

    y[..., c, i, j, I, J] = x[..., c, I * Ti + i, J * Tj + j], 0 beyond the map

    ``x`` has shape (..., C, H, W), ``block`` is (Ti, Tj), ``grid`` (GI, GJ); GI * Ti >= H and GJ * Tj >= W.
    """
    (ti, tj), (gi, gj) = block, grid
    *lead, height, width = x.shape
    padded = np.zeros((*lead, gi * ti, gj * tj), x.dtype)
    padded[..., :height, :width] = x
    cells = padded.reshape(*lead, gi, ti, gj, tj)
    return np.moveaxis(cells, (-3, -1), (-4, -3))


def from_lanes(y, size):
    """Inverse of `to_lanes`: (..., C, Ti, Tj, GI, GJ) to (..., C, H, W) with ``size`` = (H, W)."""
    *lead, ti, tj, gi, gj = y.shape
    cells = np.moveaxis(y, (-4, -3), (-3, -1))
    return cells.reshape(*lead, gi * ti, gj * tj)[..., :size[0], :size[1]]
