# amaranth: UnusedElaboratable=no
"""The `rebuild` dataflow: every bit as the interpreter says, every cycle as rebuild_timing.py predicts."""

import dataclasses

import pytest
from shiftwork.golden.smartexchange import rebuild_timing
from shiftwork.hw.common.drain import Drain
from shiftwork.hw.smartexchange.rebuild_control import RebuildMachine
from shiftwork.hw.smartexchange.rebuild_drain import RebuildDrain
from shiftwork.hw.smartexchange.rebuild_layouts import CLEARED, PAIRS
from shiftwork.hw.smartexchange.rebuild_line import LineControl
from shiftwork.hw.smartexchange.rebuild_lists import RebuildLists
from shiftwork.hw.smartexchange.rebuild_selector import IndexSelector

from ..golden.smartexchange_networks import CONFIGS
from .test_smartexchange_engine import check_networks, check_resets

DEPTHS = dict(row_depth=512, item_depth=4096, table_depth=512, basis_depth=512, rebuild=True)
REBUILD = {
    "2 x 2": dataclasses.replace(CONFIGS["tiny"], slices=2, lines=2, **DEPTHS),
    "4 x 1": dataclasses.replace(CONFIGS["one column"], slices=4, lines=1, synchronised=True, **DEPTHS),
    "1 x 1": dataclasses.replace(CONFIGS["four taps"], **DEPTHS),
    "2 x 4": dataclasses.replace(CONFIGS["one cell"], slices=2, lines=4, synchronised=True, **DEPTHS),
}


@pytest.mark.parametrize("name", REBUILD)
def test_networks(name, simulator):
    """Two batches without stalls, values and cycles; and with many, values."""
    check_networks(REBUILD[name], simulator)


def test_reset():
    """Amid the program, the input, and in any cycle of the run, in lists, rows and drains."""
    config = dataclasses.replace(
        REBUILD["2 x 2"], lanes=4, grid_columns=1, scatter_width=4, combine_width=2, row_depth=128,
        item_depth=512, table_depth=128, basis_depth=64, filter_bases=4)
    check_resets(config, ("conv",), 5, cycles=400)


def test_predicted_latencies_are_the_hardwares():
    t = rebuild_timing
    assert (t.START, t.LIST) == (RebuildLists.latency, RebuildLists.list_cycles)
    assert t.FILLED == RebuildMachine.filled_go + IndexSelector.latency
    assert t.NEXT == RebuildMachine.next_go + IndexSelector.latency
    assert (t.PAIRS, t.CLEARED) == (PAIRS, CLEARED)
    assert (t.SELECTED, t.REBUILT) == (LineControl.selected, LineControl.rebuilt)
    assert (t.TREE, t.FREE) == (RebuildDrain.tree, RebuildDrain.free_after)
    config = REBUILD["1 x 1"]
    assert t.DRAIN_LATENCY == 2 + 1 + Drain(config, config.sum_width, 4).latency + 1
