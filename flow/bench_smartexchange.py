"""Measurements of the SmartExchange engine: so far its comparison with other machines."""

from . import bench_layers

__all__ = ["ENTRIES"]

ENTRIES = {**bench_layers.ENTRIES}
