"""Places of blocks: legal ones, near what they are wired to, in the part that nextpnr knows."""

import json
import re

import numpy as np
import pytest
from shiftwork.boards.floorplan import Blocks, floorplan, placed
from shiftwork.boards.netlist import TARGETS
from shiftwork.boards.tools import run

ECP5 = TARGETS["ecp5-85k"]
SQUARE = {"ram": Blocks((2, 12), (3, 9, 15, 21), ("r0", "r1", "r0", "r1"))}


def chain(count, between):
    """Blocks in a row, each wired to the next one by a path of cells; (cells, nets, blocks)."""
    cells, nets, blocks = 1, [], {0: "ram"}
    for _ in range(count - 1):
        for _ in range(between + 1):
            nets.append([cells - 1, cells])
            cells += 1
        blocks[cells - 1] = "ram"
    return cells, nets, blocks


def test_blocks_of_a_row_become_neighbours():
    """Eight blocks on eight places: no order of the chain is much shorter than the one that is found."""
    cells, nets, blocks = chain(8, between=3)
    found, length = placed(cells, nets, blocks, SQUARE)
    assert sorted(found) == sorted(blocks) and len(set(found.values())) == 8
    xy = [np.array(re.match(r"X(\d+)/Y(\d+)/r", found[block]).groups(), int) for block in sorted(blocks)]
    along = sum(np.abs(a - b).sum() for a, b in zip(xy, xy[1:], strict=False))
    assert along <= 60          # the shortest is 46; in an order at random it is 110 in the mean
    assert length == pytest.approx(along, rel=0.1)
    assert placed(cells, nets, blocks, SQUARE) == (found, length)


def test_more_blocks_than_places():
    cells, nets, blocks = chain(9, between=0)
    with pytest.raises(ValueError, match="Cells of type ram must be at most 8, not 9"):
        placed(cells, nets, blocks, SQUARE)


def test_places_are_the_parts(tmp_path):
    """nextpnr knows every place, and no other of these types; it takes blocks where they are put."""
    cells = {f"{kind}{n}": {"hide_name": 0, "type": kind, "parameters": {}, "attributes": {"BEL": name},
                            "port_directions": {}, "connections": {}}
             for kind, part in ECP5.blocks.items() for n, name in enumerate(part.places[1])}
    module = {"attributes": {"top": "1"}, "ports": {}, "cells": cells, "netnames": {}}
    (tmp_path / "top.json").write_text(json.dumps({"modules": {"top": module}}))
    run(ECP5.nextpnr, [*ECP5.part, *ECP5.out_of_context, "--json", "top.json", "--write", "placed.json",
                       "--report", "report.json", "--no-route", "--quiet"], tmp_path, "top.log")
    report = json.loads((tmp_path / "report.json").read_text())["utilization"]
    assert all(report[kind]["used"] == report[kind]["available"] for kind in ECP5.blocks)
    written, = json.loads((tmp_path / "placed.json").read_text())["modules"].values()
    assert all(written["cells"][name]["attributes"]["NEXTPNR_BEL"] == cell["attributes"]["BEL"]
               for name, cell in cells.items())


def test_a_netlist_without_blocks_stays(tmp_path):
    path = tmp_path / "top.json"
    text = json.dumps({"modules": {"top": {"attributes": {"top": "1"}, "cells": {}}}})
    path.write_text(text)
    assert floorplan(path, ECP5.blocks) == 0 and path.read_text() == text


@pytest.mark.parametrize("between, apart", [(3, 6), (100, 28)])
def test_cells_take_room(between, apart):
    """A short path holds two blocks together; the cells of a long one need the square between its corners."""
    found, length = placed(*chain(2, between), SQUARE)
    a, b = (np.array(re.match(r"X(\d+)/Y(\d+)/r", name).groups(), int) for name in found.values())
    assert np.abs(a - b).sum() == apart == pytest.approx(length, rel=0.01)
