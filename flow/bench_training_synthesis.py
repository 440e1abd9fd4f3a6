"""Clock and cells of the training engine on the ECP5, and the share of what measures the tiles."""

from types import SimpleNamespace

from shiftwork.golden.training.engine_config import PRESETS

from . import training
from .bench import at_least, at_most, reported
from .bench_tools import RESOURCES, synthesis

__all__ = ["ENTRIES", "unmeasured"]

CONFIG = PRESETS["ulx3s-85f"]

_FMAX, _STRIVEN, _SHARE = 80, 90, 3
_MEASURES = ("length", "sum")
"""Memories of what sensitivity is made of: lengths of the tiles' numbers, sums of gradients."""


def unmeasured(config):
    """The RTL of an engine that does not measure its tiles: nothing is kept of lengths and sums.

    What computes them then has no use, and synthesis takes it away.
    """
    from amaranth.back import verilog
    from amaranth.hdl import Signal
    from shiftwork.hw.training.engine import TrainingEngine
    from shiftwork.hw.training.top import TrainingTop

    class Unmeasured(TrainingEngine):
        def _memories(self, m):
            memories = super()._memories(m)
            return memories | {name: SimpleNamespace(**{
                port: Signal.like(getattr(memories[name], port)) for port in memories[name].signature.members
            }) for name in _MEASURES}

    top = TrainingTop(config, engine=Unmeasured(config))
    return verilog.convert(top, name="shiftwork_training", emit_src=False, strip_internal_attrs=True)


def _packed(bench, name, make):
    """{resource: (used, available)} of the engine of that name, whose Verilog ``make`` makes; once."""
    from shiftwork.boards.synthesis import pack

    bench.note(f"{name}, packed")
    return bench.once(("packed", name), lambda: pack(
        make(CONFIG), "ecp5-85k", bench.folder(f"pack-{name}"), full=True))


def cells(bench):
    """What the engine takes of the LFE5U-85F, packed."""
    found = _packed(bench, "engine", training.verilog)
    for name, resource in RESOURCES.items():
        used, available = found.get(resource, (0, 0))
        yield at_most(f"engine/{name}", f"% of {resource}, {used:,} of {available:,}",
                      100 * used / max(available, 1), 100)
    yield reported("engine/multipliers-8x8", "multiplications of 8 by 8 bits a cycle", CONFIG.multipliers)


def fmax(bench):
    """The whole engine's clock, out of context."""
    found = synthesis(bench, training, CONFIG, full=True, frequency=_STRIVEN)
    yield at_least("engine/fmax", "MHz, ECP5 speed 6, median of seeds 1-3", found.median, _FMAX)


def share(bench):
    """Cells of what measures tiles, packed: the engine's less those of one that keeps no measure."""
    whole, bare = (_packed(bench, *one) for one in (("engine", training.verilog), ("unmeasured", unmeasured)))
    for name in ("comb", "ff"):
        (all_, _), (rest, _) = (found[RESOURCES[name]] for found in (whole, bare))
        yield at_most(f"maps/{name}", f"percent of {RESOURCES[name]}, {all_ - rest:,} of {all_:,}",
                      100 * (all_ - rest) / all_, _SHARE)


ENTRIES = {"engine/cells": cells, "engine/fmax": fmax, "maps/cells": share}
