"""The rate of the cocotb simulation, from results as cocotb writes them."""

import pytest
from shiftwork.flow import cocotb_rate

RESULTS = """<testsuites><testsuite>
<testcase time="2.0"><properties><property name="sim_time_unit" value="ns" />
<property name="sim_time_stop" value="900.0" />
<property name="sim_time_duration" value="400.0" /></properties></testcase>
<testcase time="3.0"><properties><property name="sim_time_duration" value="600.0" /></properties></testcase>
<testcase time="0.0"><skipped /></testcase>
</testsuite></testsuites>"""


def test_cycles_of_all_cases_in_their_time(monkeypatch, tmp_path):
    monkeypatch.setattr(cocotb_rate.ternary, "verilog", lambda config: "")
    monkeypatch.setattr(
        cocotb_rate.ternary, "verify", lambda *a: (tmp_path / "results.xml").write_text(RESULTS))
    assert cocotb_rate.cycles_per_second(None, None, None, tmp_path) == pytest.approx(100 / 5)
