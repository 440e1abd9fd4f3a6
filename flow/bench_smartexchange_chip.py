"""Measurements of the SmartExchange engine on the ECP5: clock, logic of a lane and of a MAC of `rebuild`."""

from dataclasses import replace

from shiftwork.golden.smartexchange.config import PRESETS

from . import smartexchange
from .bench import at_least, at_most, reported
from .bench_tools import RESOURCES, packed, synthesis, used

__all__ = ["ENTRIES", "multipliers_verilog"]

DEFAULT = PRESETS["default"]
LANES = (32, 64)


def multipliers_verilog(config):
    """The RTL of `rebuild`'s bit-serial MACs of one weight alone, P of them."""
    from amaranth.back import verilog
    from shiftwork.hw.smartexchange.rebuild_booth import SerialMultipliers

    return verilog.convert(SerialMultipliers(config), name="serial_multipliers", emit_src=False)


def _each(bench, design, verilog, config):
    """TRELLIS_COMB of one lane: what 32 more take, packed, divided by 32; so all that is shared cancels."""
    cells = []
    for lanes in LANES:
        bench.note(f"{design} of {lanes} lanes")
        text = verilog(replace(config, lanes=lanes))
        cells.append(packed(bench, f"{design}-{config.sum_width}-{lanes}", text)["TRELLIS_COMB"])
    return (cells[1] - cells[0]) / (LANES[1] - LANES[0])


def fmax(bench):
    """Clock of the whole `factored` engine with 64 lanes, and what it takes of the part."""
    found = synthesis(bench, smartexchange, DEFAULT)
    yield at_least("engine/fmax", "MHz, ECP5 speed 6, median of seeds 1-3", found.median, 95)
    for name, resource in RESOURCES.items():
        yield reported(f"engine/{name}", resource, used(found, resource))


def lane(bench):
    """Logic of one lane of `factored`, accumulators of 20 bits, its share of the combination among it."""
    cells = _each(bench, "engine", smartexchange.verilog, DEFAULT)
    yield at_most("lane/comb", "TRELLIS_COMB", cells, 95)


def mac(bench):
    """Logic of one bit-serial MAC of `rebuild`, multiplier and accumulator alone.

    Neither its share of digits, of weights that are rebuilt, nor of adder trees is among it, as these depend
    on how many slices and lines share them. Sums have as many bits as those of `factored`, or only 24.
    """
    for name, width in (("rebuild/comb", DEFAULT.sum_width), ("rebuild/comb-24", 24)):
        config = replace(DEFAULT, rebuild=True, sum_width=width)
        cells = _each(bench, "multipliers", multipliers_verilog, config)
        yield reported(name, f"TRELLIS_COMB of a MAC, sums of {width} bits", cells)


ENTRIES = {"engine/fmax": fmax, "lane/comb": lane, "rebuild/comb": mac}
