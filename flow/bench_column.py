"""Measurement of columns: what one more of each kind takes of a part, and how much that adds."""

from dataclasses import replace

from shiftwork.golden.ternary import serial
from shiftwork.golden.ternary.config import PRESETS

from . import ternary
from .bench import reported
from .bench_tools import packed

__all__ = ["ENTRIES", "KINDS", "array_verilog", "term_cycles"]

KINDS = {"parallel": {}, "serial": {"bit_serial": True},
         "write-back": {"bit_serial": True, "carry_write_back": True}}
"""Parameters of each kind of column."""

TERMS = 115    #: of a dot product; a filter of fat/layer@80 has 115 or 116


def array_verilog(config):
    """The RTL of the column array alone."""
    from amaranth.back import verilog
    from shiftwork.hw.ternary.array_unit import make_array

    return verilog.convert(make_array(config), name="column_array", emit_src=False)


def term_cycles(config, terms=TERMS):
    """Mean cycles of a term in a dot product of ``terms``, every second one with -1, of 8 bits, unsigned.

    The cycles of the difference of the two sums count, too.
    """
    if not config.bit_serial:
        return 1.0
    plan = serial.operations([1 - 2 * (n % 2) for n in range(terms)], 8, False, config.acc_width)
    return serial.cycles(plan, config.carry_write_back) / terms


def cycles(bench):
    """Mean cycles of a term, by the golden model."""
    for kind, parameters in KINDS.items():
        found = term_cycles(replace(PRESETS["default"], **parameters))
        yield reported(f"column/cycles-{kind}", "cycles a term", found)


def _packed(bench, design, verilog, config, target):
    bench.note(f"{design} of {config.lanes} columns, {target}")
    folder = f"{design}-{config.fingerprint:x}-{config.bit_serial:d}{config.carry_write_back:d}"
    return packed(bench, folder, verilog(config), target)


def _columns(bench, target, preset, designs, resources):
    """Cells a column, (cells of many columns - cells of few) / difference, so that the control cancels.

    ``designs``: (name, function from config to Verilog, few, many), those that do not fit the part have no
    rows; ``resources``: {suffix: nextpnr's name}, the first of which is what terms a cycle are told for.
    """
    for design, verilog, few, many in designs:
        for kind, parameters in KINDS.items():
            config = replace(PRESETS[preset], **parameters)
            more = _packed(bench, design, verilog, replace(config, lanes=many), target)
            if more is None:
                continue
            less = _packed(bench, design, verilog, replace(config, lanes=few), target)
            for suffix, resource in resources.items():
                cells = (more[resource] - less[resource]) / (many - few)
                yield reported(f"column/{suffix}-{design}-{kind}", f"{resource} a column", cells)
                if resource == next(iter(resources.values())):
                    rate = 1000 / cells / term_cycles(config)
                    yield reported(f"column/rate-{suffix}-{design}-{kind}",
                                   f"terms a cycle of 1,000 {resource}", rate)


def comb(bench):
    """Columns on the ECP5; a RAMW writes 16 rows of 4 columns and takes the place of two LUTs."""
    designs = (("array", array_verilog, 32, 64), ("engine", ternary.verilog, 32, 64))
    yield from _columns(bench, "ecp5-85k", "default", designs,
                        {"comb": "TRELLIS_COMB", "ramw": "TRELLIS_RAMW"})


def lc(bench):
    """Columns on the iCE40 UP5K, which has no distributed memory: P, N and S are flip-flops."""
    designs = (("array", array_verilog, 8, 16), ("engine", ternary.verilog, 4, 8))
    yield from _columns(bench, "ice40-up5k", "icebreaker", designs, {"lc": "ICESTORM_LC"})


ENTRIES = {"column/cycles": cycles, "column/comb": comb, "column/lc": lc}
