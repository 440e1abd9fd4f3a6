"""Cycles of the products of one step, tile by tile: as many as the operands' widths ask for."""

import numpy as np
from shiftwork.golden.common.layers import conv_geometry, patches

__all__ = ["BRICKS", "layer_steps"]

BRICKS = 16
"""Multipliers of 2 by 2 bits (bricks) in a unit of 8 by 8: steps of one that an 8-bit product takes."""


def layer_steps(node, x, weight, error, kernel=(1, 1)):
    """({product: steps}, tile products) of a layer, for one group of images.

    Widths: ``x`` (tiles of channels, H, W) of the node's input, ``error`` (tiles of filters, OH, OW) of its
    output, ``weight`` (tiles of filters, taps, tiles of channels).

        forward          sum over f, c and pairs (t, p) of  weight[f, t, c] / 2 * x[c, p at tap t] / 2
        weight gradient  .. of  x[c, p at tap t] / 2 * error[f, p] / 2
        input gradient   .. of  weight[f, t, c] / 2 * error[f, p] / 2

    Pairs of a tap t and an output pixel p that meet in the padding are skipped. All three products have the
    same number of tile products; with 8 bits each takes BRICKS steps of one brick, one of a whole unit.
    """
    taps = kernel[0] * kernel[1]
    at_taps = patches(x[..., None], kernel, *conv_geometry(node)).reshape(len(x), taps, -1)
    errors, valid = error.reshape(len(error), -1), at_taps[0] > 0
    steps = {"forward": np.sum(weight.sum(axis=0) * at_taps.sum(axis=2).T),
             "weight gradient": np.sum(at_taps.sum(axis=0) * errors.sum(axis=0)),
             "input gradient": np.sum(weight.sum(axis=2) * (errors @ valid.T.astype(np.int64)))}
    return {name: int(total) // 4 for name, total in steps.items()}, int(valid.sum()) * len(x) * len(errors)
