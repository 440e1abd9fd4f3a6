"""A small recurrent network with random weights for an engine that comes without one."""

from dataclasses import replace

import numpy as np
from shiftwork.golden.circulant.cells import Gru, Lstm
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.network import RecurrentNetwork, Sequences

from .errors import FlowError

__all__ = ["selftest_network"]


def _stacks(config):
    """Layers to try, the most telling first."""
    k = config.block
    lstm = [Lstm(inputs=k + 1, hidden=2 * k, projection=k, peephole=config.peepholes, forget_bias=1.0),
            Gru(inputs=k, hidden=2 * k)] if config.cell_tanh else []
    return [stack for stack in (lstm, [Gru(inputs=k + 1, hidden=2 * k, reset="after", update="keeps")],
                                [Gru(inputs=k, hidden=k)]) if stack]


def selftest_network(config, made):
    """``made(network, typical)`` of the first of some small networks that fits an engine of ``config``.

    Weights are from a fixed seed. Raises FlowError where none fits.
    """
    refusal, rng = None, np.random.default_rng(1)
    for cells in _stacks(config):
        network = RecurrentNetwork.random([Layer(cell=cell) for cell in cells], 3, 1)
        # Vectors, too, which `random` leaves at 0.
        network = replace(network, arrays={
            name: array if array.any() else rng.uniform(-0.5, 0.5, array.shape).astype(np.float32)
            for name, array in network.arrays.items()})
        typical = Sequences(rng.uniform(-1, 1, (8, 6, cells[0].inputs)).astype(np.float32), np.full(8, 6))
        try:
            return made(network, typical)
        except ValueError as error:
            refusal = refusal or error
    raise FlowError(f"Memories must be large enough for one small network, not smaller ({refusal})")
