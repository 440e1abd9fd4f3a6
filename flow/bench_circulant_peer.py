"""Measurement of the smallest circulant engine for a GRU beside EdgeDRNN's of 8 processing elements."""

import numpy as np
from shiftwork.golden.circulant.cells import Gru
from shiftwork.golden.circulant.compress import Options, compress
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.network import RecurrentNetwork, Sequences
from shiftwork.golden.circulant.timing import predict

from . import circulant
from .bench import at_least, at_most, reported
from .bench_tools import RESOURCES, synthesis, used

__all__ = ["ENTRIES"]

CONFIG = CirculantConfig(block=4, rows=1, peepholes=False, cell_tanh=False, weight_depth=8192, row_depth=256,
                         coefficient_depth=512, state_depth=128, spectrum_depth=256, output_depth=128)
"""As many multipliers as EdgeDRNN's or fewer: blocks of 4, a row at a time, no LSTM."""

CELL = Gru(inputs=64, hidden=128)   #: the network whose cycles are counted
PEER = {"comb": 8789, "bram": 40, "multipliers": 11}
"""EdgeDRNN's engine of 8 processing elements on the same tools: it places with 60 MHz."""
PEER_MACS = 8 * 60e6    #: a second, without the inputs that it skips where they hardly change


def peer(bench):
    """Resources, clock and dense-equivalent multiply-accumulates a second, single stream.

        rate = 3 * hidden * (inputs + hidden) / cycles of a step * clock
    """
    network = compress(RecurrentNetwork.random([Layer(cell=CELL)], 10), Options.of(CONFIG.block)).network
    x = np.random.default_rng(0).uniform(-1, 1, (1, 4, CELL.inputs))
    prepared = circulant.Prepared(network=network, typical=Sequences(x, np.array([4])))
    cycles = predict(circulant.encode(prepared, CONFIG)).step_cycles
    made = synthesis(bench, circulant, CONFIG)
    for name, most in PEER.items():
        row = f"peer/gru/{name}", RESOURCES[name], used(made, RESOURCES[name])
        yield reported(*row) if name == "bram" else at_most(*row, most)
    yield at_least("peer/gru/fmax", "MHz, ECP5 speed 6, median of seeds 1-3", made.median, 80)
    yield reported("peer/gru/cycles", f"cycles a step, {CELL.inputs} inputs, {CELL.hidden} units", cycles)
    macs = 3 * CELL.hidden * (CELL.inputs + CELL.hidden) / cycles * made.median * 1e6
    yield at_least("peer/gru/gmacs", "dense-equivalent GMAC/s", macs / 1e9, PEER_MACS / 1e9)


ENTRIES = {"peer/gru": peer}
