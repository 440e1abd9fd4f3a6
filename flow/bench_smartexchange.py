"""Measurements of the SmartExchange engine: so far its comparison with other machines."""

from . import bench_layers, bench_smartexchange_chip

__all__ = ["ENTRIES"]

ENTRIES = {**bench_layers.ENTRIES, **bench_smartexchange_chip.ENTRIES}
