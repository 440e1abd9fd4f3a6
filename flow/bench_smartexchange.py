"""Measurements of the SmartExchange engine: lanes, trained networks, its comparison with other machines."""

from . import bench_layers, bench_smartexchange_chip, bench_smartexchange_fill, bench_smartexchange_rows

__all__ = ["ENTRIES"]

ENTRIES = {**bench_smartexchange_chip.ENTRIES, **bench_smartexchange_fill.ENTRIES, **bench_layers.ENTRIES,
           **bench_smartexchange_rows.ENTRIES}
