"""LUTs of a lane and a MAC, and what `factored` is worth by them."""

import json

import pytest
from shiftwork.flow.layer_logic import LANE, MAC, Logic, logic, worth
from shiftwork.golden.smartexchange.comparison import compare


def test_measured_rows_replace_estimates(tmp_path):
    path = tmp_path / "smartexchange.json"
    assert logic(path) == Logic(LANE, MAC)
    rows = [{"name": "lane/comb", "value": 80.5}, {"name": "rebuild/comb", "value": None}]
    path.write_text(json.dumps(rows))
    assert logic(path) == Logic(80.5, MAC)
    path.write_text(json.dumps([{"name": "rebuild/comb", "value": 120}]))
    assert logic(path) == Logic(LANE, 120)


def test_worth():
    costs = compare("VGG19")
    ratio = costs["rebuild"].compute / costs["factored"].compute
    assert worth(costs, Logic(50, 100), "compute") == pytest.approx(2 * ratio)
