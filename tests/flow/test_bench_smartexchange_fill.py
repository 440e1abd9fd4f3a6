"""Measurement of SmartExchange's full chip: what it would simulate and place fits, and is fast enough."""

from shiftwork.flow import bench_smartexchange_fill, smartexchange
from shiftwork.flow.bench_smartexchange_fill import ENTRIES, FULL

MULTIPLIERS = 156  #: of an LFE5U-85F


def test_the_layer_fills_the_lanes(monkeypatch):
    """A program is made of the layer, within the engine's memories and widths, and golden's cycles do."""
    asked = []

    def filled(*arguments):
        asked.append(arguments)
        return ()

    monkeypatch.setattr(bench_smartexchange_fill, "filled", filled)
    assert list(ENTRIES["fill-85f/roofline"](None)) == []
    ((_, engine, config, integer, x, weights, least),) = asked
    assert engine is smartexchange and config is FULL and config.all_lanes == 512 and least == 15
    found = smartexchange.golden(smartexchange.encode(integer, config), x)
    assert weights * x[:, 0].size / int(found.run_cycles[0]) / MULTIPLIERS >= least
